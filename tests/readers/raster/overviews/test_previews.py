"""Levels missing from files: their values, and the previews that store them."""

import logging
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.kinds import open_source
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches
from tests.running import PATIENCE_S, until
from tests.scenes import NODATA, Scene, make_spec, write_tif

SCENE = Scene(width=2300, height=2051)
"""Levels of factors 2, 4 and 8 are made; the last row and column of each are not full."""

COARSEST = 3
BLOCKS = {"blockxsize": 256, "blockysize": 256}


@pytest.fixture
def previews(tmp_path):
    """Return previews that are built on demand of the test."""
    return Previews(tmp_path / "cache" / "previews", 1 << 30)


@pytest.fixture
def file(tmp_path):
    """Return a raster without overviews."""
    return write_tif(tmp_path / "NDVI_20200101.tif", SCENE.numbers(0), SCENE, **BLOCKS)


def open_file(previews, path, **said):
    spec = make_spec("cog", path)
    caches = ReaderCaches(previews=previews)
    return open_source(replace(spec, variables={"NDVI": VariableSpec(id="NDVI", **said)}), caches)


def read(reader, level=COARSEST, step=1):
    grid = reader.info.variables["NDVI"].levels[level]
    return reader.read_window("NDVI", index=0, level=level, window=Window(0, grid.height, 0, grid.width), step=step)


def blocks_of(numbers, factor):
    """(y, x, cell): the native cells below each coarse one, NaN past the edge."""
    height, width = (-(-side // factor) for side in numbers.shape)
    whole = np.full((height * factor, width * factor), np.nan)
    whole[: numbers.shape[0], : numbers.shape[1]] = numbers
    return whole.reshape(height, factor, width, factor).swapaxes(1, 2).reshape(height, width, factor * factor)


def means_of(numbers, factor, *, present=True):
    """Return means of the valid cells, half to even; NODATA without one."""
    blocks = blocks_of(np.where((numbers != NODATA) & present, numbers.astype("f8"), np.nan), factor)
    counts = np.isfinite(blocks).sum(axis=2)
    means = np.nansum(blocks, axis=2) / np.maximum(counts, 1)
    return np.where(counts > 0, np.rint(means), NODATA).astype("uint8")


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "previews").glob("*.preview"))


# Values of the levels.


def test_levels_are_made_until_one_is_small(file):
    info = open_file(None, file).info.variables["NDVI"]

    assert [(grid.width, grid.height) for grid in info.levels] == [(2300, 2051), (1150, 1026), (575, 513), (288, 257)]
    assert info.made_levels == {1, 2, 3}


@pytest.mark.parametrize("level", [1, 2, 3])
def test_cell_of_a_made_level_is_the_mean_of_the_valid_cells_below(file, level):
    found = read(open_file(None, file), level)

    np.testing.assert_array_equal(found.numbers, means_of(SCENE.numbers(0), 2**level))


@pytest.mark.slow
@pytest.mark.parametrize(
    "blocks", [BLOCKS, {"tiled": False, "blockxsize": None, "blockysize": 7}], ids=["tiles", "strips"]
)
def test_window_of_a_made_level_is_the_same_in_the_whole(tmp_path, blocks):
    scene = replace(SCENE, width=5000)
    reader = open_file(None, write_tif(tmp_path / "a.tif", scene.numbers(0), scene, **blocks))

    part = reader.read_window("NDVI", index=0, level=3, window=Window(30, 250, 101, 620), step=3)

    np.testing.assert_array_equal(part.numbers, means_of(scene.numbers(0), 8)[30:250:3, 101:620:3])


def test_levels_are_made_between_overviews_that_lie_far_apart(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, overviews=(8,), **BLOCKS)

    info = open_file(None, path).info.variables["NDVI"]

    assert [grid.width for grid in info.levels] == [2300, 1150, 575, 288]
    assert info.made_levels == {1, 2}


def test_levels_are_made_beyond_the_overviews_there_are(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, overviews=(2,), **BLOCKS)
    with rasterio.open(path, OVERVIEW_LEVEL=0) as overview:
        held = overview.read(1)

    found = read(open_file(None, path), 3)

    np.testing.assert_array_equal(found.numbers, means_of(held, 4))


def test_classes_take_the_most_frequent(tmp_path):
    classes = (np.add.outer(np.arange(2051) // 5, np.arange(2300) // 7) % 3 * 4).astype("uint8")
    reader = open_file(None, write_tif(tmp_path / "a.tif", classes, SCENE, **BLOCKS), has_classes=True)

    found = read(reader)

    counts = np.stack([(blocks_of(classes, 8) == value).sum(axis=2) for value in (0, 4, 8)])
    np.testing.assert_array_equal(found.numbers, np.argmax(counts, axis=0) * 4)


def test_undescribed_integers_are_not_averaged(tmp_path):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), replace(SCENE, scale=1, offset=0), **BLOCKS)

    info = next(iter(open_source(make_spec("cog", path, variables={})).info.variables.values()))

    assert len(info.levels) == 1


