"""Remote cloud-optimised GeoTIFFs: number of requests, combined requests, and the errors of faults."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio.shutil

from chronotile.core.errors import DateUnreadable, SourceUnavailable
from chronotile.core.model.space.grid import Window
from chronotile.readers.caches import byte_blocks
from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.cog import source as cog_source
from chronotile.readers.cog.files import MAX_OPENERS_PER_HOST, CogFile, open_ahead, open_cog
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.cog.source import CogReader, CogVariable
from chronotile.readers.library_errors import BeingWritten, origin_of
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote import files as ranges
from chronotile.readers.remote.files import FilePart, RangeFetcher, wait_for
from chronotile.readers.remote.gates import MAX_WAITING
from tests.faulty_source import Fault, faulty_source
from tests.readers.cog.made_tifs import HEIGHT, WIDTH, Kind, write_made
from tests.readers.cog.truth import assert_equal, by_gdal

pytestmark = pytest.mark.slow

WHOLE = Window(0, HEIGHT, 0, WIDTH)
KIND = Kind(predictor=2, has_mask=True)
APART = Kind(dtype="float64", compress="none", block=(64, 64))
"""Blocks of 32 KiB, so that nonadjacent blocks need separate requests."""


@pytest.fixture
def pieces(source):
    """Return three files whose headers are in memory, and their paths."""
    paths = [write_made(source.folder, APART, f"{name}.tif") for name in "abc"]
    return [opened_here(source, path) for path in paths], paths


def opened_here(source, path) -> CogFile:
    """Return a file at the source as in the index, without any request: its header is read from the local path."""
    status = path.stat()
    header = CogHeader.from_bytes(open_cog(str(path)).header.to_bytes())
    etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
    return CogFile(href=source.url_of(path.name), header=header, tag=etag, size=status.st_size)


def reader_at(file, caches=None) -> CogReader:
    return CogReader("made", file, {"1": CogVariable()}, caches)


def read(reader, window=WHOLE, level=0):
    return reader.read_window("1", index=0, level=level, window=window)


def test_header_is_one_request_and_all_numbers_equal_those_of_the_file(source, tmp_path):
    path = source.folder / "cog.tif"
    options = {"blocksize": 128, "compress": "deflate", "overview_count": 1}
    rasterio.shutil.copy(write_made(tmp_path, KIND), path, driver="COG", **options)

    file = open_cog(source.url_of("cog.tif"))
    opening = source.count()

    assert opening == 1
    for level in (0, 1):
        image = file.header.images[level]
        window = Window(0, image.height, 0, image.width)
        assert_equal(read(reader_at(file), window, level), by_gdal(path, level, window))


def test_header_beyond_the_first_part_is_read(source):
    path = write_made(source.folder, Kind(block=(16, 16), dtype="float64", compress="none", overviews=(2,)))

    file = open_cog(source.url_of("a.tif"))

    assert file.header.to_bytes() == open_cog(str(path)).header.to_bytes()


def test_cold_window_is_one_request_a_row_of_blocks_and_none_for_the_header(source, pieces):
    files, paths = pieces
    window = Window(10, 140, 0, 100)

    pixels = read(reader_at(files[0]), window)

    assert source.count() == 3  # of 64 rows each
    assert all(request.range for request in source.requests)
    assert_equal(pixels, by_gdal(paths[0], 0, window))


def test_adjacent_blocks_are_one_request(source, pieces):
    files, _paths = pieces

    read(reader_at(files[0]))

    assert source.count() == 1


def test_large_window_is_fetched_in_strips_one_ahead(source, pieces, monkeypatch):
    files, paths = pieces
    monkeypatch.setattr(cog_source, "STRIP_BYTES", 1)
    window = Window(10, 140, 0, 100)
    source.switch(Fault.HOLD)

    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(read, reader_at(files[0]), window)
        source.wait_until_hanging(count=2)
        source.release()
        pixels = reading.result()

    assert source.count() == 3
    assert_equal(pixels, by_gdal(paths[0], 0, window))


def test_windows_that_are_requested_ahead_are_one_wait(source, pieces):
    files, paths = pieces
    readers = [reader_at(file) for file in files]
    window = Window(10, 140, 0, 100)
    source.switch(Fault.HOLD)

    for reader in readers:
        reader.fetch_ahead("1", index=0, level=0, window=window)
    source.wait_until_hanging(count=9)
    source.release()
    found = [read(reader, window) for reader in readers]

    assert source.count() == 9
    for path, pixels in zip(paths, found, strict=True):
        assert_equal(pixels, by_gdal(path, 0, window))


def test_prefetched_unread_bytes_are_bounded(source, pieces, monkeypatch):
    files, paths = pieces
    monkeypatch.setattr(ranges, "AHEAD_BYTES", 40_000)
    reader = reader_at(files[0])

    reader.fetch_ahead("1", index=0, level=0, window=WHOLE)

    assert_equal(read(reader), by_gdal(paths[0], 0, WHOLE))
    assert ranges.fetcher._landed_bytes <= 40_000


def test_nothing_is_requested_ahead_that_is_cached(source, pieces):
    files, _paths = pieces
    reader = reader_at(files[0])
    read(reader)
    before = source.count()

    reader.fetch_ahead("1", index=0, level=0, window=WHOLE)
    read(reader)

    assert source.count() == before


def test_part_requested_by_two_is_fetched_once(source):
    write_made(source.folder)
    file = opened_here(source, source.folder / "a.tif")
    part = FilePart(file.href, file.tag, file.size, 100, 200)
    source.switch(Fault.HOLD)
    fetcher = RangeFetcher()

    first, second = fetcher.start([part]), fetcher.start([part])
    source.wait_until_hanging()
    source.release()

    assert wait_for(first[part]) == wait_for(second[part]) == (source.folder / "a.tif").read_bytes()[100:200]
    assert source.count() == 1


QUICK = [
    *(Fault.UNAVAILABLE, Fault.SERVER_ERROR, Fault.FORBIDDEN, Fault.MISSING, Fault.CUT_AT_ONCE, Fault.CUT),
    *(Fault.CUT_CHUNKED, Fault.CUT_WITHOUT_LENGTH, Fault.SHORT, Fault.EMPTY, Fault.NO_CONTENT, Fault.NOT_MODIFIED),
    *(Fault.OTHER_RANGE, Fault.IGNORE_RANGE, Fault.NEW_TAG, Fault.FAILED_CONDITION),
]


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
def test_failing_file_is_an_error_and_right_with_the_next_read(fault, source, pieces):
    files, paths = pieces
    reader = reader_at(files[0])
    source.switch(fault)

    with pytest.raises(SourceUnavailable) as raised:
        read(reader)
    source.heal()

    assert isinstance(raised.value, DateUnreadable) is (fault is Fault.MISSING)  # only the file is missing
    assert_equal(read(reader), by_gdal(paths[0], 0, WHOLE))


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.CUT_AT_ONCE], ids=lambda fault: fault.name)
def test_request_that_fails_once_is_sent_again(fault, source, pieces):
    files, paths = pieces
    source.switch(fault, times=1)

    pixels = read(reader_at(files[0]))

    assert source.count() == 2
    assert_equal(pixels, by_gdal(paths[0], 0, WHOLE))


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
def test_no_number_is_wrong_after_any_failure_of_concurrent_reads(fault, source, pieces):
    files, paths = pieces
    expected = [by_gdal(path, 0, WHOLE)[0] for path in paths]
    source.switch(fault, times=7)

    def attempt(number):
        """Return whether a read is right; `None` after an error. Some blocks are requested ahead."""
        reader = reader_at(files[number % 3])
        if number % 2:
            reader.fetch_ahead("1", index=0, level=0, window=WHOLE)
        try:
            return np.array_equal(read(reader).numbers, expected[number % 3])
        except SourceUnavailable:
            return None

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(attempt, range(24)))
    source.heal()

    assert False not in found
    assert attempt(0) is True
    assert not ranges.fetcher._flying
    assert not ranges.fetcher._ahead


def test_one_failing_file_leaves_the_others(source, pieces):
    files, paths = pieces
    source.switch(Fault.FORBIDDEN, "b.tif")

    with pytest.raises(SourceUnavailable):
        read(reader_at(files[1]))

    assert_equal(read(reader_at(files[0])), by_gdal(paths[0], 0, WHOLE))
    assert_equal(read(reader_at(files[2])), by_gdal(paths[2], 0, WHOLE))


def test_server_that_hangs_leaves_room_for_another(source, pieces, tmp_path):
    files, paths = pieces
    other = tmp_path / "hanging"
    other.mkdir()
    with faulty_source(other) as hanging:
        write_made(other)
        dead = opened_here(hanging, other / "a.tif")
        hanging.switch(Fault.HANG)
        many = [FilePart(dead.href, dead.tag, dead.size, at, at + 1) for at in range(0, 40 << 20, 40 << 10)]
        waiting = ranges.fetcher.start(many)
        hanging.wait_until_hanging(count=MAX_WAITING)

        pixels = read(reader_at(files[0]))

        assert_equal(pixels, by_gdal(paths[0], 0, WHOLE))
        assert not any(future.done() for future in waiting.values())
        hanging.refuse()
        assert all(isinstance(wait_for(future), Exception) for future in waiting.values())


@pytest.mark.parametrize(
    ("etags", "times", "honours"),
    [(True, True, True), (True, True, False), (False, True, True)],
    ids=["condition", "condition that is ignored", "no ETag"],
)
def test_replaced_file_is_noticed(etags, times, honours, source):
    path = write_made(source.folder)
    source.sends_etags, source.sends_times, source.honours_if_match = etags, times, honours
    reader = reader_at(open_cog(source.url_of("a.tif")))
    other = bytearray(path.read_bytes())
    other[-1] ^= 1
    source.replace("a.tif", bytes(other))
    os.utime(path, (2e9, 2e9))

    with pytest.raises(SourceUnavailable, match="are being written") as raised:
        read(reader)

    assert isinstance(origin_of(raised.value), BeingWritten)


def test_damaged_file_is_no_fault_of_its_server(source):
    path = write_made(source.folder)
    file = opened_here(source, path)
    content = bytearray(path.read_bytes())
    content[int(file.header.images[0].offsets[2]) + 9] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(DateUnreadable, match="damaged or missing"):
        read(reader_at(opened_with(source, path, file.header)))


def opened_with(source, path, header) -> CogFile:
    """Return a file at the source with the given header."""
    status = path.stat()
    etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
    return CogFile(href=source.url_of(path.name), header=header, tag=etag, size=status.st_size)


def on_disk(folder, **rest) -> ReaderCaches:
    """New caches in memory, and those on disk."""
    return ReaderCaches(byte_blocks=ByteBlocks(folder, 64 << 20, **rest))


def test_blocks_on_disk_are_not_requested_again(source, pieces, tmp_path):
    files, paths = pieces
    read(reader_at(files[0], on_disk(tmp_path / "disk")))
    settled(tmp_path / "disk", 12)
    before = source.count()

    reader = reader_at(files[0], on_disk(tmp_path / "disk"))
    reader.fetch_ahead("1", index=0, level=0, window=WHOLE)

    assert_equal(read(reader), by_gdal(paths[0], 0, WHOLE))
    assert source.count() == before


def settled(folder, count):
    """Wait until the fetching threads have written `count` files."""
    from tests.running import until

    until(lambda: len(list(folder.rglob(f"*{byte_blocks.END}"))) == count)


def test_damaged_block_on_disk_is_requested_again(source, pieces, tmp_path):
    files, paths = pieces
    read(reader_at(files[0], on_disk(tmp_path / "disk")))
    settled(tmp_path / "disk", 12)
    before = source.count()
    for block in (tmp_path / "disk").rglob(f"*{byte_blocks.END}"):
        content = bytearray(block.read_bytes())
        content[len(content) // 2] ^= 1
        block.write_bytes(content)

    assert_equal(read(reader_at(files[0], on_disk(tmp_path / "disk"))), by_gdal(paths[0], 0, WHOLE))
    assert source.count() == before + 1


def test_folder_that_cannot_be_written_changes_no_numbers(source, pieces, tmp_path, caplog):
    files, paths = pieces
    (tmp_path / "disk").write_text("a file in its place")

    pixels = read(reader_at(files[0], on_disk(tmp_path / "disk")))

    assert_equal(pixels, by_gdal(paths[0], 0, WHOLE))


def test_formula_and_mask_over_files_elsewhere_are_requested_together(source, tmp_path):
    from chronotile.core.model.expression import parse_expression
    from chronotile.core.model.items import Asset
    from chronotile.core.model.source import SourceSpec, VariableSpec
    from chronotile.readers.cog.open_asset import open_cog_asset
    from chronotile.readers.derived.derive import derive_variables
    from chronotile.readers.mosaic.scenes import SceneReader

    names = ("red", "nir")
    assets, stored = {}, {name: VariableSpec(id=name) for name in names}
    for name in names:
        file = opened_here(source, write_made(source.folder, APART, f"{name}.tif"))
        header = file.header.to_bytes()
        assets[name] = Asset(name=name, href=file.href, header=header, etag=file.tag, size=file.size)
    formula = VariableSpec(id="sum", formula=parse_expression("red + nir"))
    spec = SourceSpec(collection="made", kind="stac", href="x", variables={**stored, "sum": formula})
    caches = ReaderCaches()
    scene = SceneReader(stored, assets, lambda asset, variable: open_cog_asset(spec, asset, variable, caches))
    reader = derive_variables(scene, spec)
    source.switch(Fault.HOLD)

    reader.fetch_ahead("sum", index=0, level=0, window=WHOLE)
    source.wait_until_hanging(count=2)
    source.release()
    pixels = reader.read_window("sum", index=0, level=0, window=WHOLE)

    assert source.count() == 2
    red = by_gdal(source.folder / "red.tif", 0, WHOLE)[0]
    assert np.allclose(pixels.numbers, 2 * red, rtol=1e-6)


def test_a_host_that_blocks_leaves_threads_to_open_files_of_others(source, tmp_path):
    (tmp_path / "near").mkdir()
    write_made(tmp_path / "near", APART, "a.tif")
    write_made(source.folder, APART, "0.tif")
    for number in range(1, 2 * MAX_OPENERS_PER_HOST):
        os.link(source.folder / "0.tif", source.folder / f"{number}.tif")
    far = [source.url_of(f"{number}.tif") for number in range(2 * MAX_OPENERS_PER_HOST)]
    with faulty_source(tmp_path / "near") as near:
        source.switch(Fault.HOLD)
        open_ahead(far)
        source.wait_until_hanging(count=MAX_OPENERS_PER_HOST)

        open_ahead([near.url_of("a.tif")])
        opened = open_cog(near.url_of("a.tif"))

        assert source.count() == MAX_OPENERS_PER_HOST
        source.release()
        assert {open_cog(href).size for href in far} == {opened.size}
        assert source.count() == len(far)
