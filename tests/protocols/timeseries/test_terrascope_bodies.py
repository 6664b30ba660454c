"""Bodies posted by public clients of Terrascope's service (TERRASCOPE.md section 1)."""

import json

import numpy as np
import pytest

from chronotile.catalog.limits import Limits
from chronotile.core.model.collection import Alias
from chronotile.core.model.time.domain import NO_TIME
from tests.protocols import served

BASES = ["/timeseries/v1.0/ts", "/timeseries/v1.1/ts"]
DATES = ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
SHORT = "startDate=2020-06-01&endDate=2020-06-11"


@pytest.fixture
def block(longitude_latitude):
    """Return a function: `block(row, column)` makes a polygon around the centres of a cell and its right neighbour."""

    def around(row, column):
        corners = [
            list(longitude_latitude(row + below - 0.4, column + right))
            for below, right in [(0, -0.4), (0, 1.4), (0.8, 1.4), (0.8, -0.4)]
        ]
        return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}

    return around


def mean(row, column, time):
    return float(served.number_at(np.array(row), np.array([column, column + 1]), time).mean())


def expected(row, column, times=(1, 2)):
    return [
        {"date": DATES[time], "result": {"totalCount": 2, "validCount": 2, "average": mean(row, column, time)}}
        for time in times
    ]


def feature(geometry, **members):
    return {"type": "Feature", "properties": {}, "geometry": geometry, **members}


def features(*geometries):
    return {"type": "FeatureCollection", "features": [feature(geometry) for geometry in geometries]}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", ["NDVI", "CGS_S2_NDVI"])
def test_vitos_notebook_posts_a_feature(client, block, base, name):
    answer = client.post(f"{base}/{name}/geometry?{SHORT}", json=feature(block(30, 40)))

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {"results": expected(30, 40)}


def test_a_client_in_c_sharp_posts_a_bare_polygon_to_a_path_with_a_slash(client, block):
    body = json.dumps(block(30, 40)).encode()

    answer = client.post(
        f"{BASES[0]}/NDVI/geometry/?{SHORT}", content=body, headers={"Content-Type": "application/json; charset=utf-8"}
    )

    assert answer.json() == {"results": expected(30, 40)}


def test_vitos_parcel_script_posts_multipolygons_that_touch(client, block):
    parcels = [block(30, 40), block(31, 40), block(32, 44)]
    body = features(*({"type": "MultiPolygon", "coordinates": [each["coordinates"]]} for each in parcels))

    answer = client.post(f"{BASES[1]}/NDVI/features?{SHORT}&zoom=2147483647", json=body)

    assert answer.json() == {"results": [expected(30, 40), expected(31, 40), expected(32, 44)]}


def test_geometry_posted_by_the_viewer_of_xcube_gets_error_bars(client, block):
    answer = client.post(
        f"{BASES[0]}/NDVI/geometry?inclStDev=1&startDate=2020-06-01&endDate=2020-06-01", json=block(30, 40)
    )

    deviation = float(served.number_at(np.array(30), np.array([40, 41]), 1).std())
    assert answer.text == (
        '{"results":[{"date":"2020-06-01","result":'
        f'{{"totalCount":2,"validCount":2,"average":{mean(30, 40, 1)},"uncertainty":{deviation}}}}}]}}'
    )


@pytest.mark.parametrize("wrap", [lambda point: point, feature], ids=["bare", "feature"])
def test_xcubes_viewer_posts_a_point_too(client, longitude_latitude, wrap):
    longitude, latitude = longitude_latitude(30, 40)

    answer = client.post(
        f"{BASES[0]}/NDVI/geometry?{SHORT}", json=wrap({"type": "Point", "coordinates": [longitude, latitude]})
    )

    by_query = client.get(f"{BASES[0]}/NDVI/point?lon={longitude}&lat={latitude}&{SHORT}")
    assert answer.json() == by_query.json()


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("end", ["", "/"])
def test_geometries_answer_in_their_order(client, block, base, end):
    body = {"type": "GeometryCollection", "geometries": [block(32, 44), block(30, 40)]}

    answer = client.post(f"{base}/NDVI/geometries{end}?{SHORT}", json=body)

    assert answer.json() == {"results": [expected(32, 44), expected(30, 40)]}


