"""Raster files with the series that optimise made of them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.readers.derived.stack_with_series import SeriesCubeReader
from chronotile.readers.kinds import open_source
from chronotile.readers.raster.stack import RasterStack
from tests.looked_at import looked_at
from tests.older_cubes import optimise_in_format_1
from tests.scenes import Scene, write_cogs, write_tif

SCENE = Scene(days=tuple(f"2020-01-{day:02}" for day in range(1, 8)))
OPTIONS = Options(layout="series", block=4, threads=1)


@pytest.fixture
def files(tmp_path):
    return write_cogs(tmp_path, SCENE)


@pytest.fixture
def cube(tmp_path):
    return tmp_path / "series.zarr"


def paths_of(spec):
    return sorted(map(str, Path(spec.href).parent.glob("*.tif")))


@pytest.fixture(params=[optimise, optimise_in_format_1], ids=["format 2", "format 1"])
def reader(request, files, cube):
    """Return a reader of files with a cube of all dates but the last."""
    request.param(paths_of(files)[:6], cube, OPTIONS)
    return open_source(replace(files, series=str(cube)))


@pytest.fixture
def reads_of_files(monkeypatch):
    """Return the indexes that were read from the files."""
    read, indexes = RasterStack.read_cell, []

    def spy(self, variable, **where):
        indexes.extend(where["indexes"])
        return read(self, variable, **where)

    monkeypatch.setattr(RasterStack, "read_cell", spy)
    return indexes


def cell_of(reader, indexes=range(7)):
    return reader.read_cell("NDVI", indexes=indexes, row=7, column=11).numbers


def test_series_come_from_the_cube_and_the_rest_from_the_files(reader, reads_of_files):
    np.testing.assert_array_equal(cell_of(reader, [6, 0, 3, 5]), SCENE.cube()[[6, 0, 3, 5], 7, 11])

    assert reads_of_files == [6]


def test_file_of_all_dates_is_checked_once_for_an_outdated_cube(reader, files, cube, tmp_path):
    path = write_tif(tmp_path / "all.bands", SCENE.cube(), SCENE)
    times = reader.info.variables["NDVI"].times
    bands = open_source(replace(files, href=str(path), series=str(cube), times=times, time_pattern=None))
    assert isinstance(bands, SeriesCubeReader)
    cell_of(bands)

    with looked_at(tmp_path) as looks:
        cell_of(bands)

    assert looks["all.bands"] == 3  # and before and after it is read


def test_replaced_file_is_read_until_the_cube_follows(reader, files, cube, reads_of_files):
    again = replace(SCENE, shift=50)
    write_tif(Path(paths_of(files)[2]), again.numbers(2), again, overviews=(2,))
    expected = SCENE.cube()[:, 7, 11]
    expected[2] = again.numbers(2)[7, 11]

    before = cell_of(reader)
    read_before = list(reads_of_files)
    optimise(paths_of(files), cube, OPTIONS)
    reads_of_files.clear()
    after = cell_of(reader)

    np.testing.assert_array_equal(before, expected)
    np.testing.assert_array_equal(after, expected)
    assert (read_before, reads_of_files) == ([2, 6], [])


@pytest.mark.parametrize("is_read_before", [False, True], ids=["unread", "read"])
def test_files_are_read_if_the_cube_is_missing(reader, cube, is_read_before):
    cell_of(reader, range(7) if is_read_before else [])
    shutil.rmtree(cube)

    np.testing.assert_array_equal(cell_of(reader), SCENE.cube()[:, 7, 11])


def test_variable_goes_by_the_id_of_the_configuration(files, cube):
    optimise(paths_of(files), cube, OPTIONS)
    spec = replace(files, series=str(cube), variables={"GREEN": VariableSpec(id="GREEN", scale=0.5)})

    reader = open_source(spec)

    assert isinstance(reader, SeriesCubeReader)
    cell = reader.read_cell("GREEN", indexes=range(7), row=7, column=11).numbers
    np.testing.assert_array_equal(cell, SCENE.cube()[:, 7, 11])


@pytest.mark.parametrize("kind", ["absent", "other grid"])
def test_cube_that_does_not_fit_is_a_finding(files, cube, tmp_path, kind):
    if kind == "other grid":
        (tmp_path / "other").mkdir()
        other = write_cogs(tmp_path / "other", Scene(width=20))
        optimise(paths_of(other), cube, OPTIONS)

    reader = open_source(replace(files, series=str(cube)))

    assert [finding.severity for finding in reader.info.findings] == ["warning"]
    np.testing.assert_array_equal(cell_of(reader), SCENE.cube()[:, 7, 11])


@pytest.mark.parametrize("along", ["time", "space"])
def test_blocks_are_the_same_from_the_cube_and_from_the_files(reader, along):
    block = reader.read_block("NDVI", indexes=range(7), window=Window(2, 19, 3, 30), along=along)

    np.testing.assert_array_equal(block.numbers, SCENE.cube()[:, 2:19, 3:30])


def test_blocks_along_time_are_those_of_the_cube(reader):
    assert reader.block_shape("NDVI", "time").times == 4
    assert reader.block_shape("NDVI", "space").times == 1


def test_cells_here_and_there_come_from_the_cube_and_the_rest_from_the_files(reader):
    rows, columns = np.array([20, 3, 3]), np.array([29, 1, 17])

    cells = reader.read_cells("NDVI", indexes=range(7), rows=rows, columns=columns)

    np.testing.assert_array_equal(cells.numbers, SCENE.cube()[:, rows, columns])


def test_cells_here_and_there_are_read_of_files_block_by_block(reader, files, monkeypatch):
    path = Path(paths_of(files)[2])  # another file than the cube was made from, and the last date is not in the cube
    again = replace(SCENE, shift=50)
    write_tif(path, again.numbers(2), again, overviews=(2,))
    expected = SCENE.cube()
    expected[2] = again.numbers(2)
    read, blocks = RasterStack.read_block, []

    def spy(self, variable, *, indexes, window, along):
        blocks.append((*indexes, window))
        return read(self, variable, indexes=indexes, window=window, along=along)

    monkeypatch.setattr(RasterStack, "read_block", spy)
    rows, columns = np.array([29, 0, 14, 1, 0]), np.array([39, 0, 35, 3, 33])

    cells = reader.read_cells("NDVI", indexes=range(7), rows=rows, columns=columns)

    np.testing.assert_array_equal(cells.numbers, expected[:, rows, columns])
    windows = [Window(0, 2, 0, 4), Window(0, 15, 33, 36), Window(29, 30, 39, 40)]
    assert blocks == [(index, window) for index in (2, 6) for window in windows]


# Files that differ.


def described(path, **said):
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = [said["scale"]], [said["offset"]]


def values_of(reader, indexes=range(7)):
    return reader.info.variables["NDVI"].encoding.values(cell_of(reader, indexes))


@pytest.fixture
def two_offsets(files):
    """Three dates without an offset, four with one."""
    for number, path in enumerate(paths_of(files)):
        described(path, scale=0.004, offset=0.0 if number < 3 else -0.08)
    offsets = np.where(np.arange(7) < 3, 0.0, -0.08)
    return SCENE.cube()[:, 7, 11] * 0.004 + offsets


@pytest.mark.parametrize("count", [3, 4, 7], ids=["before they differed", "one of the others", "all"])
def test_cube_of_some_files_has_their_values_with_any_others(files, cube, two_offsets, reads_of_files, count):
    optimise(paths_of(files)[:count], cube, OPTIONS)

    reader = open_source(replace(files, series=str(cube)))

    np.testing.assert_allclose(values_of(reader), two_offsets, rtol=1e-12)
    assert reads_of_files == list(range(count, 7))


def test_cube_of_different_files_ignores_the_configured_encoding_of_files(files, cube, two_offsets):
    optimise(paths_of(files), cube, OPTIONS)
    said = {"NDVI": VariableSpec(id="NDVI", scale=0.5, offset=1.0)}

    reader = open_source(replace(files, series=str(cube), variables=said))

    np.testing.assert_array_equal(values_of(reader), SCENE.cube()[:, 7, 11] * 0.5 + 1)
    assert any(
        "series are read from the files: it was made of files that differ" in f.message for f in reader.info.findings
    )
