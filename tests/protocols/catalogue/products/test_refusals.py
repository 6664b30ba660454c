"""Other files of the machine are never sent, for any names, links and items."""

import io
import os
import zipfile
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.pipeline.download_names import safe_name
from chronotile.protocols.catalogue.products.downloads import disposition

SECRET = b"a secret of the operator"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def folder_product(archive, secret):
    """A product with a folder that contains links."""
    archive.write("scene/inner/a.txt", b"inner")
    archive.write("beside.txt", b"beside")
    scene = archive.folder / "scene"
    (scene / "out.txt").symlink_to(secret)
    (scene / "out").symlink_to(secret.parent)
    (scene / "beside.txt").symlink_to(archive.folder / "beside.txt")
    (scene / "loop").symlink_to(scene)
    os.mkfifo(scene / "pipe")
    return archive.put("a", {"scene": str(scene)})


def test_links_that_lead_outside_are_omitted(archive, folder_product):
    found = zipfile.ZipFile(io.BytesIO(archive.client.get(folder_product).content))

    assert {each: found.read(each) for each in found.namelist()} == {
        "scene/beside.txt": b"beside",
        "scene/inner/a.txt": b"inner",
    }


@pytest.mark.parametrize(
    "path",
    [
        *("out.txt", "out/secret.txt", "loop/inner/a.txt", "pipe", "%2e%2e", "../../secret.txt", "%2e%2e/secret.txt"),
        *("%2e%2e%2f%2e%2e%2fsecret.txt", "..%2f..%2fsecret.txt", "inner/../../secret.txt", "%2e/inner/a.txt"),
        *("inner//a.txt", "/etc/passwd", "%2fetc%2fpasswd", "inner%00/a.txt", "inner\\a.txt", "INNER/a.txt", "%ff", ""),
    ],
)
def test_a_name_is_looked_for_and_never_a_path(archive, folder_product, path):
    answer = archive.client.get(f"{folder_product}/nodes/scene/{path}")

    assert answer.status_code in {404, 307}
    assert SECRET not in answer.content


@pytest.mark.parametrize(
    "href",
    ["/etc/hostname", "file:///etc/hostname", "{folder}/../secret.txt", "/vsicurl/http://example.com/a.tif", "{link}"],
)
def test_a_file_outside_the_source_is_not_sent(archive, secret, href):
    link = archive.folder / "link.txt"
    link.symlink_to(secret)
    url = archive.put("a", {"x": href.format(folder=archive.folder, link=link)})

    for answer in (archive.client.get(url), archive.client.get(f"{url}/nodes/x")):
        assert answer.status_code == 404
        assert SECRET not in answer.content
        assert str(archive.folder) not in answer.text


@pytest.mark.parametrize("href", ["{folder}", "{folder}/", "file://{folder}/scene/..", "{folder}/..", "{link}"])
def test_the_folder_of_the_whole_source_is_no_file_of_an_item(make_archive, tmp_path, href):
    archive = make_archive(prefixes=[str(tmp_path)])
    archive.write("scene/a.txt", SECRET)
    link = archive.folder / "link"
    link.symlink_to(archive.folder)
    url = archive.put("a", {"x": href.format(folder=archive.folder, link=link), "y": str(archive.folder / "scene")})

    assert archive.client.get(f"{url}/nodes/x").status_code == 404
    assert archive.client.get(f"{url}/nodes/x/scene/a.txt").status_code == 404
    assert archive.client.get(f"{url}/nodes/y/a.txt").content == SECRET
    assert archive.client.get(url, headers={"Accept": "application/json"}).status_code == 200


def test_a_folder_that_the_operator_allows_is_sent(make_archive, secret):
    archive = make_archive(prefixes=[str(secret.parent)])

    assert archive.client.get(archive.put("a", {"x": str(secret)})).content == SECRET


def test_a_folder_too_deep_is_refused_not_sent_without_its_deepest_files(archive):
    deep = "scene/" + "d/" * 33
    archive.write(f"{deep}a.txt", b"a")

    answer = archive.client.get(archive.put("a", {"scene": str(archive.folder / "scene")}))

    assert answer.status_code == 400
    assert "folders within one another" in answer.json()["detail"]


