"""Requests past a limit name the process that does the same as a job."""

import pytest

from chronotile.catalog.catalogue import Limits
from tests.protocols import served

AREA = {"type": "Polygon", "coordinates": [[[4.6, 50.8], [4.61, 50.8], [4.61, 50.81], [4.6, 50.8]]]}
AREAS = {"type": "FeatureCollection", "features": [{"type": "Feature", "id": "a", "properties": {}, "geometry": AREA}]}
POINTS = {"layers": ["NDVI"], "points": [{"id": "a", "lon": 4.6, "lat": 50.8}]}
REQUESTS = [
    ("max_coverage_bytes", "GET", "/ogcapi/collections/NDVI/coverage", None, "export"),
    ("max_series_values", "POST", "/timeseries/NDVI/areas", AREAS, "zonal-statistics"),
    ("max_area_values", "POST", "/timeseries/NDVI/area", AREA, "zonal-statistics"),
    ("max_series_values", "POST", "/timeseries/points", POINTS, "time-series"),
    ("max_animation_pixels", "GET", "/animations/NDVI.gif?width=64&height=64", None, "animation"),
]


@pytest.mark.parametrize(("limit", "method", "path", "body", "process"), REQUESTS)
def test_what_is_past_a_limit_names_the_job_that_does_it(make_client, limit, method, path, body, process):
    client = make_client(served.make_services(limits=Limits(**{limit: 1})))

    problem = client.request(method, path, json=body).json()

    assert (problem["type"], problem["limit"]) == ("limit-exceeded", limit)
    assert problem["job"] == {
        "process": process,
        "href": f"http://testserver/ogcapi/processes/{process}/execution",
    }
    assert client.get(f"/ogcapi/processes/{process}").status_code == 200
