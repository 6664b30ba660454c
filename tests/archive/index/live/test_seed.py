"""The first items of a live collection, and changes of its source."""

from contextlib import closing

import pytest

from chronotile.archive.index.background import reason_to_fill
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import IndexStore, fill
from chronotile.archive.index.live.touching import reason_to_seed, seed
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import item_document
from tests.archive.index.stac_api import StacApi, serving

pytestmark = pytest.mark.slow

ACCESS = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader(wait=lambda _s: None))


@pytest.fixture
def api():
    with serving(StacApi(page=10, has_sort=True)) as api:
        for number in range(15):
            day = f"2020-06-{1 + number:02}"
            api.add(item_document(f"i{number:02}", day=day, href=f"{api.address}/x.tif", cloud=number))
        yield api


@pytest.fixture
def store(tmp_path):
    items = open_items(None, tmp_path)
    with closing(IndexStore(items=items, passes=open_passes(None, tmp_path))) as store:
        yield store


def spec_of(api, **items):
    return SourceSpec(collection="s2", kind="stac", href=api.href, items=ItemsSpec(**{"mode": "live"} | items))


def ids(store):
    return sorted(each.ref.id for each in store.items.search(ItemSearch(collections=("s2",), limit=100)).items)


def test_newest_items_are_put_once(api, store):
    spec = spec_of(api)
    assert "nothing is known" in reason_to_seed(spec, ACCESS, store)

    summary = seed(spec, ACCESS, store)

    assert summary.is_complete
    assert ids(store) == [f"i{number:02}" for number in range(5, 15)]
    assert reason_to_seed(spec, ACCESS, store) is None


def test_of_another_filter_the_items_of_before_are_removed(api, store):
    seed(spec_of(api), ACCESS, store)
    other = spec_of(api, filter="cloud < 3")
    assert "another filter" in reason_to_seed(other, ACCESS, store)

    seed(other, ACCESS, store)

    assert ids(store) == ["i00", "i01", "i02"]
    assert reason_to_seed(other, ACCESS, store) is None


def test_in_another_order_they_are_ordered_again(api, store):
    seed(spec_of(api), ACCESS, store)
    other = spec_of(api, settings=IndexSettings(group="solar_day"))
    assert "grouping" in reason_to_seed(other, ACCESS, store)
    seed(other, ACCESS, store)
    assert store.items.settings("s2") == IndexSettings(group="solar_day")


def test_an_api_without_items_is_requested_again_later(api, store):
    assert not seed(spec_of(api, filter="cloud > 100"), ACCESS, store).is_complete
    api.failures = [503]
    with pytest.raises(SourceUnavailable, match="503"):
        seed(spec_of(api), ACCESS, store)


def test_live_and_indexed_items_link_to_each_other(api, store):
    live, whole = spec_of(api), spec_of(api, mode="index")
    seed(live, ACCESS, store)
    assert reason_to_fill(whole, ACCESS, store) is not None

    fill(indexed_collection(whole), source_of(whole, ACCESS), store)

    assert len(ids(store)) == 15
    assert reason_to_fill(whole, ACCESS, store) is None
    assert reason_to_seed(live, ACCESS, store) is None  # the index already contains them
