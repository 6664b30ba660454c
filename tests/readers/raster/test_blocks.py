"""Numbers read from cached blocks equal GDAL's, bit by bit, for any file, and for its current version."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from chronotile.core.model.space.grid import Window
from chronotile.readers.caches.block_cache import BlockCache, SharedBlockMemory
from chronotile.readers.file_states import SETTLED_NS
from chronotile.readers.raster import blocks as file_blocks
from chronotile.readers.raster.handle import NATIVE_LEVEL
from chronotile.readers.raster.pool import HandlePool
from tests.running import PATIENCE_S
from tests.scenes import Scene, write_tif

SCENE = Scene(width=300, height=200)
ALL = Window(0, 200, 0, 300)
LARGE = {"blockxsize": 512, "blockysize": 512}
"""Blocks as large as a scene."""

COMPRESSIONS = st.sampled_from(
    [
        {"compress": "deflate", "predictor": 1},
        {"compress": "deflate", "predictor": 2},
        {"compress": "lzw", "predictor": 2},
        {"compress": "zstd"},
        {},
    ]
)
BLOCKS = st.sampled_from(
    [
        {"tiled": True, "blockxsize": 16, "blockysize": 32},
        {"tiled": True, "blockxsize": 128, "blockysize": 128},
        {"tiled": True, "blockxsize": 512, "blockysize": 512},
        {"tiled": False, "blockysize": 1},
        {"tiled": False, "blockysize": 50},
    ]
)
DTYPES = st.sampled_from(
    ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
)


@pytest.fixture
def kept():
    """Return the cache of blocks of this test."""
    return BlockCache(SharedBlockMemory(16 << 20))


def written_before(path: Path, *, seconds: float = 10) -> str:
    """Set the times of a file back."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - int(seconds * 1e9)))
    return str(path)


def with_overview_beside(path: Path, numbers: np.ndarray) -> Path:
    """Write a file whose overview is another file."""
    write_tif(path, numbers, SCENE, **LARGE)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2], Resampling.nearest)
    return path


def read(
    kept: BlockCache,
    path: str,
    window: Window = ALL,
    *,
    band: int = 1,
    level: int = NATIVE_LEVEL,
    is_mask: bool = False,
):
    """Read a window with handles of a separate pool."""
    pool = HandlePool(max_idle=0, blocks=kept)
    with pool.lend(path, level) as handle:
        return handle.read(band, window, is_mask=is_mask)


@st.composite
def windows(draw, height: int, width: int):
    """Windows of a level."""
    row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Window(row, draw(st.integers(row + 1, height)), column, draw(st.integers(column + 1, width)))


@st.composite
def files(draw):
    """Draw a profile and the numbers of a file, with some unstored blocks."""
    count, height, width = draw(st.integers(1, 3)), draw(st.integers(1, 400)), draw(st.integers(1, 400))
    dtype = np.dtype(draw(DTYPES))
    noise = np.random.default_rng(draw(st.integers(0, 9)))
    numbers = noise.integers(0, 100, (count, height, width)).astype(dtype)
    numbers[:, height // 2 :, : width // 2] = 0
    profile = {
        "interleave": draw(st.sampled_from(["pixel", "band"])),
        "sparse_ok": True,
        "nodata": 0,
        "endianness": draw(st.sampled_from(["LITTLE", "BIG"])),
        **draw(COMPRESSIONS),
        **draw(BLOCKS),
    }
    if profile.get("predictor") == 2 and dtype.kind == "f":
        profile["predictor"] = 3
    return numbers, profile


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(files(), st.data())
def test_numbers_equal_those_of_gdal(file, data):
    numbers, profile = file
    kept = BlockCache(SharedBlockMemory(data.draw(st.sampled_from([0, 2 << 20, 8 << 20]))))
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.tif")
        write_tif(path, numbers, SCENE, **profile)
        with rasterio.open(path, "r+") as target:
            target.build_overviews([2], Resampling.nearest)
        name = written_before(path)
        level = data.draw(st.sampled_from([NATIVE_LEVEL, 0]))
        with rasterio.open(path, **({} if level == NATIVE_LEVEL else {"overview_level": level})) as source:
            window = data.draw(windows(source.height, source.width))
            band = data.draw(st.integers(1, source.count))
            expected = source.read(
                band, window=RasterioWindow(window.column_start, window.row_start, window.width, window.height)
            )

        for _ in range(2):
            actual = read(kept, name, window, band=band, level=level)
            assert actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)
        with HandlePool(max_idle=0, blocks=kept).lend(name) as handle:
            bands = handle.read_bands([numbers.shape[0], 1], Window(0, 1, 0, 1))
        np.testing.assert_array_equal(bands, numbers[[-1, 0], :1, :1])


def test_decoded_block_is_not_decoded_again(tmp_path, kept):
    path = written_before(write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, **LARGE))

    for _ in range(3):
        np.testing.assert_array_equal(read(kept, path), SCENE.numbers(0))

    assert (kept.state.misses, kept.state.hits) == (1, 2)


