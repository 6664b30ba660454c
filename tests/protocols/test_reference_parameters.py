"""Tables of parameters in docs/reference have the names, values and limits of the parsers."""

import re
from pathlib import Path

import pytest

from chronotile.protocols.catalogue.odata.params import OPTIONS
from chronotile.protocols.maps.animations.routes import OF_ANIMATION
from chronotile.protocols.maps.cubes.routes import OF_CUBE
from chronotile.protocols.maps.tiles.routes import OF_TILE
from chronotile.protocols.maps.wms.legend import FORMAT, HEIGHT, SCALE, WIDTH
from chronotile.protocols.maps.wms.params import EXCEPTION_FORMATS, OF_MAP
from chronotile.protocols.places.routes import OF_SET, OF_VALUES
from chronotile.protocols.site.layers.routes import OF_PREVIEW, OF_TIMES
from chronotile.protocols.timeseries.area_params import OF_AREA
from chronotile.protocols.timeseries.params import ANALYSIS, OF_POINT
from chronotile.protocols.timeseries.terrascope import OF_SERIES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
TABLES = [
    ("layers-and-series.md", 0, OF_PREVIEW),
    ("layers-and-series.md", 1, OF_TIMES),
    ("layers-and-series.md", 2, OF_POINT),
    ("layers-and-series.md", 3, OF_AREA),
    ("layers-and-series.md", 4, OF_SERIES),
    ("series-analysis.md", 0, ANALYSIS),
    ("tiles.md", 0, OF_TILE),
    ("animations.md", 0, OF_ANIMATION),
    ("cube-tiles.md", 0, OF_CUBE),
    ("odata.md", 0, OPTIONS),
]


def rows_of(page, number):
    """Return `{name: meaning}` of a table of parameters in a page."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    table = re.split(r"\| parameter(?: of `GetMap`)? \| meaning \|\n\| --- \| --- \|\n", text)[number + 1]
    rows = re.findall(r"\| (.*?) \| (.*) \|\n", table.partition("\n\n")[0] + "\n")
    return {name: meaning for cell, meaning in rows for name in re.findall("`(.*?)`", cell)}


@pytest.mark.parametrize(("page", "number", "parameters"), TABLES)
def test_a_table_has_every_parameter(page, number, parameters):
    rows = rows_of(page, number)

    of_analyses = {each.name for each in ANALYSIS if "phenology" in rows}  # a row links to their table
    assert set(rows) | of_analyses == {each.name for each in parameters}


@pytest.mark.parametrize(("page", "number", "parameters"), TABLES)
def test_a_table_has_the_words_that_are_accepted(page, number, parameters):
    rows = rows_of(page, number)

    listed = [each for each in parameters if "enum" in each.schema and "](" not in rows.get(each.name, "](")]
    words = {(each.name, word) for each in listed for word in each.schema["enum"]}
    assert {(name, word) for name, word in words if f"`{word}`" not in rows[name]} == set()


@pytest.mark.parametrize(("page", "number", "parameters"), TABLES)
def test_a_table_has_the_greatest_value(page, number, parameters):
    rows = rows_of(page, number)

    bounds = {each.name: f"{each.schema['maximum']:,.0f}" for each in parameters if "maximum" in each.schema}
    assert [name for name in bounds if name in rows and not re.search(rf"\b{bounds[name]}\b", rows[name])] == []


@pytest.mark.parametrize("parameters", [OF_SET, OF_VALUES])
def test_the_page_of_places_names_every_parameter(parameters):
    page = (REFERENCE / "places.md").read_text(encoding="utf-8")

    assert [each.name for each in parameters if not re.search(rf"\b{each.name}\b", page)] == []


def test_the_page_of_wms_has_every_parameter_of_maps_and_their_words():
    rows = rows_of("wms-and-wmts.md", 0)

    assert {each.name for each in OF_MAP} - set(rows) == set()
    listed = [each for each in OF_MAP if "enum" in each.schema and each.name not in {"TRANSPARENT", "LOGSCALE"}]
    assert [(each.name, word) for each in listed for word in each.words if f"`{word}`" not in rows[each.name]] == []
    assert [word for words in EXCEPTION_FORMATS.values() for word in words if word not in rows["EXCEPTIONS"]] == []


def test_the_page_of_wms_has_every_parameter_of_legends_and_their_words():
    rows = next(rows for rows in (rows_of("wms-and-wmts.md", n) for n in (1, 2, 3)) if "LEGEND_OPTIONS" in rows)

    assert {each.name for each in (FORMAT, WIDTH, HEIGHT, SCALE)} - set(rows) == set()
    assert [word for word in FORMAT.words if f"`{word}`" not in rows["FORMAT"]] == []
    assert all(f"{each.schema['maximum']:,}" in rows[each.name] for each in (WIDTH, HEIGHT))
