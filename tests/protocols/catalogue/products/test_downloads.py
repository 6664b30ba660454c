"""Downloads of products through the whole application: whole files, parts, ZIP, and changed files."""

import hashlib
import io
import os
import zipfile
from base64 import b64encode
from email.utils import parsedate_to_datetime
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.app.application import ServerOptions
from chronotile.app.configured_archive import item_index
from chronotile.app.settings import Settings
from chronotile.core.errors import SourceChanged
from chronotile.pipeline.products import deliver_node, product_by_id
from tests.protocols.catalogue.products.conftest import Archive

MIB = 1 << 20
BYTES = bytes(range(251)) * 9000
"""More than two parts of a file; a part is read in one call."""
OLD_S = 1_590_000_000


def old(path):
    """Set an old modification time, so that the checksum of the file is stored."""
    os.utime(path, (OLD_S, OLD_S))
    return path


def test_single_file_of_a_product_is_sent_unchanged(archive):
    answer = archive.client.get(archive.put_file(BYTES))

    assert answer.status_code == 200
    assert answer.content == BYTES
    assert answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["content-type"] == "image/tiff; application=geotiff"
    assert answer.headers["content-disposition"] == 'attachment; filename="scene.tif"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert "content-encoding" not in answer.headers


def test_product_is_found_by_collection_and_item_too(archive):
    archive.put_file(b"some", id_="T31/a scene")

    assert archive.client.get("/products/s2/T31/a%20scene").content == b"some"


def test_head_has_the_headers_of_get(archive):
    url = archive.put_file(BYTES)
    head, whole = archive.client.head(url), archive.client.get(url)

    assert head.content == b""
    assert dict(head.headers) == dict(whole.headers)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-", 10, len(BYTES)),
        ("bytes=-5", len(BYTES) - 5, len(BYTES)),
        (f"bytes={MIB - 1}-{2 * MIB}", MIB - 1, 2 * MIB + 1),
        ("bytes=5-99999999999", 5, len(BYTES)),
    ],
)
def test_a_range_of_bytes_is_206(archive, asked, start, stop):
    answer = archive.client.get(archive.put_file(BYTES), headers={"Range": asked})

    assert answer.status_code == 206
    assert answer.content == BYTES[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(BYTES)}"


def test_several_ranges_get_the_whole(archive):
    answer = archive.client.get(archive.put_file(BYTES), headers={"Range": "bytes=0-1,5-6"})

    assert (answer.status_code, answer.content) == (200, BYTES)


def test_a_range_beyond_the_end_is_416_with_the_size(archive):
    answer = archive.client.get(archive.put_file(b"four"), headers={"Range": "bytes=4-"})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */4"
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_empty_file_has_no_bytes(archive):
    answer = archive.client.get(archive.put_file(b""))

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


def test_text_is_not_compressed_so_that_ranges_stay_valid(archive):
    text = b"<metadata/>" * 1000
    url = archive.put("a", {"metadata": str(archive.write("MTD.xml", text))})
    answer = archive.client.get(url, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-type"] == "application/xml"
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(text))