def test_bands_of_a_pixel_are_decoded_once_for_all(tmp_path, kept):
    path = written_before(write_tif(tmp_path / "a.tif", SCENE.cube(), SCENE, **LARGE, interleave="pixel"))

    for band in range(5):
        np.testing.assert_array_equal(
            read(kept, path, Window(150, 160, 0, 300), band=band + 1), SCENE.numbers(band)[150:160]
        )

    misses = kept.state.misses
    for band in range(5):
        read(kept, path, Window(150, 160, 0, 300), band=band + 1)
    assert (misses, kept.state.misses) == (1, 1)


def test_mask_is_cached_with_the_numbers(tmp_path, kept):
    shown = SCENE.numbers(0) % 3 > 0
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, **LARGE, nodata=None)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(shown)
    name = written_before(path)

    for _ in range(2):
        np.testing.assert_array_equal(read(kept, name), SCENE.numbers(0))
        np.testing.assert_array_equal(read(kept, name, is_mask=True) > 0, shown)

    assert (kept.state.misses, kept.state.hits) == (2, 2)


def test_replaced_file_is_read_again(tmp_path, kept):
    path = tmp_path / "a.tif"
    before = read(kept, written_before(write_tif(path, SCENE.numbers(0), SCENE, **LARGE)))

    after = read(kept, written_before(write_tif(path, SCENE.numbers(1), SCENE), seconds=5))

    np.testing.assert_array_equal(before, SCENE.numbers(0))
    np.testing.assert_array_equal(after, SCENE.numbers(1))
    assert kept.state.hits == 0


def test_replaced_external_overviews_are_read_again(tmp_path, kept):
    path, other = (with_overview_beside(tmp_path / f"{t}.tif", SCENE.numbers(t)) for t in range(2))
    beside, window = path.with_name("0.tif.ovr"), Window(0, 100, 0, 150)
    written_before(path)
    written_before(beside)
    before = read(kept, str(path), window, level=0)

    other.with_name("1.tif.ovr").replace(beside)
    written_before(beside, seconds=5)

    np.testing.assert_array_equal(before, SCENE.numbers(0)[::2, ::2])
    np.testing.assert_array_equal(read(kept, str(path), window, level=0), SCENE.numbers(1)[::2, ::2])
    assert (kept.state.hits, kept.state.misses) == (0, 2)


def test_block_of_a_file_that_changes_during_the_read_is_not_cached(tmp_path, kept):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, **LARGE)
    name = written_before(path)

    with HandlePool(max_idle=0, blocks=kept).lend(name) as handle:
        written_before(path)
        for _ in range(2):
            handle.read(1, ALL)

    assert (kept.state.misses, kept.state.entries) == (2, 0)


@pytest.mark.parametrize(("age_ns", "entries"), [(SETTLED_NS // 2, 0), (-SETTLED_NS // 2, 0), (2 * SETTLED_NS, 1)])
def test_block_of_a_settled_file_is_cached(tmp_path, kept, monkeypatch, age_ns, entries):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, **LARGE)
    now_ns = path.stat().st_mtime_ns + age_ns
    monkeypatch.setattr(file_blocks.time, "time_ns", lambda: now_ns)

    read(kept, str(path))

    assert kept.state.entries == entries


def test_large_windows_push_nothing_out(tmp_path, kept):
    large = Scene(width=2000, height=2000)
    path = written_before(write_tif(tmp_path / "a.tif", large.numbers(0), large))

    np.testing.assert_array_equal(read(kept, path, Window(0, 2000, 0, 2000)), large.numbers(0))

    assert (kept.state.entries, kept.state.misses) == (0, 0)


def test_pools_of_files_read_once_keep_no_blocks(tmp_path, kept):
    path = written_before(write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, **LARGE))

    with HandlePool(max_idle=0).lend(path) as handle:
        np.testing.assert_array_equal(handle.read(1, ALL), SCENE.numbers(0))

    assert kept.state.entries == 0


def test_block_is_decoded_once_for_concurrent_requests():
    kept, is_decoded = BlockCache(SharedBlockMemory(8 << 20)), threading.Event()
    decoded = []

    def decode():
        is_decoded.wait(PATIENCE_S)
        decoded.append(1)
        return np.arange(100, dtype=np.uint8), True

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(kept.read, bytes(16), 100, slice(n, n + 1), decode) for n in range(4)]
        while kept.state.misses < 4:
            pass
        is_decoded.set()

    assert [each.result().tolist() for each in asked] == [[0], [1], [2], [3]]
    assert decoded == [1]


def test_failure_is_raised_to_its_caller_and_the_next_tries_again():
    kept = BlockCache(SharedBlockMemory(8 << 20))

    def fail():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        kept.read(bytes(16), 4, slice(0, 4), fail)

    assert kept.read(bytes(16), 4, slice(0, 4), lambda: (np.zeros(4, np.uint8), True)).tolist() == [0, 0, 0, 0]
