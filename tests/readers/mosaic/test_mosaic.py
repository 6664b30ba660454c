from dataclasses import replace

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from chronotile.core.model.expression import parse_expression
from chronotile.core.model.items import IndexSettings, Mosaic
from chronotile.core.model.request import Point
from chronotile.core.model.source import Mask, TargetGrid, VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import Grid, Window
from chronotile.readers.cog.source import CogReader
from chronotile.readers.mosaic.source import SAMPLED
from chronotile.readers.sample import observed_range
from tests.readers.mosaic.brute_index import BruteIndex
from tests.readers.mosaic.tiles import EAST, SIDE, SIZE, ground, item_of, tiles_about_the_seam, write_tile

AROUND = BBox(EAST - 0.008, 50.0 - 0.004, EAST + 0.004, 50.0 + 0.004)
"""Inside the tiles of both zones."""


def picture(box=AROUND, crs=CRS84, width=160, height=160):
    return Grid(crs=crs, bbox=box, width=width, height=height)


def truth_of(grid, day=0):
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = grid.x_of(columns), grid.y_of(rows)
    longitude, latitude = Transformer.from_crs(grid.crs.definition, "OGC:CRS84", always_xy=True).transform(x, y)
    return ground(longitude, latitude, day)


@pytest.mark.parametrize("day", [0, 1])
def test_tiles_of_two_zones_are_one_raster_without_a_seam(index, open_items, day):
    reader = open_items(index)
    pixels = reader.compose("RED", index=day, grid=picture())
    assert (pixels.codes.numbers == 0).all()
    assert (pixels.numbers == truth_of(picture(), day)).mean() > 0.8  # cells of 10 m at edges of patches of 60 m


def test_each_place_has_the_cell_that_holds_it(index, open_items):
    reader = open_items(index)
    rng = np.random.default_rng(1)
    for longitude, latitude in zip(
        rng.uniform(AROUND.xmin, AROUND.xmax, 50), rng.uniform(AROUND.ymin, AROUND.ymax, 50), strict=True
    ):
        place = Point(x=longitude, y=latitude, crs=CRS84)
        cell = reader.find_native_cell("RED", 0, place)
        x, y = cell.grid.centre_of(cell.row, cell.column)
        centre = Transformer.from_crs(cell.grid.crs.definition, "OGC:CRS84", always_xy=True).transform(x, y)
        pixels = reader.read_point("RED", indexes=[0, 1], point=place)
        assert pixels.numbers.tolist() == [int(ground(*centre, 0)), int(ground(*centre, 1))]
        assert pixels.valid.all()


def test_items_without_the_asset_give_no_value_and_no_failure(index, open_items):
    for _number, _changed, item in list(index.items["s2"].values()):
        if item.id.endswith("_1"):
            index.put("s2", replace(item, assets=tuple(replace(each, name="B08") for each in item.assets)))
    told = []
    reader = open_items(index).replace_report(lambda ref, error: told.append((ref.id, str(error))))
    middle = Point(x=EAST - 0.002, y=50.0, crs=CRS84)

    pixels = reader.read_point("RED", indexes=[0, 1], point=middle)
    blank = reader.compose("RED", index=1, grid=picture())

    assert (pixels.valid.tolist(), pixels.reasons) == ([True, False], (None, "nodata"))
    assert (blank.codes.numbers != 0).all()
    assert {name[-2:] for name, _error in told} == {"_1"}
    assert {error for _name, error in told} == {"it has no variable RED"}


def test_the_range_of_values_is_of_a_few_items_at_their_coarsest(index, open_items, monkeypatch):
    reads = []
    read_window = CogReader.read_window
    monkeypatch.setattr(
        CogReader,
        "read_window",
        lambda self, *args, **options: reads.append(options["level"]) or read_window(self, *args, **options),
    )
    reader = open_items(index)

    low, high = observed_range(reader, "RED")

    assert len(reads) <= SAMPLED < len(index.items["s2"]) / 2  # of one time
    truth = np.percentile(truth_of(picture(), 1), (2, 98))
    assert (low, high) == pytest.approx(tuple(truth), abs=8)


