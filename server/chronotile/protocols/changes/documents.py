"""Changes of items in JSON."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from chronotile.model.grid import BBox
from chronotile.model.items import ChangePage, ItemChange
from chronotile.pipeline.search.public_item import public_item
from chronotile.protocols.changes.params import ChangesQuery
from chronotile.protocols.common.item_links import collection_path, item_path
from chronotile.protocols.common.product_links import product_path

PATH = "/stac/changes"
GEOJSON = "application/geo+json"
JSON = "application/json"
_TIMES = ("datetime", "start_datetime", "end_datetime", "updated")


def changes_document(page: ChangePage, query: ChangesQuery, *, base: str) -> dict[str, Any]:
    """Return a page of changes with the cursor from which the next one goes on, and its URL if there are more now."""
    following = {"since": page.cursor}
    if query.collections:
        following["collections"] = ",".join(query.collections)
    following["limit"] = str(query.limit)
    return {
        "changes": [change_document(change, base=base) for change in page.changes],
        "since": page.cursor,
        "next": None if page.is_last else f"{base}{PATH}?{urlencode(following)}",
    }


def change_document(change: ItemChange, *, base: str) -> dict[str, Any]:
    """Return what became of an item; of one that was removed no more is known than its ids."""
    told: dict[str, Any] = {
        "change": change.kind,
        "collection": change.collection,
        "id": change.id,
        "product": str(change.product),
    }
    if change.item is None:
        return told
    document = public_item(change.item)
    product = {"rel": "enclosure", "title": "The product", "href": f"{base}{product_path(change.product)}"}
    return {
        **told,
        **times_of(document["properties"]),
        "bbox": list(box_of(document)),
        "links": [
            {"rel": "item", "type": GEOJSON, "href": f"{base}{item_path(change.collection, change.id)}"},
            {"rel": "collection", "type": JSON, "href": f"{base}{collection_path(change.collection)}"},
            *([product] if document["assets"] else []),  # of an item without files there is none
        ],
    }


def times_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Return the times of an item as far as they are known; `datetime` is missing of one that only has an interval."""
    return {name: properties[name] for name in _TIMES if isinstance(properties.get(name), str)}


def box_of(document: Mapping[str, Any]) -> BBox:
    """Return the box of an item, as `public_item` returns it, without heights."""
    box = document["bbox"]
    half = len(box) // 2
    return BBox(*map(float, (*box[:2], *box[half : half + 2])))
