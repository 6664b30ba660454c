"""Virtual chunks of Icechunk repositories: numbers of files in allowed containers only."""

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest

from chronotile.core.errors import AddressRefused, DateUnreadable
from chronotile.core.model.space.grid import Window
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote import buckets
from chronotile.readers.zarr.virtual_chunks import VirtualAccess
from tests.faulty_source import faulty_source
from tests.readers.zarr.reference_files import CHUNK, write_files
from tests.scenes import Scene, make_dataset, make_spec
from tests.walk.serving import served

icechunk = pytest.importorskip("icechunk", reason="the extra icechunk is not installed")

pytestmark = pytest.mark.slow

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)
WRITTEN_S = 1_600_000_000
"""Time of the files; a checksum of virtual chunks has whole seconds."""
CHECKSUM = datetime.fromtimestamp(WRITTEN_S, UTC) + timedelta(seconds=1)
NOWHERE = {
    "file": icechunk.local_filesystem_store("/"),
    "s3": icechunk.s3_store(region="eu-west-1", endpoint_url="http://127.0.0.1:9", allow_http=True),
    "gs": icechunk.gcs_store({"google_base_url": "http://127.0.0.1:9"}),
    "az": icechunk.ObjectStoreConfig.Azure({"account": "other", "endpoint": "http://127.0.0.1:9"}),
    "http": icechunk.http_store(),
}
"""Access that the repository states for each scheme, which the server must not use."""


@pytest.fixture(autouse=True)
def quiet():
    """No messages of the library, which writes them past Python."""
    icechunk.set_logs_filter("error")


@pytest.fixture
def folder(tmp_path):
    """A folder with a file per date, without compression."""
    (tmp_path / "archive" / "files").mkdir(parents=True)
    for path in write_files(tmp_path / "archive" / "files", SCENE, compression=None, shuffle=False):
        os.utime(path, (WRITTEN_S, WRITTEN_S))
    return tmp_path / "archive"


