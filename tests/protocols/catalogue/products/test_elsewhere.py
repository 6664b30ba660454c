"""Remote files of products: forwarded from the web, redirected to buckets."""

import io
import os
import zipfile
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pytest

from chronotile.readers.remote.files import looks
from tests.redirecting_server import redirecting_server
from tests.s3 import SignedServer, serving_s3

pytestmark = pytest.mark.slow

MIB = 1 << 20
BYTES = os.urandom(2 * MIB + 5)


@pytest.fixture
def web():
    looks.forget()
    with redirecting_server({"/a.tif": BYTES, "/b.tif": b"small", "/empty.tif": b""}) as server:
        yield server


@pytest.fixture
def of_web(make_archive, web):
    return make_archive(source=f"{web.url}/catalog.json")


def test_a_file_of_the_web_is_sent_through_in_any_part(of_web, web):
    url = of_web.put("a", {"a": f"{web.url}/a.tif"})
    whole = of_web.client.get(url)
    part = of_web.client.get(url, headers={"Range": f"bytes={MIB - 2}-{MIB + 2}", "If-Range": whole.headers["etag"]})

    assert whole.content == BYTES
    assert (part.status_code, part.content) == (206, BYTES[MIB - 2 : MIB + 3])
    assert web.url not in str(whole.headers)


def test_files_of_the_web_are_a_zip(of_web, web):
    url = of_web.put("a", {"a": f"{web.url}/a.tif?token=secret", "b": f"{web.url}/b.tif"})
    answer = of_web.client.get(url)
    end = of_web.client.get(url, headers={"Range": "bytes=-100"})

    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert {each: found.read(each) for each in found.namelist()} == {"a/a.tif": BYTES, "a/b.tif": b"small"}
    assert end.content == answer.content[-100:]
    assert b"secret" not in answer.content


def test_a_file_that_is_not_there_names_no_server(of_web, web):
    answer = of_web.client.get(of_web.put("a", {"a": f"{web.url}/gone.tif"}))

    assert answer.status_code == 404
    assert web.url.removeprefix("http://") not in answer.text


def test_server_that_is_not_allowed_gets_no_request(of_web, web):
    with redirecting_server({"/a.tif": b"inside"}, address="127.0.0.2") as other:
        answer = of_web.client.get(of_web.put("a", {"a": f"{other.url}/a.tif"}))

        assert answer.status_code == 404
        assert other.requests == []


def test_a_redirect_of_the_server_is_not_followed(of_web, web):
    with redirecting_server({"/a.tif": b"inside"}, address="127.0.0.2") as other:
        web.leads["/a.tif"] = (302, f"{other.url}/a.tif")
        answer = of_web.client.get(of_web.put("a", {"a": f"{web.url}/a.tif"}))

        assert answer.status_code == 503
        assert other.url not in answer.text
        assert other.requests == []


def test_a_file_that_is_replaced_while_it_is_sent_ends_early(of_web, web):
    url = of_web.put("a", {"a": f"{web.url}/a.tif"})
    assert of_web.client.head(url).status_code == 200
    web.files["/a.tif"] = BYTES + b"more"

    answer = of_web.client.get(url, headers={"Range": "bytes=0-9"})

    assert answer.status_code == 503
    assert of_web.client.get(url).content == BYTES + b"more"


@pytest.fixture
def drawing(web):
    """Server with files that it sends only whole, like maps of this project."""
    web.files |= {"/map": b"drawn", "/large": bytes(MIB + 1)}
    web.whole = {"/map", "/large"}
    return web


def test_a_picture_that_is_drawn_is_no_file_of_the_product(of_web, drawing):
    shown = {"href": f"{drawing.url}/map", "roles": ["thumbnail"], "type": "image/png"}
    url = of_web.put("a", {"a": f"{drawing.url}/a.tif", "b": f"{drawing.url}/b.tif", "shown": shown})
    answer = of_web.client.get(url)

    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["a/a.tif", "a/b.tif"]
    assert answer.headers["warning"] == '199 - "left out: shown"'
    assert of_web.client.get(url, headers={"Range": "bytes=-100"}).content == answer.content[-100:]


def test_only_file_next_to_a_quicklook_is_the_product(of_web, drawing):
    shown = {"href": f"{drawing.url}/map", "roles": ["overview"]}
    answer = of_web.client.get(of_web.put("a", {"shown": shown, "b": f"{drawing.url}/b.tif"}))

    assert (answer.content, answer.headers["warning"]) == (b"small", '199 - "left out: shown"')


