"""Configurations of collections of items: their meaning, and their mistakes."""

from dataclasses import replace

import pytest

from chronotile.catalog.items.cql2.translate import ACCEPTED
from chronotile.catalog.load import load_configuration
from chronotile.catalog.source_specs import source_specs
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.source import ItemsSpec, KindOptions, TargetGrid
from chronotile.readers.kinds import kind_options

KINDS = {
    **kind_options(),
    "cog": replace(kind_options()["cog"], may_have_items=True),
    "stac": KindOptions(name="stac", has_bands=True, has_items=True),
}
UNFINISHED = (
    "--> 1:17 | 1 | eo:cloud_cover < | ^--- | = expected GEOMETRY, Identifier, Negative, UnaryNot, True, False, Null, "
    "DECIMAL, Double, SingleQuotedString, ExpressionInParentheses, or Array"
)
"""The library's error for a condition without an end."""
STAC = "{kind: stac, href: s2/collection.json}"
TILES = "{kind: cog, href: '{variable}/*.tif', tiles: true}"
OF_ITEMS = "it belongs to collections of items: kind stac, and cog and netcdf with tiles: true"

DESIGN = """collections:
  s2:
    source: {kind: stac, href: https://example.org/collections/s2, filter: "eo:cloud_cover < 60", mode: index}
    time: {group: solar_day}
    mosaic: {rule: first, order_by: eo:cloud_cover}
    grid: {crs: "EPSG:3035", resolution: 10}
    variables:
      RED: {asset: B04}
      NIR: {asset: B08}
      NDVI: {formula: "(NIR - RED) / (NIR + RED)", mask: {variable: SCL, keep: [4, 5, 6]}}
      SCL: {asset: SCL}
"""


def in_collection(source, text=""):
    """Return a configuration of one collection, with its source in line 3 and the rest from line 4 on."""
    return "\n".join(["collections:", "  c:", f"    source: {source}", *(f"    {line}" for line in text.splitlines())])


@pytest.fixture
def spec_of(write):
    """Return `spec_of(text)`: the source of its one collection."""

    def load(text):
        write({"config.yaml": text})
        configuration = load_configuration(write({}) / "config.yaml", kinds=KINDS, environment={})
        (spec,) = source_specs(configuration, {}).values()
        return spec

    return load


@pytest.fixture
def mistakes(spec_of, tmp_path):
    """Return `mistakes(text)`: the error lines of a configuration."""

    def refused(text):
        with pytest.raises(ConfigurationError) as caught:
            spec_of(text)
        return [line.removeprefix(f"{tmp_path}/") for line in caught.value.mistakes]

    return refused


def test_the_example_of_the_design_is_read(spec_of):
    spec = spec_of(DESIGN)

    assert (spec.kind, spec.href) == ("stac", "https://example.org/collections/s2")
    assert spec.items == ItemsSpec(
        settings=IndexSettings(group="solar_day", order_by="eo:cloud_cover"),
        mosaic=Mosaic(order_by="eo:cloud_cover"),
        grid=TargetGrid(crs="EPSG:3035", resolution=10),
        filter="eo:cloud_cover < 60",
    )
    assert {name: variable.asset for name, variable in spec.variables.items()} == {
        "RED": "B04",
        "NIR": "B08",
        "NDVI": None,
        "SCL": "SCL",
    }


@pytest.mark.parametrize("source", [STAC, TILES], ids=["stac", "tiles"])
def test_items_without_more_keys_are_composed_by_defaults(spec_of, source):
    assert spec_of(in_collection(source)).items == ItemsSpec()


def test_tiles_without_a_crs_may_get_one(spec_of):
    assert spec_of(in_collection(TILES.replace("true}", "true, crs: EPSG:3035}"))).crs == "EPSG:3035"


def test_rasters_that_are_no_tiles_have_no_items(spec_of):
    assert spec_of(in_collection("{kind: cog, href: a.tif}")).items is None


