"""CRS as OGC API spells them, and boxes in their axis order."""

import pytest
from affine import Affine

from chronotile.core.errors import InvalidParameter, UnsupportedCrs
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.protocols.common.query.crs import accepted_crs, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.crs import box_of, requested_bbox
from tests.protocols import served

UTM_33 = NativeGrid(crs=crs_of("EPSG:32633"), transform=Affine(10, 0, 500_000, 0, -10, 5_000_000), width=9, height=9)
LAYER = served.make_layer(variable=served.make_variable(grid=UTM_33))
CATALOGUE = served.make_services(served.make_collection(LAYER), crs=("EPSG:4326", "CRS:84", "EPSG:3035")).catalogue


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "OGC:CRS84"),
        ("https://www.opengis.net/def/crs/OGC/0/CRS84", "OGC:CRS84"),
        ("CRS84", "OGC:CRS84"),
        ("crs84", "OGC:CRS84"),
        ("[OGC:CRS84]", "OGC:CRS84"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("http://www.opengis.net/def/crs/EPSG/0/3035", "EPSG:3035"),
        ("http://www.opengis.net/def/crs/epsg/9.9.1/3035", "EPSG:3035"),
        ("urn:ogc:def:crs:EPSG::3035", "EPSG:3035"),
        ("[EPSG:3035]", "EPSG:3035"),
        ("epsg:3035", "EPSG:3035"),
        ("http://www.opengis.net/def/crs/EPSG/0/32633", "EPSG:32633"),
        ("[EPSG:32633]", "EPSG:32633"),
    ],
)
def test_offered_crs_and_the_native_one_are_accepted_in_each_spelling(text, name):
    assert named_crs(text, LAYER, CATALOGUE).name == name


@pytest.mark.parametrize(
    "text",
    ["EPSG:32631", "http://www.opengis.net/def/crs/EPSG/0/32631", "[EPSG:3035", "[]", "3035", "+proj=utm +zone=31"],
)
def test_other_crs_is_refused_naming_the_parameter_and_those_accepted(text):
    with pytest.raises(UnsupportedCrs, match=r"EPSG:3035.* EPSG:32633") as refused:
        named_crs(text, LAYER, CATALOGUE, locator="bbox-crs")

    assert refused.value.locator == "bbox-crs"


def test_crs_are_answered_in_crs84_the_offered_and_the_native_ones():
    assert [crs.name for crs in accepted_crs(LAYER, CATALOGUE)] == ["OGC:CRS84", "EPSG:4326", "EPSG:3035", "EPSG:32633"]


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("CRS:84", "http://www.opengis.net/def/crs/OGC/1.3/CRS84"),
        ("EPSG:3035", "http://www.opengis.net/def/crs/EPSG/0/3035"),
        ("+proj=sinu +R=6371007.181", None),
    ],
)
def test_crs_with_a_code_has_a_uri(name, uri):
    assert crs_of(name).uri == uri


@pytest.mark.parametrize(
    ("text", "crs", "box"),
    [
        ("4,50,5,51", "CRS:84", BBox(4, 50, 5, 51)),
        (" 4, 50 ,5e0,51", "CRS:84", BBox(4, 50, 5, 51)),
        ("4,50,-10,5,51,10", "CRS:84", BBox(4, 50, 5, 51)),
        ("50,4,51,5", "EPSG:4326", BBox(4, 50, 5, 51)),
        ("50,4,0,51,5,0", "EPSG:4326", BBox(4, 50, 5, 51)),
        ("170,-10,-170,10", "CRS:84", BBox(170, -10, -170, 10)),
        ("4,50,4,50", "CRS:84", BBox(4, 50, 4, 50)),
        ("3000000,4000000,3000100,4000200", "EPSG:3035", BBox(4_000_000, 3_000_000, 4_000_200, 3_000_100)),
    ],
)
def test_box_is_read_in_the_axis_order_of_its_crs(text, crs, box):
    assert box_of(text, crs_of(crs)) == box


@pytest.mark.parametrize(
    ("text", "crs"),
    [
        *(("", "CRS:84"), ("1,2,3", "CRS:84"), ("1,2,3,4,5", "CRS:84"), ("1,2,3,4,5,6,7,8", "CRS:84")),
        *(("1,2,x,4", "CRS:84"), ("1,2,nan,4", "CRS:84"), ("1,2,inf,4", "CRS:84"), ("1,2,1e999,4", "CRS:84")),
        *(("4,51,5,50", "CRS:84"), ("4,50,9,5,51,1", "CRS:84"), ("5,50,4,51", "EPSG:3857")),
    ],
)
def test_invalid_box_is_refused_with_the_parameter(text, crs):
    with pytest.raises(InvalidParameter) as refused:
        box_of(text, crs_of(crs))

    assert refused.value.locator == "bbox"


def test_box_is_in_crs84_without_its_crs():
    assert requested_bbox(Kvp([("bbox", "4,50,5,51")]), LAYER, CATALOGUE) == (BBox(4, 50, 5, 51), CRS84)


def test_box_is_in_its_requested_crs():
    query = Kvp([("BBOX", "50,4,51,5"), ("bbox-crs", "[EPSG:4326]")])

    assert requested_bbox(query, LAYER, CATALOGUE) == (BBox(4, 50, 5, 51), crs_of("EPSG:4326"))


def test_box_is_optional():
    assert requested_bbox(Kvp([]), LAYER, CATALOGUE) is None


def test_crs_of_a_box_is_read_even_without_one():
    with pytest.raises(UnsupportedCrs) as refused:
        requested_bbox(Kvp([("bbox-crs", "EPSG:9999")]), LAYER, CATALOGUE)

    assert refused.value.locator == "bbox-crs"
