"""The series of many areas in one call."""

import functools
import json

import pytest
from affine import Affine

from chronotile.catalog.limits import Limits
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols import served

PATH = "/timeseries/NDVI/areas"


@pytest.fixture
def feature(longitude_latitude):
    """Return a function: `feature(row, column, cells=3)` makes a square of whole cells from this cell on."""

    def make(row, column, cells=3):
        last = row - 0.4 + cells - 0.2, column - 0.4 + cells - 0.2
        first = row - 0.4, column - 0.4
        ring = [longitude_latitude(*corner) for corner in (first, (first[0], last[1]), last, (last[0], first[1]))]
        return {
            "type": "Feature",
            "id": f"{row}/{column}",
            "properties": {"crop": "rye"},
            "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        }

    return make


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def test_each_feature_has_the_series_that_it_has_alone(client, feature):
    features = [feature(30, 40), feature(31, 41), feature(200, 300, cells=20)]

    answer = client.post(f"{PATH}?reducers=mean,p10,count", json=collection(*features))

    alone = [client.post("/timeseries/NDVI/area?reducers=mean,p10,count", json=each).json() for each in features]
    assert answer.status_code == 200
    assert answer.json() == {**alone[0], "features": [each["features"][0] for each in alone]}
    assert [each["total"] for each in answer.json()["features"]] == [9, 9, 400]


def test_blocks_are_read_once_for_all_features(make_client, make_services, feature):
    services = make_services()

    make_client(services).post(PATH, json=collection(*(feature(20 * row, 30) for row in range(1, 10))))

    assert len(services.readers["s2"].windows_read) == 4


def test_feature_outside_among_others_has_a_note(client, feature):
    inside, outside = client.post(PATH, json=collection(feature(30, 40), feature(-900, 40))).json()["features"]

    assert "note" not in inside
    assert outside["note"].startswith("it lies outside the layer")
    assert (outside["total"], outside["series"]["mean"]) == (0, [None] * 4)


def test_a_feature_without_geometry_has_no_values_and_a_note(client, feature):
    nowhere = {"type": "Feature", "id": "lost", "properties": {"crop": "oats"}, "geometry": None}

    lost, found = client.post(PATH, json=collection(nowhere, feature(30, 40))).json()["features"]

    assert lost == {
        "id": "lost",
        "series": {"mean": [None] * 4},
        "valid": [0] * 4,
        "total": 0,
        "properties": {"crop": "oats"},
        "note": "it has no geometry",
    }
    assert found == client.post(PATH, json=collection(feature(30, 40))).json()["features"][0]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", ["json", "csv", "geojson", "ndjson", "covjson", "parquet", "netcdf"])
def test_features_without_geometry_are_reported_in_every_format(client, feature, count, name):
    nowhere = {"type": "Feature", "properties": None, "geometry": None}
    members = [nowhere, feature(30, 40)][:count]

    answer = client.post(f"{PATH}?format={name}&weights=area", json=collection(*members))

    assert answer.status_code == 200
    if name == "geojson":
        assert answer.json()["features"][0]["geometry"] is None


def test_a_feature_without_geometry_is_let_be_on_a_grid_round_the_globe(make_client, make_services, feature):
    grid = NativeGrid(crs=CRS84, transform=Affine(1, 0, -180, 0, -1, 90), width=360, height=180)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(make_services(served.make_collection(layer)))
    nowhere = {"type": "Feature", "properties": None, "geometry": None}

    lost, _ = client.post(f"{PATH}?weights=area", json=collection(nowhere, feature(30, 40))).json()["features"]

    assert (lost["total"], lost["note"]) == (0, "it has no geometry")


def test_a_feature_without_geometry_is_no_area(client):
    answer = client.post("/timeseries/NDVI/area", json={"type": "Feature", "properties": {}, "geometry": None})

    assert (answer.status_code, answer.json()["detail"]) == (400, "the feature has no geometry: it is null")


def test_no_features_have_no_series(client):
    answer = client.post(PATH, json=collection())

    assert (answer.status_code, answer.json()["features"]) == (200, [])
    assert len(answer.json()["times"]) == 4


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        ({"max_features": 2}, "max_features"),
        ({"max_vertices": 14}, "max_vertices"),
        ({"max_series_values": 11}, "max_series_values"),
        ({"max_area_values": 1000}, "max_area_values"),
    ],
)
def test_too_large_request_is_refused_with_the_remedy(make_client, make_services, feature, limits, limit):
    services = make_services(limits=Limits(**limits))

    answer = make_client(services).post(PATH, json=collection(*(feature(30, 40 * place) for place in (1, 2, 3))))

    assert (answer.status_code, answer.json()["type"], answer.json()["limit"]) == (400, "limit-exceeded", limit)
    assert answer.json()["alternative"]
    assert services.readers["s2"].windows_read == []


def test_a_geometry_alone_is_no_collection(client, feature):
    answer = client.post(PATH, json=feature(30, 40))

    assert (answer.status_code, answer.json()["parameter"]) == (400, "geometry")
    assert answer.json()["detail"].endswith("; /timeseries/NDVI/area takes it")


def test_many_features_are_refused_as_one_area_with_the_right_endpoint(client, feature):
    answer = client.post("/timeseries/NDVI/area", json=collection(feature(30, 40), feature(100, 100)))

    assert answer.status_code == 400
    assert answer.json()["detail"].endswith("; /timeseries/NDVI/areas takes it")


@pytest.mark.parametrize("name", ["bbox=4,50,5,51", "place=regions/north"])
def test_parameters_of_one_area_are_refused_for_many(client, feature, name):
    answer = client.post(f"{PATH}?{name}", json=collection(feature(30, 40)))

    assert (answer.status_code, answer.json()["parameter"]) == (400, name.partition("=")[0])


def test_cost_of_many_areas_is_their_sum(client, feature):
    body = json.dumps(collection(feature(30, 40), feature(100, 100)))

    answer = client.post(f"{PATH}?dry_run=true", content=body).json()

    assert (answer["chunks"], answer["values"]) == (4, 8)
    assert served.DEKADS.starts.size == 4


@pytest.mark.parametrize("format_", ["json", "csv", "geojson"])
@pytest.mark.parametrize("members", ["properties", "lists in properties"])
def test_properties_deeper_than_answers_repeat_are_refused(client, feature, format_, members):
    deep = functools.reduce(lambda inner, _: {"a": inner} if members == "properties" else [inner], range(250), 1)
    body = collection(feature(30, 40), {**feature(31, 41), "properties": {"deep": deep}})

    answer = client.post(f"{PATH}?format={format_}", json=body)

    assert (answer.status_code, answer.json()["parameter"]) == (400, "geometry")
    assert "the properties of feature 2 have more than 128 nested lists and objects" in answer.json()["detail"]
