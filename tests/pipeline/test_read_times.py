"""A window at many times equals one read per time, with as few reads as chunks and layouts allow."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.raster import Pixels, valid_pixels
from chronotile.core.model.source import Mask
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.warp.plan import plan_warp
from chronotile.pipeline import read_times as times_module
from chronotile.pipeline.read_times import cells_decoded, read_times
from chronotile.readers.reader import BlockShape
from tests.readers.memory import CLOUD, NODATA, MemoryReader, derived, random_numbers

TIMES = 12
DAYS = tuple(f"2020-01-{day:02}" for day in range(1, TIMES + 1))
NUMBERS = random_numbers(3, times=TIMES)
NUMBERS[:, 2, 2] = NODATA
NUMBERS[:, 3, 3] = CLOUD
SCL = np.random.default_rng(4).integers(3, 8, NUMBERS.shape).astype("uint8")


@dataclass
class BlockedReader(MemoryReader):
    """The same with chunks of several times in one layout, and maybe in another."""

    times: dict[str, int] = field(default_factory=lambda: {"space": 4, "time": 4})
    blocks: list[tuple[list[int], str]] = field(default_factory=list)

    def block_shape(self, variable, along):
        return BlockShape(self.times[along], 16, 16)

    def read_block(self, variable, *, indexes, window: Window, along):
        self.blocks.append((list(indexes), along))
        part = np.s_[window.row_start : window.row_stop, window.column_start : window.column_stop]
        mask = self.masks.get(variable)
        return Pixels(
            self.levels[variable][0][list(indexes)][:, *part], None if mask is None else mask[list(indexes)][:, *part]
        )


def make_reader(**given) -> BlockedReader:
    reader = BlockedReader(**given).add("NDVI", NUMBERS, NUMBERS[:, ::2, ::2], times=DAYS, flags=((CLOUD, "cloud"),))
    return reader.add("SCL", SCL, times=DAYS).add("RED", NUMBERS // 2, times=DAYS)


def plan_of(reader, variable="NDVI", *, cell=10.0):
    """Return a plan of the inner cells, or of an overview's."""
    native = reader.info.variables[variable].grid
    box = BBox(native.bbox.xmin + 10, native.bbox.ymin + 20, native.bbox.xmax - 20, native.bbox.ymax - 10)
    width, height = round((box.xmax - box.xmin) / cell), round((box.ymax - box.ymin) / cell)
    return plan_warp(reader.info.variables[variable].levels, Grid(crs=native.crs, bbox=box, width=width, height=height))


def values_of(pixels, variable) -> np.ndarray:
    """Return values and flags, NaN for all other cells."""
    encoding = variable.encoding
    is_flag = np.isin(pixels.numbers, [number for number, _name in encoding.flags])
    is_there = valid_pixels(pixels, encoding) | (is_flag if pixels.valid is None else is_flag & pixels.valid)
    return np.where(is_there, pixels.numbers.astype(float), np.nan)


def read_both(reader, name, indexes, **plan):
    """Return the results of one read per time, and of `read_times`."""
    variable, found = reader.info.variables[name], plan_of(reader, name, **plan)
    together = [values_of(pixels, variable) for pixels in read_times(found, reader, variable, indexes)]
    return [values_of(found.read(reader, variable, index), variable) for index in indexes], together


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("NDVI", {}),
        ("NDVI", {"NDVI": {"mask": Mask("SCL", (4, 5))}}),
        ("INDEX", {"INDEX": {"formula": "(NDVI - RED) / (NDVI + RED)"}}),
        ("INDEX", {"INDEX": {"formula": "NDVI - RED"}, "NDVI": {"mask": Mask("SCL", (4, 5))}}),
    ],
    ids=["stored", "masked", "formula", "formula of masked"],
)
@pytest.mark.parametrize("indexes", [range(TIMES), [7, 0, 3], [5]], ids=str)
def test_times_read_together_equal_times_read_alone(name, given, indexes):
    reader = make_reader()
    reader.masks["NDVI"] = np.random.default_rng(5).random(NUMBERS.shape) > 0.1

    one_by_one, together = read_both(derived(reader, **given), name, indexes)

    np.testing.assert_array_equal(together, one_by_one)
    assert np.isfinite(together).any()
    assert np.isnan(together).any()


