"""Valid requests by POST, for every route that accepts POST."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.protocols.fuzzing.valid import COG, COLOURS

RING = [[4.5, 50.8], [4.51, 50.8], [4.51, 50.81], [4.5, 50.81], [4.5, 50.8]]
HOLE = [[4.502, 50.802], [4.504, 50.802], [4.504, 50.804], [4.502, 50.802]]
POLYGON = {"type": "Polygon", "coordinates": [RING, HOLE]}
BOTH = {"type": "MultiPolygon", "coordinates": [[RING], [HOLE]]}
POINT = {"type": "Point", "coordinates": [4.6, 50.85]}
MIXED = {"type": "GeometryCollection", "geometries": [POLYGON, BOTH]}
FIELD = {"type": "Feature", "id": "a", "properties": {"crop": "rye", "code": 1}, "geometry": POLYGON}
FIELDS = {"type": "FeatureCollection", "features": [FIELD, {**FIELD, "id": 2, "geometry": BOTH}]}
SCENE_FIELD = {
    "type": "Feature",
    "properties": {},
    "geometry": {"type": "Polygon", "coordinates": [[[3, 50.997], [3.008, 50.997], [3.008, 51.0], [3, 50.997]]]},
}
BOX = {"bbox": [4.5, 50.8, 4.52, 50.82], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}
SHORT = "startDate=2020-06-01&endDate=2020-06-30"
JSON, FORM, XML = "application/json", "application/x-www-form-urlencoded", "text/xml"

DOCUMENTS: Mapping[str, Any] = {
    "/timeseries/NDVI/area?datetime=2020-06&reducers=mean,std&format=json": POLYGON,
    "/timeseries/NDVI/area?datetime=2020-06&weights=area": FIELD,
    "/timeseries/NDVI/areas?datetime=2020-06&reducers=mean,p10,count&min_valid=0.1": FIELDS,
    "/timeseries/HEIGHT/areas?format=csv": FIELDS,
    "/timeseries/points?format=json": {"layers": ["NDVI", "HEIGHT"], "points": [[4.6, 50.85]], "datetime": "2020-06"},
    "/timeseries/points?smooth=whittaker": {"layers": ["NDVI"], "points": [{"id": "p", "lon": 4.6, "lat": 50.85}]},
    f"/timeseries/v1.0/ts/NDVI/geometry?{SHORT}": POLYGON,
    f"/timeseries/v1.1/ts/NDVI/geometry/?{SHORT}&useMask=true": POINT,
    f"/timeseries/v1.0/ts/NDVI/geometries?{SHORT}": MIXED,
    f"/timeseries/v1.1/ts/NDVI/features?{SHORT}": FIELDS,
    f"/cog/statistics?url={COG}": SCENE_FIELD,
    f"/cog/feature/16x16.png?url={COG}": SCENE_FIELD,
}
"""JSON documents by URL."""
INPUTS: Mapping[str, Mapping[str, Any]] = {
    "animation": {"layer": "NDVI", "datetime": "2020-06", "bbox": BOX, "width": 32, "format": "image/gif", "step": 1},
    "anomaly": {"layer": "NDVI", "datetime": "2020-06-11", "reference": "2020-05/2020-06", "by": "month", "bbox": BOX},
    "climatology": {"layer": "NDVI", "datetime": "2020", "reducer": "p50", "by": "month", "bbox": BOX},
    "composite": {"layer": "NDVI", "datetime": "2020-06", "reducer": "max", "bbox": BOX, "format": "GTiff"},
    "echo": {
        "string": "a",
        "number": 3,
        "array": [1, 2],
        "object": {"value": {"a": [1]}},
        "bbox": BOX,
        "binary": "YWJj",
        "mixed": "x",
    },
    "export": {"layer": "HEIGHT", "bbox": BOX, "format": "NetCDF", "crs": "http://www.opengis.net/def/crs/EPSG/0/3857"},
    "histogram": {"layer": "NDVI", "datetime": "2020-06", "area": POLYGON, "bins": 4, "range": [0, 250]},
    "optimise": {"layer": "NDVI", "datetime": "2020-06", "bbox": BOX, "layout": "map"},
    "time-series": {"layers": "NDVI", "points": [[4.6, 50.85]], "datetime": "2020-06", "format": "json"},
    "trend": {"layer": "NDVI", "datetime": "2020", "method": "theil_sen", "bbox": BOX},
    "zonal-statistics": {"layer": "NDVI", "places": FIELDS, "datetime": "2020-06", "reducers": ["mean"]},
}
"""Valid inputs by process."""
EXECUTIONS: Mapping[str, Any] = {
    **{f"/ogcapi/processes/{process}/execution": {"inputs": inputs} for process, inputs in INPUTS.items()},
    **{f"/ogcapi/processes/{each}/estimate": {"inputs": INPUTS[each]} for each in ("echo", "optimise", "trend")},
    "/ogcapi/processes/echo/execution?f=json": {
        "inputs": {"string": "a", "number": 3},
        "response": "document",
        "outputs": {"string": {"transmissionMode": "reference"}, "number": {"format": {"mediaType": JSON}}},
    },
    "/ogcapi/processes/echo/execution?lang=en": {
        "inputs": {"string": {"href": "http://127.0.0.1:1/a"}},
        "subscriber": {"successUri": "http://127.0.0.1:1/done", "failedUri": "http://127.0.0.1:1/failed"},
    },
}
"""Executions by URL."""
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "/wms": {
        "SERVICE": "WMS",
        "VERSION": "1.3.0",
        "REQUEST": "GetMap",
        "LAYERS": "NDVI",
        "STYLES": "steps",
        "CRS": "EPSG:4326",
        "BBOX": "50.8,4.5,50.9,4.7",
        "WIDTH": "32",
        "HEIGHT": "24",
        "FORMAT": "image/png",
        "TIME": "2020-06-11",
        "SLD_BODY": COLOURS,
    },
    "/wms?SERVICE=WMS&VERSION=1.1.1": {"REQUEST": "GetCapabilities"},
    "/wms?REQUEST=GetLegendGraphic&VERSION=1.3.0": {"LAYER": "NDVI", "FORMAT": "image/png", "SLD_BODY": COLOURS},
    "/wmts?SERVICE=WMTS": {"REQUEST": "GetCapabilities"},
}
"""Forms by URL."""

_WCS_2 = 'xmlns="http://www.opengis.net/wcs/2.0" service="WCS" version="2.0.1"'
_WPS = 'service="WPS" version="{0}" xmlns="http://www.opengis.net/wps/{0}" xmlns:o="http://www.opengis.net/ows/{1}"'
_WPS_1, _WPS_2 = _WPS.format("1.0.0", "1.1"), _WPS.format("2.0.0", "2.0").replace("wps/2.0.0", "wps/2.0")
MARKED_UP: Mapping[str, str] = {
    "/wcs": f"<GetCoverage {_WCS_2}><CoverageId>NDVI</CoverageId>"
    "<DimensionTrim><Dimension>E</Dimension><TrimLow>610000</TrimLow><TrimHigh>612000</TrimHigh></DimensionTrim>"
    '<DimensionSlice><Dimension>time</Dimension><SlicePoint>"2020-06-11"</SlicePoint></DimensionSlice>'
    "<format>image/tiff</format></GetCoverage>",
    "/wcs?": f"<DescribeCoverage {_WCS_2}><CoverageId>NDVI</CoverageId></DescribeCoverage>",
    "/wps": f'<Execute {_WPS_2} mode="sync" response="document"><o:Identifier>echo</o:Identifier>'
    '<Input id="string"><Data><LiteralValue>a</LiteralValue></Data></Input><Input id="number"><Data>3</Data></Input>'
    '<Output id="string" transmission="value"/></Execute>',
    "/wps?": f"<Execute {_WPS_1}><o:Identifier>echo</o:Identifier><DataInputs><Input><o:Identifier>string"
    "</o:Identifier><Data><LiteralData>a</LiteralData></Data></Input></DataInputs><ResponseForm><ResponseDocument>"
    "<Output><o:Identifier>string</o:Identifier></Output></ResponseDocument></ResponseForm></Execute>",
}
"""XML by URL."""

BODIES: Mapping[str, tuple[str, bytes]] = {
    **{url: (XML, text.encode()) for url, text in MARKED_UP.items()},
    **{url: (JSON, orjson.dumps(document)) for url, document in DOCUMENTS.items()},
    **{url: (JSON, orjson.dumps(document)) for url, document in EXECUTIONS.items()},
    **{url: (FORM, urlencode(pairs).encode()) for url, pairs in PARAMETERS.items()},
}
"""Media type and body by URL."""
REFUSED = {
    "/wmts?SERVICE=WMTS": 501,
    "/ogcapi/processes/echo/execution?lang=en": 400,
}
"""Valid requests with the statuses of their refusal: WMTS by POST, and forbidden URLs."""
