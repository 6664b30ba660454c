"""The series of an area (docs/reference/layers-and-series.md)."""

import json

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.limits import Limits
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols import served

PATH = "/timeseries/NDVI/area"


@pytest.fixture
def square(longitude_latitude):
    """Polygon around the centres of rows 30 and 31, columns 40 to 42."""
    rows, columns = (29.6, 31.4), (39.6, 42.4)
    ring = [(rows[0], columns[0]), (rows[0], columns[1]), (rows[1], columns[1]), (rows[1], columns[0])]
    corners = [list(longitude_latitude(*corner)) for corner in ring]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


def cells(time):
    rows, columns = np.mgrid[30:32, 40:43]
    return served.number_at(rows, columns, time).astype(float)


def test_json_is_the_document_of_the_contract(client, square):
    feature = {"type": "Feature", "id": "field 7", "properties": None, "geometry": square}

    answer = client.post(f"{PATH}?datetime=2020-06-01/..&reducers=mean,count", json=feature)

    assert answer.status_code == 200
    assert list(answer.json()) == ["layer", "units", "times", "features"]
    assert answer.json() == {
        "layer": "NDVI",
        "units": "1",
        "times": ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"],
        "features": [
            {
                "id": "field 7",
                "series": {"mean": pytest.approx([cells(time).mean() for time in (1, 2, 3)]), "count": [6, 6, 6]},
                "valid": [6, 6, 6],
                "total": 6,
            }
        ],
    }


def test_a_bare_geometry_has_its_mean_and_no_id(client, square):
    (feature,) = client.post(PATH, json=square).json()["features"]

    assert feature["id"] is None
    assert list(feature["series"]) == ["mean"]


def test_missing_value_is_null(make_client, make_services, square):
    variable = served.make_variable(valid_range=(251, 252))
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))

    (feature,) = client.post(PATH, json=square).json()["features"]

    assert feature["series"]["mean"] == [None] * 4


RING = [[4.5, 50.9], [4.6, 50.9], [4.6, 50.8], [4.5, 50.9]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"{", "not valid JSON", id="truncated"),
        pytest.param(json.dumps({"type": "Polygon", "coordinates": [RING[:2]]}), "ring 1", id="short ring"),
        pytest.param(
            json.dumps({"type": "Polygon", "coordinates": [[position[::-1] for position in RING]]}),
            "outside layer",
            id="swapped",
        ),
    ],
)
def test_bad_geometry_is_reported(client, body, said):
    answer = client.post(PATH, content=body)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert answer.json()["parameter"] == "geometry"


def test_heights_are_ignored(client, square):
    with_heights = {"type": "Polygon", "coordinates": [[[*position, 12.5] for position in square["coordinates"][0]]]}

    assert client.post(PATH, json=with_heights).json() == client.post(PATH, json=square).json()


@pytest.mark.parametrize("name", ["reducer", "Min_Valids", "startDate"])
def test_misspelt_and_foreign_parameters_are_reported(client, square, name):
    answer = client.post(f"{PATH}?{name}=1", json=square)

    assert (answer.status_code, answer.json()["parameter"]) == (400, name)


def test_unknown_reducers_are_refused(client, square):
    answer = client.post(f"{PATH}?reducers=mean,mode", json=square)

    assert (answer.status_code, answer.json()["parameter"]) == (400, "reducers")


@pytest.mark.parametrize(
    ("limits", "status", "name"),
    [
        pytest.param({"max_body_bytes": 50}, 413, "max_body_bytes", id="body"),
        pytest.param({"max_vertices": 4}, 400, "max_vertices", id="vertices"),
    ],
)
def test_too_large_a_body_is_refused(make_client, make_services, square, limits, status, name):
    answer = make_client(make_services(limits=Limits(**limits))).post(PATH, json=square)

    assert (answer.status_code, answer.json()["type"], answer.json()["limit"]) == (status, "limit-exceeded", name)


def mean_of(answer):
    (feature,) = answer.json()["features"]
    return feature["total"], feature["series"]["mean"]


def corners_of(square):
    longitudes, latitudes = zip(*square["coordinates"][0], strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_box_is_an_area(client, method):
    answer = client.request(method, f"{PATH}?bbox=604000,5646800,604300,5647000&crs=EPSG:32631&reducers=mean")

    assert answer.status_code == 200
    assert mean_of(answer) == (6, pytest.approx([cells(time).mean() for time in range(4)]))


def test_a_box_is_west_south_east_north(client, square):
    box = corners_of(square)
    ring = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]], [box[0], box[1]]]

    of_box = client.get(f"{PATH}?bbox={','.join(map(str, box))}")

    assert mean_of(of_box) == mean_of(client.post(PATH, json={"type": "Polygon", "coordinates": [ring]}))


