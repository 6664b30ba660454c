"""Every CoverageJSON answer is valid by the schema of CoverageJSON 1.0 and by covjson-pydantic."""

from urllib.parse import quote

import pytest
from covjson_pydantic.coverage import Coverage, CoverageCollection

MODELS = {"Coverage": Coverage, "CoverageCollection": CoverageCollection}
PLACE = quote("POINT(4.6 50.85)")
PLACES = quote("MULTIPOINT((4.6 50.85),(4.62 50.86))")
SQUARE = quote("POLYGON((4.5 50.8,4.51 50.8,4.51 50.81,4.5 50.81,4.5 50.8))")
BOX = "bbox=4.5,50.8,4.51,50.81"
ASKED = {
    "coverage of two fields": f"s2/coverage?{BOX}&f=json",
    "coverage of categories": f"CROP/coverage?{BOX}&f=json",
    "coverage with flags": f"FLAGGED/coverage?{BOX}&f=json",
    "coverage without time": f"HEIGHT/coverage?{BOX}&f=json",
    "coverage of other times": f"kinds/coverage?{BOX}&f=json",
    "coverage in degrees": f"FAPAR/coverage?{BOX}&f=json",
    "coverage across the antimeridian": "DMP/coverage?bbox=178,-2,-178,2&f=json",
    "coverage in another CRS": f"NDVI/coverage?{BOX}&crs=[EPSG:3035]&f=json",
    "coverage of one cell": "FAPAR/coverage?subset=Lat(50.85),Lon(4.6)&f=json",
    "position": f"NDVI/position?coords={PLACE}",
    "position of two fields": f"s2/position?coords={PLACE}",
    "position without time": f"HEIGHT/position?coords={PLACE}",
    "position of categories": f"CROP/position?coords={PLACE}",
    "positions": f"NDVI/position?coords={PLACES}",
    "position in another CRS": "NDVI/position?coords=POINT(620000%205635000)&crs=EPSG:32631",
    "area": f"s2/area?coords={SQUARE}",
    "cube": f"kinds/cube?{BOX}",
    "radius": f"NDVI/radius?coords={PLACE}&within=1&within-units=km",
    "location": "s2/locations/squares:S1",
    "location without time": "HEIGHT/locations/squares:S1",
}
SERIES = {
    "series of a point": "/timeseries/NDVI/point?lon=4.6&lat=50.85&format=covjson",
    "series of an area": "/timeseries/NDVI/area?place=squares/S1&format=covjson",
    "series without time": "/timeseries/HEIGHT/point?lon=4.6&lat=50.85&format=covjson",
}
PATHS = {name: f"/ogcapi/collections/{path}" for name, path in ASKED.items()} | SERIES


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_coveragejson_is_valid(tree, assert_valid, path):
    answer = tree.get(path)

    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/prs.coverage+json")
    assert_valid(document, "covjson", "coveragejson")
    MODELS[document["type"]].model_validate(document)
