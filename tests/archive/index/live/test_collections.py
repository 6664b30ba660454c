"""Searches of collections in a real STAC API of this machine, which pages, hangs, fails and lies."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.live import touching
from chronotile.archive.index.live.collections import MAX_REQUESTS, PAGE_S, LiveCollections
from chronotile.archive.index.sources import SourceAccess
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.opening import open_items
from chronotile.core.errors import InvalidParameter, SearchNotSupported, SourceUnavailable
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.web.places import AllowedPlaces
from chronotile.pipeline.services import RemoteWaitRefused, refuse_remote_waits
from chronotile.readers.remote.gates import MAX_LATE, Gates
from tests.archive.index.catalogues import item_document
from tests.archive.index.stac_api import StacApi, serving

pytestmark = pytest.mark.slow

IDS = [f"i{number}" for number in range(7)]


@dataclass
class Live:
    """Collections over an API and an index."""

    api: StacApi
    index: ItemIndex
    collections: LiveCollections
    now: list

    def ids(self, page):
        return [each.ref.id for each in page.items]

    def walk(self, **search):
        """Return the ids of all items, page by page."""
        found, at, is_first = [], None, True
        while is_first or at is not None:
            page = self.collections.page("ours", ItemSearch(**search), at=at)
            found.append(self.ids(page))
            at, is_first = page.next, False
        return found

    def page(self, **search):
        return self.collections.page("ours", ItemSearch(**search), at=None)

    @property
    def searches(self):
        return [path for path, _query in self.api.requests if path in {"/search", "/collections/s2/items"}]


@pytest.fixture
def index(tmp_path, closed_at_end):
    return closed_at_end(open_items(None, tmp_path / "index"))


@pytest.fixture
def live_over(index, monkeypatch):
    """Return a maker of collections over a served API, with separate gates of servers."""
    own = Gates()
    monkeypatch.setattr("chronotile.archive.index.live.api.gates", own)

    def make(api, *, filter_=None, max_s=20.0):
        now = [0.0]
        items = ItemsSpec(mode="live", filter=filter_)
        spec = SourceSpec(collection="ours", kind="stac", href=api.href, items=items)
        access = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader())
        made = LiveCollections(lambda: {"ours": spec}, lambda: index, access, max_s=max_s, clock=lambda: now[0])
        return Live(api, index, made, now)

    return make


@pytest.fixture(params=["post", "get", "items"])
def api(request):
    is_post, is_static = request.param == "post", request.param == "items"
    with serving(StacApi(page=3, is_post=is_post, is_static=is_static, has_sort=not is_static, counts=True)) as api:
        yield filled(api)


@pytest.fixture
def one_api():
    with serving(StacApi(page=3, has_sort=True, counts=True)) as api:
        yield filled(api)


def ids_of(pages):
    return [id_ for page in pages for id_ in page]


def filled(api):
    for number, id_ in enumerate(IDS):
        document = item_document(id_, day=f"2020-06-{20 - number}", cloud=10 * number)
        document["assets"]["RED"]["href"] = f"{api.address}/{id_}.tif"
        api.add(document)
    return api


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7, 100])
def test_pages_have_each_item_once_for_any_pages_of_the_api(api, live_over, limit):
    found = live_over(api).walk(limit=limit)
    assert ids_of(found) == IDS
    assert all(len(page) == min(limit, MAX_REQUESTS * api.page) for page in found[:-1])


@pytest.mark.parametrize("limits", [(3, 2, 1, 1), (1, 3, 2, 5), (2, 4, 7)])
def test_pages_of_an_api_with_page_numbers_have_each_item_once_for_any_limit(api, live_over, limits):
    api.counts_pages = True
    live, found, at = live_over(api), [], None
    for limit in limits:
        requested = len(live.searches)
        page = live.collections.page("ours", ItemSearch(limit=limit), at=at)
        assert len(live.searches) - requested <= MAX_REQUESTS
        found, at = found + live.ids(page), page.next
    assert found == IDS[: len(found)]
    assert len(found) == min(sum(limits), len(IDS))


def test_returned_items_are_in_the_index(api, live_over):
    live = live_over(api)
    page = live.page(limit=2)

    assert live.index.find("ours", "i1").document == page.items[1].document
    assert live.index.find("ours", "i6") is None
    counter = live.index.state("ours", is_fresh=True).counter
    live.now[0] = PAGE_S
    live.page(limit=2)
    assert live.index.state("ours", is_fresh=True).counter == counter  # they are unchanged


def test_changed_item_is_replaced_when_it_is_returned_again(one_api, live_over):
    live = live_over(one_api)
    live.page(limit=1)
    counter = live.index.state("ours", is_fresh=True).counter
    one_api.items["i0"]["properties"]["cloud"] = 99
    live.now[0] = PAGE_S

    page = live.page(limit=1)

    assert b"99" in page.items[0].document
    assert live.index.state("ours", is_fresh=True).counter > counter


def test_pages_are_requested_again_after_minutes_alone(one_api, live_over):
    live = live_over(one_api)
    live.page(limit=3)
    live.page(limit=3)
    live.now[0] = PAGE_S - 1
    live.page(limit=3)
    assert len(live.searches) == 1
    live.now[0] = PAGE_S
    live.page(limit=3)
    assert len(live.searches) == 2


def test_old_page_is_not_served_for_longer_while_the_api_is_unavailable(one_api, live_over):
    live = live_over(one_api)
    live.page(limit=3)
    one_api.failures = [503] * 9
    assert live.ids(live.page(limit=3)) == IDS[:3]
    live.now[0] = PAGE_S
    with pytest.raises(SourceUnavailable, match="503"):
        live.page(limit=3)
    assert "503" in live.collections.failing["ours"]
    one_api.failures = []
    assert live.ids(live.page(limit=3)) == IDS[:3]
    assert live.collections.failing == {}


def test_number_of_matches_is_that_of_the_api(one_api, live_over):
    assert live_over(one_api).page(limit=2).matched == 7


def test_configured_filter_always_holds(api, live_over):
    live = live_over(api, filter_="cloud < 35")
    assert ids_of(live.walk(limit=100)) == IDS[:4]
    assert ids_of(live.walk(limit=100, filter=filter_from_text("cloud > 15"))) == ["i2", "i3"]
    assert live.collections.find("ours", "i5") is None


@pytest.mark.parametrize("options", [{"has_filter": False}, {"has_filter": False, "has_query": True}, {}])
@pytest.mark.parametrize("is_post", [True, False])
def test_filters_find_the_same_with_any_conformance_of_the_api(live_over, options, is_post):
    with serving(StacApi(page=3, is_post=is_post, **options)) as api:
        live = live_over(filled(api), filter_="cloud >= 10")
        found = live.walk(limit=10, filter=filter_from_text("cloud < 45 AND NOT id = 'i3'"))
    assert [id_ for page in found for id_ in page] == ["i1", "i2", "i4"]


def test_sorted_by_the_api(one_api, live_over):
    found = live_over(one_api).walk(limit=4, sort=(("cloud", True),))
    assert [id_ for page in found for id_ in page] == IDS[::-1]


def test_api_that_matches_next_to_nothing_is_an_error_in_bounded_requests(live_over):
    with serving(StacApi(page=1, has_filter=False)) as api:
        for number in range(30):
            api.add(item_document(f"i{number:02}", href=f"{api.address}/x.tif", cloud=number))
        live = live_over(api)
        with pytest.raises(SearchNotSupported, match="match nothing"):
            live.page(limit=1, filter=filter_from_text("cloud = 29"))
        assert len(live.searches) == MAX_REQUESTS


def test_item_is_found_by_its_id(api, live_over):
    live = live_over(api)
    assert live.collections.find("ours", "i5").ref.id == "i5"
    assert live.collections.find("ours", "nothing") is None
    assert live.index.find("ours", "i5") is not None


def test_smaller_pages_are_requested_if_the_api_refuses_large_ones(one_api, live_over):
    one_api.most, one_api.page = 50, 50
    live = live_over(one_api)
    for number in range(3):
        live.now[0] = number * PAGE_S
        requested = len(live.searches)
        assert ids_of(live.walk(limit=200)) == IDS
        assert len(live.searches) - requested <= MAX_REQUESTS
    requested = len(live.searches)
    live.now[0] = 3 * PAGE_S
    live.walk(limit=200)
    assert len(live.searches) - requested == 1  # its refusal is cached


def test_ids_that_an_api_ignores_or_sends_slowly_are_no_endless_walk(one_api, live_over):
    live = live_over(one_api)
    one_api.page = 1
    with pytest.raises(SearchNotSupported, match=r"2 of 7 .* send fewer ids"):
        live.page(limit=100, ids=tuple(IDS))
    assert len(live.searches) == MAX_REQUESTS
    one_api.ignores_ids, one_api.page = True, 3
    live.now[0] = PAGE_S
    assert ids_of(live.walk(limit=100, ids=("i5", "i0"))) == ["i0", "i5"]


def test_search_that_the_api_refuses_names_the_parameter(one_api, live_over):
    one_api.failures = [400] * 9
    with pytest.raises(SearchNotSupported) as refused:
        live_over(one_api).page(limit=5, filter=filter_from_text("a = 1"))
    assert refused.value.locator == "filter"
    assert "400" in refused.value.message


def test_api_that_hangs_times_out_and_is_not_requested_for_seconds(one_api, live_over):
    live = live_over(one_api, max_s=0.2)
    one_api.held = threading.Event()
    for _ in range(MAX_LATE):
        with pytest.raises(SourceUnavailable, match="in time"):
            live.page(limit=5)
    count = len(one_api.requests)
    with pytest.raises(SourceUnavailable, match="did not respond to the last requests"):
        live.page(limit=5)
    assert len(one_api.requests) == count
    one_api.held.set()


def test_retry_after_is_heeded(one_api, live_over):
    live = live_over(one_api)
    one_api.failures = [429]
    with pytest.raises(SourceUnavailable, match="429"):
        live.page(limit=1)
    with pytest.raises(SourceUnavailable, match="for some seconds"):
        live.page(limit=1)
    live.now[0] = 8.0
    assert live.ids(live.page(limit=1)) == ["i0"]


@pytest.mark.parametrize(
    "page",
    [
        *(b"", b"{", b"[]", b"{}", b'{"features": {}}', b'{"type": "FeatureCollection", "features": 3}'),
        *(b"[" * 100_000, b'{"features": [' + b"{}," * 10_000 + b"{}]}", b" " * (17 << 20)),
    ],
    ids=["empty", "cut", "list", "nothing", "object", "number", "deep", "many", "large"],
)
def test_invalid_page_is_no_answer(one_api, live_over, page):
    one_api.change = lambda _page: page
    with pytest.raises(SourceUnavailable):
        live_over(one_api).page(limit=1)


@pytest.mark.parametrize(
    "next_",
    [
        {"href": "http://127.0.0.2:1/search"},
        {"href": "file:///etc/passwd"},
        {"href": "//other.test/search"},
        {"href": "http://[", "method": "POST"},
        {"href": "/search?token=" + "a" * 100_000},
        {"href": "/search", "method": "POST", "body": {"token": "a" * 100_000}, "merge": True},
        {"href": "/search", "method": "POST", "body": {}, "merge": True},
    ],
    ids=["host", "file", "relative", "none", "long", "large", "itself"],
)
def test_a_hostile_link_to_the_next_page_is_not_followed(one_api, live_over, next_):
    one_api.change = lambda page: page | {"links": [{"rel": "next", **next_}]}
    live = live_over(one_api)
    with pytest.raises(SourceUnavailable, match="cannot be followed"):
        live.page(limit=3)
    assert len(live.searches) == 1


def test_link_that_is_no_link_is_the_end(one_api, live_over):
    one_api.change = lambda page: page | {"links": [{"rel": "next", "href": 3}, "next", None]}
    assert live_over(one_api).page(limit=3).next is None


def test_forged_cursors_request_no_other_server(one_api, live_over):
    live = live_over(one_api)
    for at in ('["@127.0.0.2:1/x", null, true, 0]', '["/../x", null, true, 0]', "x"):
        with pytest.raises(InvalidParameter, match="cursor"):
            live.collections.page("ours", ItemSearch(limit=1), at=at)
    assert live.searches == []


def test_items_of_other_collections_and_hosts_are_skipped(one_api, live_over):
    def change(page):
        strange, elsewhere, *rest = page["features"]
        assets = {"RED": {"href": "https://other.test/x.tif", "type": "image/tiff"}}
        features = [{**strange, "collection": "other"}, {**elsewhere, "assets": assets}, *rest]
        return page | {"features": features, "links": []}

    one_api.change = change
    live = live_over(one_api)
    page = live.page(limit=3)
    assert live.ids(page) == ["i2"]
    assert page.matched is None


def test_page_without_any_usable_item_is_an_error(one_api, live_over, caplog):
    for item in one_api.items.values():
        item["assets"]["RED"]["href"] = "https://other.test/x.tif"
    with pytest.raises(SourceUnavailable, match="server's log"):
        live_over(one_api).page(limit=3)
    assert "add https://other.test/ to CHRONOTILE_SOURCE_PREFIXES" in caplog.text


def test_index_keeps_a_bounded_number_of_items(one_api, live_over, monkeypatch):
    monkeypatch.setattr(touching, "MAX_TOUCHED", 4)
    live = live_over(one_api)
    live.walk(limit=3)
    assert {id_ for id_ in IDS if live.index.find("ours", id_)} == set(IDS[3:])


def test_quick_threads_serve_cached_pages_only(one_api, live_over):
    live = live_over(one_api)
    with refuse_remote_waits(), pytest.raises(RemoteWaitRefused):
        live.page(limit=2)
    live.page(limit=2)
    with refuse_remote_waits():
        assert live.ids(live.page(limit=2)) == IDS[:2]
        with pytest.raises(RemoteWaitRefused):
            live.collections.find("ours", "i6")


def test_many_that_search_the_same_request_it_once(one_api, live_over):
    live = live_over(one_api)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: live.ids(live.page(limit=3)), range(16)))
    assert found == [IDS[:3]] * 16
    assert len(live.searches) == 1


def test_source_that_is_no_api_is_an_error(live_over):
    with serving(StacApi(is_static=True)) as api:
        api.collection = lambda: {"type": "Collection", "id": "s2", "links": []}
        with pytest.raises(SourceUnavailable, match="not a STAC API"):
            live_over(api).page(limit=1)
