"""OpenAPI 3.0 schemas of the tree's own documents, and of problems."""

from chronotile.protocols.common.openapi import (
    ADDRESS,
    BOX,
    COUNT,
    INDEX,
    NUMBER,
    PAIR,
    PROBLEM,
    TEXT,
    TRUTH,
    Json,
    enum_of,
    list_of,
    object_of,
    ref,
)

CONTACT = ("email", "phone", "address", "postalCode", "city", "stateorprovince", "country")
_CELLS = object_of(
    {"cellsCount": COUNT},
    {
        "resolution": {"oneOf": [TEXT, NUMBER]},
        "firstCoordinate": {"oneOf": [TEXT, NUMBER]},
        "relativeBounds": PAIR,
        "coordinates": list_of(TEXT),
        "boundsCoordinates": list_of({**list_of(TEXT), "minItems": 2, "maxItems": 2}),
        "step": enum_of(["dekad"]),
    },
)

SCHEMAS: dict[str, Json] = {
    "Link": object_of(
        {"href": TEXT, "rel": TEXT},
        {"type": TEXT, "title": TEXT, "hreflang": TEXT, "templated": TRUTH},
    ),
    "LandingPage": object_of(
        {"links": list_of(ref("Link"))},
        {
            "title": TEXT,
            "description": TEXT,
            "keywords": list_of(TEXT),
            "provider": object_of({"name": TEXT}),
            "contact": {"type": "object", "properties": dict.fromkeys(CONTACT, TEXT)},
        },
    ),
    "Conformance": object_of({"conformsTo": list_of(ADDRESS)}),
    "SpatialExtent": object_of(
        {"bbox": {**list_of(BOX), "minItems": 1}, "crs": ADDRESS},
        {"storageCrsBbox": list_of(list_of(NUMBER)), "grid": list_of(_CELLS)},
    ),
    "TemporalExtent": object_of(
        {"interval": list_of({**list_of(TEXT), "minItems": 2, "maxItems": 2}), "trs": ADDRESS},
        {"values": list_of(TEXT), "grid": _CELLS},
    ),
    "Collection": object_of(
        {
            "id": TEXT,
            "links": list_of(ref("Link")),
            "extent": object_of({"spatial": ref("SpatialExtent")}, {"temporal": ref("TemporalExtent")}),
            "crs": list_of(ADDRESS),
        },
        {
            "title": TEXT,
            "description": TEXT,
            "keywords": list_of(TEXT),
            "attribution": TEXT,
            "license": TEXT,
            "storageCrs": ADDRESS,
            "climatology": {**object_of({"start": TEXT, "end": TEXT}), "nullable": True},
            "dataType": enum_of(["coverage", "map"]),
        },
    ),
    "Collections": object_of(
        {"links": list_of(ref("Link")), "collections": list_of(ref("Collection"))},
        {"numberMatched": INDEX, "numberReturned": INDEX},
    ),
    "Problem": PROBLEM,
}
