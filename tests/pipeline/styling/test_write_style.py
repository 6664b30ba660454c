"""Styles written as files that mean the same when they are read again."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.style import TRANSPARENT, Colour, Stop, Style, StyleClass
from chronotile.pipeline.styling.colours import colours_of_values
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.pipeline.styling.read_sld import read_sld
from chronotile.pipeline.styling.write_style import style_members, style_yaml

SHIPPED = load_styles(style_folders(None))
STEPPED = """<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld"><NamedLayer><Name>a</Name>
<UserStyle><FeatureTypeStyle><Rule><RasterSymbolizer><ColorMap type="intervals">
<ColorMapEntry color="#ff0000" quantity="1"/><ColorMapEntry color="#00ff00" quantity="2"/>
<ColorMapEntry color="#0000ff" quantity="3"/>
</ColorMap></RasterSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>"""

colours = st.builds(Colour, *[st.integers(0, 255)] * 4)
values = st.floats(-1e6, 1e6)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12).filter(str.strip)
common = {"title": texts, "nodata": colours, "flags": st.dictionaries(texts, colours, max_size=2)}


def read_again(style, write=style_yaml):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{style.id}.yaml").write_text(write(style), encoding="utf-8")
        return load_styles([Path(folder)])[style.id]


@pytest.mark.parametrize("name", sorted(SHIPPED))
@pytest.mark.parametrize(
    "write", [style_yaml, lambda style: json.dumps(style_members(style))], ids=["yaml", "json, which is YAML too"]
)
def test_every_style_that_is_shipped_is_the_same_again(name, write):
    assert read_again(SHIPPED[name], write) == SHIPPED[name]


@given(st.lists(values, min_size=2, max_size=6, unique=True), st.data(), st.fixed_dictionaries(common))
def test_any_ramp_is_the_same_again(stops, data, given):
    stops = sorted(stops)
    style = Style(
        id="any",
        title=given["title"].strip(),
        range=(stops[0], stops[-1]),
        ramp=tuple(Stop(value, data.draw(colours)) for value in stops),
        below=data.draw(colours),
        above=data.draw(colours),
        nodata=given["nodata"],
        flags=tuple((name.strip(), colour) for name, colour in given["flags"].items()),
        labels=tuple(data.draw(st.lists(values, max_size=3))),
    )

    assert normal(read_again(style)) == normal(style)


@given(st.lists(values, min_size=1, max_size=6, unique=True), st.data(), st.fixed_dictionaries(common))
def test_any_classes_are_the_same_again(numbers, data, given):
    style = Style(
        id="any",
        title=given["title"].strip(),
        range=(min(numbers), max(numbers)),
        classes=tuple(StyleClass(value, data.draw(colours), data.draw(texts).strip()) for value in numbers),
        nodata=given["nodata"],
        flags=(),
    )

    assert normal(read_again(style)) == normal(style)


def normal(style):
    """Sort flags by name, which is unique in a file."""
    return replace(style, flags=tuple(sorted(dict(style.flags).items())))


def test_invisible_classes_are_called_transparent():
    style = replace(SHIPPED["greys"], nodata=TRANSPARENT)

    assert style_members(style)["nodata"] == "transparent"


def test_colours_that_change_at_a_value_do_so_when_read_again():
    (sheet,) = read_sld(STEPPED.encode())
    style = replace(sheet.styles[0].style, id="steps", title="Steps")
    numbers = np.array([0, 0.999, 1, 1.5, 1.999999, 2, 2.5, 2.999999, 3, 4], dtype=np.float64)

    again = read_again(style)

    assert np.array_equal(colours_of_values(again, numbers), colours_of_values(style, numbers))