@pytest.mark.parametrize(
    "box",
    [
        pytest.param("-180,-90,180,90", id="degrees"),
        pytest.param("-20037508,-20037508,20037508,20037508&crs=EPSG:3857", id="Mercator"),
    ],
)
def test_a_box_of_the_whole_world_holds_all_cells(client, box):
    assert mean_of(client.get(f"{PATH}?bbox={box}&datetime=2020-06-01"))[0] == 400 * 300


@pytest.fixture
def globe(make_client, make_services):
    """Global grid with cells of one degree."""
    grid = NativeGrid(crs=CRS84, transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    return make_client(make_services(served.make_collection(layer)))


def test_box_with_west_above_east_crosses_the_antimeridian(globe):
    rows, columns = np.meshgrid([80, 81], [358, 359, 0, 1, 2])
    expected = served.number_at(rows, columns, 0).astype(float).mean()

    total, means = mean_of(globe.get(f"{PATH}?bbox=178,8,-177,10&datetime=2020-05-21"))

    assert (total, means) == (10, [pytest.approx(expected)])


def test_box_across_the_antimeridian_meets_a_layer_that_ends_before_it(make_client, make_services):
    grid = NativeGrid(crs=CRS84, transform=Affine(0.1, 0, 179, 0, -0.1, 10), width=9, height=10)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(make_services(served.make_collection(layer)))

    total, _means = mean_of(client.get(f"{PATH}?bbox=178,8,-178,11&datetime=2020-05-21"))

    assert total == 90


@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("", "place", "bbox="),
        ("bbox=1,2,3", "bbox", "4 numbers"),
        ("bbox=4,51,5,50", "bbox", "empty"),
        ("bbox=4,91,5,92", "bbox", "degrees"),
        ("bbox=50,4,51,5", "bbox", "outside"),
        ("bbox=50.8,4.6,50.9,4.7", "bbox", "swapped"),
        ("bbox=5,50,4,51", "bbox", "does not reach"),
        ("bbox=4,50,5,51&weights=half", "weights", "pixel, area"),
        ("bbox=4,50,5,51&dry_run=maybe", "dry_run", "true, false"),
        ("bbox=4,50,5,51&min_valid=2", "min_valid", "0 to 1"),
    ],
)
def test_invalid_box_is_reported(client, query, parameter, said):
    answer = client.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert said in answer.json()["detail"]


def test_a_box_and_a_geometry_are_too_much(client, square):
    answer = client.post(f"{PATH}?bbox=4,50,5,51", json=square)

    assert (answer.status_code, answer.json()["parameter"]) == (400, "bbox")


def test_dry_run_returns_the_cost(client, square):
    answer = client.post(f"{PATH}?dry_run=true&reducers=mean,p10&format=csv", json=square)

    assert answer.json() == {
        "layer": "NDVI",
        "chunks": 4,
        "bytes": 4 * 512 * 512,
        "megabytes": 1.049,
        "seconds": answer.json()["seconds"],
        "values": 8,
    }


def test_weights_of_area_count_touched_cells(client):
    query = "bbox=604050,5646800,604350,5647000&crs=EPSG:32631&datetime=2020-05-21&weights="
    rows, columns = np.mgrid[30:32, 40:44]
    weights = np.where((columns == 40) | (columns == 43), 0.5, 1.0)

    total, means = mean_of(client.get(f"{PATH}?{query}area"))

    assert total == 8
    assert means == [pytest.approx(np.average(served.number_at(rows, columns, 0), weights=weights))]


def test_a_geometry_may_be_in_the_layers_own_crs(client, square):
    grid = served.BELGIUM_31N
    corners = [grid.centre_of(row, column) for row, column in [(29.6, 39.6), (29.6, 42.4), (31.4, 42.4), (31.4, 39.6)]]
    in_metres = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}

    assert client.post(f"{PATH}?crs=EPSG:32631", json=in_metres).json() == client.post(PATH, json=square).json()


def test_a_crs_that_is_not_offered_is_refused(client, square):
    answer = client.post(f"{PATH}?crs=EPSG:2154", json=square)

    assert (answer.status_code, answer.json()["parameter"]) == (400, "crs")


def test_feature_keeps_its_properties_and_reports_repairs(client, square):
    crossed = {"type": "Polygon", "coordinates": [[square["coordinates"][0][index] for index in (0, 2, 1, 3, 0)]]}
    feature = {"type": "Feature", "properties": {"crop": "beet"}, "geometry": crossed}

    (told,) = client.post(PATH, json=feature).json()["features"]

    assert told["properties"] == {"crop": "beet"}
    assert "self-intersection at" in told["note"]


def test_latitude_given_as_longitude_is_reported(client, square):
    swapped = {"type": "Polygon", "coordinates": [[position[::-1] for position in square["coordinates"][0]]]}

    assert "seem to be swapped" in client.post(PATH, json=swapped).json()["detail"]
