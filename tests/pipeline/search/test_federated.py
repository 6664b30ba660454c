"""One search over the index and the catalogues of others, which are lists here."""

from dataclasses import dataclass, field, replace

import pytest

from chronotile.catalog.items.cursors import seal, what_is_searched
from chronotile.catalog.items.opening import open_items
from chronotile.core.errors import InvalidParameter, LimitExceeded, SearchNotSupported, SourceUnavailable, UnknownItem
from chronotile.core.model.items import ItemPage, ItemSearch, Unanswered
from chronotile.pipeline.search import search_items as federated
from chronotile.pipeline.search.search_items import count_by_month, find_item, not_counted, search_index, search_items
from chronotile.pipeline.services import RemoteWaitRefused, refuse_remote_waits, require_remote_waits
from chronotile.readers.reader_caches import ReaderCaches
from tests.catalog.items.conftest import make_item
from tests.protocols import served


@dataclass
class Catalogues:
    """The items of collections, by id, and the errors of their searches."""

    items: dict
    failures: dict = field(default_factory=dict)
    counts: bool = True

    @property
    def names(self):
        return tuple(self.items)

    @property
    def failing(self):
        return {}

    def page(self, collection, search, *, at):
        if collection in self.failures:
            raise self.failures[collection]
        found, start = self.items[collection], int(at or 0)
        end = start + search.limit
        return ItemPage(
            items=found[start:end],
            next=str(end) if end < len(found) else None,
            matched=len(found) if self.counts else None,
        )

    def find(self, collection, id_):
        return next((each for each in self.items[collection] if each.ref.id == id_), None)


@pytest.fixture
def index(tmp_path, closed_at_end):
    return closed_at_end(open_items(None, tmp_path))


def found_in(index, collection, *ids):
    index.put(collection, [make_item(id_) for id_ in ids])
    found = {each.ref.id: each for each in index.search(ItemSearch(collections=(collection,), limit=100)).items}
    return tuple(found[id_] for id_ in ids)


@pytest.fixture
def catalogues(index):
    return Catalogues({"far": found_in(index, "far", "f1", "f2", "f3"), "wide": found_in(index, "wide", "w1", "w2")})


@pytest.fixture
def services(index, catalogues):
    """`here` is indexed, `far` and `wide` are not."""
    found_in(index, "here", "h1", "h2", "h3")
    names = ("here", "far", "wide")
    collections = (served.make_collection(served.make_layer("NDVI", collection=name)) for name in names)
    return replace(
        served.make_services(*collections), reader_caches=ReaderCaches(items=lambda: index), live_items=catalogues
    )


def walk(services, **search):
    """Return the pages of a search, to its end."""
    pages, cursor = [], None
    while not pages or cursor is not None:
        pages.append(search_items(ItemSearch(**search, cursor=cursor), services))
        cursor = pages[-1].next
    return pages


def ids(pages):
    return [[each.ref.id for each in page.items] for page in pages]


@pytest.mark.parametrize("limit", range(1, 10))
def test_pages_have_each_item_once_in_the_order_of_sources(services, limit):
    found = [id_ for page in ids(walk(services, limit=limit)) for id_ in page]
    assert found == ["h1", "h2", "h3", "f1", "f2", "f3", "w1", "w2"]


def test_pages_are_full_but_the_last(services):
    assert ids(walk(services, limit=5)) == [["h1", "h2", "h3", "f1", "f2"], ["f3", "w1", "w2"]]


def test_only_named_collections_are_searched(services):
    assert ids(walk(services, limit=2, collections=("wide", "here"))) == [["h1", "h2"], ["h3", "w1"], ["w2"]]
    assert ids(walk(services, limit=9, collections=("wide", "far"))) == [["f1", "f2", "f3", "w1", "w2"]]
    assert ids(walk(services, limit=9, collections=("here",))) == [["h1", "h2", "h3"]]


def test_matches_are_counted_once_all_sources_were_searched(services, catalogues):
    assert [page.matched for page in walk(services, limit=3)] == [None, None, 8]
    assert [page.matched for page in walk(services, limit=7)] == [8, 8]
    assert [page.matched for page in walk(services, limit=2, collections=("far",))] == [3, 3]
    catalogues.counts = False
    assert [page.matched for page in walk(services, limit=7)] == [None, None]


def test_failing_source_is_named_and_the_others_answer(services, catalogues):
    catalogues.failures["far"] = SourceUnavailable("it hangs")

    (page,) = walk(services, limit=9)

    assert ids([page]) == [["h1", "h2", "h3", "w1", "w2"]]
    assert page.unanswered == (Unanswered(collection="far", reason="it hangs"),)
    assert page.matched is None


