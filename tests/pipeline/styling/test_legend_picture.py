from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.style import TRANSPARENT, Colour, StyleClass
from chronotile.pipeline.styling.legend_picture import legend_picture, legend_size, legend_svg
from tests.pipeline.styling.truth import BROWN, GREEN, RAMP, SAND, SNOW, classes_of

SVG = "{http://www.w3.org/2000/svg}"
PLAIN = replace(RAMP, below=BROWN, above=GREEN, nodata=TRANSPARENT, flags=())
STYLES = {
    "ramp": PLAIN,
    "ramp with all cases": RAMP,
    "no length": replace(RAMP, range=(0.3, 0.3), ramp=RAMP.ramp[1:2]),
    "classes": classes_of(12),
    "one class without label": replace(classes_of(1), classes=(StyleClass(4.5, GREEN, ""),)),
}
styles = pytest.mark.parametrize("style", STYLES.values(), ids=STYLES.keys())


def texts_of(style, title="NDVI", units="1"):
    return [text.text for text in ET.fromstring(legend_svg(style, title=title, units=units)).iter(f"{SVG}text")]


@styles
@pytest.mark.parametrize("title", ["NDVI", "", "A title so long that it must be broken into several lines to be read"])
@pytest.mark.parametrize("units", ["1", "m² m⁻²"])
def test_announced_size_is_the_drawn_size(style, title, units):
    width, height = legend_size(style, title=title, units=units)

    pixels = legend_picture(style, title=title, units=units).pixels
    svg = ET.fromstring(legend_svg(style, title=title, units=units))

    assert pixels.shape == (height, width, 4)
    assert (svg.get("width"), svg.get("height")) == (str(width), str(height))


@styles
def test_nothing_drawn_touches_the_edge(style):
    pixels = legend_picture(style, title="Ågjpqy |", units="m² m⁻²").pixels

    edge = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()])
    assert (edge == 255).all()


def test_the_bar_shows_the_ramp_from_its_foot_to_its_top():
    pixels = legend_picture(PLAIN, title="", units="1").pixels
    column = [tuple(colour) for colour in pixels[:, 12, :].tolist()]

    bar = [at for at, colour in enumerate(column) if colour != (255, 255, 255, 255)][1:-1]
    middle = column[bar[0] + round((0.92 - 0.3) / 1.0 * len(bar))]

    assert np.abs(np.array(column[bar[0]]) - GREEN).max() <= 3
    assert np.abs(np.array(column[bar[-1]]) - BROWN).max() <= 3
    assert np.abs(np.array(middle) - SAND).max() <= 3


@pytest.mark.parametrize("colour", [Colour(10, 20, 30), SNOW])
def test_a_class_has_a_swatch_of_its_colour(colour):
    style = replace(classes_of(1), classes=(StyleClass(1.0, colour, "water"),), nodata=TRANSPARENT)

    pixels = legend_picture(style, title="", units="1").pixels

    assert (pixels == colour).all(axis=-1).sum() == 10 * 10


def test_translucent_colour_is_shown_on_white():
    style = replace(classes_of(1), classes=(StyleClass(1.0, Colour(0, 0, 0, 51), "haze"),), nodata=TRANSPARENT)

    pixels = legend_picture(style, title="", units="1").pixels

    assert (pixels == (204, 204, 204, 255)).all(axis=-1).sum() == 10 * 10


def test_ramp_shows_ticks_units_and_missing_values():
    assert texts_of(RAMP, "NDVI", "m² m⁻²") == [
        "NDVI", "m² m⁻²", "0", "0.2", "0.4", "0.6", "0.8", "> 0.92", "< -0.08", "cloud", "snow", "no data",
    ]  # fmt: skip


def test_invisible_entries_are_omitted():
    assert texts_of(PLAIN) == ["NDVI", "0", "0.2", "0.4", "0.6", "0.8"]


def test_labels_that_would_touch_or_lie_outside_are_omitted():
    style = replace(PLAIN, labels=(-5.0, 0.0, 0.01, 0.5, 9.0))

    assert texts_of(style) == ["NDVI", "0", "0.5"]


def test_a_class_without_a_label_shows_its_value():
    assert texts_of(STYLES["one class without label"])[1:] == ["4.5", "no data"]


def test_the_gradient_has_the_stops_of_the_ramp():
    stops = list(ET.fromstring(legend_svg(PLAIN, title="", units="1")).iter(f"{SVG}stop"))

    assert [(stop.get("offset"), stop.get("stop-color")) for stop in stops] == [
        ("0", "#8c5a2b"),
        ("0.38", "#e8d9a0"),
        ("1", "#0b4d14"),
    ]


@given(st.text(), st.text())
def test_any_title_and_units_make_a_picture_and_well_formed_svg(title, units):
    width, height = legend_size(PLAIN, title=title, units=units)

    assert legend_picture(PLAIN, title=title, units=units).pixels.shape == (height, width, 4)
    assert ET.fromstring(legend_svg(PLAIN, title=title, units=units)) is not None


def test_a_ramp_at_the_end_of_all_numbers_is_drawn():
    most = float(np.finfo(np.float64).max)
    style = replace(RAMP, range=(most / 2, most), ramp=RAMP.stops_over(most / 2, most))

    assert legend_picture(style, title="t", units="1").rgba().any()