def test_product_generated_on_request_only_has_no_files(of_web, drawing):
    shown = {"href": f"{drawing.url}/map", "roles": ["thumbnail"]}
    store = {"href": f"{drawing.url}/large", "type": "application/vnd.zarr; version=3"}
    answer = of_web.client.get(of_web.put("a", {"shown": shown, "store": store}))

    assert answer.status_code == 404
    assert "no files of its own" in answer.json()["detail"]


@pytest.mark.parametrize("roles", [{}, {"roles": ["data", "overview"]}])
def test_data_without_range_requests_are_refused_not_omitted(of_web, drawing, roles):
    url = of_web.put("a", {"a": {"href": f"{drawing.url}/map", **roles}, "b": f"{drawing.url}/b.tif"})
    answer = of_web.client.get(url)

    assert answer.status_code == 503
    assert "asset 'a' cannot be sent with others: its server sends whole files" in answer.json()["detail"]


def test_a_picture_that_is_drawn_is_sent_alone_in_any_part(of_web, drawing):
    url = of_web.put("a", {"shown": {"href": f"{drawing.url}/map", "roles": ["thumbnail"], "type": "image/png"}})
    whole, part = of_web.client.get(url), of_web.client.get(url, headers={"Range": "bytes=2-9"})

    assert (whole.content, whole.headers["content-type"]) == (b"drawn", "image/png")
    assert (part.status_code, part.content, part.headers["etag"]) == (206, b"awn", whole.headers["etag"])


def test_a_large_file_without_parts_is_refused(of_web, drawing):
    answer = of_web.client.get(of_web.put("a", {"a": f"{drawing.url}/large"}))

    assert answer.status_code == 503
    assert "its server sends whole files where parts are requested" in answer.json()["detail"]


@pytest.fixture
def signed(monkeypatch, tmp_path):
    """A bucket of two objects that answers only signed requests."""
    looks.forget()
    folder = tmp_path / "objects" / "in" / "here"
    folder.mkdir(parents=True)
    (folder / "a.tif").write_bytes(BYTES)
    (folder / "b.tif").write_bytes(b"small")
    with serving_s3(SignedServer) as server:
        server.upload(folder.parent.parent)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_a_file_in_a_bucket_is_led_to_for_some_minutes(make_archive, s3_server, monkeypatch):
    looks.forget()
    bucket = s3_server.make_bucket()
    headers = {"Content-Type": "image/tiff"}
    with urlopen(Request(f"{s3_server.address}/{bucket}/a.tif", BYTES, headers, method="PUT")):
        pass
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    archive = make_archive(source=f"s3://{bucket}/")
    url = archive.put("a", {"a": f"s3://{bucket}/a.tif"})
    answer, head = archive.client.get(url), archive.client.head(url)

    assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
    location = answer.headers["location"]
    assert parse_qs(urlsplit(location).query)["X-Amz-Expires"] == ["300"]
    with urlopen(Request(location, headers={"Range": "bytes=3-9"})) as sent:
        assert (sent.status, sent.read()) == (206, BYTES[3:10])
    with urlopen(Request(head.headers["location"], method="HEAD")) as sent:
        assert sent.headers["Content-Length"] == str(len(BYTES))
    assert b"s3://" not in answer.content


def test_files_in_a_bucket_are_a_zip(make_archive, signed):
    archive = make_archive(source="s3://scenes/catalog.json")
    answer = archive.client.get(archive.put("a", {n: f"s3://scenes/in/here/{n}.tif" for n in "ab"}))

    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert {each: found.read(each) for each in found.namelist()} == {"a/a.tif": BYTES, "a/b.tif": b"small"}


def test_another_bucket_is_not_led_to(make_archive, signed):
    archive = make_archive(source="s3://scenes/catalog.json")
    answer = archive.client.get(archive.put("a", {"a": "s3://others/in/here/a.tif"}))

    assert answer.status_code == 404


def test_missing_object_gets_no_redirect(make_archive, signed):
    archive = make_archive(source="s3://scenes/catalog.json")
    answer = archive.client.get(archive.put("a", {"a": "s3://scenes/gone.tif"}))

    assert answer.status_code == 404
    assert "scenes" not in answer.text


def test_a_public_bucket_is_sent_through(make_archive, s3_server, monkeypatch):
    looks.forget()
    bucket = s3_server.make_bucket()
    headers = {"x-amz-acl": "public-read", "Content-Type": "image/tiff"}
    with urlopen(Request(f"{s3_server.address}/{bucket}/a.tif", b"public", headers, method="PUT")):
        pass
    for name, value in {**s3_server.environment, "AWS_NO_SIGN_REQUEST": "YES"}.items():
        monkeypatch.setenv(name, value)
    archive = make_archive(source=f"s3://{bucket}/")
    answer = archive.client.get(archive.put("a", {"a": f"s3://{bucket}/a.tif"}))

    assert (answer.status_code, answer.content) == (200, b"public")
