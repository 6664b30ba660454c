"""Windows, cells and masks of cloud-optimised GeoTIFFs, held against GDAL's of the same files."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from chronotile.core.errors import DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.grid import Window
from chronotile.readers.cog import planes
from chronotile.readers.cog import source as cog_source
from chronotile.readers.cog.files import CogFile, open_cog
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.cog.source import CogReader, CogVariable
from chronotile.readers.reader_caches import ReaderCaches
from tests.readers.cog.made_tifs import HEIGHT, KINDS, WIDTH, Kind, described, write_made
from tests.readers.cog.real_tifs import DECODED
from tests.readers.cog.truth import assert_equal, by_gdal, reader_of, settle


def windows_of(grid):
    """Return the window of a whole level, and a part in the middle."""
    whole = Window(0, grid.height, 0, grid.width)
    return whole, Window(grid.height // 3, grid.height // 3 + 1 + grid.height // 2, grid.width // 4, grid.width)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_all_numbers_and_masks_equal_those_of_gdal(kind, tmp_path):
    path = write_made(tmp_path, kind)
    reader = reader_of(path, kind.bands)

    for variable, info in reader.info.variables.items():
        for level, grid in enumerate(info.levels):
            for window in windows_of(grid):
                pixels = reader.read_window(variable, index=0, level=level, window=window)
                assert_equal(pixels, by_gdal(path, level, window, int(variable)))


@pytest.mark.data
@pytest.mark.parametrize("name", DECODED)
def test_all_numbers_and_masks_of_real_files_equal_those_of_gdal(name, shared_data):
    path = shared_data / name
    reader = reader_of(path, open_cog(str(path)).header.count)

    for variable, info in reader.info.variables.items():
        for level, grid in enumerate(info.levels):
            for window in windows_of(grid):
                pixels = reader.read_window(variable, index=0, level=level, window=window)
                assert_equal(pixels, by_gdal(path, level, window, int(variable)))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a reader with caches of a file with a mask, and its path."""
    path = write_made(
        tmp_path_factory.mktemp("made"),
        Kind(bands=2, interleave="pixel", has_mask=True, overviews=(2,), predictor=2, block=(32, 16)),
    )
    settle(path)
    return reader_of(path, 2), path


