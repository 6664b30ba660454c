"""Sources elsewhere: right numbers or an error, within a bound of time, and right again with the next request."""

import os
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zarr

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import kind_of_spec, open_source
from chronotile.readers.remote import files as remote_files
from chronotile.readers.remote import requests as remote_requests
from chronotile.readers.remote.files import looks
from chronotile.readers.zarr import remote as zarr_gaps
from chronotile.readers.zarr import stores
from chronotile.readers.zarr.stores import fields_of
from tests.faulty_source import Fault
from tests.readers.remote_scenes import OTHER, SCENE, numbers_of, write_here
from tests.running import PATIENCE_S, until
from tests.scenes import NODATA, Scene, make_spec, write_zarr

pytestmark = pytest.mark.slow

STORES = ("zarr-v2", "zarr-v3")
KINDS = ("cog", *STORES)
PARTIAL = [Fault.CUT, Fault.CUT_CHUNKED, Fault.CUT_WITHOUT_LENGTH, Fault.SHORT]
"""Answers with half of the requested bytes, in each form of HTTP."""
QUICK = [Fault.UNAVAILABLE, Fault.SERVER_ERROR, Fault.FORBIDDEN, Fault.CUT_AT_ONCE, *PARTIAL]


@pytest.fixture
def later(monkeypatch):
    """Return a function that advances the clock until the states of files are requested again."""
    now = [0.0]
    monkeypatch.setattr(remote_files.looks, "_clock", lambda: now[0])

    def pass_time() -> None:
        now[0] += remote_files.LOOK_S

    remote_files.looks.forget()
    yield pass_time
    remote_files.looks.forget()


def write(kind, source, scene, **encoding):
    """Write the scene at the source; return its specification."""
    name = write_here(kind, source.folder, scene, **encoding)
    return make_spec("cog" if kind == "cog" else "zarr", source.url_of(name))


def readable(reader):
    """Return whether it can be read: requests for chunks that began before a source was well end first."""
    try:
        numbers_of(reader)
    except SourceUnavailable:
        return False
    return True


def assert_fails_and_heals(reader, source, *window, reads=1, is_at_once=False):
    """Assert that reads fail without being cached: when the source recovers, the numbers are right."""
    for _ in range(reads):
        with pytest.raises(SourceUnavailable):
            numbers_of(reader, *window)
    source.heal()
    if not is_at_once:
        until(lambda: readable(reader))
    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_equal_those_of_the_file(kind, source):
    reader = open_source(write(kind, source, SCENE))

    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.parametrize("name", ["b.tif", "b_20240102.tif"])
@pytest.mark.parametrize("time_pattern", [None, r"_(?P<time>\d{8})"])
def test_file_of_a_signed_url_is_read_with_the_query_and_not_dated_by_it(name, time_pattern, source):
    (source.folder / write_here("cog", source.folder, SCENE)).rename(source.folder / name)
    query = "X-Amz-Date=_20240506T000000Z&X-Amz-Signature=a/b"
    spec = make_spec("cog", f"{source.url_of(name)}?{query}", time_pattern=time_pattern)

    if name == "b.tif" and time_pattern:
        with pytest.raises(UnsupportedSource, match=r"such as b\.tif: no time in its name"):
            open_source(spec)
        return
    reader = open_source(spec)

    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))
    assert reader.info.variables["NDVI"].times.instants.tolist() == (
        [np.datetime64("2024-01-02", "ns").astype(int)] if time_pattern else []
    )
    assert {request.query for request in source.requests} == {query}


@pytest.mark.parametrize("fault", [*QUICK, Fault.OTHER_RANGE, Fault.NEW_TAG], ids=lambda fault: fault.name)
def test_failing_file_is_an_error_and_right_with_the_next_read(fault, source):
    reader = open_source(write("cog", source, SCENE))
    reader.close()  # opened again by the next read
    source.switch(fault)

    assert_fails_and_heals(reader, source, is_at_once=True)


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: fault.name)
@pytest.mark.parametrize("kind", STORES)
def test_failing_store_is_an_error_and_then_right(kind, fault, source):
    reader = open_source(write(kind, source, SCENE))
    source.switch(fault)

    assert_fails_and_heals(reader, source)