def write_repository(
    storage, files: Iterable[Path], urls: Iterable[str], *, containers: Iterable[str], checksum=None
) -> None:
    """Write a repository whose NDVI is in the files, one per date, at their URLs."""
    config = icechunk.RepositoryConfig.default()
    for prefix in containers:
        config.set_virtual_chunk_container(icechunk.VirtualChunkContainer(prefix, NOWHERE[prefix.partition(":")[0]]))
    repository = icechunk.Repository.create(storage, config)
    repository.save_config()
    session = repository.writable_session("main")
    encoding = {"NDVI": {"chunks": CHUNK, "compressors": None}, "time": {"units": "hours since 2000-01-01"}}
    other = make_dataset(replace(SCENE, shift=5))
    other.to_zarr(session.store, zarr_format=3, consolidated=False, encoding=encoding)
    for date, (path, url) in enumerate(zip(files, urls, strict=True)):
        with h5py.File(path) as file:
            chunks = [file["NDVI"].id.get_chunk_info(number) for number in range(file["NDVI"].id.get_num_chunks())]
        for chunk in chunks:
            row, column = (offset // size for offset, size in zip(chunk.chunk_offset[1:], CHUNK[1:], strict=True))
            session.store.set_virtual_ref(
                f"NDVI/c/{date}/{row}/{column}", url, offset=chunk.byte_offset, length=chunk.size, checksum=checksum
            )
    session.commit("virtual")


def write_local(folder: Path, files: Path, *, containers: Iterable[str] = (), checksum=None) -> Path:
    """Write a repository in a folder with virtual chunks in the files of another."""
    paths = sorted(files.glob("*.nc"))
    storage = icechunk.local_filesystem_storage(str(folder / "repo"))
    urls = [path.as_uri() for path in paths]
    write_repository(storage, paths, urls, containers=containers or [f"{files.as_uri()}/"], checksum=checksum)
    return folder / "repo"


def open_reader(href, *allowed: str):
    return open_source(make_spec("zarr", href), ReaderCaches(places=AllowedPlaces(allowed)))


def date(reader, index: int) -> np.ndarray:
    return reader.read_window("NDVI", index=index, level=0, window=ALL).numbers


def numbers_of(folder: Path) -> np.ndarray:
    """Return the numbers of all files by h5py."""
    return np.concatenate([h5py.File(path)["NDVI"][:] for path in sorted(folder.glob("*.nc"))])


def messages(reader) -> list[str]:
    return [finding.message for finding in reader.info.findings if finding.place == "virtual chunks"]


def test_numbers_equal_the_files(folder):
    reader = open_reader(write_local(folder, folder / "files", checksum=CHECKSUM))

    numbers = numbers_of(folder / "files")
    np.testing.assert_array_equal(np.stack([date(reader, index) for index in range(5)]), numbers)
    series = reader.read_cell("NDVI", indexes=[0, 2, 4], row=20, column=33).numbers
    np.testing.assert_array_equal(series, numbers[[0, 2, 4], 20, 33])
    assert not messages(reader)


def test_container_may_be_the_folder_of_the_repository(folder):
    reader = open_reader(write_local(folder, folder / "files", containers=[f"{folder.as_uri()}/"]))

    np.testing.assert_array_equal(date(reader, 3), numbers_of(folder / "files")[3])


def test_container_outside_is_a_finding_and_unreadable(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    reader = open_reader(write_local(tmp_path / "elsewhere", folder / "files"))

    (message,) = messages(reader)
    assert message.startswith(f"left out: the virtual chunks in {folder}/files: addresses below ")
    assert "the repository, and prefixes in CHRONOTILE_SOURCE_PREFIXES" in message
    for index in range(5):
        with pytest.raises(DateUnreadable):
            date(reader, index)


def test_container_that_the_operator_allows_is_read(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    reader = open_reader(write_local(tmp_path / "elsewhere", folder / "files"), str(folder))

    np.testing.assert_array_equal(date(reader, 3), numbers_of(folder / "files")[3])


def test_web_is_refused_with_a_prefix_too(folder):
    container = "http://example.org/a/"
    repository = write_local(folder, folder / "files", containers=[f"{folder.as_uri()}/", container])

    reader = open_reader(repository, "http://example.org/")

    (message,) = messages(reader)
    assert message.endswith("accepted are file://, s3://, gs:// and az://")
    np.testing.assert_array_equal(date(reader, 3), numbers_of(folder / "files")[3])


def test_link_out_of_the_container_is_refused(folder, tmp_path):
    outside = (folder / "files").rename(tmp_path / "outside")
    (folder / "files").mkdir()
    for path in outside.iterdir():
        (folder / "files" / path.name).symlink_to(path)

    with pytest.raises(AddressRefused, match=r"its virtual chunks are in 2020-\d\d-\d\d.nc: addresses below"):
        open_reader(write_local(folder, folder / "files"))


def test_replaced_file_is_an_unreadable_date(folder):
    reader = open_reader(write_local(folder, folder / "files", checksum=CHECKSUM))
    numbers = numbers_of(folder / "files")
    path = folder / "files" / "2020-01-21.nc"
    path.write_bytes(bytes(path.stat().st_size))

    with pytest.raises(DateUnreadable) as caught:
        date(reader, 2)

    assert "was replaced" in str(caught.value.__cause__)
    np.testing.assert_array_equal(date(reader, 3), numbers[3])


@pytest.mark.parametrize(("content", "reason"), [(None, "is missing"), (b"short", "ends before")])
def test_lost_file_is_an_unreadable_date(folder, content, reason):
    reader = open_reader(write_local(folder, folder / "files"))
    path = folder / "files" / "2020-01-21.nc"
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(DateUnreadable) as caught:
        date(reader, 2)

    assert reason in str(caught.value.__cause__)


def test_replaced_file_is_an_error_of_the_server(folder, tmp_path):
    write_local(folder, folder / "files", checksum=CHECKSUM)
    config = folder / "config.yaml"
    config.write_text("collections:\n  v: {source: {kind: zarr, href: repo}}\n")
    values = numbers_of(folder / "files")[:, 0, 0] * SCENE.scale + SCENE.offset

    with served(config, tmp_path / "state") as client:
        first = value_at(client, "2020-01-21")
        (folder / "files" / "2020-01-21.nc").write_bytes(b"")
        replaced = value_at(client, "2020-01-21", row=3)
        next_date = value_at(client, "2020-02-01")

    assert first.json()["features"][0]["properties"]["value"] == pytest.approx(values[2])
    assert next_date.json()["features"][0]["properties"]["value"] == pytest.approx(values[3])
    assert "ServiceException" in replaced.text


def value_at(client, time: str, row: int = 0):
    x, y = (int(value) for value in SCENE.transform @ (0, row))
    return client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=v.NDVI&QUERY_LAYERS=v.NDVI&STYLES=&CRS=EPSG:32631"
        f"&BBOX={x},{y - 10},{x + 10},{y}&WIDTH=1&HEIGHT=1&I=0&J=0&INFO_FORMAT=application/json&TIME={time}"
    )


# In buckets.


@pytest.fixture
def cloud(folder, monkeypatch):
    """A file server as the endpoint of Google and Azure, whose bucket `files` has the files."""
    for name in (*buckets._GOOGLE, *buckets._AZURE):
        monkeypatch.delenv(name, raising=False)
    buckets._google_store.cache_clear()
    buckets._azure_store.cache_clear()
    monkeypatch.setenv("GS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "account")
    with faulty_source(folder) as server:
        monkeypatch.setenv("GOOGLE_BASE_URL", server.url_of("").rstrip("/"))
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", server.url_of("").rstrip("/"))
        yield server


def write_for(bucket: str, folder: Path) -> Path:
    """Write a repository in a folder with virtual chunks in a bucket."""
    paths = sorted((folder / "files").glob("*.nc"))
    storage = icechunk.local_filesystem_storage(str(folder / "repo"))
    write_repository(storage, paths, urls_in(bucket, folder), containers=[bucket])
    return folder / "repo"


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_allowed_bucket_is_read_with_the_access_of_the_operator(cloud, folder, scheme):
    reader = open_reader(write_for(f"{scheme}://files/", folder), f"{scheme}://files/")

    np.testing.assert_array_equal(date(reader, 3), numbers_of(folder / "files")[3])


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_no_object_of_another_bucket_is_requested(cloud, folder, scheme):
    reader = open_reader(write_for(f"{scheme}://files/", folder), f"{scheme}://file/", f"{scheme}://files/a/")

    with pytest.raises(DateUnreadable):
        date(reader, 3)
    assert not cloud.requests
    assert len(messages(reader)) == 1


@pytest.fixture
def s3(s3_server, monkeypatch):
    """The S3 server, whose access is in the environment."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server


def write_remote(server, folder: Path, urls: list[str], *, containers: Iterable[str], checksum=None) -> str:
    """Write a repository into a new bucket, with the files of a folder at these URLs; return its URL."""
    bucket = server.make_bucket()
    storage = icechunk.s3_storage(
        bucket=bucket,
        prefix="a/repo",
        region="eu-west-1",
        endpoint_url=server.address,
        allow_http=True,
        force_path_style=True,
        from_env=True,
    )
    paths = sorted((folder / "files").glob("*.nc"))[: len(urls)]
    write_repository(storage, paths, urls, containers=containers, checksum=checksum)
    return f"s3://{bucket}/a/repo"


def upload(server, folder: Path) -> tuple[str, list[str]]:
    """Upload the files into a new bucket; return its prefix and the tags of the files."""
    bucket = server.make_bucket()
    store = server.store_of(bucket)
    paths = sorted((folder / "files").glob("*.nc"))
    return f"s3://{bucket}/files/", [store.put(f"files/{path.name}", path.read_bytes())["e_tag"] for path in paths]


def urls_in(prefix: str, folder: Path) -> list[str]:
    return [f"{prefix}{path.name}" for path in sorted((folder / "files").glob("*.nc"))]


@pytest.mark.client("moto_server")
def test_files_in_another_bucket_need_a_prefix(s3, folder):
    prefix, _tags = upload(s3, folder)
    href = write_remote(s3, folder, urls_in(prefix, folder), containers=[prefix])

    with pytest.raises(DateUnreadable):
        date(open_reader(href), 3)

    reader = open_reader(href, prefix)
    np.testing.assert_array_equal(np.stack([date(reader, index) for index in range(5)]), numbers_of(folder / "files"))


@pytest.mark.client("moto_server")
def test_replaced_object_is_an_unreadable_date(s3, folder):
    prefix, tags = upload(s3, folder)
    href = write_remote(s3, folder, urls_in(prefix, folder)[:1], containers=[prefix], checksum=tags[0])
    reader = open_reader(href, prefix)
    np.testing.assert_array_equal(date(reader, 0), numbers_of(folder / "files")[0])

    s3.store_of(prefix.split("/")[2]).put("files/2020-01-01.nc", bytes(100_000))

    with pytest.raises(DateUnreadable) as caught:
        date(reader, 0)
    assert "was replaced" in str(caught.value.__cause__)
    np.testing.assert_array_equal(date(reader, 3), replace(SCENE, shift=5).numbers(3))


@pytest.mark.client("moto_server")
def test_missing_object_is_an_unreadable_date(s3, folder):
    prefix, _tags = upload(s3, folder)
    reader = open_reader(write_remote(s3, folder, urls_in(prefix, folder), containers=[prefix]), prefix)
    s3.store_of(prefix.split("/")[2]).delete("files/2020-01-01.nc")

    with pytest.raises(DateUnreadable) as caught:
        date(reader, 0)
    assert "is missing" in str(caught.value.__cause__)


@pytest.mark.client("moto_server")
def test_repository_in_a_bucket_names_no_file_here(s3, folder):
    container = f"{folder.as_uri()}/"
    href = write_remote(s3, folder, urls_in(f"{container}files/", folder), containers=[container])

    reader = open_reader(href, str(folder))

    assert "documents from other machines may not name files of this one" in messages(reader)[0]
    with pytest.raises(DateUnreadable):
        date(reader, 0)


def test_container_with_a_name_instead_of_an_address_is_skipped():
    """Older versions of icechunk stored names, such as `s3`."""
    access = VirtualAccess(["s3"], lambda location: location)

    assert access.containers == {}
    (finding,) = access.findings
    assert finding.message.startswith("left out: the virtual chunks in s3: its address is unknown")