def test_who_holds_the_file_gets_304(archive):
    url = archive.put_file(BYTES)
    etag = archive.client.get(url).headers["etag"]
    answer = archive.client.get(url, headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag


def test_the_rest_of_a_file_that_was_replaced_is_the_new_one_from_its_start(archive):
    url = archive.put_file(b"the first bytes")
    etag = archive.client.get(url).headers["etag"]
    part = {"Range": "bytes=4-", "If-Range": etag}
    assert archive.client.get(url, headers=part).content == b"first bytes"

    (archive.folder / "new").write_bytes(b"other bytes now")
    (archive.folder / "new").replace(archive.folder / "scene.tif")

    answer = archive.client.get(url, headers=part)
    assert (answer.status_code, answer.content) == (200, b"other bytes now")
    assert answer.headers["etag"] != etag


def test_last_modified_is_the_time_of_the_file(archive):
    url = archive.put_file(b"old")
    old(archive.folder / "scene.tif")

    assert parsedate_to_datetime(archive.client.get(url).headers["last-modified"]).timestamp() == OLD_S


def test_several_files_are_a_zip(archive):
    files = {"B04.jp2": BYTES, "B08.jp2": BYTES[::-1], "notes.txt": b""}
    answer = archive.client.get(
        archive.put("a scene", {name[:3]: str(archive.write(name, data)) for name, data in files.items()})
    )

    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="a scene.zip"'
    assert answer.headers["content-length"] == str(len(answer.content))
    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    assert {each: found.read(each) for each in found.namelist()} == {
        f"a scene/{name}": data for name, data in files.items()
    }


def test_files_of_one_name_keep_both(archive):
    first, second = archive.write("x/B04.tif", b"first"), archive.write("y/B04.tif", b"second")
    answer = archive.client.get(archive.put("a", {"x": str(first), "y": str(second)}))

    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert {each: found.read(each) for each in found.namelist()} == {"a/B04.tif": b"first", "a/y_B04.tif": b"second"}


SAFE = "S2A_MSIL2A_20200601.SAFE"
FILES = {
    "manifest.safe": b"<xfdu/>",
    "MTD_MSIL2A.xml": b"<metadata/>" * 99,
    "GRANULE/L2A_T31UFS/IMG_DATA/R10m/T31UFS_B04_10m.jp2": BYTES,
    "GRANULE/L2A_T31UFS/QI_DATA/\u00fcber.gml": b"<gml/>",
}


@pytest.fixture
def safe(archive):
    """Path of a product with a SAFE folder of old files."""
    for name, data in FILES.items():
        old(archive.write(f"{SAFE}/{name}", data))
    (archive.folder / SAFE / "AUX_DATA").mkdir()
    return archive.put("a", {"product": str(archive.folder / SAFE)})


def test_a_safe_folder_is_a_zip_with_its_empty_folders(archive, safe):
    answer = archive.client.get(safe)

    assert answer.headers["content-disposition"] == f'attachment; filename="{SAFE}.zip"'
    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    assert {each: found.read(each) for each in found.namelist()} == {
        **{f"{SAFE}/{name}": data for name, data in FILES.items()},
        f"{SAFE}/AUX_DATA/": b"",
    }


def test_a_file_inside_a_folder_and_a_folder_inside_are_sent_alone(archive, safe):
    image = f"{safe}/nodes/product/GRANULE/L2A_T31UFS/IMG_DATA/R10m/T31UFS_B04_10m.jp2"
    answer = archive.client.get(image)
    assert (answer.content, answer.headers["content-type"]) == (BYTES, "image/jp2")
    assert archive.client.get(f"{safe}/nodes/product/GRANULE%2FL2A_T31UFS/QI_DATA/%C3%BCber.gml").content == b"<gml/>"

    inner = zipfile.ZipFile(io.BytesIO(archive.client.get(f"{safe}/nodes/product/GRANULE").content))
    assert sorted(inner.namelist()) == sorted(name for name in FILES if name.startswith("GRANULE"))


def test_an_asset_inside_a_folder_that_is_one_is_in_the_zip_once(archive, safe):
    folder = archive.folder / SAFE
    again = archive.put("b", {"product": str(folder), "metadata": str(folder / "MTD_MSIL2A.xml")})

    assert archive.client.get(again).content == archive.client.get(safe).content
    assert archive.client.get(f"{again}/nodes/metadata").content == FILES["MTD_MSIL2A.xml"]


def test_files_of_a_safe_folder_keep_their_places_in_it(archive, safe):
    assets = {str(number): str(archive.folder / SAFE / name) for number, name in enumerate(FILES)}
    answer = archive.client.get(archive.put("c", assets))

    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert sorted(names) == sorted(f"c/{SAFE}/{name}" for name in FILES)


def test_range_at_the_end_of_a_zip_equals_that_of_the_whole(archive, safe):
    end = archive.client.get(safe, headers={"Range": "bytes=-3000"})
    whole = archive.client.get(safe)

    assert end.status_code == 206
    assert end.content == whole.content[-3000:]
    assert end.headers["etag"] == whole.headers["etag"]


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(min_value=1), max_size=5))
def test_any_split_into_ranges_gives_the_same_bytes(shared_archive, cuts):
    archive, url, whole = shared_archive
    edges = sorted({0, len(whole), *(cut % len(whole) for cut in cuts)})

    parts = [
        archive.client.get(url, headers={"Range": f"bytes={start}-{stop - 1}"}).content
        for start, stop in pairwise(edges)
    ]

    assert b"".join(parts) == whole


