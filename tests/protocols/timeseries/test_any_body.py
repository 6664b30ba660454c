"""Every body posted for series is answered or refused, never with a server error."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.limits import Limits
from tests.protocols import served

PATHS = [
    "/timeseries/NDVI/area",
    "/timeseries/NDVI/areas?weights=area&reducers=mean,p10",
    "/timeseries/HEIGHT/areas?format=netcdf",
    "/timeseries/NDVI/areas?format=covjson",
    "/timeseries/v1.0/ts/NDVI/geometry?inclStDev=1",
    "/timeseries/v1.1/ts/NDVI/geometries",
    "/timeseries/v1.1/ts/NDVI/features?maxValids=-1",
    "/timeseries/points",
    "/timeseries/points?format=csv",
]

longitudes = st.floats(4.4, 5.0) | st.sampled_from([0.0, -180.0, 180.0, 360.0, 1e300, 4.5, 4.6])
latitudes = st.floats(50.7, 51.0) | st.sampled_from([0.0, -90.0, 90.0, 1e-300, 50.8, 50.9])
positions = st.tuples(longitudes, latitudes).map(list)
rings = st.lists(positions, min_size=2, max_size=7).map(lambda ring: [*ring, ring[0]])
polygons = st.lists(rings, max_size=2).map(lambda rings: {"type": "Polygon", "coordinates": rings})
multipolygons = st.lists(polygons, max_size=2).map(
    lambda several: {"type": "MultiPolygon", "coordinates": [each["coordinates"] for each in several]}
)
points = positions.map(lambda position: {"type": "Point", "coordinates": position})
collections = st.lists(polygons | multipolygons, max_size=3).map(
    lambda several: {"type": "GeometryCollection", "geometries": several}
)
geometries = polygons | multipolygons | points | collections | st.none()
features = st.builds(
    lambda geometry, name, said: {"type": "Feature", "id": name, "properties": said, "geometry": geometry},
    geometries,
    st.none() | st.text(max_size=3) | st.integers(),
    st.none() | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
)
feature_collections = st.lists(features, max_size=3).map(lambda each: {"type": "FeatureCollection", "features": each})
many_points = st.fixed_dictionaries(
    {"layers": st.lists(st.sampled_from(["NDVI", "HEIGHT", "GONE", "TRUE_COLOUR", "x"]), max_size=2)},
    optional={"points": st.lists(positions, max_size=4), "datetime": st.sampled_from(["2020", "latest", "..", "x"])},
)


def nested(depth):
    """Return nested lists."""
    return [nested(depth - 1)] if depth else 1


def with_another(body, place, value):
    """Return a body with the value at position `place`, in depth-first order, replaced."""
    counted = iter(range(10_000))

    def taken_over(each):
        if next(counted) == place:
            return value
        if isinstance(each, dict):
            return {name: taken_over(own) for name, own in each.items()}
        return [taken_over(own) for own in each] if isinstance(each, list) else each

    return taken_over(body)


bodies = geometries | features | feature_collections | many_points
oddities = st.sampled_from([None, True, 5, 1e308, "x", ["a"], {}, [[]] * 300, nested(249), nested(253), nested(600)])
odd_bodies = st.builds(with_another, bodies, st.integers(1, 12), oddities)
OF_VALUES = dict.fromkeys(["max_series_values", "max_area_values"], 1)
OF_BODIES = dict.fromkeys(["max_features", "max_vertices"], 1)


@pytest.fixture(scope="module", params=[OF_VALUES, OF_VALUES | OF_BODIES], ids=["few values", "few of all"])
def strict_client(request):
    """Client of a server that refuses nearly everything for its size, and offers jobs instead."""
    services = served.make_services(*served.varied_collections(), limits=Limits(**request.param))
    with TestClient(application(services), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=30, deadline=None)
@given(body=bodies)
def test_any_body_is_answered_or_refused(session_client, path, body):
    answer = session_client.post(path, content=json.dumps(body))

    assert answer.status_code in {200, 400, 404, 503}
    assert answer.status_code != 503 or "GONE" in answer.text


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=60, deadline=None)
@given(body=odd_bodies)
def test_any_body_past_limits_is_refused_with_a_problem(strict_client, path, body):
    answer = strict_client.post(path, content=json.dumps(body))

    assert answer.status_code in {200, 400, 404, 503}, answer.text
    assert answer.status_code == 200 or answer.json()["status"] == answer.status_code
