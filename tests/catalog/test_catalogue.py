"""Names looked up in the catalogue."""

import time

import pytest

from chronotile.catalog.catalogue import Catalogue, ServiceInfo
from chronotile.errors import UnsupportedCrs
from chronotile.model.crs import crs_of


@pytest.fixture
def catalogue():
    crs = tuple(crs_of(name) for name in ("EPSG:4326", "CRS:84", "EPSG:3857"))
    return Catalogue(service=ServiceInfo(), collections=(), styles={}, crs=crs, tile_matrix_sets=())


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("EPSG:3857", "EPSG:3857"),
        ("epsg:3857", "EPSG:3857"),
        ("CRS:84", "OGC:CRS84"),
        ("OGC:CRS84", "OGC:CRS84"),
        ("urn:ogc:def:crs:EPSG::4326", "EPSG:4326"),
        ("urn:ogc:def:crs:EPSG:6.9:3857", "EPSG:3857"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "OGC:CRS84"),
        ("http://www.opengis.net/def/crs/EPSG/0/3857", "EPSG:3857"),
        ("https://www.opengis.net/def/crs/OGC/1.3/CRS84", "OGC:CRS84"),
    ],
)
def test_crs_is_found_under_every_spelling_of_its_code(catalogue, spelled, name):
    assert catalogue.offered_crs(spelled).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "EPSG",
        "3857",
        "EPSG:2154",
        "EPSG:4326 ",
        "EPSG:4326+5773",
        "WGS 84",
        "+proj=merc",
        "+init=epsg:3857",
        "é" * 9,
    ],
)
def test_crs_that_is_not_offered_is_refused_with_those_that_are(catalogue, text):
    with pytest.raises(UnsupportedCrs, match="EPSG:4326, OGC:CRS84, EPSG:3857"):
        catalogue.offered_crs(text)


def test_unknown_crs_is_refused_without_a_search(catalogue):
    start = time.process_time()

    with pytest.raises(UnsupportedCrs):
        catalogue.offered_crs("no such system" * 4000)

    assert time.process_time() - start < 0.1