@pytest.fixture(scope="module")
def shared_archive(tmp_path_factory):
    """A product of several files, and its bytes, for all examples."""
    folder = tmp_path_factory.mktemp("shared")
    place = folder / "c.yaml"
    place.write_text("collections: {}")
    index = item_index(Settings(config=place, jobs_dir=folder / "jobs"))
    archive = Archive(folder, index)
    with archive.client:
        assets = {
            str(number): str(old(archive.write(f"{number}.bin", os.urandom(number * 999)))) for number in range(4)
        }
        url = archive.put("a", assets)
        yield archive, url, archive.client.get(url).content
    index.close()


def test_the_same_zip_has_the_same_validator_until_a_file_changes(archive, safe):
    first = archive.client.head(safe).headers["etag"]
    assert archive.client.head(safe).headers["etag"] == first

    archive.write(f"{SAFE}/manifest.safe", b"<another/>")
    assert archive.client.head(safe).headers["etag"] != first


def test_the_validator_of_a_zip_has_the_times_of_empty_folders_as_its_bytes_have(archive, safe):
    folder = archive.folder / SAFE / "AUX_DATA"
    first = archive.client.get(safe)

    os.utime(folder, (1_000_000_000, 1_000_000_000))
    second = archive.client.get(safe)

    assert second.content != first.content
    assert second.headers["etag"] != first.headers["etag"]


def test_a_file_that_is_written_while_it_is_sent_ends_the_answer_early(archive):
    path = old(archive.write("scene.tif", BYTES))
    body = body_of(archive, "data", archive.put("a", {"data": str(path)}))
    parts = body.part(0, body.size)
    assert next(parts) == BYTES[:MIB]

    path.write_bytes(BYTES[::-1])

    with pytest.raises(SourceChanged, match="was written while it was read"):
        next(parts)


def test_a_file_that_is_replaced_while_it_is_sent_is_sent_to_its_end(archive):
    path = archive.write("scene.tif", BYTES)
    body = body_of(archive, "data", archive.put("a", {"data": str(path)}))
    parts = body.part(0, body.size)
    first = next(parts)

    archive.write("new", BYTES[::-1]).replace(path)

    assert first + b"".join(parts) == BYTES


def test_a_file_that_is_cut_off_while_it_is_sent_ends_the_answer_early(archive):
    path = archive.write("scene.tif", BYTES)
    body = body_of(archive, "data", archive.put("a", {"data": str(path)}))
    parts = body.part(0, body.size)
    next(parts)

    os.truncate(path, MIB + 1)

    with pytest.raises(SourceChanged):
        list(parts)


def body_of(archive, asset, url):
    product = product_by_id(UUID(url.removeprefix("/products/")), archive.services)
    return deliver_node(product, asset, archive.services).body


@pytest.mark.parametrize(("stated", "name"), [("1220", "sha256"), ("1340", "sha512")], ids=["sha-256", "sha-512"])
def test_a_checksum_that_the_item_states_is_a_header(archive, stated, name):
    digest = hashlib.new(name, BYTES)
    asset = {"href": str(archive.write("scene.tif", BYTES)), "file:checksum": stated + digest.hexdigest()}
    answer = archive.client.get(archive.put("a", {"data": asset}), headers={"Range": "bytes=0-9"})

    expected = b64encode(digest.digest()).decode()
    assert answer.headers["repr-digest"] == f"{name[:3]}-{name[3:]}=:{expected}:"


def test_a_checksum_of_a_file_of_another_size_is_not_believed(archive):
    asset = {"href": str(archive.write("scene.tif", BYTES)), "file:checksum": f"1220{'ab' * 32}", "file:size": 5}
    answer = archive.client.get(archive.put("a", {"data": asset}))

    assert "repr-digest" not in answer.headers


def test_concurrent_downloads_of_a_client_are_limited(make_archive):
    archive = make_archive(ServerOptions(client_downloads=1))
    url = archive.put_file(BYTES)
    with archive.app.state.chronotile.downloads.occupy("testclient"):
        answer = archive.client.get(url)
        head = archive.client.head(url)

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["status"] == 429
    assert head.status_code == 200
    assert archive.client.get(url).status_code == 200
    assert archive.app.state.chronotile.downloads.n_running == 0


def test_all_clients_together_have_only_so_many(make_archive):
    archive = make_archive(ServerOptions(downloads=2))
    url = archive.put_file(BYTES)
    slots = archive.app.state.chronotile.downloads
    with slots.occupy("192.0.2.1"), slots.occupy("192.0.2.2"):
        assert archive.client.get(url).status_code == 429
