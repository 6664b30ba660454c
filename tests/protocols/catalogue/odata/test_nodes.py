"""Nodes of products: lists of files and folders, and links to their downloads."""

import pytest

from tests.protocols.catalogue.odata.test_routes import error_of
from tests.protocols.catalogue.products.conftest import index, make_archive  # noqa: F401 -- fixtures

ROOT = "/odata/v1"


@pytest.fixture
def archive(make_archive):  # noqa: F811
    return make_archive()


def nodes_of(archive, path):
    """Return names, sizes and numbers of children in a list."""
    answer = archive.client.get(path)
    assert answer.status_code == 200, answer.text
    return [(each["Name"], each["ContentLength"], each["ChildrenNumber"]) for each in answer.json()["result"]]


def products(path):
    """Return the OData path of a product's path."""
    return f"{ROOT}/Products({path.rpartition('/')[2]})"


def test_files_of_a_product_are_nodes(archive):
    files = {name: str(archive.write(f"{name}.tif", b"x" * size)) for name, size in (("B04", 3), ("B08", 5))}
    path = products(archive.put("scene", files))

    assert nodes_of(archive, f"{path}/Nodes") == [("scene", 0, 2)]
    assert nodes_of(archive, f"{path}/Nodes(scene)/Nodes") == [("B04", 3, 0), ("B08", 5, 0)]
    assert nodes_of(archive, f"{path}/Nodes(scene)/Nodes(B04)/Nodes") == []


def test_a_product_that_is_one_folder_has_its_files(archive):
    archive.write("S2.SAFE/manifest.safe", b"manifest")
    archive.write("S2.SAFE/GRANULE/a (1).jp2", b"pixels")
    path = products(archive.put("S2.SAFE", {"safe": str(archive.folder / "S2.SAFE")}))

    assert nodes_of(archive, f"{path}/Nodes(S2.SAFE)/Nodes") == [("GRANULE", 0, 1), ("manifest.safe", 8, 0)]
    listed = archive.client.get(f"{path}/Nodes('S2.SAFE')/Nodes(GRANULE)/Nodes").json()["result"]
    assert [each["Name"] for each in listed] == ["a (1).jp2"]
    assert nodes_of(archive, listed[0]["Nodes"]["uri"]) == []
    for names, data in (("Nodes(manifest.safe)", b"manifest"), ("Nodes(GRANULE)/Nodes(a%20%281%29.jp2)", b"pixels")):
        answer = archive.client.get(f"{path}/Nodes(S2.SAFE)/{names}/$value", follow_redirects=True)
        assert answer.content == data


def test_values_of_nodes_lead_to_downloads(archive):
    found = archive.put_file(b"pixels")
    path = products(found)

    leads = [archive.client.get(f"{path}{names}/$value") for names in ("/Nodes(scene)", "/Nodes(scene)/Nodes(data)")]
    assert [each.headers["location"] for each in leads] == [
        f"http://testserver{found}",
        f"http://testserver{found}/nodes/data",
    ]
    assert archive.client.get(leads[1].headers["location"]).content == b"pixels"


@pytest.mark.parametrize(
    "names",
    [
        *("Nodes(other)/Nodes", "Nodes(scene)/Nodes(none)/Nodes", "Nodes(scene)/Nodes(data)/Nodes(x)/Nodes"),
        *("Nodes(scene)", "Nodes()/Nodes", "Nodes(scene)/Nodes(..)/Nodes", "Nodes(scene)/Nodes(data%2F..%2F..)/Nodes"),
        *("nodes", "Nodes(scene)/x", "Nodes(" + "a" * 5000 + ")/Nodes", "Nodes(scene)/" * 300 + "x"),
        *("Nodes(%2e%2e%2f%2e%2e)/$value", "Nodes(scene)/Nodes(/etc/passwd)/Nodes"),
    ],
)
def test_unknown_nodes_are_not_found(archive, names):
    path = products(archive.put_file(b"pixels"))

    error_of(archive.client.get(f"{path}/{names}"), 404)


def test_path_with_dots_is_refused_by_the_download(archive):
    path = products(archive.put_file(b"pixels"))

    lead = archive.client.get(f"{path}/Nodes(scene)/Nodes(..%2F..%2Fetc)/$value")
    assert archive.client.get(lead.headers["location"]).status_code == 404


def test_files_elsewhere_are_listed_with_the_size_that_is_stated(make_archive):  # noqa: F811
    archive = make_archive(source="https://scenes.test/catalog.json")
    path = products(archive.put("scene", {"B04": {"href": "https://scenes.test/B04.tif", "file:size": 77}}))

    assert nodes_of(archive, f"{path}/Nodes(scene)/Nodes") == [("B04", 77, 0)]
    assert nodes_of(archive, f"{path}/Nodes(scene)/Nodes(B04)/Nodes") == []


def test_the_token_of_an_account_of_cdse_is_no_hindrance(archive):
    """CDSE clients send a token with each download, even after a redirect (`curl --location-trusted`)."""
    path = products(archive.put_file(b"pixels"))
    token = {"Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl"}

    answer = archive.client.get(f"{path}/$value", headers=token, follow_redirects=True)
    nodes = archive.client.get(f"{path}/Nodes", headers=token)

    assert (answer.status_code, answer.content) == (200, b"pixels")
    assert nodes.status_code == 200
