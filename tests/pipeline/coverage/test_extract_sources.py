"""Coverages of every kind of source: the file's own numbers, and no block of it read twice."""

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model import coverage as coverage_model
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, Trim
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import Mask, SourceInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pipeline.coverage import source_coverage as coverage_runs
from chronotile.pipeline.coverage.extract import extract_coverage
from chronotile.readers.kinds import open_source
from chronotile.readers.reader import BlockShape
from tests.protocols import served
from tests.readers.memory import CLOUD, NODATA, MemoryReader, derived, random_numbers
from tests.scenes import KINDS, Scene, make_spec, write_cogs, write_scene, write_tif

SCENE = Scene(width=150, height=130, days=tuple(f"2020-01-{day:02}" for day in range(1, 10)))
ROWS, COLUMNS = range(17, 101), range(33, 140)
PART = BBox(500_330.0, 5_648_990.0, 501_400.0, 5_649_830.0)


def extract(reader, layers=("NDVI",), **request):
    return extract_coverage(CoverageRequest(layers=layers, **request), served.make_services_of(reader))


def part_of(reader, **request):
    grid = reader.info.variables["NDVI"].grid
    return extract(reader, trims=(Trim(box=PART, crs=grid.crs),), **request)


def read_in_runs(coverage, number=0):
    """Return (time, y, x), as whoever writes it reads it."""
    return np.concatenate(
        [
            np.concatenate([coverage.read_times(number, times=times, rows=rows) for rows in coverage.row_runs], axis=1)
            for times in coverage.time_runs
        ]
    )


def cube_of(folder, layout):
    write_cogs(folder, SCENE)
    options = Options(layout=layout, block=4, threads=1)
    optimise(sorted(map(str, folder.glob("*.tif"))), folder / "cube.zarr", options)
    return make_spec("zarr", folder / "cube.zarr")


@pytest.fixture(scope="module", params=[*KINDS, "both", "series", "map", "beside files"])
def reader(request, tmp_path_factory):
    """Return a reader of the scene, in every kind of store."""
    folder = tmp_path_factory.mktemp("made")
    if request.param in KINDS:
        return open_source(write_scene(request.param, folder, SCENE))
    if request.param != "beside files":
        return open_source(cube_of(folder, request.param))
    cube = cube_of(folder, "series")
    spec = make_spec("cog", folder / "NDVI_*.tif", time_pattern=r"_(?P<time>\d{8})")
    return open_source(replace(spec, series=cube.href))


@pytest.mark.quick_cases("zarr-v3", "cog", "series")
def test_part_equals_that_of_the_source(reader):
    coverage = part_of(reader)

    expected = SCENE.cube()[:, ROWS.start : ROWS.stop, COLUMNS.start : COLUMNS.stop]
    np.testing.assert_array_equal(read_in_runs(coverage), expected)
    np.testing.assert_array_equal(coverage.read_times(0, times=range(4, 5), rows=range(3, 30))[0], expected[4, 3:30])
    assert tuple(coverage.grid.bbox) == pytest.approx(PART)
    told = coverage.fields[0].encoding
    assert (told.dtype, told.scale, told.offset, told.nodata) == ("uint8", 0.004, -0.08, 255)


def test_another_crs_has_numbers_under_its_cells(reader):
    grid = reader.info.variables["NDVI"].grid

    coverage = extract(reader, crs=crs_of("EPSG:3035"))

    out = coverage.grid
    x, y = np.meshgrid(out.x_of(np.arange(out.width) + 0.5), out.y_of(np.arange(out.height) + 0.5))
    columns, rows = (np.floor(each) for each in grid.pixels_at(*transformer(out.crs, grid.crs).transform(x, y)))
    inside = (rows >= 0) & (rows < grid.height) & (columns >= 0) & (columns < grid.width)
    expected = np.where(inside, SCENE.number(2, rows, columns), 255)
    assert (coverage.read_times(0, times=range(2, 3), rows=range(out.height))[0] != expected).mean() < 5e-4


