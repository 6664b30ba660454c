"""Paths of records in OpenAPI 3.0; those of collections of records are written out, as their ids are known."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.items import product_id
from chronotile.protocols.common.examples import examples_of
from chronotile.protocols.common.openapi import (
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    UNANSWERED,
    Json,
    enum_of,
    get,
    in_path,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.query.parameter import documents, format_of
from chronotile.protocols.ogcapi.maps.openapi import languages_of
from chronotile.protocols.ogcapi.records.common_properties import CATALOG, GEOJSON, HTML, JSON
from chronotile.protocols.ogcapi.records.documents import SCHEMA
from chronotile.protocols.ogcapi.records.params import parameters_of
from chronotile.protocols.ogcapi.records.record_collections import (
    COLLECTION_RECORDS,
    DATE_TIME,
    ITEM_RECORDS,
    RECORD_COLLECTIONS,
    RecordCollection,
)

TAG = "Records"
OPERATIONS: Mapping[str, str] = {COLLECTION_RECORDS.id: "collections", ITEM_RECORDS.id: "items"}
"""How operations of a collection are called."""
EXAMPLES: Mapping[str, object] = {"bbox": [0, 50, 10, 60], "datetime": "2020-01-01/..", "sortby": ["-updated"]}
_LINKS = list_of(ref("Link"))
_TEMPLATES = list_of(object_of({"rel": TEXT, "uriTemplate": TEXT}, {"type": TEXT, "title": TEXT}))
_LANGUAGE = object_of({"code": TEXT})
_CONTACTS = list_of(object_of({"roles": list_of(TEXT)}, {"name": TEXT, "organization": TEXT}))
_PROPERTIES = object_of(
    {"type": TEXT, "title": TEXT},
    {
        "description": TEXT,
        "keywords": list_of(TEXT),
        "created": DATE_TIME,
        "updated": DATE_TIME,
        "language": _LANGUAGE,
        "languages": list_of(_LANGUAGE),
        "externalIds": list_of(object_of({"value": TEXT}, {"scheme": TEXT})),
        "formats": list_of(object_of({"mediaType": TEXT}, {"name": TEXT})),
        "contacts": _CONTACTS,
        "license": TEXT,
        "rights": TEXT,
    },
)
SCHEMAS: Mapping[str, Json] = {
    "RecordCollection": object_of(
        {"id": TEXT, "title": TEXT, "type": enum_of(["Collection"]), "itemType": enum_of(["record"]), "links": _LINKS},
        {
            "description": TEXT,
            "extent": object_of({"spatial": ref("SpatialExtent")}, {"temporal": ref("TemporalExtent")}),
            "defaultSortOrder": list_of(object_of({"field": TEXT, "direction": enum_of(["asc", "desc"])})),
            "contacts": _CONTACTS,
        },
    ),
    "Record": object_of(
        {
            "id": TEXT,
            "type": enum_of(["Feature"]),
            "time": {
                "type": "object",
                "properties": {"timestamp": DATE_TIME, "interval": list_of(TEXT), "resolution": TEXT},
                "nullable": True,
            },
            "geometry": {**OBJECT, "nullable": True},
            "properties": _PROPERTIES,
            "links": _LINKS,
        },
        {"bbox": list_of(NUMBER), "linkTemplates": _TEMPLATES},
    ),
    "RecordPage": object_of(
        {
            "type": enum_of(["FeatureCollection"]),
            "numberReturned": INDEX,
            "links": _LINKS,
            "features": list_of(ref("Record")),
        },
        {
            "numberMatched": INDEX,
            "unanswered": UNANSWERED,
        },
    ),
}


def record_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address."""
    return {path: item for each in RECORD_COLLECTIONS for path, item in _of_collection(each, catalogue).items()}


def _of_collection(collection: RecordCollection, catalogue: Catalogue) -> Mapping[str, Json]:
    name, path = f"records.{OPERATIONS[collection.id]}", f"/collections/{collection.id}"
    language = languages_of(catalogue)
    both = [format_of(["json", "html"]), language]
    schemas = {SCHEMA: OBJECT, HTML: TEXT}
    record = in_path("recordId", "Id of the record", example=_example_id(collection, catalogue))
    described = documents(parameters_of(collection), EXAMPLES)
    return {
        path: get(
            f"{name}.getCollection",
            collection.title,
            tag=TAG,
            parameters=[format_of(["catalog", "json", "html"]), language],
            answers={CATALOG: ref("RecordCollection"), JSON: ref("RecordCollection"), HTML: TEXT},
        ),
        f"{path}/queryables": get(
            f"{name}.getQueryables", "Properties for filters", tag=TAG, parameters=both, answers=schemas
        ),
        f"{path}/sortables": get(
            f"{name}.getSortables", "Properties to sort by", tag=TAG, parameters=both, answers=schemas
        ),
        f"{path}/items": get(
            f"{name}.getRecords",
            collection.description,
            tag=TAG,
            parameters=[*described, *both],
            answers={GEOJSON: ref("RecordPage"), HTML: TEXT},
        ),
        f"{path}/items/{{recordId}}": get(
            f"{name}.getRecord",
            "One record",
            tag=TAG,
            parameters=[record, *both],
            answers={GEOJSON: ref("Record"), HTML: TEXT},
        ),
    }


def _example_id(collection: RecordCollection, catalogue: Catalogue) -> str | None:
    examples = examples_of(catalogue)
    if collection.id == ITEM_RECORDS.id:
        return None if examples.item is None else str(product_id(examples.collection, examples.item))
    return examples.collection
