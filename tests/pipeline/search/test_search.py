"""Searches of served collections: others are never found, and unavailable ones are named."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.errors import IndexIncomplete, SourceUnavailable, UnknownItem, UnknownLayer
from chronotile.core.model.items import IndexSettings, ItemSearch, Unanswered, product_id
from chronotile.pipeline.search.search_items import changes_since, count_by_month, find_item, find_product, search_items
from chronotile.readers.reader_caches import ReaderCaches
from tests.catalog.items.conftest import make_item
from tests.protocols import served


@pytest.fixture
def index(tmp_path, closed_at_end):
    return closed_at_end(open_items(None, tmp_path))


@pytest.fixture
def services(index):
    return replace(served.make_services(), reader_caches=ReaderCaches(items=lambda: index))


@pytest.fixture
def collection(services):
    """Return the id of a collection that is served."""
    return services.catalogue.collections[0].id


def ids(page):
    return [(item.collection, item.ref.id) for item in page.items]


def test_items_of_collections_that_are_not_served_are_not_found(index, services, collection):
    index.put(collection, [make_item("a")])
    index.put("was-served", [make_item("a", at="2024-06-01")])

    assert ids(search_items(ItemSearch(), services)) == [(collection, "a")]
    assert ids(search_items(ItemSearch(collections=("was-served", "unknown")), services)) == []
    assert count_by_month(ItemSearch(), services) == ((np.datetime64("2024-05", "ns"), 1),)
    assert find_item(collection, "a", services).product == product_id(collection, "a")
    assert find_product(product_id(collection, "a"), services) == find_item(collection, "a", services)
    with pytest.raises(UnknownItem, match="is not known"):
        find_product(product_id("was-served", "a"), services)
    with pytest.raises(UnknownLayer):
        find_item("was-served", "a", services)
    with pytest.raises(UnknownItem, match="has no item 'b'"):
        find_item(collection, "b", services)


def test_unserved_and_unknown_products_fail_alike_during_a_pass(index, services, collection, tmp_path):
    with closing(open_passes(None, tmp_path)) as passes:
        passes.begin(collection, source="x", holder="me")
        index.put("was-served", [make_item("a")])
        index.configure(collection, IndexSettings())
        for item in ("a", "never"):
            with pytest.raises(IndexIncomplete):
                find_product(product_id("was-served", item), services)


def test_changes_are_those_of_served_collections(index, services, collection):
    cursor = changes_since(None, services).cursor
    index.put("was-served", [make_item("a")])
    index.put(collection, [make_item("b")])

    def found(**options):
        return [change.id for change in changes_since(cursor, services, **options).changes]

    assert found() == ["b"]
    assert found(collections=[collection]) == ["b"]
    assert found(collections=["was-served"]) == []


def test_unavailable_collection_is_named(index, services, collection):
    index.configure(collection, IndexSettings())
    unavailable = {"far": "far", "far.NDVI": "far", "other": "other"}
    services = replace(services, catalogue=replace(services.catalogue, unavailable=unavailable))
    reason = "its source cannot be read now"

    assert search_items(ItemSearch(collections=("far",)), services).unanswered == (
        Unanswered(collection="far", reason=reason),
    )
    assert [each.collection for each in search_items(ItemSearch(), services).unanswered] == ["far", "other"]
    assert search_items(ItemSearch(collections=("nothing",)), services).unanswered == ()


def test_collection_is_named_until_its_source_was_read_completely(index, services, collection, tmp_path):
    missing = (Unanswered(collection=collection, reason="its source was not yet read completely", is_partial=True),)
    assert search_items(ItemSearch(), services).unanswered == missing

    with closing(open_passes(None, tmp_path)) as passes:
        run = passes.begin(collection, source="x", holder="me")
        index.put(collection, [make_item("a")])
        index.state(collection, is_fresh=True)
        assert search_items(ItemSearch(collections=(collection,)), services).unanswered == missing
        assert search_items(ItemSearch(collections=("another",)), services).unanswered == ()
        passes.finish(run)

    index.state(collection, is_fresh=True)
    assert search_items(ItemSearch(), services).unanswered == ()


def test_items_that_came_without_a_source_are_whole(index, services, collection):
    index.put(collection, [make_item("a")])

    assert search_items(ItemSearch(), services).unanswered == ()


def test_nothing_is_reported_without_an_index():
    with pytest.raises(SourceUnavailable, match="no index of items"):
        search_items(ItemSearch(), served.make_services())
