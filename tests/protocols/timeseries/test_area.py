"""The series of an area, as DESIGN 2.4 words it."""

import json

import numpy as np
import pytest

from chronotile.catalog.catalogue import Limits
from tests.protocols import served

PATH = "/timeseries/NDVI/area"


@pytest.fixture
def square(longitude_latitude):
    """Around the centres of rows 30 and 31, columns 40 to 42."""
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


def test_what_has_no_value_is_null(make_client, make_services, square):
    variable = served.make_variable(valid_range=(251, 252))
    client = make_client(make_services(served.make_collection(served.make_layer(variable=variable))))

    (feature,) = client.post(PATH, json=square).json()["features"]

    assert feature["series"]["mean"] == [None] * 4


RING = [[4.5, 50.9], [4.6, 50.9], [4.6, 50.8], [4.5, 50.9]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"{", "no JSON", id="truncated"),
        pytest.param(json.dumps({"type": "Polygon", "coordinates": [RING[:2]]}), "ring 1", id="short ring"),
        pytest.param(
            json.dumps({"type": "Polygon", "coordinates": [[position[::-1] for position in RING]]}),
            "outside layer",
            id="swapped",
        ),
    ],
)
def test_a_bad_geometry_is_told(client, body, said):
    answer = client.post(PATH, content=body)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert answer.json()["parameter"] == "geometry"


def test_heights_are_left_out(client, square):
    with_heights = {"type": "Polygon", "coordinates": [[[*position, 12.5] for position in square["coordinates"][0]]]}

    assert client.post(PATH, json=with_heights).json() == client.post(PATH, json=square).json()


@pytest.mark.parametrize("name", ["reducer", "Min_Valids", "startDate"])
def test_misspelt_parameters_and_those_of_others_are_told(client, square, name):
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


def test_a_geometry_may_be_in_the_layers_own_crs(client, square):
    grid = served.BELGIUM_31N
    corners = [grid.centre_of(row, column) for row, column in [(29.6, 39.6), (29.6, 42.4), (31.4, 42.4), (31.4, 39.6)]]
    in_metres = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}

    assert client.post(f"{PATH}?crs=EPSG:32631", json=in_metres).json() == client.post(PATH, json=square).json()


def test_a_crs_that_is_not_offered_is_refused(client, square):
    answer = client.post(f"{PATH}?crs=EPSG:2154", json=square)

    assert (answer.status_code, answer.json()["parameter"]) == (400, "crs")


def test_a_feature_passes_on_its_properties_and_what_was_repaired(client, square):
    crossed = {"type": "Polygon", "coordinates": [[square["coordinates"][0][index] for index in (0, 2, 1, 3, 0)]]}
    feature = {"type": "Feature", "properties": {"crop": "beet"}, "geometry": crossed}

    (told,) = client.post(PATH, json=feature).json()["features"]

    assert told["properties"] == {"crop": "beet"}
    assert "self-intersection at" in told["note"]


def test_latitude_given_as_longitude_is_told(client, square):
    swapped = {"type": "Polygon", "coordinates": [[position[::-1] for position in square["coordinates"][0]]]}

    assert "seem to be swapped" in client.post(PATH, json=swapped).json()["detail"]