CHUNKS = {"zarr-v2": "0/NDVI/0.1.1", "zarr-v3": "0/NDVI/c/0/1/1"}
BLANK = [Fault.NO_CONTENT, Fault.NOT_MODIFIED, Fault.FAILED_CONDITION, Fault.EMPTY]
"""Answers without content that do not mean an absent chunk."""


def chunk_of(kind, spec):
    """Return the path at the source of the chunk in the middle of the scene."""
    return f"{spec.href.rpartition('/')[2]}/{CHUNKS[kind]}"


FILL = {"zarr-v2": NODATA, "zarr-v3": 0}
"""The fill value that xarray writes."""


def with_gap(kind):
    """Return the numbers of the scene without its chunk in the middle."""
    found = SCENE.numbers(0).copy()
    found[160:320, 160:320] = FILL[kind]
    return found


@pytest.mark.parametrize("fault", [*BLANK, Fault.FORBIDDEN], ids=lambda fault: fault.name)
@pytest.mark.parametrize("kind", STORES)
def test_unconfirmed_missing_chunk_is_never_blank(kind, fault, source):
    spec = write(kind, source, SCENE)
    reader = open_source(spec)
    source.switch(fault, chunk_of(kind, spec))

    assert_fails_and_heals(reader, source, reads=2, is_at_once=True)


@pytest.mark.parametrize("fault", BLANK, ids=lambda fault: fault.name)
def test_unconfirmed_missing_shard_is_never_blank(fault, source):
    spec = write("zarr-v3", source, SCENE, shards=(1, 480, 320))
    reader = open_source(spec)
    source.switch(fault, f"{spec.href.rpartition('/')[2]}/0/NDVI/c/0/0/1")

    assert_fails_and_heals(reader, source, reads=2, is_at_once=True)


@pytest.mark.parametrize("kind", STORES)
def test_missing_chunk_has_the_fill_value_until_it_is_written(kind, source, monkeypatch):
    spec = write(kind, source, SCENE)
    chunk = source.folder / chunk_of(kind, spec)
    content = chunk.read_bytes()
    chunk.unlink()
    reader = open_source(spec)
    before = reader.revision("NDVI", 0)
    blank = numbers_of(reader)
    rows, columns = Window(150, 330, 170, 171), Window(170, 171, 150, 330)
    parts = [numbers_of(reader, window) for window in (rows, columns)]

    source.replace(chunk_of(kind, spec), content)
    monkeypatch.setattr(zarr_gaps, "KEPT_S", 0.0)

    assert np.array_equal(blank, with_gap(kind))
    assert np.array_equal(parts[0], blank[150:330, 170:171])
    assert np.array_equal(parts[1], blank[170:171, 150:330])
    assert reader.revision("NDVI", 0) != before  # otherwise caches would return earlier results
    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))
    assert open_source(spec).revision("NDVI", 0) == reader.revision("NDVI", 0)


def test_each_missing_chunk_that_is_written_changes_the_revision_however_old_it_is(source, monkeypatch):
    spec = write("zarr-v2", source, SCENE)
    monkeypatch.setattr(zarr_gaps, "KEPT_S", 0.0)
    middle = chunk_of("zarr-v2", spec)
    paths = [middle, f"{middle.removesuffix('0.1.1')}0.0.0"]
    contents = [(source.folder / path).read_bytes() for path in paths]
    for path in paths:
        (source.folder / path).unlink()
    reader = open_source(spec)
    numbers_of(reader)
    revisions = [reader.revision("NDVI", 0)]

    for path, content, written_s in zip(paths, contents, (2e9, 1e9), strict=True):  # as `rsync -t` does
        source.replace(path, content)
        os.utime(source.folder / path, (written_s, written_s))
        revisions.append(reader.revision("NDVI", 0))

    assert len(set(revisions)) == 3
    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.parametrize("kind", STORES)
def test_missing_chunk_is_not_requested_again_immediately(kind, source, monkeypatch):
    spec = write(kind, source, SCENE)
    path = chunk_of(kind, spec)
    (source.folder / path).unlink()
    monkeypatch.setattr(zarr_gaps, "KEPT_S", PATIENCE_S)  # however slow the machine is
    reader = open_source(spec)
    numbers_of(reader)
    before = source.count(path)

    numbers_of(reader)
    reader.revision("NDVI", 0)

    assert source.count(path) == before