def test_file_with_an_undecodable_name_is_sent_under_another(archive):
    archive.write("scene/a.txt", b"a")
    archive.write(os.fsdecode(b"scene/b\xff.txt"), b"b")
    product = archive.put("a", {"scene": str(archive.folder / "scene")})

    found = zipfile.ZipFile(io.BytesIO(archive.client.get(product).content))
    nodes = archive.client.get(f"{product}/nodes/scene?f=json").json()["nodes"]

    assert {each: found.read(each) for each in found.namelist()} == {"scene/a.txt": b"a", "scene/b\ufffd.txt": b"b"}
    assert archive.client.get(nodes[1]["links"][0]["href"]).content == b"b"


def test_a_file_that_becomes_a_link_between_is_not_followed(archive, secret):
    url = archive.put_file(b"scene")
    path = archive.folder / "scene.tif"
    path.unlink()
    path.symlink_to(secret)

    assert archive.client.get(url).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("/products/00000000-0000-5000-8000-000000000000", "/products/00000000-0000-5000-8000-000000000000/nodes/x"),
        *("/products/s2/nothing", "/products/s2/..%2f..%2fetc%2fpasswd", "/products/unknown/scene"),
        "/products/not-a-uuid",
    ],
)
def test_unknown_product_is_a_problem_without_a_path(archive, path):
    answer = archive.client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(archive.folder) not in answer.text


def test_product_with_a_missing_file_reports_it_without_its_path(archive):
    url = archive.put_file(b"scene")
    (archive.folder / "scene.tif").unlink()
    answer = archive.client.get(url)

    assert answer.status_code == 404
    assert "is not at its source now" in answer.json()["detail"]
    assert str(archive.folder) not in answer.text


def test_product_with_a_missing_part_is_not_sent_as_complete(archive):
    url = archive.put("a", {"x": str(archive.write("x", b"x")), "y": str(archive.folder / "y")})
    answer = archive.client.get(url)

    assert answer.status_code == 503
    assert "asset 'y'" in answer.json()["detail"]


paths = st.one_of(st.text(max_size=30), st.sampled_from(["s", "f", "f/x", "a/b", "f/x/y.txt", "s/", "a"]))
ranges = st.one_of(st.just(""), st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}(,[0-9]-[0-9])?", fullmatch=True))
queries = st.sampled_from(["", "?f=json", "?checksum=true", "?f="])


@pytest.mark.slow
def test_any_path_and_range_are_answered_without_a_fault(archive):
    assets = {
        "s": str(archive.write("S.SAFE/x/y.txt", b"1234")),
        "f": str(archive.folder / "S.SAFE"),
        "a/b": str(archive.write("b.bin", b"12345")),
    }
    url = archive.put("a", assets)

    @given(paths, ranges, queries, st.sampled_from(["GET", "HEAD"]))
    def check(path, part, query, method):
        answer = archive.client.request(method, f"{url}/nodes/{quote(path)}{query}", headers={"Range": part})
        assert answer.status_code in {200, 206, 307, 400, 404, 416}

    check()


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "text/html; charset=utf-8", "no type\r\nX: y"])
def test_file_that_browsers_would_run_is_sent_as_bytes(archive, media_type):
    asset = {"href": str(archive.write("page.html", b"<script>")), "type": media_type}
    answer = archive.client.get(archive.put("a", {"x": asset}))

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.tif", 'attachment; filename="a b.tif"'),
        ('a"b.tif', 'attachment; filename="a_b.tif"'),
        ("Löß.tif", "attachment; filename=\"L__.tif\"; filename*=UTF-8''L%C3%B6%C3%9F.tif"),
    ],
)
def test_a_file_is_saved_under_a_safe_name(archive, name, header):
    archive.write(f"scene/{name}", b"")
    url = archive.put("a", {"scene": str(archive.folder / "scene")})
    answer = archive.client.get(archive.client.get(f"{url}/nodes/scene?f=json").json()["nodes"][0]["links"][0]["href"])

    assert answer.headers["content-disposition"] == header


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a;b%41.tif", "attachment; filename=\"a;b_41.tif\"; filename*=UTF-8''a%3Bb%2541.tif"),
        ("plain.tif", 'attachment; filename="plain.tif"'),
    ],
)
def test_file_name_in_a_header_is_unambiguous_for_browsers(name, expected):
    assert disposition(name) == expected


@given(st.text())
def test_any_name_becomes_the_name_of_a_file(text):
    name = safe_name(text)

    assert name
    assert name not in {".", ".."}
    assert not set(name) & set('/\\\r\n\0:*?"<>|')
    assert len(name) <= 180
    assert disposition(name).isascii()
