"""Changes of items as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.items import ChangePage, ItemChange
from chronotile.core.model.space.boxes import BBox
from chronotile.pipeline.search.public_item import public_item
from chronotile.protocols.common.links import collection_path, item_path, product_path
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import name_list, names_of, text, whole

PATH = "/stac/changes"
GEOJSON = "application/geo+json"
JSON = "application/json"
_TIMES = ("datetime", "start_datetime", "end_datetime", "updated")


SINCE = text("since", "Cursor of the previous page; without it the answer has no changes, only the current cursor")
COLLECTIONS = name_list("collections", "Ids of collections, separated by commas; default: all")
LIMIT = whole("limit", "Maximum number of changes per page", least=1, most=1000, default=100)
OF_CHANGES = (SINCE, COLLECTIONS, LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesQuery:
    """A requested page of changes."""

    since: str | None
    collections: tuple[str, ...]
    """Empty returns changes of all collections."""
    limit: int


def changes_query(query: Kvp, catalogue: Catalogue) -> ChangesQuery:
    """Return the query of `/stac/changes`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names(names_of(OF_CHANGES))
    collections = tuple(dict.fromkeys(COLLECTIONS.optional(query) or ()))
    names = {*catalogue.whole_collections, *catalogue.wholly_unavailable}
    for name in collections:
        if name not in names:
            raise InvalidParameter(f"there is no collection {name[:MAX_SHOWN]!r}", locator=COLLECTIONS.name)
    return ChangesQuery(since=SINCE.optional(query), collections=collections, limit=LIMIT.value(query))


def changes_document(page: ChangePage, query: ChangesQuery, *, base: str) -> dict[str, Any]:
    """Return a page of changes, the cursor of the next page, and the URL of that page if more changes exist now."""
    following = {"since": page.cursor, "collections": ",".join(query.collections), "limit": query.limit}
    return {
        "changes": [change_document(change, base=base) for change in page.changes],
        "since": page.cursor,
        "next": None if page.is_last else f"{base}{PATH}?{urlencode(omit_empty(following))}",
    }


def change_document(change: ItemChange, *, base: str) -> dict[str, Any]:
    """Return a change of an item: its kind and the item's ids, and unless it was removed its times, box and links."""
    members = {"change": change.kind, "collection": change.collection, "id": change.id, "product": str(change.product)}
    if change.item is None:
        return members
    document = public_item(change.item)
    product = {"rel": "enclosure", "title": "The product", "href": f"{base}{product_path(change.product)}"}
    return {
        **members,
        **times_of(document["properties"]),
        "bbox": list(box_of(document)),
        "links": [
            {"rel": "item", "type": GEOJSON, "href": f"{base}{item_path(change.collection, change.id)}"},
            {"rel": "collection", "type": JSON, "href": f"{base}{collection_path(change.collection)}"},
            *([product] if document["assets"] else []),  # an item without files has no product
        ],
    }


def times_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return the available times of an item; an item with only an interval has no `datetime`."""
    return {name: properties[name] for name in _TIMES if isinstance(properties.get(name), str)}


def box_of(document: Mapping[str, Any]) -> BBox:
    """Return the box of an item, without heights; `document` is an answer of `public_item`."""
    box = document["bbox"]
    half = len(box) // 2
    return BBox(*map(float, (*box[:2], *box[half : half + 2])))
