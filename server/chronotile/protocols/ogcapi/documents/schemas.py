"""OpenAPI 3.0 schemas of the tree's own documents, and of problems."""

from chronotile.protocols.ogcapi.block import Json

TEXT: Json = {"type": "string"}
ADDRESS: Json = {"type": "string", "format": "uri"}
NUMBERS: Json = {"type": "array", "items": {"type": "number"}}
CONTACT = ("email", "phone", "address", "postalCode", "city", "stateorprovince", "country")


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(schema: Json) -> Json:
    return {"type": "array", "items": schema}


def _object(required: dict[str, Json], optional: dict[str, Json] | None = None) -> Json:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


_CELLS = _object(
    {"cellsCount": {"type": "integer", "minimum": 1}},
    {
        "resolution": {"oneOf": [TEXT, {"type": "number"}]},
        "firstCoordinate": {"oneOf": [TEXT, {"type": "number"}]},
        "relativeBounds": {**NUMBERS, "minItems": 2, "maxItems": 2},
        "coordinates": _list(TEXT),
        "boundsCoordinates": _list({**_list(TEXT), "minItems": 2, "maxItems": 2}),
        "step": {"type": "string", "enum": ["dekad"]},
    },
)

SCHEMAS: dict[str, Json] = {
    "Link": _object(
        {"href": TEXT, "rel": TEXT},
        {"type": TEXT, "title": TEXT, "hreflang": TEXT, "templated": {"type": "boolean"}},
    ),
    "LandingPage": _object(
        {"links": _list(_ref("Link"))},
        {
            "title": TEXT,
            "description": TEXT,
            "keywords": _list(TEXT),
            "provider": _object({"name": TEXT}),
            "contact": {"type": "object", "properties": dict.fromkeys(CONTACT, TEXT)},
        },
    ),
    "Conformance": _object({"conformsTo": _list(ADDRESS)}),
    "SpatialExtent": _object(
        {"bbox": {**_list({**NUMBERS, "minItems": 4, "maxItems": 6}), "minItems": 1}, "crs": ADDRESS},
        {"storageCrsBbox": _list(NUMBERS), "grid": _list(_CELLS)},
    ),
    "TemporalExtent": _object(
        {"interval": _list({**_list(TEXT), "minItems": 2, "maxItems": 2}), "trs": ADDRESS},
        {"values": _list(TEXT), "grid": _CELLS},
    ),
    "Collection": _object(
        {
            "id": TEXT,
            "links": _list(_ref("Link")),
            "extent": _object({"spatial": _ref("SpatialExtent")}, {"temporal": _ref("TemporalExtent")}),
            "crs": _list(ADDRESS),
        },
        {
            "title": TEXT,
            "description": TEXT,
            "keywords": _list(TEXT),
            "attribution": TEXT,
            "license": TEXT,
            "storageCrs": ADDRESS,
            "climatology": {**_object({"start": TEXT, "end": TEXT}), "nullable": True},
            "dataType": {"type": "string", "enum": ["coverage", "map"]},
        },
    ),
    "Collections": _object(
        {"links": _list(_ref("Link")), "collections": _list(_ref("Collection"))},
        {"numberMatched": {"type": "integer", "minimum": 0}, "numberReturned": {"type": "integer", "minimum": 0}},
    ),
    "Problem": _object(
        {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
        {
            "parameter": TEXT,
            "nearest": _list(TEXT),
            "limit": TEXT,
            "allowed": {"type": "integer"},
            "asked": {"type": "integer"},
            "alternative": TEXT,
            "job": _object({"process": TEXT, "href": TEXT, "execute": {"type": "object"}}, {"note": TEXT}),
        },
    ),
}