@pytest.mark.parametrize("failure", [SourceUnavailable("it hangs"), SearchNotSupported("no", locator="sortby")])
def test_the_only_collection_that_does_not_answer_is_an_error(services, catalogues, failure):
    catalogues.failures["far"] = failure
    with pytest.raises(type(failure), match=f"collection far: {failure.message}") as raised:
        search_items(ItemSearch(collections=("far",)), services)
    assert raised.value.locator == failure.locator


def test_page_without_any_answering_source_is_an_error_and_can_be_repeated(services, catalogues):
    first = search_items(ItemSearch(limit=7), services)
    catalogues.failures["wide"] = SourceUnavailable("it hangs")
    with pytest.raises(SourceUnavailable):
        search_items(ItemSearch(limit=7, cursor=first.next), services)
    del catalogues.failures["wide"]
    assert ids([search_items(ItemSearch(limit=7, cursor=first.next), services)]) == [["w2"]]


def test_a_value_that_no_search_accepts_is_no_failure_of_a_source(services, catalogues):
    catalogues.failures["far"] = InvalidParameter("no", locator="filter")
    with pytest.raises(InvalidParameter, match="no"):
        search_items(ItemSearch(), services)


@pytest.mark.parametrize(
    "body",
    [
        *(b"[]", b'["far"]', b'["gone", null, 0]', b"[1, null, 0]", b'["far", 1, 0]', b'["far", null, -1]'),
        *(b'["far", null, 10001]', b'["far", null, true]', b'["", "made up", 0]'),
    ],
)
def test_a_cursor_that_was_made_up_is_refused(services, body):
    text = seal(body, what_is_searched(ItemSearch()))
    with pytest.raises(InvalidParameter) as refused:
        search_items(ItemSearch(cursor=text), services)
    assert refused.value.locator == "cursor"


def test_a_cursor_that_was_changed_or_is_of_another_search_is_refused(services):
    cursor = search_items(ItemSearch(limit=4), services).next
    for search in (ItemSearch(cursor=cursor[:-2] + "AA"), ItemSearch(cursor=cursor, ids=("a",))):
        with pytest.raises(InvalidParameter, match="cursor"):
            search_items(search, services)


def test_item_missing_from_the_index_is_found_by_its_id(services, index, catalogues):
    found = catalogues.items["far"][0]
    index.remove("far", ["f1"])

    assert find_item("far", "f1", services) is found
    assert find_item("far", "f2", services).ref.id == "f2"
    with pytest.raises(UnknownItem):
        find_item("far", "nothing", services)
    with pytest.raises(UnknownItem):
        find_item("here", "f1", services)


def test_remote_items_are_not_counted_and_their_source_is_named(services):
    assert [count for _month, count in count_by_month(ItemSearch(), services)] == [3]
    assert [each.collection for each in not_counted(ItemSearch(), services)] == ["far", "wide"]
    assert not_counted(ItemSearch(collections=("here",)), services) == ()
    with pytest.raises(InvalidParameter, match="not counted"):
        not_counted(ItemSearch(collections=("far",)), services)


def test_search_of_the_index_includes_found_remote_items(services):
    assert len(search_index(ItemSearch(limit=20), services).items) == 8


def test_a_collection_is_searched_before_it_has_layers(services, index, catalogues):
    catalogues.items["new"] = found_in(index, "new", "n1")
    services = replace(services, catalogue=replace(services.catalogue, unavailable={"new": "new"}))

    page = search_items(ItemSearch(limit=9), services)

    assert ids([page])[0][-1] == "n1"
    assert page.unanswered == ()
    assert find_item("new", "n1", services).ref.id == "n1"


def test_threads_for_quick_work_do_not_wait_for_others():
    require_remote_waits("a")
    with refuse_remote_waits(), pytest.raises(RemoteWaitRefused) as needed:
        require_remote_waits("a")
    require_remote_waits("a")
    assert needed.value.host == "a"


@pytest.mark.parametrize("skip", range(9))
def test_a_skip_passes_the_first_items_of_the_index_and_of_others(services, skip):
    whole = [each.ref.id for each in search_items(ItemSearch(limit=20), services).items]

    page = search_items(ItemSearch(limit=2, skip=skip), services)

    assert [each.ref.id for each in page.items] == whole[skip : skip + 2]
    assert page.matched in {None, 8}
    assert (page.next is None) == (skip + 2 >= len(whole))


def test_a_skip_names_the_catalogue_that_does_not_answer(services, catalogues):
    catalogues.failures["far"] = SourceUnavailable("away")

    page = search_items(ItemSearch(limit=5, skip=4), services)

    assert [each.ref.id for each in page.items] == ["w2"]
    assert [each.collection for each in page.unanswered] == ["far"]


def test_a_skip_past_a_page_of_other_catalogues_is_refused_before_they_are_requested(services, catalogues):
    catalogues.failures = dict.fromkeys(catalogues.items, AssertionError("requested"))

    with pytest.raises(LimitExceeded, match="items to skip"):
        search_items(ItemSearch(limit=1, skip=100 + federated.MAX_SKIPPED), services)
