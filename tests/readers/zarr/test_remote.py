"""Zarr stores elsewhere: damaged and refused chunks, credentials that are renewed, buckets whose requester pays."""

import shutil
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from chronotile.core.errors import DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.elsewhere import away_of
from chronotile.readers.kinds import open_source
from chronotile.readers.remote import files as remote_files
from chronotile.readers.remote.gates import MAX_CLOSED_S, MAX_LATE, Gates, TooLate
from chronotile.readers.remote.requests import Refused
from tests.faulty_source import Fault
from tests.listener import listener
from tests.readers.remote_scenes import write_here
from tests.readers.test_sources_in_s3 import upload
from tests.s3 import SignedServer, serving_s3
from tests.scenes import Scene, make_dataset, make_spec, save_zarr

pytestmark = pytest.mark.slow

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)
CHUNKS = {"zarr-v2": "0/NDVI/1.0.1", "zarr-v3": "0/NDVI/c/1/0/1"}
"""A chunk of the second date."""


@pytest.fixture(params=CHUNKS)
def kind(request):
    """Return a version of stores."""
    return request.param


def write(kind, folder, scene=SCENE):
    """Return the name of a store of the scene."""
    return write_here(kind, folder, scene, chunks=(1, 16, 16))


def date(reader, index):
    return reader.read_window("NDVI", index=index, level=0, window=ALL).numbers


def require_unreadable(reader, index):
    """One date is unreadable; another is read, and a series without it."""
    with pytest.raises(DateUnreadable):
        date(reader, index)
    np.testing.assert_array_equal(date(reader, 2), SCENE.numbers(2))


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, None], ids=["empty", "no chunk", "half"])
def test_damaged_chunk_is_an_unreadable_date_until_it_is_replaced(kind, source, content):
    name = write(kind, source.folder)
    chunk = f"{name}/{CHUNKS[kind]}"
    whole = (source.folder / chunk).read_bytes()
    reader = open_source(make_spec("zarr", source.url_of(name)))
    source.replace(chunk, whole[: len(whole) // 2] if content is None else content)

    require_unreadable(reader, 1)
    source.replace(chunk, whole)
    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_no_chunk_is_requested_from_a_server_that_hangs(kind, source, monkeypatch):
    now_s = [100.0]
    gates = Gates(lambda: now_s[0])
    monkeypatch.setattr("chronotile.readers.zarr.remote.gates", gates)
    name = write(kind, source.folder)
    reader = open_source(make_spec("zarr", source.url_of(name)))
    gate = gates.of(source.url)
    for _ in range(MAX_LATE):
        with suppress(TooLate), gate.passing():
            raise TooLate

    with pytest.raises(SourceUnavailable, match="the data of NDVI in collection made cannot be read; try again later"):
        date(reader, 1)

    assert source.count(f"{name}/{CHUNKS[kind]}") == 0
    now_s[0] += MAX_CLOSED_S
    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_chunk_that_is_cut_off_once_is_fetched_again(kind, source):
    name = write(kind, source.folder)
    reader = open_source(make_spec("zarr", source.url_of(name)))
    source.switch(Fault.CUT_WITHOUT_LENGTH, f"{name}/{CHUNKS[kind]}", times=1)

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_chunk_that_is_refused_may_be_missing_and_is_an_unreadable_date(kind, source):
    name = write(kind, source.folder)
    reader = open_source(make_spec("zarr", source.url_of(name)))
    source.switch(Fault.FORBIDDEN, f"{name}/{CHUNKS[kind]}")

    require_unreadable(reader, 1)
    source.heal()
    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_store_that_is_refused_as_a_whole_is_unavailable(kind, source):
    name = write(kind, source.folder)
    reader = open_source(make_spec("zarr", source.url_of(name)))
    source.switch(Fault.FORBIDDEN)

    with pytest.raises(SourceUnavailable) as caught:
        date(reader, 1)
    assert not isinstance(caught.value, DateUnreadable)


# S3 that checks signatures.


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A server with stores of both versions in its bucket."""
    folder = tmp_path_factory.mktemp("signed")
    for kind in CHUNKS:
        (folder / kind).mkdir()
        write(kind, folder / kind)
    with serving_s3(SignedServer) as server:
        server.upload(folder)
        yield server


@pytest.fixture
def credentials(signed, monkeypatch, tmp_path):
    """`credentials(secret)` writes the shared file of the reader's key with this secret, or with the right one."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.setenv(name, signed.environment[name])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(place))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    def write_file(secret=None):
        key, right = (signed.environment[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
        place.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret or right}\n")
        remote_files.looks.forget()

    write_file()
    return write_file


def store_of(kind):
    return make_spec("zarr", f"s3://scenes/{kind}/made.zarr")


@pytest.mark.client("moto_server")
def test_store_in_s3_is_read_with_signatures(kind, credentials):
    reader = open_source(store_of(kind))

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


@pytest.mark.client("moto_server")
def test_wrong_signature_is_unavailable_and_a_renewed_key_is_used_without_a_restart(kind, credentials):
    reader = open_source(store_of(kind))
    credentials(secret="a wrong one")
    with pytest.raises(SourceUnavailable) as caught:
        date(reader, 1)
    credentials()

    assert not isinstance(caught.value, DateUnreadable)
    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


@pytest.mark.client("moto_server")
def test_array_that_failed_for_its_credentials_is_opened_again(kind, credentials):
    reader = open_source(store_of(kind))
    credentials(secret="a wrong one")
    for index in (2, 3):
        with pytest.raises(SourceUnavailable):
            date(reader, index)
    credentials()

    np.testing.assert_array_equal(date(reader, 2), SCENE.numbers(2))


# Who pays.


@pytest.mark.parametrize(("variables", "header"), [({"AWS_REQUEST_PAYER": "requester"}, "requester"), ({}, None)])
def test_requests_for_parts_have_the_requester_pays_header(monkeypatch, variables, header):
    monkeypatch.delenv("AWS_REQUEST_PAYER", raising=False)
    for name, value in ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"} | variables).items():
        monkeypatch.setenv(name, value)
    with listener() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        with pytest.raises(Refused):
            remote_files.looks.state("s3://bucket/a.tif")

        assert [each.headers.get("x-amz-request-payer") for each in server.asked] == [header]


@pytest.fixture
def paid(source, monkeypatch):
    """Replace the server's files by a bucket with requester pays, `s3://bucket`."""
    (source.folder / "bucket").mkdir()
    source.payer = "requester"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REQUEST_PAYER": "requester"}
    for name, value in ({"AWS_ENDPOINT_URL_S3": source.url} | keys).items():
        monkeypatch.setenv(name, value)
    return source


@pytest.mark.parametrize(
    ("kind", "encoding"), [("zarr-v2", {}), ("zarr-v3", {}), ("zarr-v3", {"shards": (1, 32, 48)})],
    ids=["version 2", "version 3", "shards"],
)  # fmt: skip
def test_store_whose_requester_pays_is_read(kind, paid, encoding):
    name = write_here(kind, paid.folder / "bucket", SCENE, chunks=(1, 16, 16), **encoding)

    reader = open_source(make_spec("zarr", f"s3://bucket/{name}"))

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))
    series = reader.read_cell("NDVI", indexes=[0, 2, 4], row=20, column=33).numbers
    np.testing.assert_array_equal(series, SCENE.cube()[[0, 2, 4], 20, 33])


def test_missing_chunk_of_a_requester_pays_store_is_distinguished_from_a_refused_one(kind, paid):
    name = write(kind, paid.folder / "bucket")
    chunk = f"bucket/{name}/{CHUNKS[kind]}"
    reader = open_source(make_spec("zarr", f"s3://bucket/{name}"))
    paid.switch(Fault.FORBIDDEN, chunk)
    require_unreadable(reader, 1)
    paid.heal()
    (paid.folder / chunk).unlink()

    blank = date(reader, 1)

    assert (blank[:16, 16:32] == {"zarr-v2": 255, "zarr-v3": 0}[kind]).all()
    np.testing.assert_array_equal(blank[16:], SCENE.numbers(1)[16:])


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.CUT, Fault.FORBIDDEN, Fault.CUT_AT_ONCE], ids=str)
def test_store_whose_requester_pays_fails_as_a_whole_and_comes_back(kind, paid, fault):
    name = write(kind, paid.folder / "bucket")
    reader = open_source(make_spec("zarr", f"s3://bucket/{name}"))
    paid.switch(fault)
    with pytest.raises(SourceUnavailable) as caught:
        date(reader, 1)
    paid.heal()

    assert not isinstance(caught.value, DateUnreadable)
    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