@pytest.mark.parametrize("is_whole", [True, False], ids=["shard", "chunk of a shard"])
def test_chunk_missing_from_shards_has_the_fill_value_until_it_is_written(is_whole, source, monkeypatch):
    spec = write("zarr-v3", source, SCENE, shards=(1, 480, 320))
    here = source.folder / spec.href.rpartition("/")[2]
    shard = here / "0/NDVI/c/0/0/0"
    content = shard.read_bytes()
    right = SCENE.numbers(0)
    blank = right.copy()
    if is_whole:
        shard.unlink()
        blank[:, :320] = FILL["zarr-v3"]
    else:
        array = zarr.open_array(here / "0/NDVI", mode="r+", config={"write_empty_chunks": False})
        array[:, 160:320, 160:320] = FILL["zarr-v3"]
        blank[160:320, 160:320] = FILL["zarr-v3"]
    reader = open_source(spec)
    before = reader.revision("NDVI", 0)
    found = [numbers_of(reader) for _ in range(2)]

    source.replace(str(shard.relative_to(source.folder)), content)
    monkeypatch.setattr(zarr_gaps, "KEPT_S", 0.0)

    assert all(np.array_equal(each, blank) for each in found)
    assert reader.revision("NDVI", 0) != before
    assert np.array_equal(numbers_of(reader), right)


def test_missing_chunk_of_a_zip_elsewhere_has_the_fill_value(source, tmp_path):
    folder = source.folder / write_here("zarr-v3", source.folder, SCENE)
    (folder / CHUNKS["zarr-v3"]).unlink()
    shutil.make_archive(str(source.folder / "packed"), "zip", folder)
    reader = open_source(make_spec("zarr", source.url_of("packed.zip")))

    assert np.array_equal(numbers_of(reader), with_gap("zarr-v3"))


@pytest.mark.parametrize("kind", STORES)
def test_cells_in_chunks_that_are_missing_at_some_times(kind, source, tmp_path):
    scene = Scene(width=20, height=20, days=("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"))
    store = write_zarr(source.folder, scene, version=int(kind[-1]), chunks=(2, 10, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr-python warns that version 3 has no consolidated metadata yet
        zarr.consolidate_metadata(store.href)
    (source.folder / Path(store.href).name / CHUNKS[kind].replace("NDVI/0", "NDVI/1").replace("c/0", "c/1")).unlink()
    there = open_source(make_spec("zarr", source.url_of(Path(store.href).name)))
    here = open_source(make_spec("zarr", store.href))

    for indexes in ([0, 1, 2, 3], [0, 3], [1], [2, 3]):
        mine, theirs = (each.read_cell("NDVI", indexes=indexes, row=12, column=15) for each in (there, here))
        assert mine.numbers.tolist() == theirs.numbers.tolist()
        window = Window(5, 15, 5, 15)
        blocks = [each.read_block("NDVI", indexes=indexes, window=window, along="time") for each in (there, here)]
        assert np.array_equal(blocks[0].numbers, blocks[1].numbers)
    sparse = [each.read_window("NDVI", index=3, level=0, window=Window(1, 19, 2, 20), step=3) for each in (there, here)]
    assert np.array_equal(sparse[0].numbers, sparse[1].numbers)
    assert FILL[kind] in sparse[0].numbers


@pytest.mark.parametrize("fault", [*PARTIAL, Fault.OTHER_RANGE], ids=lambda fault: fault.name)
def test_failing_store_of_shards_is_an_error_and_then_right(fault, source):
    reader = open_source(write("zarr-v3", source, SCENE, shards=(1, 480, 640)))
    source.switch(fault)

    assert_fails_and_heals(reader, source, Window(0, 100, 0, 100))  # a part of the shard


@pytest.mark.parametrize("fault", [*PARTIAL, Fault.OTHER_RANGE, Fault.NEW_TAG], ids=lambda fault: fault.name)
@pytest.mark.parametrize("after", range(8))
def test_file_that_fails_at_any_request_is_right_or_an_error(after, fault, source):
    """One request of the read fails, at each position; the next read is right."""
    reader = open_source(write("cog", source, SCENE))
    reader.close()  # opened again by the next read
    source.switch(fault, times=1, after=after)

    for _ in range(3):
        with suppress(SourceUnavailable):
            assert np.array_equal(numbers_of(reader), SCENE.numbers(0))
    source.heal()  # on a slow machine that requests states again, the fault may still be due
    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.parametrize("fault", [*PARTIAL, Fault.OTHER_RANGE, Fault.NEW_TAG], ids=lambda fault: fault.name)
@pytest.mark.parametrize("after", range(8))
def test_file_that_fails_while_it_is_opened_is_right_or_does_not_open(after, fault, source):
    spec = write("cog", source, SCENE)
    right = open_source(make_spec("cog", str(source.folder / "a.tif"))).info.variables["NDVI"]
    source.switch(fault, times=2, after=after)

    for _ in range(3):
        with suppress(SourceUnavailable, UnsupportedSource):
            reader = open_source(spec)
            found = reader.info.variables["NDVI"]
            assert (found.encoding, found.levels) == (right.encoding, right.levels)
            assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.parametrize("kind", KINDS)
def test_source_that_refuses_is_an_error_and_then_right(kind, source):
    reader = open_source(write(kind, source, SCENE))
    reader.close()  # opened again by the next read
    source.refuse()

    assert_fails_and_heals(reader, source)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.CUT_AT_ONCE])
