"""Periods without length are refused in the format of each protocol, for every parameter with times."""

import pytest

TIME = "2020-06-01/2020-06-30"
BBOX = "bbox=4.5,50.8,4.51,50.81"
WMS_MAP = (
    "/wms?service=WMS&version=1.3.0&request=GetMap&layers=NDVI&styles=&crs=EPSG:32631"
    "&bbox=600000,5640000,610000,5650000&width=10&height=10&format=image/png"
)
WMTS_TILE = (
    "/wmts?service=WMTS&version=1.0.0&request=GetTile&layer=NDVI&style=default&format=image/png"
    "&tilematrixset=WebMercatorQuad&tilematrix=9&tilerow=171&tilecol=262"
)
PLACES = {
    "wms": f"{WMS_MAP}&time=",
    "wms-difference": f"{WMS_MAP}&time=2020-06-11&difference=",
    "wms-info": f"{WMS_MAP.replace('GetMap', 'GetFeatureInfo')}&query_layers=NDVI&info_format=text/plain&i=1&j=1&time=",
    "wmts": f"{WMTS_TILE}&time=",
    "tiles": "/tiles/NDVI/WebMercatorQuad/9/262/171.png?datetime=",
    "tiles-difference": "/tiles/NDVI/WebMercatorQuad/9/262/171.png?datetime=2020-06-11&difference=",
    "cubes": "/cubes/NDVI/WebMercatorQuad/9/262/171.ctc?datetime=",
    "animations": f"/animations/NDVI.gif?{BBOX}&width=16&height=16&datetime=",
    "layer-times": "/layers/NDVI/times?datetime=",
    "point": "/timeseries/NDVI/point?lon=4.6&lat=50.85&datetime=",
    "area": f"/timeseries/NDVI/area?{BBOX}&datetime=",
    "reference": "/timeseries/NDVI/point?lon=4.6&lat=50.85&climatology=p50&reference=",
    "collections": "/ogcapi/collections?datetime=",
    "items": "/ogcapi/collections/NDVI/items?datetime=",
    "map": f"/ogcapi/collections/NDVI/map?{BBOX}&datetime=",
    "coverage": f"/ogcapi/collections/NDVI/coverage?{BBOX}&datetime=",
    "edr-position": "/ogcapi/collections/NDVI/position?coords=POINT(4.6+50.85)&datetime=",
    "edr-area": "/ogcapi/collections/NDVI/area?coords=POLYGON((4.6+50.8,4.7+50.8,4.7+50.9,4.6+50.8))&datetime=",
    "edr-cube": f"/ogcapi/collections/NDVI/cube?{BBOX}&datetime=",
}


@pytest.mark.quick_cases("-PT0S")
@pytest.mark.parametrize("period", ["P0D", "PT0S", "-P10D", "P-10D"])
@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_period_without_length_is_refused(client, path, period):
    answer = client.get(f"{path}{TIME}/{period}")

    refused = (200, "no-store") if path.startswith("/wms?") else (400, None)
    assert (answer.status_code, answer.headers.get("Cache-Control")) == refused, answer.text[:300]
    assert period in answer.text


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_interval_alone_is_no_fault_of_syntax(client, path):
    assert "is no" not in client.get(f"{path}{TIME}").text
