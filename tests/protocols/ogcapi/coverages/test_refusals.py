"""Requests that `/coverage` refuses, and their errors."""

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.catalog.limits import Limits
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.coverages.params import OF_COVERAGE
from tests.protocols import served

NDVI = "/ogcapi/collections/NDVI/coverage"

REFUSALS = [
    ("bbox=601000,5647500,602000,5648000", "bbox", "degrees"),
    ("bbox=1,2,3", "bbox", "4 numbers"),
    ("bbox=a,b,c,d", "bbox", "finite number"),
    ("bbox=4.5,nan,4.6,50.9", "bbox", "finite number"),
    ("bbox=4.5,50.9,4.6,50.8", "bbox", "lower edge above"),
    ("bbox=1e300,50,2e300,51", "bbox", "degrees"),
    ("bbox-crs=EPSG:1234", "bbox-crs", "EPSG:32631"),
    ("subset=depth(1:2)", "subset", "use Lon, Lat, x, y, time"),
    ("subset=Lat(50.8:50.9),lat(50.8:50.9)", "subset", "repeats an axis: Lat and lat"),
    ("subset=Lat(50.8:50.9)&subset=Lat(50.9:51)", "subset", "repeats an axis: Lat"),
    ("subset=Lat(nan)", "subset", "Lat takes a number"),
    ("subset=Lat(50.8:50.9)&bbox=4.5,50.8,4.6,50.9", "subset", "give one of them"),
    ("subset-crs=nowhere", "subset-crs", "not offered"),
    ("datetime=yesterday", "datetime", "is not a valid time"),
    ("datetime=2020-06-21/2020-06-01", "datetime", "ends before it starts"),
    ("datetime=2020-06-01&subset=time(2020-06-11)", "datetime", "give one of them"),
    ("subset=time(yesterday)", "subset", "is not a valid time"),
    ("properties=EVI", "properties", "accepted are NDVI"),
    ("exclude-properties=NDVI", "exclude-properties", "leaves no field"),
    ("crs=EPSG:9999", "crs", "not offered"),
    ("scale-factor=0", "scale-factor", "must be from"),
    ("scale-factor=1e-6", "scale-factor", "cells per side"),
    ("scale-factor=0.01&datetime=2020-05-21/..", "scale-factor", "max_coverage_bytes"),
    ("scale-size=Lat(10)&scale-factor=2", "scale-factor", "give one of them"),
    ("scale-size=Lat(999999999999)", "scale-size", "cells per side"),
    ("width=99999999999", "width", "cells per side"),
    ("resolution=Lat(0.000001)", "resolution", "cells per side"),
    ("scale-axes=time(2)", "scale-axes", "does not scale time"),
    ("interpolation=cubic", "interpolation", "nearest or bilinear"),
    ("f=shapefile", "f", "use GTiff, NetCDF, zarr, json, png"),
    ("f=png", "datetime", "one time"),
    ("time=2020", "time", "use datetime"),
    ("srs=EPSG:4326", "srs", "use crs"),
]


OUTSIDE = [
    ("bbox=0,0,1,1", "bbox", "outside the data, which reach from 4.4"),
    ("bbox=1e300,1e300,2e300,2e300&bbox-crs=EPSG:3857", "bbox", "outside the data"),
    ("bbox=50.8,4.5,50.9,4.6", "bbox", "; longitude and latitude seem to be swapped"),
    ("bbox=5645000,610000,5646000,611000&bbox-crs=EPSG:32631", "bbox", "in the axis order of EPSG:32631"),
    ("subset=Lat(10:20)", "subset", "outside the data"),
    ("subset=Lat(10)", "subset", "outside the data"),
    ("subset=x(0:1)", "subset", "outside the data, which reach from 600000 to 640000"),
    ("subset=x(-1e300:1)", "subset", "outside the data"),
]


@pytest.mark.parametrize(("query", "parameter", "message"), OUTSIDE, ids=[each[0] for each in OUTSIDE])
def test_area_outside_is_not_found(tree, query, parameter, message):
    answer = tree.get(f"{NDVI}?{query}")

    assert (answer.status_code, answer.json()["parameter"]) == (404, parameter)
    assert message in answer.json()["detail"]


@pytest.mark.checklist("coverages", "typical for")
@pytest.mark.parametrize(("query", "parameter", "message"), REFUSALS, ids=[each[0] for each in REFUSALS])
def test_invalid_value_is_reported_with_the_parameter(tree, query, parameter, message):
    answer = tree.get(f"{NDVI}?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["parameter"] == parameter
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("datetime=2020-06-05", "datetime"),
        ("datetime=2020-06-05/2020-06-06", "datetime"),
        ('subset=time("2020-06-05")', "subset"),
        ('subset=time("2020-06-05":"2020-06-06")', "subset"),
    ],
)
def test_time_without_data_is_not_found_with_the_nearest(tree, query, parameter):
    answer = tree.get(f"{NDVI}?{query}")

    assert (answer.status_code, answer.json()["parameter"]) == (404, parameter)
    assert answer.json()["nearest"] == ["2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z"]


@pytest.mark.parametrize("collection", ["NDVJ", "TRUE_COLOUR"])
def test_collection_without_coverage_is_not_found(tree, collection):
    answer = tree.get(f"/ogcapi/collections/{collection}/coverage")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "collectionId")


@pytest.mark.parametrize(
    ("limits", "query", "limit", "asked"),
    [
        ({"max_coverage_bytes": 400 * 300 * 4 - 1}, {}, "max_coverage_bytes", 400 * 300 * 4),
        ({"max_series_values": 99}, {"bbox": "601000,5647000,602000,5648000"}, "max_series_values", 100),
        ({"max_pixels": 99}, {"bbox": "601000,5647000,602000,5648000", "f": "png"}, "max_pixels", 100),
    ],
    ids=["bytes", "values", "pixels"],
)
def test_too_large_coverage_is_refused_with_the_cheaper_way(make_client, limits, query, limit, asked):
    services = served.make_services(*served.tree_collections(), limits=Limits(**limits))
    small = {"bbox-crs": "EPSG:32631", "f": "json", "datetime": "2020-06-01", **query} if query else {}
    answer = make_client(services).get(NDVI, params=small)

    told = answer.json()
    assert (answer.status_code, told["type"], told["limit"], told["asked"]) == (400, "limit-exceeded", limit, asked)
    assert "bbox" in told["alternative"]


def test_whole_of_a_too_large_coverage_is_available_at_a_coarser_scale(make_client):
    limits = Limits(max_coverage_bytes=400 * 300)
    client = make_client(served.make_services(*served.tree_collections(), limits=limits))

    assert client.get(NDVI, params={"resolution": "x(1000),y(1000)"}).status_code == 200


@pytest.mark.parametrize("f", ["GTiff", "NetCDF", "zarr", "json"])
def test_missing_source_is_unavailable(client, f):
    answer = client.get("/ogcapi/collections/GONE/coverage", params={"f": f, "datetime": "2020-06-01", "width": "10"})

    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


TEXTS = st.text(alphabet='LatLonxytime(:*."),0123456789-/EPSG[]nfT Z', max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(names_of(OF_COVERAGE)), TEXTS), max_size=4))
def test_any_query_is_answered_or_refused(session_client, pairs):
    answer = session_client.get(f"{NDVI}?{urlencode([*pairs, ('width', '8'), ('height', '8')])}")

    assert answer.status_code in {200, 400, 404, 406}
