"""Files that are written over while they are read."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from rasterio.env import set_gdal_config

from chronotile.core.model.space.grid import Window
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.raster.pool import HandlePool
from tests.grib import message
from tests.scenes import Scene, write_tif

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)


@pytest.fixture
def write(tmp_path):
    """Return `write(shift)`, which overwrites the file with other numbers."""

    def write_over(shift):
        scene = Scene(shift=shift)
        path = write_tif(tmp_path / "a.tif", scene.numbers(0), scene)
        os.utime(path, ns=(shift * 10**9, shift * 10**9))
        return str(path)

    return write_over


def test_file_written_during_the_read_is_read_once_more(write):
    pool, path, shifts = HandlePool(), write(1), iter([2])

    def read(handle):
        top = handle.read(1, Window(0, 15, 0, SCENE.width))
        for shift in shifts:
            write(shift)
        return np.concatenate([top, handle.read(1, Window(15, SCENE.height, 0, SCENE.width))])

    np.testing.assert_array_equal(pool.read(path, read), Scene(shift=2).numbers(0))


def test_error_of_a_file_written_during_the_read_is_ignored(write):
    pool, path, shifts = HandlePool(), write(1), iter([2])

    def read(handle):
        for shift in shifts:
            write(shift)
            raise OSError("half of a block")
        return handle.read(1, ALL)

    np.testing.assert_array_equal(pool.read(path, read), Scene(shift=2).numbers(0))


def test_repeatedly_written_file_is_abandoned(write):
    pool, path, shifts = HandlePool(), write(1), iter(range(2, 99))

    def read(handle):
        numbers = handle.read(1, ALL)
        write(next(shifts))
        return numbers

    with pytest.raises(BeingWritten):
        pool.read(path, read)


def test_error_of_an_unchanged_file_is_raised(write):
    def read(_handle):
        raise OSError("a damaged block")

    with pytest.raises(OSError, match="a damaged block"):
        HandlePool().read(write(1), read)


def test_temperatures_of_grib_are_in_kelvin_in_each_thread(tmp_path):
    """GDAL returns °C unless an option is set, and an option that is set in a thread applies to this thread only."""
    path = tmp_path / "a.grib2"
    path.write_bytes(message(tmp_path, np.full((3, 4), 7.0), category=0))

    def read(pool):
        return pool.read(
            str(path),
            lambda handle: (handle.dataset.tags(1)["GRIB_UNIT"], float(handle.read(1, Window(0, 3, 0, 4)).mean())),
        )

    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        for thread in (first, second):
            thread.submit(set_gdal_config, "GRIB_NORMALIZE_UNITS", True).result()
        pool = first.submit(HandlePool).result()
        answers = [thread.submit(read, pool).result() for thread in (second, first)]

    assert answers == [("[K]", pytest.approx(280.15, abs=0.01))] * 2