@pytest.mark.parametrize("kind", KINDS)
def test_fault_of_one_request_is_tried_again(kind, fault, source, monkeypatch):
    monkeypatch.setattr(remote_requests, "AGAIN_WITHIN_S", PATIENCE_S)  # however long the machine stands still
    reader = open_source(write(kind, source, SCENE))
    reader.close()  # opened again by the next read
    source.switch(fault, times=1)

    assert np.array_equal(numbers_of(reader), SCENE.numbers(0))


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_IN_BODY, Fault.DRIP], ids=lambda fault: fault.name)
def test_source_that_hangs_is_an_error_within_the_bound(fault, source):
    """The end of the reads is the assertion: otherwise they would hang."""
    readers = [open_source(write(kind, source, SCENE)) for kind in ("cog", "zarr-v3")]
    readers[0].close()  # opened again by the next read
    source.switch(fault)

    def read(reader):
        with pytest.raises(SourceUnavailable):
            numbers_of(reader)

    with ThreadPoolExecutor() as threads:
        list(threads.map(read, readers))
    source.wait_until_left()
    source.heal()
    until(lambda: all(map(readable, readers)))

    assert all(np.array_equal(numbers_of(reader), SCENE.numbers(0)) for reader in readers)


def test_replaced_file_has_another_revision_and_its_own_numbers(source, later):
    reader = open_source(write("cog", source, SCENE))
    before = reader.revision("NDVI", 0)
    numbers_of(reader)
    write("cog", source, OTHER)
    later()

    assert reader.revision("NDVI", 0) != before
    assert np.array_equal(numbers_of(reader), OTHER.numbers(0))


@pytest.mark.parametrize("kind", STORES)
def test_store_that_was_written_is_refused_until_it_is_opened_again(kind, source, later):
    spec = write(kind, source, SCENE)
    reader = open_source(spec)
    before = reader.revision("NDVI", 0)
    numbers_of(reader)
    write(kind, source, OTHER)
    later()

    for read in (numbers_of, lambda one: one.revision("NDVI", 0)):
        with pytest.raises(SourceUnavailable, match="are being written"):
            read(reader)
    again = open_source(spec)
    assert again.revision("NDVI", 0) != before
    assert np.array_equal(numbers_of(again), OTHER.numbers(0))


def without_conditions(source):
    source.honours_if_match = False


def without_etags(source):
    source.sends_etags = False


@pytest.mark.parametrize("make_worse", [lambda _source: None, without_conditions, without_etags])
def test_file_replaced_since_the_last_look_gives_no_mixture(make_worse, source, later):
    make_worse(source)
    reader = open_source(write("cog", source, SCENE))
    numbers_of(reader, Window(0, 16, 0, 640))  # opens the file and reads its state
    write("cog", source, OTHER)
    os.utime(source.folder / "a.tif", (1, 1))  # times of HTTP are whole seconds

    assert np.array_equal(numbers_of(reader), OTHER.numbers(0))


