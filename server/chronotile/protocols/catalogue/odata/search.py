"""The question of a `$filter` put to the index: pages of products, one product, the attributes of a collection."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from uuid import UUID

from chronotile.catalog.items.lookups import ADDED_BYTES, MOST_BYTES
from chronotile.core.errors import LimitExceeded, UnknownItem
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch, Unanswered
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.search_items import (
    find_product,
    require_filled,
    search_index,
    search_items,
    unanswered_by,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.odata.attributes import attributes_in
from chronotile.protocols.catalogue.odata.cql2 import search_of
from chronotile.protocols.catalogue.odata.params import LOCATOR, ProductQuery

MOST_COUNTED = 10_000
"""Products that are counted."""
SAMPLED = 20
"""Items by which the attributes of a collection are known: its newest ones."""
NOTHING = ItemPage(items=(), next=None, matched=0)


def find_products(query: ProductQuery, services: Services) -> ItemPage:
    """Return the page of products of a query.

    Raises:
        InvalidParameter: The filter, order or token is not accepted, or the search takes too long.
        IndexIncomplete: Not all products of a collection are known yet.
        LimitExceeded: More products would be counted than are.
        SourceUnavailable: The index does not answer.
    """

    def item_of(product: UUID) -> tuple[str, str] | None:
        return next(((found.collection, found.ref.id) for found in _known((product,), services)), None)

    asked = search_of(query.condition, item_of)
    if asked.cql2 is False:
        return NOTHING
    search = ItemSearch(
        collections=asked.collections,
        ids=asked.ids,
        span=asked.span,
        filter=None if asked.cql2 is True else asked.cql2,
        sort=query.sort,
        limit=max(query.top, 1),
        skip=0 if query.token else query.skip,
        cursor=query.token,
    )
    require_filled(asked.collections, services)
    page = search_items(search, services)
    if query.is_counted and page.matched is None:
        raise LimitExceeded(
            "$count",
            allowed=MOST_COUNTED,
            needed=MOST_COUNTED + 1,
            alternative="narrow $filter, such as by ContentDate/Start, or leave $count out and follow @odata.nextLink",
            locator="$count",
        )
    return page if query.top else replace(page, items=(), next=None)


def find_by_names(names: tuple[str, ...], products: tuple[UUID, ...], services: Services) -> ItemPage:
    """Return the products that have one of some names or ids; others are left out.

    Raises:
        IndexIncomplete: Not all products of a collection are known yet.
        LimitExceeded: What is known of them is more than one answer has.
        SourceUnavailable: The index does not answer.
    """
    require_filled((), services)
    found, size = list[FoundItem](), 0
    unanswered = list(unanswered_by(ItemSearch(), services))
    for each in chain(_named(names, services, unanswered), _known(products, services)):
        size += len(each.document) + ADDED_BYTES
        if found and size > MOST_BYTES:
            raise LimitExceeded(
                LOCATOR,
                allowed=len(found),
                needed=len(found) + 1,
                alternative="send several lists: what is known of these products is more than one answer has",
                locator=LOCATOR,
            )
        found.append(each)
    items = tuple({each.product: each for each in found}.values())
    return ItemPage(items=items, next=None, matched=len(items), unanswered=tuple(dict.fromkeys(unanswered)))


def _named(names: tuple[str, ...], services: Services, unanswered: list[Unanswered]) -> Iterator[FoundItem]:
    """The products of some names; collections that were not searched are added to those `unanswered`."""
    search = ItemSearch(ids=names, limit=MOST_COUNTED) if names else None
    while search is not None:
        page = search_items(search, services)
        unanswered += page.unanswered
        yield from page.items
        search = None if page.next is None else replace(search, cursor=page.next)


def _known(products: tuple[UUID, ...], services: Services) -> Iterator[FoundItem]:
    for product in products:
        try:
            yield find_product(product, services)
        except UnknownItem:
            continue


def types_of_attributes(collection: str, services: Services) -> dict[str, str]:
    """Return the types of the attributes that the newest items of a collection have, by their names."""
    page = search_index(ItemSearch(collections=(collection,), limit=SAMPLED), services)
    return {
        attribute.name: attribute.type
        for found in page.items
        for attribute, _value in attributes_in(public_item(found)["properties"])
    }
