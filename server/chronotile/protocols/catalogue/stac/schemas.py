"""JSON Schemas of STAC documents."""

from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import ADDRESS, BOX, OBJECT, TEXT, UNANSWERED, WHOLE, list_of, object_of

LINKS_SCHEMA: Json = list_of(object_of({"rel": TEXT, "href": TEXT}, {"type": TEXT, "title": TEXT, "method": TEXT}))
CATALOG_SCHEMA: Json = object_of(
    {
        "type": {"const": "Catalog"},
        **dict.fromkeys(("stac_version", "id", "description"), TEXT),
        "conformsTo": list_of(ADDRESS),
        "links": LINKS_SCHEMA,
    }
)
COLLECTION_SCHEMA: Json = object_of(
    {
        "type": {"const": "Collection"},
        **dict.fromkeys(("stac_version", "id", "description", "license"), TEXT),
        "extent": object_of(
            {
                "spatial": object_of({"bbox": list_of(BOX)}),
                "temporal": object_of(
                    {"interval": list_of({**list_of({"type": ["string", "null"]}), "minItems": 2, "maxItems": 2})}
                ),
            }
        ),
        "links": LINKS_SCHEMA,
    }
)
COLLECTIONS_SCHEMA: Json = object_of(
    {"collections": list_of(COLLECTION_SCHEMA), "links": LINKS_SCHEMA, "numberMatched": WHOLE, "numberReturned": WHOLE}
)
ITEM_SCHEMA: Json = object_of(
    {
        "type": {"const": "Feature"},
        **dict.fromkeys(("stac_version", "id", "collection"), TEXT),
        "geometry": OBJECT,
        "bbox": BOX,
        "properties": OBJECT,
        "links": LINKS_SCHEMA,
        "assets": OBJECT,
    }
)
COUNTS_SCHEMA: Json = object_of(
    {"type": {"const": "AggregationCollection"}, "aggregations": list_of(OBJECT), "links": LINKS_SCHEMA},
    {"unanswered": UNANSWERED},
)