@pytest.mark.parametrize("kind", STORES)
def test_store_written_since_the_last_look_gives_no_mixture(kind, source, later):
    spec = write(kind, source, SCENE)
    reader = open_source(spec)
    numbers_of(reader, Window(0, 16, 0, 640))
    write(kind, source, OTHER)

    with pytest.raises(SourceUnavailable, match="are being written"):
        numbers_of(reader)
    assert np.array_equal(numbers_of(open_source(spec)), OTHER.numbers(0))


@pytest.mark.parametrize("kind", STORES)
def test_store_opens_in_one_state(kind, source, later, monkeypatch):
    spec = write(kind, source, SCENE)

    def understand_meanwhile(*arguments):
        write(kind, source, OTHER)
        return fields_of(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(stores, "fields_of", understand_meanwhile)
        with pytest.raises(UnsupportedSource, match="changed since"):
            open_source(spec)

    assert np.array_equal(numbers_of(open_source(spec)), OTHER.numbers(0))


def test_state_is_requested_once_while_it_is_trusted(source, later):
    reader = open_source(write("cog", source, SCENE))
    numbers_of(reader)
    before = source.count()

    for _ in range(5):
        reader.revision("NDVI", 0)
    at_once = source.count() - before
    later()
    reader.revision("NDVI", 0)

    assert (at_once, source.count() - before) == (0, 1)


def test_file_of_a_server_that_ignores_range_is_refused(source):
    spec = write("cog", source, SCENE)
    source.switch(Fault.IGNORE_RANGE)

    with pytest.raises(UnsupportedSource, match="ignores the header Range"):
        open_source(spec)


@pytest.mark.parametrize("kind", ["cog", "zarr"])
def test_source_at_the_root_of_a_server_is_named_by_its_host(kind, source):
    spec = make_spec(kind, source.url_of(""))
    source.refuse()

    with pytest.raises(UnsupportedSource) as refused:
        open_source(spec)

    assert refused.value.message.startswith(f"{spec.href.rstrip('/')} cannot be opened: ")


@pytest.mark.parametrize("kind", STORES)
def test_store_of_whole_chunks_needs_no_range(kind, source):
    spec = write(kind, source, SCENE)
    source.switch(Fault.IGNORE_RANGE)

    assert np.array_equal(numbers_of(open_source(spec)), SCENE.numbers(0))


def test_store_of_shards_of_a_server_that_ignores_range_is_refused(source):
    spec = write("zarr-v3", source, SCENE, shards=(1, 480, 640))
    source.switch(Fault.IGNORE_RANGE)

    with pytest.raises(UnsupportedSource, match="ignores the header Range"):
        open_source(spec)


def test_server_that_begins_to_ignore_range_gives_no_wrong_pixel(source):
    reader = open_source(write("cog", source, SCENE))
    reader.close()  # opened again by the next read
    source.switch(Fault.IGNORE_RANGE)

    with pytest.raises(SourceUnavailable):
        numbers_of(reader)


def test_one_read_requests_neighbours_together(source):
    reader = open_source(write("cog", source, SCENE))
    numbers_of(reader, Window(0, 1, 0, 1))
    before = source.count()

    numbers_of(reader)

    assert source.count() - before <= 2  # of 1,200 blocks


def test_vrt_is_read_with_the_files_next_to_it(source):
    write("cog", source, SCENE)
    (source.folder / "a.vrt").write_text(f"""
<VRTDataset rasterXSize="640" rasterYSize="480">
  <SRS>EPSG:32631</SRS><GeoTransform>500000, 10, 0, 5650000, 0, -10</GeoTransform>
  <VRTRasterBand dataType="Byte" band="1"><NoDataValue>{NODATA}</NoDataValue>
    <SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>
  </VRTRasterBand>
</VRTDataset>""")
    reader = open_source(make_spec("cog", source.url_of("a.vrt")))
    numbers = numbers_of(reader, Window(0, 100, 0, 100))
    source.switch(Fault.UNAVAILABLE, "a.tif")

    with pytest.raises(SourceUnavailable):
        numbers_of(reader)

    assert np.array_equal(numbers, SCENE.numbers(0)[:100, :100])


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_a_remote_source_are_checked(kind, source):
    spec = write(kind, source, SCENE)

    assert list(kind_of_spec(spec).findings(spec, ())) == []

    source.switch(Fault.SERVER_ERROR)
    looks.forget()
    with pytest.raises(UnsupportedSource):
        list(kind_of_spec(spec).findings(spec, ()))
