import json

import pytest

from chronotile.archive.index import fill as fill_module
from chronotile.archive.index.apis import ApiSource, is_api
from chronotile.archive.index.documents import DocumentReader, MissingDocument, parse_document
from chronotile.archive.index.fill import Interrupted, fill
from chronotile.archive.index.source import ItemFilter, ItemRules
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import PutSummary
from tests.archive.index.catalogues import S2, item_document
from tests.archive.index.stac_api import StacApi, serving

pytestmark = pytest.mark.slow


def source_of(api, waits=None, **rules):
    documents = DocumentReader(wait=(lambda _s: None) if waits is None else waits.append)
    document = documents.read(api.href)
    assert is_api(document.body)
    return ApiSource(document, documents, ItemRules(**rules))


def scenes(*names, updated="2024-01-01T00:00:00Z", **more):
    return [item_document(name, updated=updated, **more) for name in names]


@pytest.mark.parametrize(
    "ways", [{}, {"is_post": False}, {"has_filter": False}, {"is_static": True, "is_post": False, "has_filter": False}]
)
def test_all_pages_are_read(store, ways):
    with serving(StacApi(**ways).add(*scenes("a", "b", "c", "d", "e"))) as api:
        summary = fill(S2, source_of(api), store)
    assert store.items.ids() == ["a", "b", "c", "d", "e"]
    assert summary.put == PutSummary(added=5)
    pages = [query for path, query in api.requests if path in {"/search", "/collections/s2/items"}]
    assert len(pages) == 3
    assert all(query.get("collections") in ((["s2"], "s2", None)) for query in pages)


def test_only_updates_are_read_if_the_api_filters(store):
    with serving(StacApi().add(*scenes("a", "c", updated="2023-01-01T00:00:00Z"), *scenes("b"))) as api:
        fill(S2, source_of(api), store)
        api.add(*scenes("b", updated="2024-02-01T00:00:00Z", gsd=20), *scenes("d", updated="2024-02-01T00:00:00Z"))
        before = len(api.requests)
        summary = fill(S2, source_of(api), store, is_whole=False)
        [query] = [query for path, query in api.requests[before:] if path == "/search"]
        assert query["filter"]["args"][1] == {"timestamp": "2023-12-31T23:50:00Z"}
        assert (summary.put.added, summary.put.replaced, summary.is_whole) == (1, 1, False)
        assert "only changes were read" in summary.lines()[1]
        assert store.items.ids() == ["a", "b", "c", "d"]
        api.items.pop("a")
        assert fill(S2, source_of(api), store, is_whole=False).removed == 0
        assert fill(S2, source_of(api), store).removed == 1
    assert store.items.ids() == ["b", "c", "d"]


@pytest.mark.parametrize("ways", [{}, {"is_post": False}])
@pytest.mark.parametrize(("refused", "read"), [(["timestamp"], 1), (["timestamp", "text"], 2)])
def test_apis_with_another_comparison_of_times_list_updates_too(store, ways, refused, read):
    api = StacApi(**ways, page=10).add(*scenes("a", updated="2023-01-01T00:00:00Z"), *scenes("b"))
    api.refused_times = refused
    with serving(api):
        fill(S2, source_of(api), store)
        looked = []
        summary = fill(S2, source_of(api), store, is_whole=False, progress=looked.append)
    assert (looked, summary.is_whole, summary.put.unchanged) == ([read], False, read)


def test_without_filters_each_pass_is_whole(store):
    with serving(StacApi(has_filter=False).add(*scenes("a", "b", "c"))) as api:
        fill(S2, source_of(api), store)
        api.items.pop("a")
        assert fill(S2, source_of(api), store, is_whole=False).removed == 1


@pytest.mark.parametrize("ways", [{}, {"is_post": False}, {"has_filter": False}])
def test_a_filter_is_passed_on_and_checked_in_any_case(store, ways):
    api = StacApi(**ways)
    api.add(*scenes("clear", **{"eo:cloud_cover": 3}), *scenes("dull", **{"eo:cloud_cover": 90}), *scenes("unknown"))
    with serving(api):
        fill(S2, source_of(api, filter=ItemFilter("eo:cloud_cover < 60")), store)
    assert store.items.ids() == ["clear"]
    [first, *_] = [query for path, query in api.requests if path == "/search"]
    assert ("filter" in first) == api.has_filter


def test_interrupted_pass_continues_at_its_page(store, monkeypatch):
    monkeypatch.setattr(fill_module, "BATCH", 3)  # two items, and the address of the next page
    with serving(StacApi().add(*scenes("a", "b", "c", "d", "e", "f"))) as api:
        with pytest.raises(Interrupted):
            fill(S2, source_of(api), store, is_stopped=lambda: len(store.items.ids()) >= 4)
        before = len(api.requests)
        fill(S2, source_of(api), store)
        tokens = [query.get("token") for path, query in api.requests[before:] if path == "/search"]
    assert tokens == [4]
    assert store.items.ids() == ["a", "b", "c", "d", "e", "f"]
    assert store.items.calls["put"] == 6


def test_pass_starts_again_if_its_page_has_expired(store, monkeypatch):
    monkeypatch.setattr(fill_module, "BATCH", 3)
    with serving(StacApi().add(*scenes("a", "b", "c", "d"))) as api:
        with pytest.raises(Interrupted):
            fill(S2, source_of(api), store, is_stopped=lambda: bool(store.items.ids()))
        api.page, api.refuses_cursors = 10, True
        fill(S2, source_of(api), store)
    assert store.items.ids() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("is_post", [True, False])