def test_chunks_of_several_times_are_read_together():
    reader = make_reader()

    list(read_times(plan_of(reader), reader, reader.info.variables["NDVI"], range(TIMES)))

    assert (reader.blocks, reader.windows) == ([(list(range(TIMES)), "time")], [])


def test_chunks_of_one_time_are_read_one_by_one():
    reader = make_reader(times={"space": 1, "time": 1})

    list(read_times(plan_of(reader), reader, reader.info.variables["NDVI"], range(TIMES)))

    assert (reader.blocks, len(reader.windows)) == ([], TIMES)


@pytest.mark.parametrize(("asked", "along"), [(4, "time"), (3, "space")])
def test_layout_of_series_is_read_for_many_of_its_times(asked, along):
    reader = make_reader(times={"space": 2, "time": 16})

    list(read_times(plan_of(reader), reader, reader.info.variables["NDVI"], range(asked)))

    assert reader.blocks == [(list(range(asked)), along)]


def test_layout_of_maps_is_read_for_few_times():
    reader = make_reader(times={"space": 1, "time": 64})

    list(read_times(plan_of(reader), reader, reader.info.variables["NDVI"], range(TIMES)))

    assert (reader.blocks, len(reader.windows)) == ([], TIMES)


def test_reads_stay_within_the_memory(monkeypatch):
    reader = make_reader()
    plan = plan_of(reader)
    (window,) = plan.windows
    monkeypatch.setattr(times_module, "MAX_BYTES", 5 * window.height * window.width)

    list(read_times(plan, reader, reader.info.variables["NDVI"], range(TIMES)))

    assert [indexes for indexes, _along in reader.blocks] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]


def test_overviews_are_read_one_time_after_the_other():
    reader = make_reader()

    one_by_one, together = read_both(reader, "NDVI", range(TIMES), cell=20.0)

    np.testing.assert_array_equal(together, one_by_one)
    assert reader.blocks == []


def test_windows_on_either_side_of_a_seam_are_put_together():
    reader = BlockedReader().add("NDVI", random_numbers(6, times=TIMES), times=DAYS)
    world = NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(30, 0, -180, 0, -15, 90), width=12, height=12)
    reader.infos["NDVI"] = replace(reader.infos["NDVI"], levels=(world,))
    plan = plan_warp((world,), Grid(crs=CRS84, bbox=BBox(120, -30, 240, 30), width=4, height=4))

    together = list(read_times(plan, reader, reader.infos["NDVI"], range(TIMES)))

    assert len(plan.windows) == 2
    one_by_one = [plan.read(reader, reader.infos["NDVI"], index).numbers for index in range(TIMES)]
    np.testing.assert_array_equal([pixels.numbers for pixels in together], one_by_one)


@pytest.mark.parametrize(
    ("chunk", "room", "count", "times_decoded"),
    [(1, 100, 12, 12), (4, 100, 12, 12), (4, 100, 3, 4), (4, 5, 12, 15), (12, 4, 12, 36), (12, 0, 12, 144)],
)
def test_chunks_that_are_decoded_again_are_counted_again(monkeypatch, chunk, room, count, times_decoded):
    reader = make_reader(times={"space": chunk, "time": chunk})
    plan = plan_of(reader)
    (window,) = plan.windows
    cells = window.height * window.width
    monkeypatch.setattr(times_module, "MAX_BYTES", room * cells)

    assert cells_decoded(plan, reader, reader.info.variables["NDVI"], count) == times_decoded * cells
