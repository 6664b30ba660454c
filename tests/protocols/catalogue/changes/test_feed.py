"""Atom feeds of collections, read by an XML parser and compared with RFC 4287."""

from dataclasses import replace
from datetime import datetime
from urllib.parse import urljoin, urlsplit
from uuid import UUID

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.items import product_id
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.http.modified import ModifiedTimes, is_modified_since
from chronotile.protocols.catalogue.changes.feed import MAX_ENTRIES
from tests.changing import scene, services_over
from tests.clock import Clock

URL = "/stac/collections/s2/feed.atom"
NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "georss": "http://www.georss.org/georss",
    "media": "http://search.yahoo.com/mrss/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
HOSTILE = '<script>alert("1")</script> & ]]> \x00\x0b é'


def feed_of(answer):
    assert answer.status_code == 200
    root = etree.fromstring(answer.content)
    check_rfc4287(root)
    return root


def found(node, path):
    return node.xpath(path, namespaces=NAMESPACES)


def check_rfc4287(feed):
    """Check the requirements of RFC 4287 §4.1.1 and §4.1.2 for feeds and entries."""
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    for node in (feed, *found(feed, "atom:entry")):
        assert [len(found(node, f"atom:{name}")) for name in ("id", "title", "updated")] == [1, 1, 1]
        assert UUID(found(node, "string(atom:id)").removeprefix("urn:uuid:"))
        assert datetime.fromisoformat(found(node, "string(atom:updated)")).tzinfo is not None
        links = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in found(node, "atom:link")]
        assert len([each for each in links if each[0] == "alternate"]) == len(
            {each for each in links if each[0] == "alternate"}
        )
        assert all(link.get("href") for link in found(node, "atom:link"))
    assert found(feed, "atom:author/atom:name")
    assert found(feed, "atom:link[@rel='self']/@href")
    ids = found(feed, "atom:entry/atom:id/text()")
    assert len(ids) == len(set(ids))
    assert all(found(entry, "atom:link[@rel='alternate']") for entry in found(feed, "atom:entry"))


def test_the_newest_changes_come_first(client, index):
    index.put("s2", [scene("old", day="2020-06-05")])
    index.put("s2", [scene("late", day="2019-01-01")])
    index.put("modis", [scene("other")])
    index.put("s2", [scene("a", day="2020-06-02"), scene("b", day="2020-06-03")])
    index.put("s2", [scene("old", day="2020-06-05", platform="again")])

    feed = feed_of(client.get(URL))

    assert found(feed, "atom:entry/atom:title/text()") == ["old", "b", "a", "late"]


def test_an_entry_links_to_item_product_and_thumbnail(client, index):
    assets = {
        "ov": {"href": "/archive/ov.png", "type": "image/png", "roles": ["overview"]},
        "small one": {"href": "/archive/small.jpg", "type": "image/jpeg", "roles": ["thumbnail"]},
    }
    properties = {
        "title": "A scene",
        "eo:cloud_cover": 12.5,
        "platform": "sentinel-2a",
        "created": "2020-06-01T12:00:00Z",
        "updated": "2020-06-02T12:00:00+02:00",
    }
    index.put("s2", [scene("a b", assets=assets, **properties)])

    feed = feed_of(client.get(URL))

    (entry,) = found(feed, "atom:entry")
    product = product_id("s2", "a b")
    links = {link.get("rel"): link.get("href") for link in found(entry, "atom:link")}
    assert links == {
        "alternate": "http://testserver/stac/collections/s2/items/a%20b",
        "enclosure": f"http://testserver/products/{product}",
        "icon": f"http://testserver/products/{product}/nodes/small%20one",
    }
    assert found(entry, "string(media:thumbnail/@url)") == links["icon"]
    assert found(entry, "string(atom:id)") == f"urn:uuid:{product}"
    assert found(entry, "string(atom:title)") == "A scene"
    assert found(entry, "string(atom:updated)") == "2020-06-02T10:00:00Z"
    assert found(entry, "string(atom:published)") == "2020-06-01T12:00:00Z"
    assert found(entry, "string(dc:date)") == "2020-06-01T10:50:00Z"
    assert found(entry, "string(atom:summary)") == "2020-06-01T10:50:00Z, sentinel-2a, cloud cover 12.5 %"
    assert found(entry, "string(georss:box)") == "50 4 51 5"
    assert found(feed, "string(atom:updated)") == "2020-06-02T10:00:00Z"
    assert b"/archive/" not in client.get(URL).content


def test_an_item_without_files_has_nothing_to_download(client, index):
    since = client.get("/stac/changes").json()["since"]
    date = scene("2020-06-01")
    document = orjson.loads(date.document)
    index.put("s2", [replace(date, assets=(), document=orjson.dumps({**document, "assets": {}}))])

    (entry,) = found(feed_of(client.get(URL)), "atom:entry")
    (change,) = client.get("/stac/changes", params={"since": since}).json()["changes"]

    assert found(entry, "atom:link/@rel") == ["alternate"]
    assert [link["rel"] for link in change["links"]] == ["item", "collection"]


