"""Background of maps: pixels without data and pixels off the earth (OGC 20-058 §8)."""

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageColor

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.request import Backdrop
from chronotile.core.model.style import Colour
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.maps.background import background_of
from tests.protocols.pictures import rgba_of

NDVI = "/ogcapi/collections/NDVI/map"
BEYOND = "bbox=-180,-120,180,120&crs=CRS84&width=36&height=24"
"""The upper and lower 3 rows lie beyond the poles."""
VARIANTS = list(itertools.product([None, "false", "true"], [None, "CC00CC", "NaVy"]))
MAGENTA, NAVY, WHITE, LIME = (204, 0, 204), (0, 0, 128), (255, 255, 255), (0, 255, 0)


def under(is_opaque=False, **query):
    return background_of(Kvp((name.replace("_", "-"), value) for name, value in query.items()), is_opaque=is_opaque)


@pytest.mark.checklist("maps", "A.3")
@pytest.mark.parametrize(("transparent", "bgcolor"), VARIANTS)
def test_area_without_data_is_the_background(tree, transparent, bgcolor):
    asked = {"transparent": transparent, "bgcolor": bgcolor}
    extra = "".join(f"&{name}={value}" for name, value in asked.items() if value is not None)

    pixels = rgba_of(tree.get(f"{NDVI}?{BEYOND}{extra}").content)

    colour = {None: WHITE, "CC00CC": MAGENTA, "NaVy": NAVY}[bgcolor]
    alpha = {None: 0 if bgcolor is None else 255, "false": 255, "true": 0}[transparent]
    shown = tuple(pixels[12, 0].tolist())
    assert shown[3] == alpha
    assert shown[:3] == colour or (bgcolor is None and alpha == 0)
    assert pixels[0, 0].tolist() == pixels[12, 0].tolist()


@pytest.mark.checklist("maps", "A.3")
@pytest.mark.parametrize(
    ("query", "void", "background"),
    [
        ("void-color=00FF00", (*LIME, 0), (*WHITE, 0)),
        ("void-color=lImE&void-transparent=false", (*LIME, 255), (*WHITE, 0)),
        ("void-color=lime&bgcolor=CC00CC", (*LIME, 255), (*MAGENTA, 255)),
        ("bgcolor=CC00CC&void-transparent=true", (*MAGENTA, 0), (*MAGENTA, 255)),
        ("transparent=false&void-color=lime", (*LIME, 255), (*WHITE, 255)),
        ("transparent=false&void-color=lime&void-transparent=true", (*LIME, 0), (*WHITE, 255)),
        ("bgcolor=0xCC00CC", (*MAGENTA, 255), (*MAGENTA, 255)),
        ("bgcolor=%23CC00CC", (*MAGENTA, 255), (*MAGENTA, 255)),
        ("bgcolor=0x80CC00CC", (*MAGENTA, 128), (*MAGENTA, 128)),
    ],
)
def test_void_beyond_the_poles_may_have_a_separate_colour(tree, query, void, background):
    pixels = rgba_of(tree.get(f"{NDVI}?{BEYOND}&{query}").content)

    assert {tuple(pixel) for row in (*pixels[:3], *pixels[-3:]) for pixel in row.tolist()} == {void}
    assert {tuple(pixel) for pixel in pixels[3:-3, 0].tolist()} == {background}


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:32631"])
def test_void_of_a_projection_is_where_it_has_no_coordinates(tree, crs):
    """Both maps start 30,000 km west of Europe, beyond any longitude that round-trips."""
    box = "bbox=-3e7,0,9e6,8e6" if crs == "EPSG:32631" else "bbox=0,-3e7,8e6,9e6"
    response = tree.get(f"{NDVI}?{box}&bbox-crs={crs}&crs={crs}&width=39&height=8&bgcolor=navy&void-color=lime")

    pixels = rgba_of(response.content)
    assert pixels[4, 0].tolist() == [*LIME, 255]
    assert pixels[4, 33].tolist() == [*NAVY, 255]


@pytest.mark.checklist("maps", "A.17")
@pytest.mark.parametrize("query", ["", "&transparent=true", "&void-transparent=true&transparent=true"])
def test_jpeg_lies_on_white_though_it_should_be_transparent(tree, query):
    pixels = rgba_of(tree.get(f"{NDVI}?{BEYOND}&f=jpeg{query}").content)

    assert (pixels[:, 0] == 255).all()


def test_data_hide_the_background(tree):
    plain, laid = (
        rgba_of(tree.get(f"/ogcapi/collections/DMP/map?crs=CRS84&width=36{query}").content)
        for query in ("", "&bgcolor=red&void-color=lime")
    )

    has_data = plain[..., 3] == 255
    assert has_data.any()
    assert (laid[has_data] == plain[has_data]).all()
    assert {tuple(pixel) for pixel in laid[~has_data].tolist()} <= {(255, 0, 0, 255)}


@pytest.mark.parametrize("name", ["bgcolor", "void-color"])
@pytest.mark.parametrize("text", ["", "reddish", "FFF", "GG0000", "0xFF00FF0", "#1234567", "12345678901", "rgb(0,0,0)"])
def test_invalid_colour_is_refused(tree, name, text):
    response = tree.get(NDVI, params={name: text, "width": 10})

    expected = (400, name) if text else (200, None)
    answered = response.json().get("parameter") if response.status_code != 200 else None
    assert (response.status_code, answered) == expected


@pytest.mark.parametrize("name", ["transparent", "void-transparent"])
def test_invalid_boolean_is_refused(tree, name):
    response = tree.get(NDVI, params={name: "perhaps"})

    assert response.status_code == 400
    assert response.json()["parameter"] == name


@pytest.mark.parametrize("name", sorted(ImageColor.colormap))
def test_web_colours_are_case_insensitive(name):
    assert under(bgcolor=name.upper()) == ImageColor.getrgb(name)


def test_map_without_a_backdrop_equals_that_of_wms():
    assert under() is None
    assert under(transparent="TRUE") is None
    assert under(transparent="false") == WHITE
    assert under(bgcolor="CC00CC") == MAGENTA


def test_transparent_background_has_its_requested_colour():
    assert under(bgcolor="CC00CC", transparent="true") == Backdrop(colour=Colour(*MAGENTA, 0), void=Colour(*MAGENTA, 0))


@given(st.text(max_size=12))
def test_any_text_is_a_colour_or_refused(text):
    with suppress(InvalidParameter):
        assert isinstance(under(bgcolor=text), tuple | Backdrop | None)
