"""Reads for areas: any source, each block only one time, and the same cells."""

import numpy as np
import pytest
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chronotile.catalog.limits import Limits
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import AreaSeriesRequest
from chronotile.core.model.series.reducers import parse_reducers
from chronotile.core.model.space.crs import crs_of
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pipeline.series import area_cells
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.readers.kinds import open_source
from chronotile.readers.raster.stack import RasterStack
from tests.agreement.scenes_served import EACH_KIND
from tests.protocols import served
from tests.scenes import Scene, make_spec, write_cogs, write_scene

SCENE = Scene(
    width=300,
    height=270,
    transform=Affine(10, 0, 500_000, 0, -10, 5_650_000),
    days=tuple(f"2020-01-{d:02}" for d in range(1, 12)),
)
REDUCERS = parse_reducers(["mean", "std", "median", "p10", "count"])
UTM = crs_of("EPSG:32631")


def services_of(spec):
    return served.make_services_of(open_source(spec), limits=Limits(max_series_values=10**9))


def box(row, column, height, width):
    left, top = 500_000 + 10.0 * column, 5_650_000 - 10.0 * row
    ring = [(left, top), (left + 10 * width, top), (left + 10 * width, top - 10 * height), (left, top - 10 * height)]
    return Area(polygons=((np.array([*ring, ring[0]]),),), crs=UTM)


def series_of(services, areas):
    return extract_area_series(AreaSeriesRequest(layer="NDVI", areas=areas, reducers=REDUCERS), services)


def expected(row, column, height, width):
    """(reducer, time) of the formula."""
    rows, columns = np.mgrid[row : row + height, column : column + width]
    found = []
    for time in range(len(SCENE.days)):
        numbers = SCENE.number(time, rows, columns)
        values = numbers[numbers != 255] * SCENE.scale + SCENE.offset
        ranked = np.percentile(values, [50, 10])
        found.append((values.mean(), values.std(), *ranked, values.size))
    return np.array(found).T


BOXES = [(0, 0, 10, 9), (5, 4, 20, 20), (100, 250, 1, 1), (200, 3, 60, 290), (0, 0, 270, 300)]


def assert_as_expected(services):
    series = series_of(services, tuple(box(*each) for each in BOXES))

    for found, each in zip(series.areas, BOXES, strict=True):
        assert found.total == each[2] * each[3]
        np.testing.assert_allclose([found.reduced[reducer.name] for reducer in REDUCERS], expected(*each), rtol=1e-9)


@pytest.mark.parametrize("kind", EACH_KIND)
def test_every_kind_of_source_has_the_same_series(kind, tmp_path):
    assert_as_expected(services_of(write_scene(kind, tmp_path, SCENE)))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_cogs(tmp_path_factory.mktemp("cogs"), SCENE)


@pytest.fixture(scope="module")
def cube(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("cube") / "cube.zarr"
    optimise([files.href], path, Options(layout="both", block=4, threads=1))
    return make_spec("zarr", path)


def test_a_serving_cube_has_the_same_series(cube):
    assert_as_expected(services_of(cube))


@pytest.mark.parametrize("held", [1, 1 << 12, 1 << 18], ids=["one date", "some", "more"])
def test_series_do_not_depend_on_the_memory(cube, held, monkeypatch):
    for bound in ("MAX_NUMBER_BYTES", "WINDOW_BYTES", "BLOCK_BYTES", "READ_BYTES"):
        monkeypatch.setattr(area_cells, bound, held)

    assert_as_expected(services_of(cube))


def test_files_are_read_in_one_pass_and_each_block_once(files, monkeypatch):
    services = services_of(files)
    read, blocks = RasterStack.read_block, []

    def spy(self, variable, *, indexes, window, along):
        _times, height, width = self.block_shape(variable, along)
        rows = range(window.row_start // height, (window.row_stop - 1) // height + 1)
        columns = range(window.column_start // width, (window.column_stop - 1) // width + 1)
        blocks.extend((index, row, column) for index in indexes for row in rows for column in columns)
        return read(self, variable, indexes=indexes, window=window, along=along)

    monkeypatch.setattr(RasterStack, "read_block", spy)
    rng = np.random.default_rng(1)
    areas = tuple(box(*place, 10, 10) for place in rng.integers(0, 255, (500, 2)).tolist())

    series_of(services, areas)

    assert len(blocks) == len(set(blocks)) > 200 * len(SCENE.days)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-20, 320), st.floats(-20, 290)), min_size=3, max_size=7), min_size=1, max_size=5
    ),
    st.sampled_from(["pixel", "area"]),
)
@example([[(0, 0), (0, 4), (308, 0)], [(0, 0.25), (2, 0), (5, 0)]], "area")  # two cells of one weight, by its rounding
def test_areas_of_one_call_equal_single_calls(cube_services, rings, weights):
    areas = tuple(
        Area(polygons=((np.array([*ring, ring[0]]) * (10, -10) + (500_000, 5_650_000),),), crs=UTM) for ring in rings
    )
    inside = Area(polygons=box(2, 2, 9, 9).polygons, crs=UTM)
    ask = {"layer": "NDVI", "reducers": REDUCERS, "weights": weights}

    together = extract_area_series(AreaSeriesRequest(areas=(*areas, inside), **ask), cube_services)

    for found, area in zip(together.areas, areas, strict=False):
        alone = extract_area_series(AreaSeriesRequest(areas=(area, inside), **ask), cube_services).areas[0]
        assert found.total == alone.total
        for name, column in found.reduced.items():
            np.testing.assert_allclose(column, alone.reduced[name], rtol=1e-12)


@pytest.fixture(scope="module")
def cube_services(cube):
    return services_of(cube)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 10**6), st.integers(1, 60)), max_size=40
    )
)
def test_states_are_those_of_the_read_cells_and_of_few_others(boxes):
    windows = np.array([(row, row + height, column, column + width) for row, height, column, width in boxes])
    found = list(area_cells._join_windows(windows.reshape(-1, 4)))

    held = [
        [
            each
            for each in found
            if each.row_start <= top < bottom <= each.row_stop and each.column_start <= left < right <= each.column_stop
        ]
        for top, bottom, left, right in windows.tolist()
    ]
    assert all(held)
    assert len(found) <= len(boxes)
    read = sum(height * width for _row, height, _column, width in boxes)
    assert sum(each.height * each.width for each in found) <= area_cells.FAR_APART * read
