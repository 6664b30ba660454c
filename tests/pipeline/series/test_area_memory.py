"""The memory that long outlines and many cells take is estimated, and waited for."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.pipeline.caches import answer_memory
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.series.area_cells import area_bytes
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.plan import plan_of
from chronotile.pipeline.zones.spans import centre_spans, covered_spans
from chronotile.readers.reader import BlockShape
from tests.pipeline.caches.test_answer_memory import until_waiting
from tests.pipeline.series.test_areas import all_series, square
from tests.protocols import served
from tests.running import PATIENCE_S

UTM = crs_of("EPSG:32631")
SIDE = 8000
GRID = NativeGrid(crs=UTM, transform=Affine(10, 0, 400_000, 0, -10, 5_800_000), width=SIDE, height=SIDE)
SPANS = {"pixel": centre_spans, "area": covered_spans}


def comb(teeth):
    """Return a polygon of full height with so many gaps."""
    left = 400_100 + 79_000 / teeth * np.arange(teeth)
    zigzag = np.stack([left, np.full(teeth, 5_799_990), left + 30_000 / teeth, np.full(teeth, 5_721_000)], axis=1)
    ends = [(479_900, 5_720_500), (400_050, 5_720_500)]
    ring = np.vstack([zigzag.reshape(-1, 2), ends, zigzag[0, :2]]).astype(float)
    return Area(polygons=((ring,),), crs=UTM)


def on_grid(grid):
    return served.make_variable(grid=grid)


@pytest.mark.parametrize("weights", SPANS)
def test_long_outlines_take_about_the_estimated_memory(weights):
    outlines = outlines_of((comb(30),), GRID)
    estimated = area_bytes(outlines, on_grid(GRID), weights=weights, max_bytes=None)

    tracemalloc.start()
    try:
        before, _peak = tracemalloc.get_traced_memory()
        spans = SPANS[weights](outlines, GRID)
        plans = [plan_of(spans, 1, shape) for shape in (BlockShape(365, 64, 64), BlockShape(1, 512, 512))]
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(plans) == 2
    assert 0.4 * estimated < peak - before < estimated


def test_cells_are_counted_without_those_of_other_areas_and_holes():
    outer, inner = (square(cells=cells).polygons[0][0] for cells in (40, 20))
    variable = served.make_variable()

    def bytes_of(*areas):
        return area_bytes(outlines_of(areas, variable.grid), variable, weights="pixel", max_bytes=None)

    ring = bytes_of(Area(polygons=((outer, inner),), crs=UTM))
    whole, hole = bytes_of(Area(polygons=((outer,),), crs=UTM)), bytes_of(Area(polygons=((inner,),), crs=UTM))

    assert bytes_of(Area(polygons=((outer,),), crs=UTM), Area(polygons=((inner,),), crs=UTM)) == whole + hole
    assert whole < ring < whole + hole


def test_numbers_of_many_times_count_as_long_as_they_are_in_memory():
    variable = served.make_variable()
    outlines = outlines_of((square(cells=200),), variable.grid)

    one, ten, many = (
        area_bytes(outlines, variable, weights="pixel", times=times, max_bytes=None) for times in (1, 10, 10_000)
    )

    assert ten - one == 200 * 200 * 9 * 2  # a number of one byte, and the reason of its absence
    assert many - one == (112 << 20) - 200 * 200 * 2


def test_estimate_is_never_above_the_limit():
    outlines = outlines_of((comb(30),), GRID)

    assert area_bytes(outlines, on_grid(GRID), weights="area", max_bytes=1 << 20) == 1 << 20


def test_series_of_an_area_waits_for_memory_that_others_take(monkeypatch):
    monkeypatch.setattr(answer_memory, "SMALL_BYTES", 0)
    memory = AnswerMemory(256 << 20)
    services = replace(served.make_services(), memory=memory)
    expected = all_series(square()).areas[0].reduced["mean"]
    with ThreadPoolExecutor(1) as threads:
        with memory.taking(256 << 20, alternative=""):
            found = threads.submit(all_series, square(), services=services)
            until_waiting(memory, 1)
        series = found.result(PATIENCE_S)

    assert series.areas[0].reduced["mean"].tolist() == expected.tolist()
    assert memory.taken_bytes == 0
