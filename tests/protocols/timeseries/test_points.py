"""Series of many points of many layers in one call (docs/reference/layers-and-series.md)."""

import csv
import io
import json

import pytest

from chronotile.catalog.limits import Limits
from tests.protocols import served

PATH = "/timeseries/points"
CELLS = [(30, 40), (30, 41), (250, 300)]
SINCE = "2020-06-11/.."


@pytest.fixture
def points(longitude_latitude):
    """Centres of three cells."""
    return [list(longitude_latitude(*cell)) for cell in CELLS]


def values(row, column, times=(2, 3)):
    return [float(served.number_at(row, column, time)) for time in times]


def test_each_layer_has_the_document_of_areas(client, points):
    body = {"layers": ["NDVI", "UNDATED"], "points": points, "datetime": SINCE}

    answer = client.post(PATH, json=body)

    assert answer.status_code == 200
    assert list(answer.json()) == ["results"]
    assert [result["layer"] for result in answer.json()["results"]] == ["NDVI", "UNDATED"]
    assert answer.json()["results"][0] == {
        "layer": "NDVI",
        "units": "1",
        "times": ["2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"],
        "features": [{"id": None, "series": {"mean": values(*cell)}, "valid": [1, 1], "total": 1} for cell in CELLS],
    }


def test_datetime_may_stand_in_the_query(client, points):
    body = {"layers": ["NDVI"], "points": points}

    beside = client.post(f"{PATH}?datetime={SINCE}", json=body)
    in_both = client.post(f"{PATH}?datetime={SINCE}", json={**body, "datetime": SINCE})

    inside = client.post(PATH, json={**body, "datetime": SINCE})
    assert beside.json() == in_both.json() == inside.json()


@pytest.mark.parametrize(
    ("query", "parameter", "reason"),
    [
        ("datetime=2021", "datetime", "datetime is 2021 in the query, but the body says 2020-06-11/..; give one"),
        ("layers=NDVI", "layers", "it belongs in the body"),
        ("lon=4.5", "lon", "use the member points: it belongs in the body"),
        ("time=2021", "time", "use datetime"),
        ("start_date=2021", "start_date", "use datetime"),
        ("reducers=mean", "reducers", "use /timeseries/{layer}/area"),
        ("bbox=4,50,5,51", "bbox", "use /timeseries/{layer}/area"),
        ("crs=EPSG:3857", "crs", "CRS84"),
        ("limit=2", "limit", "a shorter datetime"),
        ("formt=csv", "formt", "use format"),
    ],
)
def test_parameters_without_a_meaning_for_points_are_refused(client, points, query, parameter, reason):
    answer = client.post(f"{PATH}?{query}", json={"layers": ["NDVI"], "points": points, "datetime": SINCE})

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert reason in answer.json()["detail"]


def test_points_may_have_names(client, points):
    named = [{"id": f"p{number}", "lon": lon, "lat": lat} for number, (lon, lat) in enumerate(points)]

    (result,) = client.post(PATH, json={"layers": ["NDVI"], "points": named}).json()["results"]

    assert [feature["id"] for feature in result["features"]] == ["p0", "p1", "p2"]


def test_values_equal_those_of_the_single_point(client, points):
    (result,) = client.post(PATH, json={"layers": ["NDVI"], "points": points}).json()["results"]

    alone = [client.get(f"/timeseries/NDVI/point?lon={lon}&lat={lat}").json() for lon, lat in points]
    assert [feature["series"]["mean"] for feature in result["features"]] == [each["values"] for each in alone]
    assert result["times"] == alone[0]["times"]


def test_point_outside_is_distinguished_from_nodata_inside(client, longitude_latitude, points):
    nodata = list(longitude_latitude(0, 40))

    (result,) = client.post(PATH, json={"layers": ["NDVI"], "points": [[10, 50], nodata, points[0]]}).json()["results"]

    outside, inside, good = result["features"]
    assert (outside["total"], outside["series"]["mean"]) == (0, [None] * 4)
    assert outside["note"].startswith("it lies outside the layer, which reaches from 4.4")
    assert (inside["total"], inside["reasons"]) == (1, {"nodata": [1, 1, 1, 1]})
    assert "note" not in good


def test_point_outside_with_latitude_first_is_reported_as_such(client, points):
    longitude, latitude = points[0]

    (result,) = client.post(PATH, json={"layers": ["NDVI"], "points": [[latitude, longitude], [10, 50]]}).json()[
        "results"
    ]

    swapped, elsewhere = (feature["note"] for feature in result["features"])
    assert swapped.endswith("; longitude and latitude seem to be swapped")
    assert "swapped" not in elsewhere


def test_point_between_the_box_and_the_grid_is_reported_as_such(client, points):
    (result,) = client.post(PATH, json={"layers": ["NDVI"], "points": [points[0], [4.418, 50.99]]}).json()["results"]

    assert result["features"][1]["note"].endswith(
        "; the area is not a rectangle in longitude and latitude and does not fill this box"
    )


def test_points_of_one_block_are_read_once(make_client, make_services, longitude_latitude):
    services = make_services()
    reader = services.readers["s2"]
    points = [list(longitude_latitude(30, column)) for column in range(40, 50)]

    answer = make_client(services).post(PATH, json={"layers": ["NDVI"], "points": points, "datetime": "latest"})

    assert answer.status_code == 200
    assert len(reader.windows_read) == 1


def test_a_layer_without_time_has_its_one_value(client, points):
    (result,) = client.post(PATH, json={"layers": ["HEIGHT"], "points": points[:1]}).json()["results"]

    assert result["times"] == [None]
    assert result["features"][0]["series"]["mean"] == values(30, 40, [0])


