"""HTML pages of the tree show the content of its documents, with working links."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest
from affine import Affine
from lxml import html

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.periods import DEKAD, Period
from tests.protocols import served
from tests.protocols.served import days_of

YEAR = served.np.datetime64("2020-01-01", "ns")


def page(client, path):
    return client.get(path, params={"f": "html"}).text


def pasted(text):
    return [unescape(href) for href in re.findall(r'<dd><a href="([^"]+)"><code>', text)]


@pytest.mark.parametrize("name", ["s2", "NDVI", "FAPAR", "HEIGHT", "DMP", "TRUE_COLOUR", "CROP"])
def test_addresses_to_paste_are_answered(tree, name):
    addresses = pasted(page(tree, f"/ogcapi/collections/{name}"))

    assert addresses
    assert {address: tree.get(address).status_code for address in addresses} == dict.fromkeys(addresses, 200)


def test_addresses_to_paste_about_a_pole_are_answered(make_client):
    transform = Affine(20_000, 0, -3_000_000, 0, -20_000, 3_000_000)
    grid = NativeGrid(crs=crs_of("EPSG:3413"), transform=transform, width=300, height=300)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    client = make_client(served.make_services(served.make_collection(layer)))

    addresses = pasted(page(client, "/ogcapi/collections/NDVI"))

    assert [client.get(address).status_code for address in addresses] == [200, 200, 200]


def test_a_collection_shows_its_fields_extent_and_credits(tree):
    text = page(tree, "/ogcapi/collections/s2")

    assert all(word in text for word in ("LAI", "m2 m-2", "Copernicus &amp; co", "CC-BY-4.0"))


@pytest.mark.parametrize("name", ["s2", "NDVI", "HEIGHT", "TRUE_COLOUR", "CROP"])
def test_pictures_and_links_of_a_collection_are_answered(tree, name):
    address = f"/ogcapi/collections/{name}"
    shown = html.document_fromstring(page(tree, address)).xpath("//section[@class='explore']")[0]

    links = [urljoin(address, link) for link in shown.xpath(".//a/@href | .//img/@src")]
    assert urljoin(address, shown.get("data-root")) == "/"
    assert {link: tree.get(link).status_code for link in links} == dict.fromkeys(links, 200)


@pytest.fixture
def viewer_tree(viewer_client):
    """The page of a collection of a server with the viewer's files, as a tree."""

    def read(name):
        answer = viewer_client.get(f"/ogcapi/collections/{name}", params={"f": "html"})
        return html.document_fromstring(answer.text), answer.headers["content-security-policy"]

    return read


def test_collection_has_a_chart_of_each_layer_if_there_is_a_viewer(viewer_tree):
    tree, policy = viewer_tree("s2")

    options = {option.get("value"): option.get("data-values") for option in tree.xpath("//select/option")}
    assert options == {"NDVI": "yes", "TIMED": "yes", "RECENT": "yes", "UNDATED": "yes", "FUTURE": "yes"}
    assert tree.xpath("//script/@src") == ["../../viewer/pages/collection-page.js"]
    assert "script-src 'self'; connect-src 'self'" in policy


def test_a_click_on_the_picture_is_a_place_in_the_layers_own_crs(viewer_tree):
    tree, _policy = viewer_tree("NDVI")

    (option,) = tree.xpath("//select/option")
    west, south, east, north = map(float, option.get("data-bbox").split(","))
    assert (west, south, east, north) == tuple(served.BELGIUM_31N.bbox)
    assert (option.get("data-crs"), option.get("data-width"), option.get("data-height")) == ("EPSG:32631", "640", "480")


def test_a_composite_has_a_map_and_no_chart(viewer_tree):
    tree, _policy = viewer_tree("TRUE_COLOUR")

    assert tree.xpath("//img/@src") == ["../../layers/TRUE_COLOUR/preview.png?width=720"]
    assert (tree.xpath("//form"), tree.xpath("//script")) == ([], [])


def test_a_collection_without_dates_names_none(viewer_tree):
    tree, _policy = viewer_tree("HEIGHT")

    assert tree.xpath("string(//h2[@id='explore-title'])") == "Map and values"
    assert "hidden" in tree.xpath("//figcaption")[0].keys()  # noqa: SIM118


def test_collection_with_a_missing_source_has_a_page(viewer_tree):
    tree, _policy = viewer_tree("GONE")

    assert tree.xpath("//img/@alt") == ["Map of GONE"]


def test_every_link_of_the_document_is_on_the_page(tree):
    links = tree.get("/ogcapi/collections/NDVI").json()["links"]

    text = unescape(page(tree, "/ogcapi/collections/NDVI"))
    assert [link["href"] for link in links if link["href"] not in text] == []


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (domain_of_periods(YEAR, DEKAD, 36), "2020-01-01 to 2020-12-21, 36 dekads"),
        (domain_of_periods(YEAR, Period(months=1), 12), "2020-01-01 to 2020-12-01, 12 times, every P1M"),
        (days_of("2020-01-01", "2020-01-05", "2020-01-06"), "2020-01-01 to 2020-01-06, 3 times"),
        (days_of("2020-01-01T10:30:00Z"), "2020-01-01T10:30:00Z"),
    ],
)
def test_times_are_written_in_words(make_client, times, told):
    layer = served.make_layer(variable=served.make_variable(times=times))
    client = make_client(served.make_services(served.make_collection(layer)))

    assert told in page(client, "/ogcapi/collections/NDVI")


def test_all_collections_are_listed_with_links_to_their_pages(tree, tree_services):
    text = page(tree, "/ogcapi/collections")

    hrefs = re.findall(r'<h3[^>]*><a href="([^"]+)"', text)
    assert len(hrefs) == 15
    assert {tree.get(unescape(href)).status_code for href in hrefs} == {200}


def test_pages_of_the_list_are_linked(tree):
    first = tree.get("/ogcapi/collections?limit=5&f=html").text
    (following,) = re.findall(r'<a href="([^"]+)">The collections that follow', first)

    second = tree.get(unescape(following)).text

    assert "5 of 15" in first
    assert "5 of 15" in second
    assert re.findall(r"<h3[^>]*><a", second) != []
    assert "<code>s2</code>" not in second


def test_landing_and_conformance_pages_show_their_content(tree):
    conformance = tree.get("/ogcapi/conformance").json()["conformsTo"]

    assert [each for each in conformance if each not in page(tree, "/ogcapi/conformance")] == []
    assert "/ogcapi/collections?f=html" in page(tree, "/ogcapi")