NIR, RED = random_numbers(1), random_numbers(2)
NIR[:, 0, 0] = NODATA
RED[:, 1, 1] = CLOUD
SCL = np.random.default_rng(12).integers(3, 8, (3, 12, 12)).astype("uint8")


def made():
    reader = MemoryReader().add("NIR", NIR, scale=0.004).add("SCL", SCL)
    return reader.add("RED", RED, scale=0.004, flags=((CLOUD, "cloud"),))


@pytest.mark.parametrize("factor", [2, 4])
def test_coarser_cells_equal_those_of_the_overview_of_that_resolution(factor):
    overviews = [random_numbers(20 + each, side=12 // each) for each in (2, 4)]
    reader = MemoryReader().add("NDVI", NIR, *overviews)

    coverage = extract(reader, scale=ScaleFactors(x=factor, y=factor))

    np.testing.assert_array_equal(read_in_runs(coverage), overviews[factor // 4])


def test_coarser_cells_of_files_without_overviews_are_means(tmp_path):
    rows, columns = np.mgrid[:600, :700]
    numbers = ((columns // 2 + 3 * (rows // 2)) % 200 + rows % 2 + columns % 2).astype("uint8")
    write_tif(tmp_path / "NDVI_20200101.tif", numbers, SCENE)
    reader = open_source(make_spec("cog", tmp_path / "NDVI_*.tif", time_pattern=r"_(?P<time>\d{8})"))

    coverage = extract(reader, scale=ScaleFactors(x=2, y=2))

    np.testing.assert_array_equal(read_in_runs(coverage)[0], numbers[::2, ::2] + 1)


def test_without_overviews_coarser_cells_are_native_ones():
    coverage = extract(MemoryReader().add("NDVI", NIR), scale=ScaleFactors(x=3, y=3))

    np.testing.assert_array_equal(read_in_runs(coverage), NIR[:, 1::3, 1::3])


@pytest.mark.parametrize("scale", [None, ScaleFactors(x=0.5, y=0.5)], ids=["native", "scaled"])
def test_masked_cells_are_nodata(scale):
    coverage = extract(derived(made(), RED={"mask": Mask("SCL", (4, 5))}), ("RED", "NIR"), scale=scale)

    kept = np.where(np.isin(SCL, (4, 5)) & (RED != CLOUD), RED, NODATA)
    repeat = 1 if scale is None else 2
    for number, expected in ((0, kept), (1, NIR)):
        np.testing.assert_array_equal(read_in_runs(coverage, number), expected.repeat(repeat, 1).repeat(repeat, 2))


@pytest.mark.parametrize("scale", [None, ScaleFactors(x=0.5, y=0.5)], ids=["native", "scaled"])
def test_formula_has_nan_for_missing_values(scale):
    coverage = extract(derived(made(), NDVI={"formula": "(NIR - RED) / (NIR + RED)"}), scale=scale)

    nir, red = np.where(NIR == NODATA, np.nan, NIR * 0.004), np.where(RED == CLOUD, np.nan, RED * 0.004)
    repeat = 1 if scale is None else 2
    expected = ((nir - red) / (nir + red)).astype("float32").repeat(repeat, 1).repeat(repeat, 2)
    np.testing.assert_array_equal(read_in_runs(coverage), expected)
    assert (coverage.fields[0].encoding.dtype, np.isnan(coverage.fields[0].encoding.nodata)) == ("float32", True)


def test_a_mask_of_the_source_s_own_is_nodata():
    reader = made()
    reader.masks["NIR"] = SCL > 4

    numbers = read_in_runs(extract(reader, ("NIR",)))

    np.testing.assert_array_equal(numbers, np.where(SCL > 4, NIR, NODATA))


@dataclass
class BlockedReader(served.FormulaReader):
    """A reader of the formula that records the blocks of its reads."""

    shapes: dict[str, BlockShape] = field(default_factory=dict)
    blocks: Counter = field(default_factory=Counter)

    def block_shape(self, variable, along):
        return self.shapes[along]

    def read_window(self, variable, *, index, level, window, step=1):
        self.count("space", [index], window)
        return super().read_window(variable, index=index, level=level, window=window, step=step)

    def read_block(self, variable, *, indexes, window, along):
        self.count(along, indexes, window)
        rows = np.arange(window.row_start, window.row_stop)[:, None]
        columns = np.arange(window.column_start, window.column_stop)
        return Pixels(np.stack([served.number_at(rows, columns, index) for index in indexes]))

    def count(self, along, indexes, window):
        shape = self.shapes[along]
        places = product(
            {index // shape.times for index in indexes},
            range(window.row_start // shape.height, -(-window.row_stop // shape.height)),
            range(window.column_start // shape.width, -(-window.column_stop // shape.width)),
        )
        self.blocks.update((along, *place) for place in places)


SPACE = {"space": BlockShape(1, 64, 64), "time": BlockShape(1, 64, 64)}
"""Like files."""
CHUNKS = {"space": BlockShape(10, 32, 48), "time": BlockShape(10, 32, 48)}
"""Like a cube whose chunks have many times."""
BOTH = {"space": BlockShape(1, 128, 128), "time": BlockShape(40, 16, 16)}
"""Like a serving cube."""
GRID = NativeGrid(crs=CRS84, transform=Affine(0.01, 0, 0.0, 0, -0.01, 50.0), width=500, height=400)


def blocked(shapes, *, times=25, grid=GRID):
    domain = domain_of_instants(np.datetime64("2020-01-01", "ns") + np.arange(times) * np.timedelta64(1, "D"))
    variable = served.make_variable(grid=grid, times=domain)
    return BlockedReader(SourceInfo(variables={"NDVI": variable}), shapes=shapes)


@pytest.mark.parametrize("shapes", [SPACE, CHUNKS, BOTH], ids=["files", "chunks", "both"])
@pytest.mark.parametrize("most", [1 << 14, 1 << 18, 1 << 26], ids=["small", "middling", "large"])
def test_no_block_is_read_twice_in_one_pass(shapes, most, monkeypatch):
    smallest = shapes["space"].times * shapes["space"].height * 401
    monkeypatch.setattr(coverage_runs, "RUN_BYTES", max(most, smallest))
    reader = blocked(shapes)

    coverage = extract(reader, trims=(Trim(box=BBox(0.33, 46.5, 4.34, 49.5), crs=GRID.crs),))
    numbers = read_in_runs(coverage)

    expected = [served.number_at(*np.ogrid[50:350, 33:434], time) for time in range(25)]
    np.testing.assert_array_equal(numbers, expected)
    assert max(reader.blocks.values()) == 1


@pytest.mark.parametrize("shapes", [SPACE, CHUNKS, BOTH], ids=["files", "chunks", "both"])
def test_parts_are_bounded(shapes):
    wide = replace(GRID, transform=Affine(1e-4, 0, 0.0, 0, -1e-4, 50.0), width=400_000, height=200)

    coverage = extract(blocked(shapes, grid=wide))

    read_runs = [len(times) * len(rows) * 400_000 for times in coverage.time_runs for rows in coverage.row_runs]
    assert max(read_runs) <= coverage_model.RUN_BYTES
    assert sum(read_runs) == coverage.nbytes


def test_many_times_of_few_cells_are_read_along_time():
    reader = blocked(BOTH, times=400)

    coverage = extract(reader, trims=(Trim(box=BBox(1.0, 48.0, 1.2, 48.2), crs=GRID.crs),))
    coverage.read_times(0, times=range(400), rows=range(20))

    assert {along for along, *_block in reader.blocks} == {"time"}
    assert len(coverage.time_runs) == len(coverage.row_runs) == 1


def test_one_time_of_many_cells_is_read_as_a_map():
    reader = blocked(BOTH)

    extract(reader).read_times(0, times=range(3, 4), rows=range(400))

    assert {along for along, *_block in reader.blocks} == {"space"}
