"""The style of a layer whose configuration names none."""

from dataclasses import replace

import pytest

from chronotile.catalog.default_styles import composite_style, default_style, stretch_style
from chronotile.core.model.style import Colour, Style, StyleClass

RED, BLUE = Colour(255, 0, 0), Colour(0, 0, 255)
SCENE = Style(
    id="scene-classes",
    title="Scene",
    range=(0, 2),
    classes=(StyleClass(0, RED, "zero"), StyleClass(1, RED, "one"), StyleClass(2, BLUE, "two")),
)


@pytest.fixture
def styles(make):
    ramps = [make.style("ndvi", span=(-0.08, 0.92)), make.style("lai", span=(0, 7)), make.style("greys")]
    return {style.id: style for style in (*ramps, make.style("viridis"), SCENE)}


@pytest.mark.parametrize(
    ("name", "style"),
    [
        *(("ndvi", "ndvi"), ("NDVI", "ndvi"), ("s2_ndvi_10m", "ndvi"), ("EVI", "ndvi"), ("LAI-smoothed", "lai")),
        *(("conc_chl", "viridis"), ("viridis", "viridis"), ("SCL", "scene-classes"), ("delay", "greys")),
        *(("B04", "greys"), ("---", "greys")),
    ],
)
def test_a_style_is_chosen_by_a_word_of_the_name(make, styles, name, style):
    assert default_style(make.variable(name), styles, layer="c.v").id == style


@pytest.mark.parametrize(
    ("name", "title", "units"),
    [
        ("sst_dtime", "time difference from reference time", "seconds"),
        ("sses_bias", "SSES bias error", "kelvin"),
        ("sst", "SST minus analysis: difference", "K"),
    ],
)
def test_differences_and_times_of_temperatures_have_no_style_of_temperatures(make, name, title, units):
    styles = {"temperature": make.style("temperature", span=(-20, 40)), "greys": make.style("greys")}
    plain = make.variable(name, title=title, observed_range=(-2, 3))
    variable = replace(plain, encoding=replace(plain.encoding, units=units))

    style = default_style(variable, styles, layer="c.v")

    assert (style.id, style.range) == ("greys", (-2, 3))


@pytest.mark.parametrize(
    ("seen", "span"),
    [
        ((0.1, 0.8), (-0.08, 0.92)),
        ((-0.2, 1.0), (-0.08, 0.92)),
        (None, (-0.08, 0.92)),
        ((1000, 8000), (1000, 8000)),
        ((0, 255), (0, 255)),
        ((0.5, 0.51), (0.5, 0.51)),
    ],
    ids=["inside", "near", "not seen", "digital numbers", "bytes", "sliver"],
)
def test_a_ramp_that_the_values_do_not_fit_is_stretched(make, styles, seen, span):
    style = default_style(make.variable("ndvi", observed_range=seen), styles, layer="c.v")

    assert (style.id, style.range, style.ramp[0].value, style.ramp[-1].value) == ("ndvi", span, *span)


def test_greys_are_stretched_over_the_values(make, styles):
    style = default_style(make.variable("B04", observed_range=(10, 20)), styles, layer="c.v")

    assert (style.id, style.range) == ("greys", (10, 20))


def test_without_any_style_there_are_greys(make):
    style = default_style(make.variable("B04", observed_range=(10, 20)), {}, layer="c.v")

    assert [(stop.value, stop.colour.hex) for stop in style.ramp] == [(10, "#000000"), (20, "#ffffff")]
    assert (style.below.hex, style.above.hex) == ("#000000", "#ffffff")


def test_one_value_gets_a_range_round_it(make):
    assert default_style(make.variable("B04", observed_range=(3, 3)), {}, layer="c.v").range == (2.5, 3.5)


def test_classes_of_the_file_make_a_style(make, styles):
    classes = (StyleClass(10, RED, "trees"), StyleClass(5, BLUE, "water"))

    style = default_style(make.variable("map", classes=classes), styles, layer="c.map")

    assert (style.id, style.range, style.classes) == ("c.map-classes", (5, 10), classes)


def test_a_style_with_all_classes_of_the_file_is_preferred(make, styles):
    classes = (StyleClass(1, BLUE, "1"), StyleClass(2, BLUE, "2"))

    assert default_style(make.variable("scl", classes=classes), styles, layer="c.scl") is SCENE


def test_a_style_without_all_classes_of_the_file_is_not(make, styles):
    classes = (StyleClass(1, BLUE, "1"), StyleClass(9, BLUE, "9"))

    assert default_style(make.variable("scl", classes=classes), styles, layer="c.scl").id == "c.scl-classes"


def test_classes_are_not_stretched():
    assert stretch_style(SCENE, (5, 10)) is SCENE


def test_a_composite_has_one_style_over_its_range():
    assert (composite_style((0, 3000)).id, composite_style((0, 3000)).range) == ("rgb", (0, 3000))