def test_no_points_have_no_features(client):
    (result,) = client.post(PATH, json={"layers": ["NDVI"], "points": []}).json()["results"]

    assert (len(result["times"]), result["features"]) == (4, [])


def test_csv_is_a_long_table_of_one_layer(client, longitude_latitude, points):
    body = {"layers": ["NDVI"], "points": [points[0], list(longitude_latitude(0, 40))], "datetime": "latest"}

    rows = list(csv.reader(io.StringIO(client.post(f"{PATH}?format=csv", json=body).text)))

    time = "2020-06-21T00:00:00Z"
    assert rows == [
        ["id", "time", "value", "reason"],
        ["1", time, f"{values(30, 40)[1]:g}", ""],
        ["2", time, "", "nodata"],
    ]


def test_lines_name_their_layer(client, points):
    body = {"layers": ["NDVI", "UNDATED"], "points": points}

    lines = client.post(PATH, json=body, headers={"Accept": "application/x-ndjson"}).text.splitlines()

    layers = [json.loads(line)["properties"]["layer"] for line in lines]
    assert layers == ["NDVI"] * 3 + ["UNDATED"] * 3


@pytest.mark.parametrize("name", ["geojson", "covjson", "parquet", "netcdf"])
def test_files_have_one_layer(client, points, name):
    one = client.post(f"{PATH}?format={name}", json={"layers": ["NDVI"], "points": points})
    two = client.post(f"{PATH}?format={name}", json={"layers": ["NDVI", "UNDATED"], "points": points})

    assert (one.status_code, two.status_code, two.json()["parameter"]) == (200, 400, "format")


@pytest.mark.parametrize(
    ("body", "status", "parameter"),
    [
        ({"points": []}, 400, "layers"),
        ({"layers": ["NDVI"]}, 400, "points"),
        ({"layers": [], "points": []}, 400, "layers"),
        ({"layers": "NDVI", "points": []}, 400, "layers"),
        ({"layers": [1], "points": []}, 400, "layers"),
        ({"layers": ["NDVI"] + [f"L{number}" for number in range(100)], "points": []}, 400, "layers"),
        ({"layers": ["NDVJ"], "points": []}, 404, "layers"),
        ({"layers": ["TRUE_COLOUR"], "points": []}, 400, "layers"),
        ({"layers": ["NDVI"], "points": {"lon": 4.5, "lat": 50.9}}, 400, "points"),
        ({"layers": ["NDVI"], "points": [[4.5]]}, 400, "points"),
        ({"layers": ["NDVI"], "points": [["4.5", "50.9"]]}, 400, "points"),
        ({"layers": ["NDVI"], "points": [[True, False]]}, 400, "points"),
        ({"layers": ["NDVI"], "points": [{"lon": 4.5}]}, 400, "points"),
        ({"layers": ["NDVI"], "points": [{"lon": 4.5, "lat": 50.9, "id": []}]}, 400, "points"),
        ({"layers": ["NDVI"], "points": [{"lon": 4.5, "lat": 50.9, "id": "a" * 201}]}, 400, "points"),
        ({"layers": ["NDVI"], "points": [[4.5, 94]]}, 400, "lat of point 1"),
        ({"layers": ["NDVI"], "points": [], "datetime": "soon"}, 400, "datetime"),
        ({"layers": ["NDVI"], "points": [], "datetime": 2020}, 400, "datetime"),
        ({"layers": ["NDVI"], "points": [], "time": "2020"}, 400, "time"),
        ([], 400, "points"),
    ],
)
def test_faults_name_the_member(client, body, status, parameter):
    answer = client.post(PATH, json=body)

    assert (answer.status_code, answer.json()["parameter"]) == (status, parameter)


@pytest.mark.parametrize(
    ("limits", "name"), [({"max_features": 2}, "max_features"), ({"max_series_values": 20}, "max_series_values")]
)
def test_too_much_is_refused(make_client, make_services, points, limits, name):
    client = make_client(make_services(*served.varied_collections(), limits=Limits(**limits)))

    answer = client.post(PATH, json={"layers": ["NDVI", "UNDATED"], "points": points})

    assert (answer.status_code, answer.json()["type"], answer.json()["limit"]) == (400, "limit-exceeded", name)


def test_reads_of_all_layers_have_one_limit(make_client, make_services, points):
    one = 512 * 512 * 4
    client = make_client(make_services(*served.varied_collections(), limits=Limits(max_area_values=one)))

    alone, both = (
        client.post(PATH, json={"layers": layers, "points": points}) for layers in (["NDVI"], ["NDVI", "UNDATED"])
    )

    assert alone.status_code == 200
    assert (both.status_code, both.json()["limit"]) == (400, "max_area_values")


def test_layer_named_twice_is_read_once(client, points):
    answer = client.post(PATH, json={"layers": ["NDVI", "S2_NDVI"], "points": points})

    assert [result["layer"] for result in answer.json()["results"]] == ["NDVI"]


def test_too_many_empty_lists_are_refused_before_parsing(make_client, make_services):
    client = make_client(make_services(limits=Limits(max_features=10)))

    answer = client.post(PATH, json={"layers": ["NDVI"], "points": [[[]] * 1000]})

    assert (answer.status_code, answer.json()["limit"]) == (400, "max_containers")


def test_missing_source_is_503(client, points):
    answer = client.post(PATH, json={"layers": ["NDVI", "GONE"], "points": points})

    assert (answer.status_code, "GONE" in answer.json()["detail"]) == (503, True)
