"""The first items of a live collection: what its layers are is known by them, before anyone searches."""

from chronotile.archive.index.fill import CLEARED, FillSummary, IndexStore
from chronotile.archive.index.live.api import LiveApi, RefusedSearch
from chronotile.archive.index.live.requests import live_request
from chronotile.archive.index.live.touching import Touching
from chronotile.archive.index.source import Unread
from chronotile.archive.index.sources import SourceAccess, identities_of, rules_of
from chronotile.catalog.items.passes import new_holder
from chronotile.errors import SourceUnavailable
from chronotile.model.items import ItemSearch, PutSummary
from chronotile.model.source import SourceSpec

ITEMS = 10
"""The newest of an API that sorts, or those that it sends first."""
KIND = "live"


def reason_to_seed(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> str | None:
    """Return why the newest items of a collection have to be requested; `None`: they need not be.

    Raises:
        ConfigurationError: The collection's filter is not valid.
        SourceUnavailable: The database does not answer.
    """
    settings = store.items.settings(spec.collection)
    if settings is None or store.items.extent(spec.collection) is None:
        return "nothing is known of its items"
    if spec.items is not None and settings != spec.items.settings:
        return "its items are to be grouped or ordered in another way"
    if _before(spec, store) != _source(spec, access):
        return "its items were those of another API, or with another filter"
    return None


def seed(spec: SourceSpec, access: SourceAccess, store: IndexStore) -> FillSummary:
    """Put the newest items of a live collection into the index, in place of those of another source.

    Raises:
        ConfigurationError: The collection's filter is not valid.
        SourceUnavailable: The API or the database does not answer.
    """
    assert spec.items is not None  # noqa: S101 -- of a collection of items
    name, rules, api = spec.collection, rules_of(spec, access.prefixes), LiveApi(spec.href)
    wanted = live_request(api.search, rules, ItemSearch(limit=ITEMS), name, page=ITEMS)
    assert wanted is not None  # noqa: S101 -- without conditions that nothing matches
    try:
        page = api.page(wanted.first)
    except RefusedSearch as error:
        raise SourceUnavailable(f"its API refuses the search: {error}") from error
    source = _source(spec, access)
    if _before(spec, store) not in {None, source}:
        _clear(name, store)
    run = store.passes.begin(name, source=f"{KIND} {source}", holder=new_holder(), is_whole=False)
    try:
        done = Touching(name, spec.items.settings, rules).touch(
            page.features, wanted.first.href, store.items, own=api.search.own
        )
        store.passes.finish(run)
    except BaseException:
        store.passes.release(run)
        raise
    unread = [] if done.found else [Unread(key=name, reason="its API sends no items that can be shown")]
    return FillSummary(
        collection=name,
        put=PutSummary(added=len(done.found)),
        is_whole=False,
        unread=tuple(unread),
        unread_count=len(unread),
        filtered=done.filtered,
    )


def _source(spec: SourceSpec, access: SourceAccess) -> str:
    """The source of a collection with its options: the same where all of its items are indexed."""
    return next(iter(identities_of(spec, access))).partition(" ")[2]


def _before(spec: SourceSpec, store: IndexStore) -> str | None:
    """The source that its items were of; `None`: not known."""
    found = store.passes.source(spec.collection)
    return None if found is None else found.partition(" ")[2]


def _clear(collection: str, store: IndexStore) -> None:
    search = ItemSearch(collections=(collection,), limit=CLEARED)
    while found := store.items.search(search).items:
        store.items.remove(collection, [each.ref.id for each in found])
