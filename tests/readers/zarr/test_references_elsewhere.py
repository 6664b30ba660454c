"""References of kerchunk at servers of the web and in S3: right numbers, an unreadable date, or an error that heals."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chronotile.core.errors import AddressRefused, DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.elsewhere import away_of
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote import files as remote_files
from tests.faulty_source import Fault, faulty_source
from tests.readers.test_sources_in_s3 import upload
from tests.readers.zarr.reference_files import references_to, write_files, write_json, write_parquet
from tests.running import until
from tests.scenes import Scene, make_spec

pytestmark = pytest.mark.slow

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)
FORMS = {"json": "refs.json", "parquet": "refs.parquet"}


@pytest.fixture
def source(tmp_path):
    """A server with a file for each date, and references to them in both forms."""
    folder = tmp_path / "files"
    folder.mkdir()
    refs = references_to(write_files(folder, SCENE))
    write_json(folder / FORMS["json"], refs)
    write_parquet(folder / FORMS["parquet"], refs)
    remote_files.looks.forget()
    with faulty_source(folder) as one:
        yield one
    remote_files.looks.forget()


def opened(source, form="json", **rest):
    return open_source(make_spec("zarr", source.url_of(FORMS[form])), ReaderCaches(**rest))


def date(reader, index):
    return reader.read_window("NDVI", index=index, level=0, window=ALL).numbers


def data_requests(source):
    return [request for request in source.requests if request.path.endswith(".nc")]


@pytest.mark.parametrize("form", FORMS)
def test_numbers_equal_those_of_the_files(source, form):
    reader = opened(source, form)

    found = reader.read_block("NDVI", indexes=range(5), window=ALL, along="time").numbers

    np.testing.assert_array_equal(found, SCENE.cube())


def test_chunks_that_lie_together_are_one_request(source):
    reader = opened(source)

    date(reader, 1)

    (request,) = data_requests(source)
    assert (request.method, request.path) == ("GET", "2020-01-11.nc")


def test_files_of_a_series_are_one_request_each_and_none_when_they_are_cached(source):
    reader = opened(source)
    for _ in range(2):
        series = reader.read_cell("NDVI", indexes=range(5), row=20, column=33).numbers

        np.testing.assert_array_equal(series, SCENE.cube()[:, 20, 33])
        assert sorted(request.path for request in data_requests(source)) == [f"{day}.nc" for day in SCENE.days]


def test_concurrent_reads_of_one_chunk_send_one_request(source):
    reader = opened(source)
    source.switch(Fault.UNAVAILABLE, "2020-01-11.nc", times=1)  # the attempt after it is after a while
    with ThreadPoolExecutor(8) as threads:
        reads = [threads.submit(date, reader, 1) for _ in range(8)]
        found = [each.result() for each in reads]

    assert all(np.array_equal(each, SCENE.numbers(1)) for each in found)
    assert len(data_requests(source)) == 2


FAILURES = [Fault.UNAVAILABLE, Fault.SERVER_ERROR, Fault.CUT_AT_ONCE, Fault.CUT, Fault.CUT_CHUNKED, Fault.SHORT]
FAILURES += [Fault.EMPTY, Fault.OTHER_RANGE, Fault.IGNORE_RANGE, Fault.NO_CONTENT]


@pytest.mark.parametrize("fault", FAILURES, ids=lambda fault: fault.name)
def test_failure_of_a_server_is_no_damage_and_passes(source, fault):
    reader = opened(source)
    source.switch(fault, "2020-01-11.nc")

    with pytest.raises(SourceUnavailable) as caught:
        date(reader, 1)
    source.heal()

    assert not isinstance(caught.value, DateUnreadable)
    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_one_failure_is_tried_again(source):
    reader = opened(source)
    source.switch(Fault.UNAVAILABLE, "2020-01-11.nc", times=1)

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.FORBIDDEN], ids=lambda fault: fault.name)
def test_file_that_a_server_does_not_give_is_an_unreadable_date(source, fault):
    reader = opened(source)
    source.switch(fault, "2020-01-11.nc")

    with pytest.raises(DateUnreadable):
        date(reader, 1)
    np.testing.assert_array_equal(date(reader, 2), SCENE.numbers(2))


def test_file_that_was_replaced_is_an_unreadable_date(source):
    reader = opened(source, max_bytes=0)
    date(reader, 1)
    source.replace("2020-01-11.nc", (source.folder / "2020-01-01.nc").read_bytes())

    with pytest.raises(DateUnreadable):
        date(reader, 1)
    np.testing.assert_array_equal(date(reader, 2), SCENE.numbers(2))


def test_file_that_is_shorter_than_its_references_is_an_unreadable_date(source):
    source.replace("2020-01-11.nc", (source.folder / "2020-01-11.nc").read_bytes()[:11_000])
    reader = opened(source)

    with pytest.raises(DateUnreadable):
        date(reader, 1)


@pytest.mark.parametrize("form", FORMS)
def test_references_that_are_written_again_are_read_once_the_source_is_opened_again(source, form):
    reader = opened(source, form)
    document = {"json": "refs.json", "parquet": "refs.parquet/.zmetadata"}[form]
    written = json.loads((source.folder / document).read_text())
    source.replace(document, json.dumps(written, indent=1).encode())
    remote_files.looks.forget()

    with pytest.raises(SourceUnavailable) as caught:
        reader.revision("NDVI", 0)

    assert not isinstance(caught.value, DateUnreadable)
    np.testing.assert_array_equal(date(opened(source, form), 1), SCENE.numbers(1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.FORBIDDEN, Fault.MISSING], ids=lambda f: f.name)
def test_references_that_cannot_be_fetched_do_not_open_until_they_can(source, form, fault):
    source.switch(fault)
    with pytest.raises(UnsupportedSource) as caught:
        opened(source, form)
    source.heal()

    assert away_of(caught.value) is not None
    np.testing.assert_array_equal(date(opened(source, form), 1), SCENE.numbers(1))


def test_storm_of_failures_gives_right_numbers_or_errors(source):
    reader = opened(source, max_bytes=0)
    right = wrong = 0
    for number in range(60):
        source.switch(FAILURES[number % len(FAILURES)], times=1, after=number % 3)
        try:
            found = date(reader, number % 5)
        except SourceUnavailable:
            continue
        right += int(np.array_equal(found, SCENE.numbers(number % 5)))
        wrong += int(not np.array_equal(found, SCENE.numbers(number % 5)))

    assert wrong == 0
    assert right > 0
    source.heal()
    until(lambda: np.array_equal(date(reader, 1), SCENE.numbers(1)))


@pytest.mark.parametrize("address", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.2/a.nc", "s3://bucket/a.nc"])
def test_addresses_at_other_servers_are_refused(source, address):
    write_json(
        source.folder / "refs.json", references_to(sorted(source.folder.glob("*.nc")), address=lambda _p: address)
    )

    with pytest.raises(AddressRefused):
        opened(source)


@pytest.mark.client("moto_server")
@pytest.mark.parametrize("form", FORMS)
def test_references_in_s3_to_files_of_their_bucket_are_read(source, s3_server, monkeypatch, form):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket()
    paths = sorted(source.folder.glob("*.nc"))
    write_json(source.folder / "refs.json", references_to(paths, address=lambda p: f"s3://{bucket}/data/{p.name}"))
    upload(s3_server, bucket, source.folder)

    reader = open_source(make_spec("zarr", f"s3://{bucket}/data/{FORMS[form]}"))

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))
