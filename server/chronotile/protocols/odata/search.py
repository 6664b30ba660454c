"""The question of a `$filter` put to the index: pages of products, one product, the attributes of a collection."""

from dataclasses import replace
from uuid import UUID

from chronotile.errors import LimitExceeded, UnknownItem
from chronotile.model.items import FoundItem, ItemPage, ItemSearch
from chronotile.pipeline.search.find import find_product
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.search_items import search_items
from chronotile.pipeline.services import Services
from chronotile.protocols.odata.attributes import attributes_in
from chronotile.protocols.odata.cql2 import search_of
from chronotile.protocols.odata.params import ProductQuery

MOST_COUNTED = 10_000
"""Products that are counted."""
SAMPLED = 20
"""Items by which the attributes of a collection are known: its newest ones."""
NOTHING = ItemPage(items=(), next=None, matched=0)


def find_products(query: ProductQuery, services: Services) -> ItemPage:
    """Return the page of products of a query.

    Raises:
        InvalidParameter: The filter, order or token is not accepted, or the search takes too long.
        LimitExceeded: More products would be counted than are.
        SourceUnavailable: The index does not answer.
    """

    def item_of(product: UUID) -> tuple[str, str] | None:
        try:
            found = find_product(product, services)
        except UnknownItem:
            return None
        return found.collection, found.ref.id

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
        cursor=query.token,
    )
    page = _page_after(search, 0 if query.token else query.skip, services)
    if query.is_counted and page.matched is None:
        raise LimitExceeded(
            "$count",
            allowed=MOST_COUNTED,
            needed=MOST_COUNTED + 1,
            alternative="narrow $filter, such as by ContentDate/Start, or leave $count out and follow @odata.nextLink",
            locator="$count",
        )
    return page if query.top else replace(page, items=(), next=None)


def find_by_names(names: tuple[str, ...], products: tuple[UUID, ...], services: Services) -> tuple[FoundItem, ...]:
    """Return the products that have one of some names or ids; others are left out."""
    found = list[FoundItem]()
    for product in products:
        try:
            found.append(find_product(product, services))
        except UnknownItem:
            continue
    search = ItemSearch(ids=names, limit=MOST_COUNTED)
    named = search_items(search, services).items if names else ()
    return tuple({each.product: each for each in (*named, *found)}.values())


def types_of_attributes(collection: str, services: Services) -> dict[str, str]:
    """Return the types of the attributes that the newest items of a collection have, by their names."""
    page = search_items(ItemSearch(collections=(collection,), limit=SAMPLED), services)
    return {
        attribute.name: attribute.type
        for found in page.items
        for attribute, _value in attributes_in(public_item(found)["properties"])
    }


def _page_after(search: ItemSearch, skipped: int, services: Services) -> ItemPage:
    """The page after some products, which the index goes past first; how many match is counted with those."""
    matched: tuple[int | None, ...] = ()
    while skipped > 0:
        passed = search_items(replace(search, limit=skipped), services)
        matched = matched or (passed.matched,)
        skipped -= len(passed.items)
        if passed.next is None or not passed.items:
            return replace(passed, items=(), next=None, matched=matched[0])
        search = replace(search, cursor=passed.next)
    return search_items(search, services)
