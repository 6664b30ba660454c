"""Names of CRS in WMS and WMTS."""

import pytest

from chronotile.core.model.space.crs import crs_of
from chronotile.protocols.common.capabilities.crs_names import urn, wms_name

UNNAMED = "+proj=laea +lat_0=52 +lon_0=10 +type=crs"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("EPSG:4326", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"),
        ("CRS:84", "CRS:84", "urn:ogc:def:crs:OGC:1.3:CRS84"),
        ("ESRI:54009", "ESRI:54009", "urn:ogc:def:crs:ESRI::54009"),
        (UNNAMED, None, None),
    ],
)
def test_names_follow_from_the_code(text, name, expected):
    assert (wms_name(crs_of(text)), urn(crs_of(text))) == (name, expected)
