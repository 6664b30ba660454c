"""A request with an estimate over `max_seconds` is refused in the format of its protocol and refers to a job."""

import re

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.limits import Limits
from chronotile.core.model.time.domain import domain_of_instants
from tests.protocols import served

LEAST_S = 1e-9
BOX = "4.5,50.8,4.7,50.9"
MAP = "REQUEST=GetMap&VERSION=1.3.0&LAYERS=NDVI&STYLES=&CRS=CRS:84&BBOX=4.5,50.8,4.7,50.9&WIDTH=32&HEIGHT=32"
POINTS = {"layers": ["NDVI"], "points": [[4.6, 50.85]]}
EXECUTION = {"inputs": {"layer": "NDVI", "bbox": {"bbox": [4.5, 50.8, 4.6, 50.85]}}}
# Each request with its body, and the process of its job.
JSON: dict[str, tuple[str, object, str | None]] = {
    "point": ("/timeseries/NDVI/point?lon=4.6&lat=50.85", None, "time-series"),
    "points": ("/timeseries/points", POINTS, "time-series"),
    "analysis": ("/timeseries/points?smooth=whittaker", POINTS, None),
    "area": (f"/timeseries/NDVI/area?bbox={BOX}", None, "zonal-statistics"),
    "terrascope": ("/timeseries/v1.0/ts/NDVI/point?lon=4.6&lat=50.85", None, None),
    "coverage": (f"/ogcapi/collections/NDVI/coverage?f=NetCDF&bbox={BOX}", None, "export"),
    "scaled": (f"/ogcapi/collections/NDVI/coverage?f=GTiff&scale-factor=2&bbox={BOX}", None, None),
    "position": ("/ogcapi/collections/NDVI/position?coords=POINT(4.6 50.85)", None, "time-series"),
    "edr cube": (f"/ogcapi/collections/NDVI/cube?bbox={BOX}", None, "export"),
    "time-lapse": (f"/animations/NDVI.gif?bbox={BOX}&width=32&height=24", None, "animation"),
    "map": (f"/ogcapi/collections/NDVI/map?bbox={BOX}&width=16&height=16&f=png&datetime=2020", None, None),
    "tile": ("/tiles/NDVI/WebMercatorQuad/11/1052/687.png?datetime=2020", None, None),
    "cube tile": ("/cubes/NDVI/WebMercatorQuad/11/1052/687.ctc?datetime=2020", None, None),
    "execution": ("/ogcapi/processes/histogram/execution", EXECUTION, "histogram"),
}
XML = {
    "wms": f"/wms?{MAP}&FORMAT=image/png&TIME=2020-05-01/2020-06-30",
    "wmts": "/wmts?SERVICE=WMTS&VERSION=1.0.0&LAYER=NDVI&STYLE=steps&FORMAT=image/png&REQUEST=GetTile&TIME=2020-06"
    "&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX=11&TILEROW=687&TILECOL=1052",
    "feature info": f"/wms?{MAP.replace('GetMap', 'GetFeatureInfo')}&QUERY_LAYERS=NDVI&I=16&J=16"
    "&INFO_FORMAT=application/json&TIME=2020-05-01/2020-06-30",
    "wcs": "/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID=NDVI&FORMAT=image/tiff"
    "&SUBSET=x(600000,610000)&SUBSET=y(5625000,5635000)",
}


@pytest.fixture(scope="module")
def client():
    limits = Limits(max_seconds=LEAST_S)
    days = np.datetime64("2020-04-01", "ns") + np.arange(90) * np.timedelta64(1, "D")
    layer = served.make_layer(variable=served.make_variable(times=domain_of_instants(days)))
    with TestClient(application(served.make_services(served.make_collection(layer), limits=limits))) as one:
        yield one


@pytest.mark.parametrize("name", JSON)
def test_long_request_is_refused_with_estimate_and_job(client, name):
    url, body, process = JSON[name]

    answer = client.get(url) if body is None else client.post(url, json=body)

    problem = answer.json()
    assert answer.status_code == 400
    assert (problem["limit"], problem["allowed"]) == ("max_seconds", LEAST_S)
    assert problem["asked"] > LEAST_S
    assert "seconds of a processor estimated" in problem["detail"]
    found = re.findall(r"/ogcapi/processes/([\w-]+)/execution", problem.get("job", {}).get("href", ""))
    assert found == [process] * (process is not None)


@pytest.mark.parametrize("name", XML)
def test_long_request_is_refused_in_xml_with_estimate(client, name):
    answer = client.get(XML[name])

    assert answer.headers["content-type"].partition(";")[0] in {"text/xml", "application/xml"}
    assert re.search(r"max_seconds: at most 1e-09, [\d.e-]+ seconds of a processor estimated", answer.text)


def test_default_limit_refuses_none_of_these():
    with TestClient(application(served.make_services())) as client:
        assert client.get(JSON["area"][0]).status_code == 200
