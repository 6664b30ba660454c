"""Searches of items: which were observed where and when, and how many in each month."""

from collections.abc import Collection
from dataclasses import replace

from chronotile.errors import InvalidParameter
from chronotile.model.items import ItemPage, ItemSearch, Unanswered
from chronotile.model.time.instants import Instant
from chronotile.pipeline.search.federated import federated_page
from chronotile.pipeline.search.served_index import being_filled, items_of, listed_collections, live_names
from chronotile.pipeline.services import Services

NOT_COUNTED = "its items are in the catalogue of others (mode: live), and are not counted"


def search_items(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items of collections that are served.

    Args:
        search: What is looked for; names of collections that are not served find nothing.
        services: With the index.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer, or the catalogue of others in which all of the collections are.
        AsksElsewhere: Such a catalogue has to be requested, which this thread may not.
    """
    live = _among(live_names(services), search)
    unanswered = unanswered_by(search, services)  # before the search, during which the last items may be added
    page = federated_page(search, live, services) if live else search_index(search, services)
    if not unanswered:
        return page
    page = replace(page, unanswered=(*page.unanswered, *unanswered))
    partial = {each.collection for each in unanswered if each.is_partial}
    return replace(page, matched=None) if being_filled(partial, services) else page


def search_index(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items in the index alone; of catalogues of others those that were found before.

    Arguments and errors are those of `search_items`.
    """
    return items_of(services).search(search, among=listed_collections(services))


def unanswered_by(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return the collections of which a search lacks items.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    away = _away(search, services)
    named = {each.collection for each in away}
    return (*away, *(each for each in not_whole(search.collections, services) if each.collection not in named))


def count_by_month(search: ItemSearch, services: Services) -> tuple[tuple[Instant, int], ...]:
    """Return the months (UTC) in which items begin and how many do, ascending; months without items are missing.

    Args:
        search: What is looked for; its limit, order and cursor do not matter.
        services: With the index; collections that are not in it as a whole are not counted.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer.
    """
    return items_of(services).count_by_month(search, among=counted_collections(services))


def not_counted(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return the collections of a search whose items are not counted.

    Raises:
        InvalidParameter: They are all that it names.
    """
    live = _among(live_names(services), search)
    if live and search.collections and not counted_collections(services).intersection(search.collections):
        raise InvalidParameter(f"{live[0]} is not counted: {NOT_COUNTED}", locator="collections")
    return tuple(Unanswered(collection=each, reason=NOT_COUNTED) for each in live)


def counted_collections(services: Services) -> frozenset[str]:
    """Return the collections that are in the index as a whole."""
    return listed_collections(services) - set(live_names(services))


def _among(names: tuple[str, ...], search: ItemSearch) -> tuple[str, ...]:
    return tuple(each for each in names if not search.collections or each in search.collections)


def not_whole(names: Collection[str], services: Services) -> tuple[Unanswered, ...]:
    """Return those of some collections, or of all, of which the index lacks items, as it is being filled.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    index, served = items_of(services), services.catalogue.collections_by_id
    among = counted_collections(services) & (set(names) if names else served.keys())
    return tuple(
        Unanswered(collection=each, reason="its source was not yet read completely", is_partial=True)
        for each in sorted(among)
        if not index.state(each).is_whole
    )


def _away(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """The collections that are configured and of which the index has nothing, as their source was never open."""
    index, away = items_of(services), sorted(set(services.catalogue.away.values()) - set(live_names(services)))
    return tuple(
        Unanswered(collection=each, reason="its source cannot be read now")
        for each in away
        if (not search.collections or each in search.collections) and index.extent(each) is None
    )