@pytest.mark.slow
@hypothesis.given(st.data())
def test_any_window_and_step_equals_that_of_gdal(made, data):
    reader, path = made
    level = data.draw(st.integers(0, 1))
    grid = reader.info.variables["1"].levels[level]
    rows = sorted(data.draw(st.lists(st.integers(0, grid.height), min_size=2, max_size=2, unique=True)))
    columns = sorted(data.draw(st.lists(st.integers(0, grid.width), min_size=2, max_size=2, unique=True)))
    step, band = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 2))
    window = Window(*rows, *columns)

    pixels = reader.read_window(str(band), index=0, level=level, window=window, step=step)

    assert_equal(pixels, by_gdal(path, level, window, band, step))


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_places_equal_those_of_gdal_with_any_cached_rows(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(planes, "SLOT_BYTES", 512)
    path = write_made(tmp_path, kind)
    settle(path)
    reader = reader_of(path, kind.bands)
    windows = [Window(row, row + height, 60, 61 + height) for row, height in ((40, 1), (41, 1), (47, 3), (50, 9))]

    for variable in reader.info.variables:
        for window in (*windows, *windows):  # decoded, then cached
            pixels = reader.read_window(variable, index=0, level=0, window=window)
            assert_equal(pixels, by_gdal(path, 0, window, int(variable)))


def test_place_takes_a_part_of_a_block_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(planes, "SLOT_BYTES", 512)
    path = write_made(tmp_path, Kind())
    settle(path)
    caches = ReaderCaches()
    reader = CogReader("made", open_cog(str(path)), {"1": CogVariable()}, caches)

    reader.read_cell("1", indexes=[0], row=33, column=5)
    of_place = caches.blocks.state
    reader.read_cell("1", indexes=[0], row=34, column=60)
    of_near = caches.blocks.state
    reader.read_window("1", index=0, level=0, window=Window(32, 64, 0, 64))
    reader.read_cell("1", indexes=[0], row=63, column=5)
    of_whole = caches.blocks.state

    assert (of_place.bytes, of_place.misses) == (512, 1)
    assert (of_near.hits, of_near.misses) == (1, 1)
    assert (of_whole.hits, of_whole.misses) == (2, 2)


@pytest.mark.parametrize("step", [1, 3, 40, 64])
def test_window_that_is_read_in_strips_is_the_same(step, tmp_path, monkeypatch):
    path = write_made(tmp_path, Kind(has_mask=True, block=(32, 32)))
    monkeypatch.setattr(cog_source, "STRIP_BYTES", 1)
    window = Window(5, HEIGHT, 3, WIDTH)

    pixels = reader_of(path).read_window("1", index=0, level=0, window=window, step=step)

    assert_equal(pixels, by_gdal(path, 0, window, step=step))


@pytest.mark.parametrize("has_mask", [False, True])
def test_cell_equals_that_of_the_window(has_mask, tmp_path):
    path = write_made(tmp_path, Kind(has_mask=has_mask))

    pixels = reader_of(path).read_cell("1", indexes=[0, 0], row=70, column=130)

    numbers, mask = by_gdal(path, 0, Window.from_cell(70, 130))
    assert pixels.numbers.tolist() == [numbers[0, 0]] * 2
    assert pixels.valid is None if mask is None else pixels.valid.tolist() == [mask[0, 0]] * 2


def test_file_is_read_by_its_stored_header(tmp_path):
    path = write_made(tmp_path, Kind(has_mask=True, overviews=(2,)))
    opened = open_cog(str(path))
    stored = CogHeader.from_bytes(opened.header.to_bytes())
    file = CogFile(href=opened.href, header=stored, tag=opened.tag, size=opened.size)
    window = Window(0, HEIGHT, 0, WIDTH)

    pixels = CogReader("made", file, {"1": CogVariable()}).read_window("1", index=0, level=0, window=window)

    assert_equal(pixels, by_gdal(path, 0, window))


def test_blocks_are_decoded_once(tmp_path, monkeypatch):
    path = write_made(tmp_path, Kind(bands=2, interleave="pixel"))
    settle(path)
    caches = ReaderCaches()
    window = Window(0, HEIGHT, 0, WIDTH)
    first = reader_of(path, 2, caches).read_window("1", index=0, level=0, window=window)

    reader = reader_of(path, 2, caches)
    plans = reader.plan_window("2", level=0, window=window)

    assert not any(each.needed for each in plans)  # blocks that hold all bands of a pixel are cached for all
    assert_equal(reader.pixels("2", plans, {}), by_gdal(path, 0, window, 2))
    assert_equal(first, by_gdal(path, 0, window, 1))


def test_blocks_of_a_file_that_was_just_written_are_not_cached(tmp_path):
    path = write_made(tmp_path)
    reader = reader_of(path)
    window = Window(0, HEIGHT, 0, WIDTH)
    reader.read_window("1", index=0, level=0, window=window)

    assert all(plan.needed for plan in reader.plan_window("1", level=0, window=window))


def test_one_damaged_file_leaves_the_others(tmp_path):
    good, bad = write_made(tmp_path, name="good.tif"), write_made(tmp_path, name="bad.tif")
    content = bytearray(bad.read_bytes())
    middle = int(reader_of(bad).file.header.images[0].offsets[3]) + 20
    content[middle] ^= 0xFF
    bad.write_bytes(content)
    reader, damaged = reader_of(good), reader_of(bad)
    window = Window(0, HEIGHT, 0, WIDTH)

    assert_equal(reader.read_window("1", index=0, level=0, window=window), by_gdal(good, 0, window))
    with pytest.raises(DateUnreadable, match="damaged or missing"):
        damaged.read_window("1", index=0, level=0, window=window)


@pytest.mark.parametrize("is_cached", [False, True])
def test_replaced_file_is_an_error_and_another_revision(is_cached, tmp_path):
    path = write_made(tmp_path)
    settle(path)
    reader = reader_of(path)
    window = Window(0, HEIGHT, 0, WIDTH)
    if is_cached:
        reader.read_window("1", index=0, level=0, window=window)
    before = reader.revision("1", 0)

    write_made(tmp_path, described(Kind(), predictor=2))

    assert reader.revision("1", 0) != before
    with pytest.raises(SourceUnavailable, match="are being written") as raised:
        reader.read_window("1", index=0, level=0, window=window)
    assert not isinstance(raised.value, DateUnreadable)
    again = reader_of(path).read_window("1", index=0, level=0, window=window)
    assert_equal(again, by_gdal(path, 0, window))


def test_missing_file_is_an_error(tmp_path):
    path = write_made(tmp_path)
    reader = reader_of(path)
    path.unlink()

    with pytest.raises(SourceUnavailable, match="cannot be read"):
        reader.read_window("1", index=0, level=0, window=Window.from_cell(0, 0))
    with pytest.raises(SourceUnavailable):
        reader.revision("1", 0)


def test_configured_encoding_overrides_that_of_the_file(tmp_path):
    path = write_made(tmp_path, Kind(dtype="int16"))
    meant = Encoding(dtype="uint16", scale=0.5, nodata=3)
    reader = CogReader("made", open_cog(str(path)), {"a": CogVariable(encoding=meant)})
    window = Window(0, 10, 0, WIDTH)

    pixels = reader.read_window("a", index=0, level=0, window=window)

    assert reader.info.variables["a"].encoding == meant
    assert pixels.numbers.dtype == np.uint16
    assert np.array_equal(pixels.numbers, by_gdal(path, 0, window)[0].view(np.uint16))


@pytest.mark.parametrize(
    "variable", [CogVariable(band=2), CogVariable(encoding=Encoding(dtype="uint8"))], ids=["band", "type"]
)
def test_variable_that_the_file_does_not_have_is_refused(variable, tmp_path):
    file = open_cog(str(write_made(tmp_path)))

    with pytest.raises(UnsupportedSource):
        CogReader("made", file, {"a": variable})
