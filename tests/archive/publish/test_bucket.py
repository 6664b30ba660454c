"""Publishing to S3: an own server (moto) that checks signatures."""

import hashlib
import json

import pytest

from chronotile.archive.publish.bucket import PART_BYTES, BucketTarget
from chronotile.archive.publish.documents import ITEMS
from chronotile.archive.publish.publication import CatalogueOptions, PublishedAsset
from chronotile.archive.publish.sources import GeneratedFile, RemoteSourceFile, files_below
from chronotile.archive.publish.write import write_publication
from chronotile.core.errors import ConfigurationError, SourceUnavailable, UnsupportedSource, WriteFailed
from tests.archive.publish.published import check
from tests.archive.publish.test_write import Broken, item, publication
from tests.s3 import SignedServer, serving_s3

pytestmark = pytest.mark.client("moto_server")


@pytest.fixture(scope="module")
def server():
    with serving_s3() as running:
        yield running


@pytest.fixture
def bucket(server, monkeypatch):
    """Return a new bucket."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.make_bucket()


def write(url, made):
    return write_publication(made, BucketTarget(url), CatalogueOptions(), served_by=ITEMS)


def download(target, folder):
    """Return all objects of a target, as files."""
    import obstore

    for some in obstore.list(target._store):
        for each in some:
            path = folder / each["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(obstore.get(target._store, each["path"]).bytes()))
    return folder


def test_catalogue_in_a_bucket_is_valid_and_updated(bucket, tmp_path):
    url = f"s3://{bucket}/published/one"
    write(url, publication(item("a", GeneratedFile("a.tif", b"one"))))

    changed = publication(item("a", GeneratedFile("a.tif", b"two")), item("b", GeneratedFile("b.tif", b"b")))
    summary = write(url, changed)

    assert (summary.added, summary.replaced) == (1, 1)
    assert {each.id for each in check(download(BucketTarget(url), tmp_path))} == {"a", "b"}
    assert write(url, changed).files == 0


def test_item_of_another_day_leaves_nothing_at_its_old_path(bucket, tmp_path):
    url = f"s3://{bucket}/published/moved"
    for day in ("2020-06-01", "2021-01-01"):
        write(url, publication(item("a", GeneratedFile("a.tif", b"one"), day=day)))

    (found,) = check(download(BucketTarget(url), tmp_path))
    assert found.id == "a"
    assert not (tmp_path / "2020").exists()


def test_large_files_are_sent_in_parts_and_hashed(bucket, tmp_path):
    url = f"s3://{bucket}/published/large"
    data = bytes(range(256)) * (PART_BYTES // 128)

    class Large(GeneratedFile):
        def parts(self):
            yield from (data[start : start + 1_000_000] for start in range(0, len(data), 1_000_000))

    write(url, publication(item("a", Large("large.tif", data))))

    check(download(BucketTarget(url), tmp_path))
    (copy,) = tmp_path.rglob("large.tif")
    assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(data).digest()


def test_a_file_that_cannot_be_read_to_its_end_is_no_object(bucket, tmp_path):
    url = f"s3://{bucket}/published/broken"

    summary = write(url, publication(item("a", Broken()), item("b", GeneratedFile("b.tif", b"b"))))

    assert summary.failures == ["a is left out: broken.tif cannot be read: Input/output error"]
    assert {each.id for each in check(download(BucketTarget(url), tmp_path))} == {"b"}


def test_a_bucket_that_holds_something_else_is_refused(bucket):
    url = f"s3://{bucket}/published/other"
    BucketTarget(url).write("mine.txt", b"mine", media_type="text/plain")

    with pytest.raises(UnsupportedSource, match="holds something else"):
        write(url, publication(item("a", GeneratedFile("a.tif", b"one"))))


def test_requests_are_signed(monkeypatch, tmp_path):
    with serving_s3(SignedServer) as signed:
        for name, value in signed.environment.items():
            monkeypatch.setenv(name, value)
        url = f"s3://{signed.bucket}"  # moto takes signatures of lists below a prefix for wrong

        write(url, publication(item("a", GeneratedFile("a.tif", b"one"))))

        check(download(BucketTarget(url), tmp_path))
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(WriteFailed, match="cannot be written or read"):
            write(url, publication(item("a", GeneratedFile("a.tif", b"two"))))


def test_a_folder_that_was_replaced_is_removed(bucket, tmp_path):
    url = f"s3://{bucket}/cube"
    for text in (b"one", b"two"):
        folder = {"c/0": GeneratedFile("0", text), "zarr.json": GeneratedFile("zarr.json", b"{}")}
        assets = (PublishedAsset(key="data", folder=folder, name="cube.zarr"),)
        write(url, publication(assets=assets))

    check(download(BucketTarget(url), tmp_path))
    assert [path.read_bytes() for path in tmp_path.rglob("c/0")] == [b"two"]


def test_files_of_a_bucket_are_copied(bucket, tmp_path):
    target = BucketTarget(f"s3://{bucket}/source")
    for name in ("cube.zarr/zarr.json", "cube.zarr/c/0/0"):
        target.write(name, name.encode(), media_type="application/octet-stream")

    files = files_below(f"s3://{bucket}/source/cube.zarr")

    assert list(files) == ["c/0/0", "zarr.json"]
    assert b"".join(files["c/0/0"].parts()) == b"cube.zarr/c/0/0"
    assert files["c/0/0"].state()
    with pytest.raises(SourceUnavailable, match=r"absent.tif cannot be read: its server answers 404"):
        RemoteSourceFile(f"s3://{bucket}/source/absent.tif").state()


@pytest.mark.parametrize("url", ["s3://", "s3://Bucket/a", "s3://bucket/../a", "gs://bucket/a", "s3://bucket/a?b"])
def test_invalid_urls_are_refused(url):
    with pytest.raises(ConfigurationError, match="--to must be a folder or like s3://bucket/prefix"):
        BucketTarget(url)


def test_documents_have_their_media_types(bucket):
    import obstore

    url = f"s3://{bucket}/published/types"
    write(url, publication(item("a", GeneratedFile("a.tif", b"one"))))

    store = BucketTarget(url)._store
    found = obstore.get(store, "2020/06/01/a/a.json")
    assert found.attributes["Content-Type"] == "application/geo+json"
    assert json.loads(bytes(found.bytes()))["id"] == "a"
