"""Icechunk repositories: the numbers of one snapshot, a newer one once the source is opened again."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray

from chronotile.core.errors import DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.elsewhere import away_of
from chronotile.readers.kinds import kind_of_path, kind_of_spec, open_source
from tests.scenes import Scene, make_dataset, make_spec

icechunk = pytest.importorskip("icechunk", reason="the extra icechunk is not installed")

pytestmark = pytest.mark.slow

SCENE = Scene()
LONGER = replace(SCENE, days=(*SCENE.days, "2020-02-21"))
ALL = Window(0, SCENE.height, 0, SCENE.width)


@pytest.fixture(autouse=True)
def quiet():
    """No messages of the library, which writes them past Python."""
    icechunk.set_logs_filter("error")


@pytest.fixture
def place(tmp_path):
    """Return a repository of the scene."""
    config = icechunk.RepositoryConfig(inline_chunk_threshold_bytes=0)  # each chunk is an object
    commit(icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "repo")), config), SCENE)
    return tmp_path / "repo"


def commit(repository, scene):
    """Write a scene as the next snapshot."""
    session = repository.writable_session("main")
    make_dataset(scene).to_zarr(
        session.store,
        mode="w",
        zarr_format=3,
        consolidated=False,
        encoding={"NDVI": {"chunks": (1, 16, 16)}, "time": {"units": "hours since 2000-01-01", "dtype": "int32"}},
    )
    return session.commit("next")


def reopened(place):
    return icechunk.Repository.open(icechunk.local_filesystem_storage(str(place)))


def read_all(reader, count=5):
    return np.stack([reader.read_window("NDVI", index=t, level=0, window=ALL).numbers for t in range(count)])


def test_numbers_and_times_equal_those_of_xarray(place):
    reader = open_source(make_spec("zarr", place))
    session = reopened(place).readonly_session("main")
    with xarray.open_zarr(session.store, consolidated=False, mask_and_scale=False) as theirs:
        np.testing.assert_array_equal(read_all(reader), theirs["NDVI"].values)

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    np.testing.assert_array_equal(reader.info.variables["NDVI"].times.instants, SCENE.times)
    series = reader.read_cell("NDVI", indexes=[0, 2, 4], row=20, column=33).numbers
    np.testing.assert_array_equal(series, SCENE.cube()[[0, 2, 4], 20, 33])


def test_reader_stays_at_its_snapshot_and_the_next_has_the_newer_one(place):
    before = open_source(make_spec("zarr", place))
    revision = before.revision("NDVI", 0)
    commit(reopened(place), LONGER)

    after = open_source(make_spec("zarr", place))

    np.testing.assert_array_equal(read_all(before), SCENE.cube())
    np.testing.assert_array_equal(read_all(after, 6), LONGER.cube())
    assert before.revision("NDVI", 0) == revision != after.revision("NDVI", 0)


def test_document_that_shows_a_new_snapshot_is_watched(place):
    files = kind_of_spec(make_spec("zarr", place)).files(make_spec("zarr", place))
    before = {path: Path(path).read_bytes() for path in files if Path(path).is_file()}
    commit(reopened(place), LONGER)

    assert {path: Path(path).read_bytes() for path in before} != before


def test_repository_is_found_as_a_source(place):
    assert kind_of_path(place).name == "zarr"


def test_lost_chunks_are_unreadable_dates(place):
    reader = open_source(make_spec("zarr", place))
    for chunk in (place / "chunks").iterdir():
        chunk.unlink()

    with pytest.raises(DateUnreadable):
        read_all(reader)


def test_damaged_chunks_are_unreadable_dates(place):
    reader = open_source(make_spec("zarr", place))
    for chunk in (place / "chunks").iterdir():
        chunk.write_bytes(bytes(chunk.stat().st_size))

    with pytest.raises(DateUnreadable):
        read_all(reader)


def test_missing_repository_is_unavailable(place):
    reader = open_source(make_spec("zarr", place))
    shutil.rmtree(place)

    with pytest.raises(SourceUnavailable) as caught:
        read_all(reader)
    assert not isinstance(caught.value, DateUnreadable)


@pytest.mark.skipif(icechunk.__version__.startswith("2."), reason="icechunk 2 reads both formats")
def test_repository_of_format_2_is_refused_with_the_remedy(place):
    shutil.rmtree(place / "refs")
    (place / "repo").write_bytes(b"the mark of format 2")

    with pytest.raises(UnsupportedSource, match=r"format 2, which needs icechunk 2 and Python 3\.12"):
        open_source(make_spec("zarr", place))


# In S3.


@pytest.fixture
def remote(s3_server, monkeypatch):
    """Return `make()`, which writes a repository into a bucket, and set the environment of a reader."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = s3_server.make_bucket()
    storage = icechunk.s3_storage(
        bucket=bucket, prefix="a/repo", region="eu-west-1", endpoint_url=s3_server.address, allow_http=True,
        force_path_style=True, from_env=True,
    )  # fmt: skip
    commit(icechunk.Repository.create(storage), SCENE)
    return f"s3://{bucket}/a/repo", storage


@pytest.mark.client("moto_server")
def test_repository_in_s3_is_read_and_a_newer_snapshot_noticed(remote, monkeypatch):
    href, storage = remote
    reader = open_source(make_spec("zarr", href))
    np.testing.assert_array_equal(read_all(reader), SCENE.cube())

    monkeypatch.setattr("chronotile.readers.zarr.repository.LOOK_S", 0)
    commit(icechunk.Repository.open(storage), LONGER)

    np.testing.assert_array_equal(read_all(reader), SCENE.cube())
    with pytest.raises(SourceUnavailable):
        reader.revision("NDVI", 0)
    np.testing.assert_array_equal(read_all(open_source(make_spec("zarr", href)), 6), LONGER.cube())


@pytest.mark.client("moto_server")
def test_s3_prefix_without_store_or_repository_is_unavailable(remote):
    href, _storage = remote

    with pytest.raises(UnsupportedSource) as caught:
        open_source(make_spec("zarr", f"{href}-not"))

    assert away_of(caught.value) is not None


def test_repository_is_recognised_without_its_first_snapshot(tmp_path):
    icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "repo")))
    (tmp_path / "repo" / "snapshots" / "1CECHNKREP0F1RSTCMT0").unlink()

    assert kind_of_path(tmp_path / "repo").name == "zarr"
