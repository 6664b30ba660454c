"""Styles written as SLD and read back: the same colours for the same values."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.style import Colour, Stop, Style, StyleClass
from chronotile.pipeline.styling.colours import colours_of_values
from chronotile.pipeline.styling.read_sld import read_sld
from chronotile.protocols.common.sld import sld_document
from tests.protocols import served

CLEAR = Colour(0, 0, 0, 0)
HOSTILE = "<script>&\"'\x00]]>{{ 7 * 7 }}"

channels = st.integers(0, 255)
colours = st.builds(Colour, channels, channels, channels, channels)
values = st.integers(-10_000, 10_000).map(lambda each: each / 8)


@st.composite
def ramps(draw):
    at = sorted(draw(st.lists(values, min_size=2, max_size=8, unique=True)))
    stops = tuple(Stop(value, draw(colours)) for value in at)
    return Style(id="sld", title="A ramp", range=(at[0], at[-1]), ramp=stops, below=draw(colours), above=draw(colours))


@st.composite
def steps(draw):
    at = sorted(draw(st.lists(values, min_size=2, max_size=8, unique=True)))
    between = [draw(colours) for _ in at[1:]]
    stops = tuple(Stop(edge, colour) for span, colour in zip(pairwise(at), between, strict=True) for edge in span)
    above = draw(colours)
    stops = (*stops, Stop(at[-1], above))
    return Style(id="sld", title="Steps", range=(at[0], at[-1]), ramp=stops, below=draw(colours), above=above)


@st.composite
def classes(draw):
    at = draw(st.lists(values, min_size=1, max_size=8, unique=True))
    each = tuple(StyleClass(value, draw(colours), f"class {value}") for value in at)
    return Style(id="sld", title="Classes", range=(min(at), max(at)), classes=each)


def read_back(style, version):
    document = sld_document([("NDVI", served.make_layer(styles=(style,)))], version)
    (layer,) = read_sld(document)
    (found,) = layer.styles
    assert (layer.name, found.name, found.is_default) == ("NDVI", style.id, True)
    return found.style


@given(ramps())
def test_ramp_is_restored(style):
    assert read_back(style, "1.0.0") == style


@given(ramps())
def test_ramp_is_restored_from_se(style):
    assert read_back(style, "1.1.0") == style


def test_ramp_of_one_colour_has_no_steps():
    grey, black = Colour(9, 9, 9), Colour(0, 0, 0)
    style = Style(id="sld", title="One", range=(0, 1), ramp=(Stop(0, grey), Stop(1, grey)), below=black, above=black)

    assert read_back(style, "1.1.0") == style


@given(steps())
def test_steps_are_restored(style):
    assert [read_back(style, version) for version in ("1.0.0", "1.1.0")] == [style, style]


@given(classes())
def test_classes_are_restored(style):
    assert read_back(style, "1.0.0") == style


@given(classes())
def test_classes_come_back_from_se_with_their_colours(style):
    at = np.array([each.value for each in style.classes])

    found = read_back(style, "1.1.0")

    assert np.array_equal(colours_of_values(found, at), colours_of_values(style, at))


def test_se_keeps_the_colour_of_no_value():
    style = replace(served.STEPS, nodata=Colour(1, 2, 3, 4))

    assert read_back(style, "1.1.0").nodata == Colour(1, 2, 3, 4)


def shown_layers():
    classed = Style(
        id="c", title=HOSTILE, range=(1, 2), classes=(StyleClass(1, CLEAR, HOSTILE), StyleClass(4, CLEAR, "b"))
    )
    step = Style(
        id="s", title="Steps", range=(0, 1), ramp=(Stop(0, CLEAR), Stop(1, CLEAR)), above=Colour(1, 2, 3), below=CLEAR
    )
    return [("NDVI", served.make_layer(styles=(served.STEPS, step, classed))), ("RGB", served.make_composite())]


def test_sld_1_1_0_is_valid(validate_ogc):
    assert validate_ogc(sld_document(shown_layers(), "1.1.0")) == []


def test_sld_1_0_0_of_ramps_and_composites_is_valid(validate_ogc):
    layers = [("NDVI", served.make_layer()), ("RGB", served.make_composite())]

    assert validate_ogc(sld_document(layers, "1.0.0")) == []


def test_sld_1_0_0_of_classes_is_valid_except_for_the_type_that_readers_accept(validate_ogc):
    document = sld_document(shown_layers(), "1.0.0")

    assert len(validate_ogc(document)) == 1
    assert validate_ogc(document.replace(b' type="values"', b"")) == []


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_hostile_texts_stay_texts(version):
    layers = read_sld(sld_document(shown_layers()[:1], version))

    assert [each.style.title for each in layers[0].styles][2] == HOSTILE.replace("\x00", "")