def test_core_search_is_used_as_far_as_possible_without_filters(store, is_post):
    api = StacApi(has_filter=False, has_query=True, is_post=is_post)
    clear, old = {"eo:cloud_cover": 3, "platform": "a"}, "2023-01-01T00:00:00Z"
    api.add(
        *scenes("a", **clear), *scenes("b", updated=old, **clear), *scenes("dull", **{**clear, "eo:cloud_cover": 90})
    )
    api.add(*scenes("far", west=40.0, **clear), *scenes("late", day="2024-06-01", **clear))
    api.add(*scenes("other", **{**clear, "platform": "b"}))
    text = (
        "eo:cloud_cover < 60 AND S_INTERSECTS(geometry, BBOX(2, 49, 7, 52)) AND datetime < DATE('2021-01-01') "
        "AND (platform = 'a' OR platform = 'c')"
    )
    with serving(api):
        fill(S2, source_of(api, filter=ItemFilter(text)), store)
        assert store.items.ids() == ["a", "b"]
        looked = []
        fill(S2, source_of(api, filter=ItemFilter(text)), store, is_whole=False, progress=looked.append)
    assert looked == [2]  # `a`, and `other`, which the API cannot leave out
    assert api.requests[-1][1]["datetime"] == "../2021-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("ways", "parts"),
    [
        ({"has_filter": False}, "eo:cloud_cover < 60; platform = 'a' OR platform = 'c'"),
        ({"has_filter": False, "has_query": True}, "platform = 'a' OR platform = 'c'"),
        ({}, None),
    ],
)
def test_parts_of_the_filter_that_are_applied_here_are_logged_once(store, caplog, ways, parts):
    text = "eo:cloud_cover < 60 AND datetime >= DATE('2020-01-01') AND (platform = 'a' OR platform = 'c')"
    seen = {"eo:cloud_cover": 3, "platform": "a"}
    with serving(StacApi(**ways).add(*scenes("a", "b", "c", **seen))) as api:
        fill(S2, source_of(api, filter=ItemFilter(text)), store)
        line = f"{api.href} does not accept these parts of the filter: {parts}; the index reads items without them"

    assert store.items.ids() == ["a", "b", "c"]
    assert [each[: len(line)] for each in caplog.messages if "filter" in each] == ([line] if parts else [])


@pytest.mark.parametrize("ways", [{}, {"is_post": False}])
def test_smaller_pages_are_requested_if_large_ones_are_refused(store, ways):
    api = StacApi(**ways).add(*scenes("a", "b", "c"))
    api.most = 100
    with serving(api):
        fill(S2, source_of(api), store)
    assert store.items.ids() == ["a", "b", "c"]


def test_an_api_that_refuses_any_page_is_an_error(store):
    api = StacApi().add(*scenes("a"))
    api.most = 0
    with serving(api), pytest.raises(UnsupportedSource, match="400 Bad Request"):
        fill(S2, source_of(api), store)


def test_failures_are_retried_as_the_server_requests(store):
    waits = []
    with serving(StacApi().add(*scenes("a", "b", "c"))) as api:
        api.failures = [503, 429, None, 500]
        fill(S2, source_of(api, waits), store)
    assert store.items.ids() == ["a", "b", "c"]
    assert waits == [1.0, 7.0, 1.0]


def test_a_server_that_stays_away_removes_nothing(store):
    with serving(StacApi().add(*scenes("a", "b", "c"))) as api:
        fill(S2, source_of(api), store)
        api.items.clear()
        api.failures = [503] * 4
        with pytest.raises(SourceUnavailable, match="503"):
            fill(S2, source_of(api), store)
    assert store.items.ids() == ["a", "b", "c"]


def test_circular_pages_end(store):
    api = StacApi(is_post=False)
    with serving(api.add(*scenes("a", "b", "c"))):
        whole = api.search
        api.search = lambda path, query: whole(path, {**query, "token": 0})
        with pytest.raises(UnsupportedSource, match="without end"):
            fill(S2, source_of(api), store)


DEEP = {"properties": {"datetime": "2020-01-01T00:00:00Z", "x": json.loads("[" * 900 + "]" * 900)}}


@pytest.mark.parametrize("way", [{"id": None}, {"id": "b\0"}, {"links": [{"rel": "self", "href": "https://[a"}]}, DEEP])
def test_unlistable_item_is_skipped_and_counted(store, way):
    api = StacApi(page=10)
    with serving(api.add(*scenes("a", "b", "c"))):
        features = [{**each, **way} if name == "b" else each for name, each in api.items.items()]
        api.search = lambda path, query: {"type": "FeatureCollection", "features": features, "links": []}
        summary = fill(S2, source_of(api), store)

    assert store.items.ids() == ["a", "c"]
    assert [each.count for each in summary.problems] == [1]


@pytest.mark.parametrize("member", ['{"a":1}', "[]"])
def test_page_of_very_many_members_is_refused(member):
    text = f'{{"type":"FeatureCollection","links":[],"features":[{",".join([member] * 2_000_001)}]}}'

    with pytest.raises(MissingDocument, match="it has more than"):
        parse_document("https://api.test/search", text.encode(), "")


def test_links_to_other_servers_are_not_followed(store):
    api = StacApi()
    with serving(api.add(*scenes("a", "b", "c"))):
        whole = api.search
        api.search = lambda path, query: {
            **whole(path, query),
            "links": [{"rel": "next", "href": "https://elsewhere.test/search?token=2"}],
        }
        with pytest.raises(UnsupportedSource, match="links to another server"):
            fill(S2, source_of(api), store)
