"""Lists of files of products, and the answer for an item without files."""

import hashlib
import io
import os
import zipfile

import pytest
from jsonschema import Draft202012Validator

SAFE = "S2A.SAFE"


def schema_of(archive, name):
    document = archive.client.get("/openapi.json").json()
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_the_files_of_a_product_are_listed_with_their_sizes(archive):
    archive.write(f"{SAFE}/manifest.safe", b"<xfdu/>")
    digest = hashlib.sha256(b"four").hexdigest()
    red = {"href": str(archive.write("red.tif", b"four")), "title": "Red", "file:checksum": f"1220{digest}"}
    assets = {
        "red": red,
        "safe": str(archive.folder / SAFE),
        "gone": str(archive.folder / "gone.tif"),
        "secret": "/etc/hostname",
        "ftp": "ftp://example.com/a.tif",
    }
    url = archive.put("a", assets)
    document = archive.client.get(f"{url}/nodes").json()

    assert schema_of(archive, "Product").is_valid(document)
    assert (document["id"], document["item"], document["collection"]) == (url.rpartition("/")[2], "a", "s2")
    assert document["datetime"] == "2020-06-01T10:50:00Z"
    assert document["size"] is None
    assert sorted(document["withheld"]) == ["ftp", "secret"]
    known = {node["name"]: (node["type"], node["size"]) for node in document["nodes"]}
    assert known == {"red": ("file", 4), "safe": ("folder", None), "gone": ("missing", None)}
    assert document["nodes"][0]["title"] == "Red"
    assert document["nodes"][0]["checksum"] == {"sha-256": digest}
    assert archive.client.get(document["nodes"][0]["links"][0]["href"]).content == b"four"
    assert archive.client.get(f"{url}?f=json").json() == document


def test_the_size_of_a_product_is_the_sum_of_its_files(archive):
    url = archive.put("a", {"x": str(archive.write("x", b"123")), "y": str(archive.write("y", b"4567"))})

    assert archive.client.get(f"{url}/nodes").json()["size"] == 7


def test_contents_of_a_folder_are_listed(archive):
    archive.write(f"{SAFE}/GRANULE/x y.jp2", b"12345")
    archive.write(f"{SAFE}/manifest.safe", b"<xfdu/>")
    url = archive.put("a", {"safe": str(archive.folder / SAFE)})
    document = archive.client.get(f"{url}/nodes/safe?f=json").json()

    assert schema_of(archive, "ProductNode").is_valid(document)
    assert [(each["name"], each["type"], each["size"]) for each in document["nodes"]] == [
        ("GRANULE", "folder", None),
        ("manifest.safe", "file", 7),
    ]
    below = archive.client.get(document["nodes"][0]["links"][1]["href"]).json()
    assert archive.client.get(below["nodes"][0]["links"][0]["href"]).content == b"12345"


def test_a_file_with_a_line_break_in_its_name_is_at_its_own_link(archive):
    archive.write(f"{SAFE}/two\nlines.txt", b"12345")
    url = archive.put("a", {"safe": str(archive.folder / SAFE)})

    (node,) = archive.client.get(f"{url}/nodes/safe?f=json").json()["nodes"]
    answer = archive.client.get(node["links"][0]["href"])

    assert (node["name"], answer.content) == ("two\nlines.txt", b"12345")
    assert answer.headers["content-disposition"] == 'attachment; filename="two_lines.txt"'


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\u2028", "\x85"])
def test_no_saved_name_turns_the_direction_of_writing(archive, mark):
    archive.write(f"{SAFE}/picture{mark}gpj.exe", b"12345")
    url = archive.put("a", {"safe": str(archive.folder / SAFE)})

    (node,) = archive.client.get(f"{url}/nodes/safe?f=json").json()["nodes"]
    answer = archive.client.get(node["links"][0]["href"])
    zipped = zipfile.ZipFile(io.BytesIO(archive.client.get(url).content)).namelist()

    assert answer.headers["content-disposition"] == 'attachment; filename="picture_gpj.exe"'
    assert zipped == [f"{SAFE}/picture_gpj.exe"]


def test_checksum_is_computed_on_request_and_cached(archive):
    url = archive.put_file(b"bytes" * 999)
    path = archive.folder / "scene.tif"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    os.utime(path, (1, 1_590_000_000))
    node = f"{url}/nodes/data"
    assert "checksum" not in archive.client.get(f"{node}?f=json").json()

    assert archive.client.get(f"{node}?checksum=true").json()["checksum"] == {"sha-256": digest}
    assert archive.client.get(f"{node}?f=json").json()["checksum"] == {"sha-256": digest}
    assert archive.client.head(node).headers["repr-digest"].startswith("sha-256=:")


def test_item_without_files_links_to_its_values(archive):
    answer = archive.client.get(archive.put("2020-06-01", {}))

    assert answer.status_code == 404
    document = answer.json()
    assert "has nothing to download" in document["detail"]
    assert document["alternative"] == ("http://testserver/ogcapi/collections/s2/coverage?datetime=2020-06-01T10:50:00Z")
    assert archive.client.get("/products/s2/2020-06-01").json() == document


def test_addresses_of_products_are_documented(archive):
    document = archive.client.get("/products").json()

    assert "http://testserver/products/{id}/nodes" in [link["href"] for link in document["links"]]


@pytest.mark.parametrize("query", ["f=xml", "checksum=maybe"])
def test_parameters_that_are_not_accepted_are_refused(archive, query):
    answer = archive.client.get(f"{archive.put_file(b'')}/nodes/data?{query}")

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
