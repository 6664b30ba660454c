"""Polygons that would take hours are refused by every route with polygons; the message names the limit."""

import pytest

from tests.protocols import served


def square(x, y, side):
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


RINGS = 1500
NESTED = [square(4.5 + 0.04 * i / RINGS, 50.8 + 0.04 * i / RINGS, 0.1 - 0.08 * i / RINGS) for i in range(RINGS)]
HOLES = {"type": "Polygon", "coordinates": [square(4, 50, 2), *NESTED]}
PARTS = {"type": "MultiPolygon", "coordinates": [[ring] for ring in NESTED]}


def features(geometry):
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": geometry}]}


@pytest.mark.parametrize("geometry", [HOLES, PARTS], ids=["holes", "parts"])
@pytest.mark.parametrize(
    ("path", "body_of"),
    [
        ("/timeseries/NDVI/area", lambda geometry: geometry),
        ("/timeseries/NDVI/areas", features),
        ("/timeseries/v1.0/ts/NDVI/geometry", lambda geometry: geometry),
        ("/ogcapi/processes/histogram/execution", lambda geometry: {"inputs": {"layer": "NDVI", "area": geometry}}),
        (
            "/ogcapi/processes/zonal-statistics/execution",
            lambda geometry: {"inputs": {"layer": "NDVI", "places": features(geometry)}},
        ),
    ],
)
def test_they_are_refused(make_client, path, body_of, geometry):
    answer = make_client(served.make_services()).post(path, json=body_of(geometry))

    assert answer.status_code == 400, answer.text
    assert "too complex: too many rings may contain one another, at most 1000000000 comparisons" in answer.text