@pytest.mark.parametrize(
    ("mosaic", "order"),
    [
        ("{order_by: eo:cloud_cover}", ("eo:cloud_cover", False)),
        ("{order_by: -created}", ("created", True)),
        ("{rule: latest}", ("datetime", True)),
        ("{rule: median, too_many: refuse, max_pieces: 9}", (None, False)),
    ],
)
def test_the_order_of_items(spec_of, mosaic, order):
    items = spec_of(in_collection(STAC, f"mosaic: {mosaic}")).items

    assert (items.settings.order_by, items.settings.is_descending) == order
    assert (items.mosaic.order_by, items.mosaic.is_descending) == order


def test_mosaic_beyond_its_limits_is_refused(spec_of):
    mosaic = spec_of(in_collection(STAC, "mosaic: {rule: max, too_many: refuse, max_pieces: 9}")).items.mosaic

    assert (mosaic.rule, mosaic.too_many, mosaic.max_pieces) == ("max", "refuse", 9)


def test_path_with_brackets_is_that_of_a_catalogue(spec_of, tmp_path):
    assert spec_of(in_collection("{kind: stac, href: 'a[1]/catalog.json'}")).href == f"{tmp_path}/a[1]/catalog.json"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("mosaic: {rul: first}", "mosaic.rul: unknown key; the nearest is rule; accepted are rule, order_by, too_many, "
                                 "max_pieces"),
        ("mosaic: {rule: best}", "mosaic.rule: accepted are 'first', 'latest', 'least_nodata', 'max', 'mean' or "
                                 "'median', got 'best'"),
        ("mosaic: {order_by: 'a b'}", "mosaic.order_by: 'a b' is not a property; accepted are names such as "
                                      "eo:cloud_cover, and -eo:cloud_cover for descending order"),
        ("mosaic: {order_by: -id}", "mosaic.order_by: ids are only ordered ascending; use id, or a property such as "
         "-created"),
        ("mosaic: {rule: latest, order_by: eo:cloud_cover}", "mosaic: rule latest orders by time; remove order_by, or "
                                                             "use rule first"),
        ("mosaic: {max_pieces: 0}", "mosaic.max_pieces: it must be at least 1, got 0"),
        ("mosaic: {too_many: draw}", "mosaic.too_many: accepted are 'footprints' or 'refuse', got 'draw'"),
        ("grid: {crs: EPSG:0, resolution: 10}", "grid.crs: 'EPSG:0' is not a known coordinate reference system; "
                                                "accepted are codes such as EPSG:32631 and CRS:84, WKT and PROJ text"),
        ("grid: {crs: EPSG:3035}", "grid.resolution: the key is missing"),
        ("grid: {crs: EPSG:3035, resolution: 0}", "grid.resolution: it must be greater than 0, got 0"),
        ("time: {group: month}", "time.group: accepted are 'exact', 'day' or 'solar_day', got 'month'"),
    ],
)  # fmt: skip
def test_a_mistake_in_how_items_are_composed(mistakes, text, mistake):
    assert mistakes(in_collection(STAC, text)) == [f"config.yaml:4: collections.c.{mistake}"]


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        (STAC.replace("}", ", times: [2020]}"), "times: items have times of their own; remove it"),
        (STAC.replace("}", ", crs: EPSG:3035}"), "crs: items have CRSs of their own; remove it, and write it "
                                                          "into files that lack it"),
        (TILES.replace("true}", "true, series: a.zarr}"), "series: it belongs to files on one grid; serve a cube made "
                                                          "by optimise as its own source"),
        (TILES.replace("true}", "true, filter: a = 1}"), "filter: filter belongs to kind stac"),
        (TILES.replace("true}", "true, mode: index}"), "mode: mode belongs to kind stac"),
        ("{kind: zarr, href: a, tiles: true}", "tiles: tiles belongs to kinds cog and netcdf"),
        (STAC.replace("}", ", tiles: true}"), "tiles: tiles belongs to kinds cog and netcdf"),
        (STAC.replace("}", ", mode: live}"), "mode: live belongs to STAC APIs, whose href is https:// or http://"),
        (STAC.replace("}", f", filter: {'a' * 5000}}}"), "filter: at most 4096 characters, got 5000"),
        (STAC.replace("}", ", filter: eo:cloud_cover <}"), "filter: 'eo:cloud_cover <' is not valid CQL2 text: "
            f"{UNFINISHED}; accepted are conditions such as eo:cloud_cover < 60 AND platform = 'sentinel-2a'"),
        (STAC.replace("}", ", filter: foo(a) = 1}"), "filter: 'foo(a) = 1' has the operator \"foo\", which is not "
            f"accepted here; accepted: {ACCEPTED}; accepted are conditions such as eo:cloud_cover < 60 AND platform = "
            "'sentinel-2a'"),
        (TILES.replace("tiles: true", "tiles: 1"), "tiles: must be true or false, got 1"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_source_of_items(mistakes, source, mistake):
    assert mistakes(in_collection(source)) == [f"config.yaml:3: collections.c.source.{mistake}"]


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        ("{kind: stac, href: '{variable}.json'}", "{variable} in href belongs to kind cog"),
        (r"{kind: stac, href: a, time_pattern: '(?P<time>\d{8})'}", "time_pattern belongs to kinds cog and netcdf; "
            "items have times of their own"),
    ],
)  # fmt: skip
def test_files_of_a_catalogue_are_not_found_by_their_names(mistakes, source, mistake):
    assert mistakes(in_collection(source)) == [f"config.yaml:3: collections.c.source: {mistake}"]


