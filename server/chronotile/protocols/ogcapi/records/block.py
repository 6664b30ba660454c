"""OGC API - Records - Part 1: Core (OGC 20-004r1)."""

from collections.abc import Mapping, Sequence

from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import (
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    UNANSWERED,
    Json,
    enum_of,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.records.documents import further_collections
from chronotile.protocols.ogcapi.records.record_collections import (
    CATALOG,
    DATE_TIME,
    RECORD_COLLECTIONS,
    RECORDS_1,
    address_of,
)
from chronotile.protocols.ogcapi.records.routes import operations

REL_CATALOG = "http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog"
RECORDS = (
    *("record-core", "record-collection", "record-core-query-parameters", "records-api", "sorting", "cql-filter"),
    *("json", "html", "oas30", "autodiscovery"),
    *("searchable-catalog", "searchable-catalog/sorting", "searchable-catalog/filtering"),
)
FILTERS = ("filter", "queryables")
CQL2 = ("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison")


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return the collections of records."""
    return [link(REL_CATALOG, address_of(each, context), CATALOG, each.title) for each in RECORD_COLLECTIONS]


# The documents as OpenAPI 3.0 has them.

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
        {"numberMatched": INDEX, "unanswered": UNANSWERED},
    ),
}

block = BuildingBlock(
    operations=operations,
    conformance=(
        *(f"{RECORDS_1}/{name}" for name in RECORDS),
        *(f"http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/{name}" for name in FILTERS),
        *(f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" for name in CQL2),
    ),
    schemas=SCHEMAS,
    landing_links=landing_links,
    further_collections=further_collections,
)
