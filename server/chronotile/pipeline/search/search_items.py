"""Searches of items: which were observed where and when, and how many in each month."""

from dataclasses import replace

from chronotile.model.items import ItemPage, ItemSearch, Unanswered
from chronotile.model.time.instants import Instant
from chronotile.pipeline.search.served_index import items_of
from chronotile.pipeline.services import Services


def search_items(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items of collections that are served.

    Args:
        search: What is looked for; names of collections that are not served find nothing.
        services: With the index.

    Raises:
        InvalidParameter: A value of the search is not accepted, or it takes too long.
        SourceUnavailable: The index does not answer.
    """
    page = items_of(services).search(search, among=services.catalogue.collections_by_id)
    unanswered = (*_away(search, services), *_not_whole(search, services))
    return replace(page, unanswered=unanswered) if unanswered else page


def count_by_month(search: ItemSearch, services: Services) -> tuple[tuple[Instant, int], ...]:
    """Return the months (UTC) in which items begin and how many do, ascending; months without items are missing.

    Args:
        search: What is looked for; its limit, order and cursor do not matter.
        services: With the index.

    Raises:
        InvalidParameter: A value of the search is not accepted, or it takes too long.
        SourceUnavailable: The index does not answer.
    """
    return items_of(services).count_by_month(search, among=services.catalogue.collections_by_id)


def _not_whole(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """The collections of which the index lacks items, as it is being filled for the first time."""
    index, served = items_of(services), services.catalogue.collections_by_id
    among = [each for each in search.collections if each in served] if search.collections else served
    return tuple(
        Unanswered(collection=each, reason="its source was not yet read completely")
        for each in among
        if not index.state(each).is_whole
    )


def _away(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """The collections that are configured and not served now, as their source was never open."""
    away = sorted(set(services.catalogue.away.values()))
    return tuple(
        Unanswered(collection=each, reason="its source cannot be read now")
        for each in away
        if not search.collections or each in search.collections
    )