@pytest.mark.parametrize("source", [STAC, TILES], ids=["stac", "tiles"])
def test_select_of_items_is_a_mistake(mistakes, source):
    (mistake,) = mistakes(in_collection(source, "variables: {V: {select: {number: 3}}}"))

    assert mistake.endswith(
        "V.select: select belongs to arrays and to messages of GRIB files, without items; choose a band"
    )


@pytest.mark.parametrize("source", ["{kind: cog, href: a.tif}", "{kind: zarr, href: a}"], ids=["cog", "zarr"])
def test_keys_of_items_belong_to_items(mistakes, source):
    assert mistakes(in_collection(source, "mosaic: {}")) == [f"config.yaml:4: collections.c.mosaic: {OF_ITEMS}"]


GRID = "grid: {crs: EPSG:3035, resolution: 1}"


def test_grid_belongs_to_items_and_arrays(mistakes):
    arrays = "and to kinds zarr and netcdf, whose cells may have a latitude and longitude each"

    assert mistakes(in_collection("{kind: cog, href: a.tif}", GRID)) == [
        f"config.yaml:4: collections.c.grid: {OF_ITEMS}, {arrays}"
    ]


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_grid_of_arrays_is_part_of_the_source(spec_of, kind):
    spec = spec_of(in_collection(f"{{kind: {kind}, href: a}}", GRID))

    assert (spec.grid, spec.items) == (TargetGrid(crs="EPSG:3035", resolution=1.0), None)


def test_times_are_grouped_of_items_alone(mistakes):
    found = mistakes(in_collection("{kind: cog, href: a.tif}", "time: {default: latest, group: exact}"))

    assert found == [f"config.yaml:4: collections.c.time.group: {OF_ITEMS}"]


def test_keys_of_items_are_refused_for_other_sources(mistakes):
    found = mistakes(in_collection(TILES.replace("true", "false"), "mosaic: {rule: max}"))

    assert found == [f"config.yaml:4: collections.c.mosaic: {OF_ITEMS}"]


def test_an_asset_is_of_a_catalogue(mistakes):
    found = mistakes(in_collection(TILES, "variables: {V: {asset: B04}}"))

    problem = "asset belongs to sources of kind stac; in kind cog use name"
    assert found == [f"config.yaml:4: collections.c.variables.V.asset: {problem}"]


def test_all_mistakes_are_reported_together(mistakes):
    text = "mosaic: {rule: best}\ngrid: {crs: EPSG:3035}\ntime: {group: exact}\nvariables: {V: {asset: a}}"

    found = mistakes(in_collection("{kind: cog, href: a.tif}", text))

    assert {line.partition(": ")[0] for line in found} == {f"config.yaml:{number}" for number in (4, 5, 6, 7)}


def test_a_formula_has_no_asset(mistakes):
    found = mistakes(in_collection(STAC, "variables: {V: {formula: 2 * A, asset: a}, A: {}}"))

    problem = "a formula is not stored in a file; remove it"
    assert found == [f"config.yaml:4: collections.c.variables.V.asset: {problem}"]
