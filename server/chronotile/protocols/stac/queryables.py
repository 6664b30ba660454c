"""Properties that filters compare, as JSON Schema (OGC 19-079r2 §7)."""

from collections.abc import Iterable
from typing import Any

import orjson

from chronotile.catalog.items.order import instant_in
from chronotile.model.items import ItemSearch
from chronotile.pipeline.search.search_items import search_index
from chronotile.protocols.stac.context import Json, StacContext

SAMPLE = 20
"""Of the newest items, whose properties are listed."""
SCHEMA = "https://json-schema.org/draft/2020-12/schema"
TIME: Json = {"type": "string", "format": "date-time"}
KNOWN: Json = {
    "id": {"title": "Id of the item", "type": "string"},
    "collection": {"title": "Id of the collection", "type": "string"},
    "geometry": {"title": "Footprint", "$ref": "https://geojson.org/schema/Geometry.json"},
    "datetime": {"title": "Start of the observation", **TIME},
    "start_datetime": {"title": "Start of the observation", **TIME},
    "end_datetime": {"title": "End of the observation", **TIME},
    "updated": {"title": "When the item was changed", **TIME},
}


def queryables_document(collection: str | None, context: StacContext) -> Json:
    """Return the properties that newest items of the index have, of all collections or of one; others are accepted.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    url = context.root if collection is None else context.collection_url(collection)
    wanted = ItemSearch(collections=() if collection is None else (collection,), limit=SAMPLE)
    found = search_index(wanted, context.services).items
    properties = _properties(orjson.loads(each.document).get("properties", {}) for each in found)
    return {
        "$schema": SCHEMA,
        "$id": f"{url}/queryables",
        "type": "object",
        "title": "Queryables" if collection is None else f"Queryables of {collection}",
        "properties": {**properties, **KNOWN},
        "additionalProperties": True,
    }


def _properties(items: Iterable[Any]) -> Json:
    found: Json = {}
    for properties in items:
        for name, value in properties.items():
            schema = _schema(value)
            if schema is not None:
                found.setdefault(name, {"title": name, **schema})
    return dict(sorted(found.items()))


def _schema(value: object) -> Json | None:
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "number"}
    if isinstance(value, str):
        return {"type": "string"} if instant_in(value) is None else TIME
    return None
