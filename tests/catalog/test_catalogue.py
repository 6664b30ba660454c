"""Names looked up in the catalogue."""

from dataclasses import replace
from pathlib import Path

import pytest

from chronotile.catalog.catalogue import MAX_COMPARED, Catalogue
from chronotile.catalog.service_info import ServiceInfo
from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from chronotile.core.errors import UnknownStyle, UnsupportedCrs
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.style import Style


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
def test_crs_is_found_by_every_spelling_of_its_code(catalogue, spelled, name):
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
        "no such system" * 4000,
    ],
)
def test_unsupported_crs_is_refused_with_the_supported_ones(catalogue, text):
    with pytest.raises(UnsupportedCrs, match="EPSG:4326, OGC:CRS84, EPSG:3857"):
        catalogue.offered_crs(text)


def test_tile_matrix_set_takes_precedence_over_an_alias(catalogue):
    web = load_tile_matrix_set("WebMercatorQuad", folder=Path())
    own = replace(web, id="GoogleMapsCompatible", aliases=())

    alone, both = (replace(catalogue, tile_matrix_sets=sets) for sets in ((web,), (web, own)))

    assert alone.tile_matrix_set("GoogleMapsCompatible") is web
    assert both.tile_matrix_set("GoogleMapsCompatible") is own


@pytest.fixture
def make_catalogue(catalogue):
    """Return a catalogue of styles with these names."""
    return lambda names: replace(catalogue, styles={name: Style(id=name, title=name, range=(0, 1)) for name in names})


def test_unknown_name_is_refused_with_the_nearest_wherever_they_are(make_catalogue):
    catalogue = make_catalogue([*(f"other{number}" for number in range(3 * MAX_COMPARED)), "ndvi.greens"])

    with pytest.raises(UnknownStyle, match=r"the nearest is ndvi\.greens$"):
        catalogue.ramp("ndvi.green")


def test_unknown_name_is_compared_with_so_many_names_only(make_catalogue):
    catalogue = make_catalogue([*(f"n{number}" for number in range(MAX_COMPARED)), "mdvi.greens"])

    with pytest.raises(UnknownStyle, match=r"accepted are n0, n1, .* and others$"):
        catalogue.ramp("ndvi.green")


def test_nearest_name_is_found_in_any_case(make_catalogue):
    with pytest.raises(UnknownStyle, match=r"the nearest is NDVI$"):
        make_catalogue(["other", "NDVI"]).ramp("ndvi")