@pytest.mark.parametrize("side", [100, 900], ids=["one strip", "several strips"])
@pytest.mark.parametrize("rule", ["first", "max", "mean"])
def test_item_that_fails_for_each_part_of_a_picture_is_skipped_once(tmp_path, open_items, rule, side):
    index, tile = BruteIndex(), tiles_about_the_seam()[0]
    index.settings_of["s2"] = IndexSettings(group="solar_day")
    paths = [write_tile(tmp_path / name, tile) for name in "ab"]
    for name, path in zip("ab", paths, strict=True):
        index.put("s2", item_of(tile, {"B04": path}, start="2024-06-01T10:50:00", suffix=name))
    box = BBox(tile.left, tile.top - SIDE * SIZE, tile.left + SIDE * SIZE, tile.top)
    told = []
    reader = open_items(index, mosaic=Mosaic(rule=rule))
    reader._parts.scenes._open.clear()
    paths[0].write_bytes(b"")

    whole = picture(box, crs_of(f"EPSG:{tile.epsg}"), side, side)
    pixels = reader.replace_report(lambda ref, _error: told.append(ref.id)).compose("RED", index=0, grid=whole)

    assert told == [f"{tile.name}a"]
    assert (pixels.codes.numbers == 0).all()


@pytest.mark.parametrize("rule", ["first", "max"])
@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_value_that_is_in_a_truncated_file_alone_is_unreadable_and_not_nodata(tmp_path, open_items, rule, names):
    """A readable neighbour has no value there, and the truncated file may have one."""
    index, tile = BruteIndex(), tiles_about_the_seam()[0]
    index.settings_of["s2"] = IndexSettings(group="solar_day")
    full, empty = (write_tile(tmp_path / name, tile) for name in names)
    with rasterio.open(empty, "r+") as file:
        file.write(np.zeros_like(file.read()))
    for name, path in zip(names, (full, empty), strict=True):
        index.put("s2", item_of(tile, {"B04": path}, start="2024-06-01T10:50:00", suffix=name))
    reader = open_items(index, mosaic=Mosaic(rule=rule))
    longitudes, latitudes = tile.lonlat()
    place = Point(x=longitudes[-2, -2], y=latitudes[-2, -2], crs=CRS84)
    whole = reader.read_point("RED", indexes=[0], point=place)
    full.write_bytes(full.read_bytes()[: full.stat().st_size // 3])
    reader = open_items(index, mosaic=Mosaic(rule=rule))
    told = []

    lacking = reader.replace_report(lambda ref, _error: told.append(ref.id)).read_point("RED", indexes=[0], point=place)

    assert whole.valid.tolist() == [True]
    assert (lacking.valid.tolist(), lacking.reasons) == ([False], ("unreadable",))
    assert told == [f"{tile.name}{names[0]}"]


def test_a_formula_of_a_request_is_computed_of_each_item(index, open_items):
    reader = open_items(index)
    doubled = parse_expression("RED * 2")

    pixels = reader.add_formula("=", doubled, doubled.names).compose("=", index=0, grid=picture())
    again = reader.add_formula("=", parse_expression("RED + 1"), ("RED",)).compose("=", index=0, grid=picture())

    plain = reader.compose("RED", index=0, grid=picture()).numbers
    assert np.array_equal(pixels.numbers, plain * 2.0)
    assert np.array_equal(again.numbers, plain + 1.0)


def test_windows_of_coarse_grids_have_native_cells_as_blocks_do(open_items, index):
    reader = open_items(index, grid=TargetGrid(crs="EPSG:32631", resolution=40.0))
    grid = reader.info.variables["RED"].grid
    window = Window(0, grid.height, 0, grid.width)

    whole = reader.read_window("RED", index=0, level=0, window=window)
    block = reader.read_block("RED", indexes=[0], window=window, along="space")

    np.testing.assert_array_equal(whole.numbers, block.numbers[0])
    np.testing.assert_array_equal(whole.valid, block.codes.numbers[0] == 0)


@pytest.mark.parametrize("rule", ["max", "mean", "median"])
def test_statistics_of_two_zones_are_of_the_same_cells_on_grids_and_at_places(index, open_items, rule):
    reader = open_items(index, mosaic=Mosaic(rule=rule))
    zone = crs_of("EPSG:32631")
    x, y = transformer(CRS84, zone).transform(EAST - 0.002, 50.0)
    x, y = round(x / 10) * 10, round(y / 10) * 10
    lattice = Grid(crs=zone, bbox=BBox(x, y, x + 200, y + 200), width=20, height=20)
    offset = Grid(crs=CRS84, bbox=AROUND, width=16, height=16)  # several of its pixels lie in one native cell

    for grid in (lattice, replace(offset, bbox=BBox(EAST - 0.003, 50.0, EAST - 0.0026, 50.0004))):
        pixels = reader.compose("RED", index=0, grid=grid)
        places = [
            Point(x=float(grid.x_of(np.array(column + 0.5))), y=float(grid.y_of(np.array(row + 0.5))), crs=grid.crs)
            for row in range(grid.height)
            for column in range(grid.width)
        ]
        at_places = [reader.read_point("RED", indexes=[0], point=place) for place in places]
        assert pixels.numbers.ravel().tolist() == [float(each.numbers[0]) for each in at_places]


@pytest.fixture
def masked_items(open_items, tmp_path):
    """Return `masked_items(rule)`: the tiles, each with a separate mask that hides a third of its cells, by 30 m."""
    index, rng = BruteIndex(), np.random.default_rng(3)
    index.settings_of["s2"] = IndexSettings(group="solar_day")
    for number, tile in enumerate(tiles_about_the_seam()):
        classes = rng.choice([4, 4, 9], (SIDE // 3, SIDE // 3)).astype("uint8").repeat(3, axis=0).repeat(3, axis=1)
        paths = {
            "B04": write_tile(tmp_path, tile, numbers=ground(*tile.lonlat()) + np.uint16(number)),
            "SCL": write_tile(tmp_path, tile, numbers=classes, name="SCL"),
        }
        index.put("s2", item_of(tile, paths, start="2024-06-01T10:50:00"))
    variables = {
        "RED": VariableSpec(id="RED", asset="B04", mask=Mask(variable="SCL", keep=(4,))),
        "SCL": VariableSpec(id="SCL", asset="SCL"),
    }
    return lambda rule: open_items(index, mosaic=Mosaic(rule=rule), variables=variables)


@pytest.mark.parametrize("rule", ["first", "max", "mean", "median"])
def test_masked_cells_of_two_zones_are_the_same_on_grids_and_at_places(masked_items, rule):
    reader = masked_items(rule)
    zone = crs_of("EPSG:32632")
    x, y = transformer(CRS84, zone).transform(EAST - 0.001, 50.0)
    box = BBox(x, y, x + 150, y + 150)

    for grid in (
        Grid(crs=zone, bbox=box, width=15, height=15),
        Grid(crs=CRS84, bbox=BBox(EAST - 0.003, 50.0, EAST - 0.001, 50.002), width=15, height=15),
    ):
        pixels = reader.compose("RED", index=0, grid=grid)
        columns, rows = np.meshgrid(grid.x_of(np.arange(15) + 0.5), grid.y_of(np.arange(15) + 0.5))
        places = [Point(x=float(x), y=float(y), crs=grid.crs) for x, y in zip(columns.flat, rows.flat, strict=True)]
        at_places = [reader.read_point("RED", indexes=[0], point=place) for place in places]

        has_value = pixels.codes.numbers.ravel() == 0
        assert has_value.tolist() == [bool(each.valid[0]) for each in at_places]
        expected = [each.numbers[0] for each in at_places]
        assert pixels.numbers.ravel()[has_value].tolist() == np.array(expected)[has_value].tolist()
        assert has_value.any()