def test_feed_has_a_unique_stable_id(client, index):
    feeds = [feed_of(client.get(URL)), feed_of(client.get("/stac/collections/modis/feed.atom"))]
    index.put("s2", [scene("a")])
    again = feed_of(client.get(URL))

    ids = [found(feed, "string(atom:id)") for feed in (*feeds, again)]
    assert ids[0] == ids[2] != ids[1]
    assert found(again, "string(atom:author/atom:name)") == "A & B"
    assert found(again, "string(atom:link[@rel='self']/@href)") == f"http://testserver{URL}"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(max_size=30) | st.sampled_from([HOSTILE, "2000-01-01T000000"]))
def test_any_text_of_an_item_is_text_in_the_feed(client, index, text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    index.put("s2", [scene("a", title=text, description=text, platform=text, created=text)])

    feed = feed_of(client.get(URL))

    (entry,) = found(feed, "atom:entry")
    assert {each.tag.partition("}")[2] for each in entry} <= {
        *("id", "title", "updated", "published", "summary", "link", "date", "box"),
    }
    # Some texts are times, which are written in one form.
    for time in found(entry, "atom:published/text()"):
        assert format_instant(parse_instant(text).start) == time
    assert len(entry.xpath("*[*]")) == 0


def test_only_the_newest_are_listed(client, index):
    index.put("s2", [scene(f"{number:03}") for number in range(MAX_ENTRIES + 20)])

    assert len(found(feed_of(client.get(URL)), "atom:entry")) == MAX_ENTRIES


def test_an_empty_collection_has_a_feed(client):
    assert found(feed_of(client.get(URL)), "atom:entry") == []


def test_interval_is_written_as_one(client, index):
    document = {"datetime": None, "start_datetime": "2020-06-01T00:00:00Z", "end_datetime": "2020-06-10T23:59:59Z"}
    index.put("s2", [scene("a", **document)])

    assert found(feed_of(client.get(URL)), "string(//dc:date)") == "2020-06-01T00:00:00Z/2020-06-10T23:59:59Z"


def test_matching_etag_is_confirmed(client, index):
    index.put("s2", [scene("a")])
    first = client.get(URL)
    same = client.get(URL, headers={"If-None-Match": first.headers["etag"]})
    index.put("s2", [scene("b")])
    other = client.get(URL, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["content-type"].startswith("application/atom+xml")
    assert first.headers["cache-control"].startswith("public, max-age=60")
    assert not first.headers["etag"].startswith("W/")
    assert [same.status_code, same.content, other.status_code] == [304, b"", 200]


@pytest.fixture
def clock(client):
    clock = Clock(1_000_000.5)
    client.app.state.chronotile.modified = ModifiedTimes(clock)
    return clock


def test_time_of_a_change_is_stated_when_it_is_past(client, index, clock):
    index.put("s2", [scene("a")])
    first = client.get(URL)
    clock.now_s += 1
    second = client.get(URL)
    since = {"If-Modified-Since": second.headers["last-modified"]}
    clock.now_s += 100
    third = client.get(URL, headers=since)
    index.put("s2", [scene("b")])
    clock.now_s += 1
    fourth = client.get(URL, headers=since)

    assert "last-modified" not in first.headers
    assert second.headers["last-modified"] == "Mon, 12 Jan 1970 13:46:40 GMT"
    assert [third.status_code, fourth.status_code] == [304, 200]


def test_matching_time_does_not_outweigh_another_etag(client, index, clock):
    client.get(URL)
    clock.now_s += 10
    date = client.get(URL).headers["last-modified"]

    assert client.get(URL, headers={"If-Modified-Since": date, "If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 99 Jan 1970 13:46:40 GMT"])
def test_invalid_time_is_ignored(header):
    assert is_modified_since(header, 5)


def test_an_unknown_collection_has_no_feed(client):
    answer = client.get("/stac/collections/s3/feed.atom")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_titles_are_in_the_language_of_the_reader(index, make_client):
    services = services_over(
        index, "s2", service=ServiceInfo(title={"en": "Maps", "nl": "Kaarten"}, languages=("en", "nl"))
    )
    client = make_client(services)

    feed = feed_of(client.get(URL, headers={"Accept-Language": "nl"}))

    assert found(feed, "string(atom:author/atom:name)") == "Kaarten"
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "nl"


def test_pages_of_the_collection_name_the_feed(client):
    pages = [client.get("/?f=html"), client.get("/ogcapi/collections/s2?f=html")]

    for page in pages:
        links = lxml_html.fromstring(page.content).xpath("//head/link[@type='application/atom+xml']/@href")
        assert URL in {urlsplit(urljoin(str(page.url), link)).path for link in links}


def test_a_server_without_an_index_names_no_feed(make_client):
    client = make_client()

    assert b"feed.atom" not in client.get("/?f=html").content
    assert b"feed.atom" not in client.get("/ogcapi/collections/s2").content


def test_entry_links_to_the_map_of_its_item_if_there_is_a_viewer(index, tmp_path):
    (tmp_path / "viewer" / "vendor").mkdir(parents=True)
    (tmp_path / "viewer" / "index.html").write_text("<!doctype html>")
    index.put("s2", [scene("a")])
    app = application(services_over(index, "s2"), ServerOptions(viewer=tmp_path / "viewer"))
    with TestClient(app) as client:
        feed = feed_of(client.get(URL))

    (page,) = found(feed, "atom:entry/atom:link[@rel='alternate' and @type='text/html']/@href")
    assert page == "http://testserver/viewer/?layer=s2.NDVI&date=2020-06-01T10:50:00Z&bbox=4,50,5,51"