def test_features_may_overlap(client, block):
    answer = client.post(f"{BASES[1]}/NDVI/features?{SHORT}", json=features(block(30, 40), block(30, 41)))

    assert answer.json() == {"results": [expected(30, 40), expected(30, 41)]}


def test_all_dates_are_returned_by_default(client, block):
    answer = client.post(f"{BASES[0]}/NDVI/geometry", json=block(30, 40))

    assert [result["date"] for result in answer.json()["results"]] == DATES


def test_a_date_without_valid_pixels_has_a_null_average(client, block):
    answer = client.post(f"{BASES[0]}/NDVI/geometry?inclStDev=1&endDate=2020-05-21", json=block(0, 40))

    assert answer.text == (
        '{"results":[{"date":"2020-05-21","result":{"totalCount":2,"validCount":0,"average":null,"uncertainty":null}}]}'
    )


def test_counts_may_be_omitted(client, block):
    answer = client.post(f"{BASES[0]}/NDVI/geometry?inclCount=0&endDate=2020-05-21", json=block(30, 40))

    assert answer.json() == {"results": [{"date": "2020-05-21", "result": {"average": mean(30, 40, 0)}}]}


@pytest.mark.parametrize(("most", "times"), [("-1", [0, 1, 2, 3]), ("2", [2, 3])])
def test_max_valids_counts_for_each_geometry(client, block, most, times):
    answer = client.post(f"{BASES[0]}/NDVI/features?maxValids={most}", json=features(block(30, 40), block(0, 40)))

    assert answer.json() == {"results": [expected(30, 40, times), []]}


def test_features_of_nothing_have_no_results(client):
    assert client.post(f"{BASES[1]}/NDVI/features", json=features()).json() == {"results": []}


def test_a_layer_without_time_has_no_results(make_client, make_services, block):
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME))
    client = make_client(make_services(served.make_collection(layer)))

    assert client.post(f"{BASES[1]}/NDVI/features", json=features(block(30, 40))).json() == {"results": [[]]}


@pytest.mark.parametrize(
    ("path", "body", "status", "parameter"),
    [
        ("NDVI/geometry", {"type": "LineString", "coordinates": []}, 400, "geometry"),
        ("NDVI/geometry", {"type": "Point", "coordinates": [4.5]}, 400, "geometry"),
        ("NDVI/geometry", {"type": "Point", "coordinates": [4.5, 94]}, 400, "lat"),
        ("NDVI/geometry", {"type": "Point", "coordinates": [50.9, 4.5]}, 400, "lon,lat"),
        ("NDVI/geometries", {"type": "FeatureCollection"}, 400, "geometry"),
        ("NDVI/features", {"type": "GeometryCollection", "geometries": 3}, 400, "geometry"),
        ("NDVJ/features", {"type": "FeatureCollection", "features": []}, 404, "productId"),
        ("TRUE_COLOUR/features", {"type": "FeatureCollection", "features": []}, 400, "productId"),
        ("NDVI/features?startDate=soon", {"type": "FeatureCollection", "features": []}, 400, "startDate"),
        ("NDVI/features?maxValids=few", {"type": "FeatureCollection", "features": []}, 400, "maxValids"),
    ],
)
def test_faults_name_the_parameter(client, path, body, status, parameter):
    answer = client.post(f"{BASES[1]}/{path}", json=body)

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["parameter"]) == (status, parameter)


def test_more_features_than_are_allowed_are_refused(make_client, make_services, block):
    client = make_client(make_services(limits=Limits(max_features=1)))

    answer = client.post(f"{BASES[1]}/NDVI/features", json=features(block(30, 40), block(31, 40)))

    assert (answer.status_code, answer.json()["limit"]) == (400, "max_features")


def test_a_day_with_several_instants_names_them_in_full(make_client, make_services, block):
    times = served.days_of("2020-06-20T10:50:31", "2020-06-20T11:02:00", "2020-06-25T10:50:29")
    layer = served.make_layer(variable=served.make_variable(times=times), aliases=(Alias(name="S2"),))
    client = make_client(make_services(served.make_collection(layer)))

    (results,) = client.post(f"{BASES[0]}/S2/features", json=features(block(30, 40))).json()["results"]

    assert [result["date"] for result in results] == ["2020-06-20T10:50:31Z", "2020-06-20T11:02:00Z", "2020-06-25"]