def write_masked(tmp_path):
    """Return a raster with an alpha band: a corner of 800 x 600 is masked, and half of the cells elsewhere."""
    alpha = np.where(np.add.outer(np.arange(2051), np.arange(2300)) % 2, 255, 0).astype("uint8")
    alpha[:800, :600] = 0
    bands = np.stack([SCENE.numbers(0), alpha])
    path = write_tif(tmp_path / "a.tif", bands, SCENE, nodata=None, **BLOCKS)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
    return path, alpha > 0


def test_masked_cells_take_no_part(tmp_path, previews):
    path, present = write_masked(tmp_path)
    reader = open_file(previews, path, band=1, nodata=NODATA)

    slow = read(reader)
    previews.make_next()
    quick = read(reader)

    means = means_of(SCENE.numbers(0), 8, present=present)
    assert not slow.valid[:100, :75].any()
    np.testing.assert_array_equal(slow.numbers[slow.valid], means[slow.valid])
    np.testing.assert_array_equal(slow.valid[101:, 76:], True)
    np.testing.assert_array_equal(quick.valid, slow.valid)
    np.testing.assert_array_equal(quick.numbers, slow.numbers)
    assert previews.state.built == 1


# Previews.


@pytest.mark.slow
def test_preview_equals_a_read_without_it(file, previews, tmp_path):
    scene = replace(SCENE, width=4700)
    reader = open_file(previews, write_tif(tmp_path / "wide.tif", scene.numbers(0), scene, **BLOCKS))
    slow = [read(reader, level).numbers for level in (3, 4)]
    previews.make_next()

    quick = [read(reader, level).numbers for level in (3, 4)]

    assert previews.state.built == 1
    np.testing.assert_array_equal(quick[0], slow[0])
    np.testing.assert_array_equal(quick[1], slow[1])
    np.testing.assert_array_equal(read(reader, 3, step=5).numbers, slow[0][::5, ::5])


def test_preview_is_read_instead_of_the_file(file, previews, tmp_path):
    reader = open_file(previews, file)
    read(reader)
    previews.make_next()
    other = np.full((257, 288), 9, dtype="uint8")
    (preview,) = kept(tmp_path)
    write_tif(preview, other, SCENE, blockxsize=256, blockysize=256)

    np.testing.assert_array_equal(read(reader).numbers, other)


def test_finer_levels_are_not_stored(file, previews):
    read(open_file(previews, file), 2)

    assert previews.state.waiting == 0


def test_rewritten_file_has_a_new_preview(file, previews, tmp_path):
    reader = open_file(previews, file)
    read(reader)
    previews.make_next()
    again = replace(SCENE, shift=11)
    write_tif(file, again.numbers(0), again, **BLOCKS)

    slow = read(reader).numbers
    previews.make_next()

    expected = means_of(again.numbers(0), 8)
    np.testing.assert_array_equal(slow, expected)
    np.testing.assert_array_equal(read(reader).numbers, expected)
    assert len(kept(tmp_path)) == 2


def test_file_changed_before_its_preview_was_built_gets_none_of_the_old(file, previews, tmp_path):
    read(open_file(previews, file))
    again = replace(SCENE, shift=11)
    write_tif(file, again.numbers(0), again, **BLOCKS)

    previews.make_next()

    assert (kept(tmp_path), previews.state.failed) == ([], 1)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-2000] + bytes(2000), id="zeros at the end"),
        pytest.param(lambda data: bytes(len(data)), id="zeros"),
    ],
)
def test_damaged_preview_is_built_again(file, previews, tmp_path, damage):
    reader = open_file(previews, file)
    expected = read(reader).numbers
    previews.make_next()
    (preview,) = kept(tmp_path)
    preview.write_bytes(damage(preview.read_bytes()))

    np.testing.assert_array_equal(read(reader).numbers, expected)
    assert kept(tmp_path) == []
    previews.make_next()

    np.testing.assert_array_equal(read(reader).numbers, expected)
    assert previews.state.built == 2