# Stores without consolidated metadata, and documents that are refused.


def write_alone(kind, folder, days=SCENE.days):
    """Write a store with arrays at its root, with only one document per array."""
    dataset = make_dataset(replace(SCENE, days=days))
    save_zarr(dataset, folder / "alone.zarr", version=int(kind[-1]), NDVI={"chunks": (1, 16, 16)})
    return "alone.zarr"


def test_unconsolidated_store_is_found_by_the_names_of_its_variables(kind, source):
    reader = open_source(make_spec("zarr", source.url_of(write_alone(kind, source.folder))))

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))
    np.testing.assert_array_equal(reader.info.variables["NDVI"].times.instants, SCENE.times)
    assert reader.info.variables["NDVI"].grid.crs.name == SCENE.crs


def test_unconsolidated_store_without_names_is_refused_with_both_remedies(kind, source):
    spec = make_spec("zarr", source.url_of(write_alone(kind, source.folder)), variables={})

    with pytest.raises(UnsupportedSource, match="name its variables in the configuration, or consolidate"):
        open_source(spec)


def test_unconsolidated_store_that_grows_is_refused_until_it_is_opened_again(kind, source):
    name = write_alone(kind, source.folder, SCENE.days[:4])
    spec = make_spec("zarr", source.url_of(name))
    reader = open_source(spec)
    shutil.rmtree(source.folder / name)
    write_alone(kind, source.folder)
    remote_files.looks.forget()

    with pytest.raises(SourceUnavailable):
        date(reader, 1)
    np.testing.assert_array_equal(date(open_source(spec), 4), SCENE.numbers(4))


@pytest.mark.client("moto_server")
def test_unconsolidated_store_in_a_bucket_that_may_be_listed_needs_no_names(kind, s3_server, monkeypatch, tmp_path):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket()
    write_alone(kind, tmp_path)
    upload(s3_server, bucket, tmp_path)

    reader = open_source(make_spec("zarr", f"s3://{bucket}/data/alone.zarr", variables={}))

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_refused_documents_count_as_missing_if_others_exist(source):
    name = write("zarr-v3", source.folder)
    source.switch(Fault.FORBIDDEN, f"{name}/.zmetadata")

    reader = open_source(make_spec("zarr", source.url_of(name)))

    np.testing.assert_array_equal(date(reader, 1), SCENE.numbers(1))


def test_refused_attributes_do_not_count_as_missing(source):
    name = write_alone("zarr-v2", source.folder)
    source.switch(Fault.FORBIDDEN, f"{name}/NDVI/.zattrs")

    with pytest.raises(UnsupportedSource) as caught:
        open_source(make_spec("zarr", source.url_of(name)))
    assert away_of(caught.value) is not None