@pytest.mark.slow
def test_least_recently_used_previews_are_removed(tmp_path, previews):
    files = [write_tif(tmp_path / f"{t}.tif", SCENE.numbers(t), SCENE, **BLOCKS) for t in range(3)]
    read(open_file(previews, files[0]))
    previews.make_next()
    (first,) = kept(tmp_path)
    small = Previews(tmp_path / "cache" / "previews", first.stat().st_size * 5 // 2)
    read(open_file(small, files[1]))
    small.make_next()
    (second,) = set(kept(tmp_path)) - {first}
    os.utime(second, ns=(1, second.stat().st_mtime_ns))  # as if of 1970
    read(open_file(small, files[2]))
    small.make_next()

    assert len(kept(tmp_path)) == 2
    assert second not in kept(tmp_path)
    assert small.state.bytes <= small.state.max_bytes


def test_preview_larger_than_the_bound_is_not_tried_again(file, tmp_path):
    tiny = Previews(tmp_path / "cache" / "previews", 100)
    reader = open_file(tiny, file)
    read(reader)
    tiny.make_next()
    read(reader)

    assert (kept(tmp_path), tiny.state.waiting, tiny.state.failed) == ([], 0, 1)


def test_two_processes_build_a_preview_once(file, tmp_path, previews):
    other = Previews(tmp_path / "cache" / "previews", 1 << 30)
    read(open_file(previews, file))
    read(open_file(other, file))

    previews.make_next()
    other.make_next()

    assert (previews.state.built, other.state.built, other.state.waiting) == (1, 0, 0)


BUILD = """
import sys
from pathlib import Path
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.raster.overviews.test_previews import open_file, read
previews = Previews(Path(sys.argv[1]), 1 << 30)
for path in sys.argv[2:]:
    read(open_file(previews, path))
print("ready", flush=True)
sys.stdin.readline()
while previews.state.waiting:
    previews.make_next()
print(previews.state.built)
"""


@pytest.mark.slow
def test_processes_share_a_folder(tmp_path, previews):
    paths = [write_tif(tmp_path / f"{t}.tif", SCENE.numbers(t), SCENE, **BLOCKS) for t in range(3)]
    command = [sys.executable, "-c", BUILD, str(tmp_path / "cache" / "previews"), *map(str, paths)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first, subprocess.Popen(command, **pipes) as second:
        assert (first.stdout.readline(), second.stdout.readline()) == ("ready\n", "ready\n")
        for process in (first, second):
            process.stdin.write("\n")
            process.stdin.flush()
        built = [int(process.communicate()[0]) for process in (first, second)]

    assert sum(built) == len(kept(tmp_path)) == len(paths)


def test_folder_in_which_another_process_builds_is_left_to_it(file, tmp_path, previews):
    read(open_file(previews, file))
    with DiskCache(tmp_path / "cache" / "previews", 0, end=".preview").sole_builder():
        is_next = previews.make_next()

    assert (is_next, previews.state.waiting, previews.state.built) == (False, 1, 0)


FULL = """
import logging, resource, sys
from pathlib import Path
from chronotile.readers.raster.overviews.previews import Previews
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.raster.overviews.test_previews import open_file, read
logging.basicConfig(format="%(message)s")
previews = Previews(Path(sys.argv[1]), 1 << 30)
readers = [open_file(previews, path) for path in sys.argv[2:]]
for reader in readers:
    read(reader)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
while previews.make_next():
    pass
answers = [read(reader).numbers.shape for reader in readers]
print(previews.state.built, previews.state.waiting, answers)
"""


@pytest.mark.slow
def test_disk_that_is_full_turns_previews_off_with_one_line(tmp_path):
    paths = [write_tif(tmp_path / f"{t}.tif", SCENE.numbers(t), SCENE, **BLOCKS) for t in range(2)]
    command = [sys.executable, "-c", FULL, str(tmp_path / "cache" / "previews"), *map(str, paths)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == "0 0 [(257, 288), (257, 288)]\n"
    (line,) = [line for line in done.stderr.splitlines() if "preview" in line]
    assert line.startswith("no more previews are made: their folder cannot be written")
    assert [path.name for path in (tmp_path / "cache" / "previews").iterdir()] == ["lock"]


def test_previews_are_built_in_the_background_until_closed(file, tmp_path, previews):
    previews.start()
    reader = open_file(previews, file)
    read(reader)
    until(lambda: kept(tmp_path))

    previews.close()

    assert len(kept(tmp_path)) == 1
    previews._maker.join(PATIENCE_S)
    assert not previews._maker.is_alive()


def test_closing_stops_builds(file, tmp_path, previews):
    read(open_file(previews, file))
    previews.close()

    previews.make_next()

    assert (kept(tmp_path), previews.state.failed) == ([], 0)


def test_leavings_of_a_killed_builder_are_removed(file, tmp_path, previews):
    folder = tmp_path / "cache" / "previews"
    folder.mkdir(parents=True)
    (folder / "x.part").write_bytes(b"half")
    read(open_file(previews, file))

    previews.make_next()

    assert sorted(path.suffix for path in folder.iterdir()) == ["", ".preview"]


def test_file_that_cannot_be_read_is_not_tried_again(file, previews, tmp_path, caplog):
    reader = open_file(previews, file)
    read(reader)
    state = file.stat()
    data = file.read_bytes()
    with file.open("r+b") as opened:
        opened.seek(len(data) // 2)
        opened.write(bytes(len(data) // 3))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    with caplog.at_level(logging.INFO):
        previews.make_next()

    assert (kept(tmp_path), previews.state.failed) == ([], 1)
    assert "a preview was not made" in caplog.text
