"""Requirements of OGC 20-004r1 for records and collections of records, as JSON Schema in our own words."""

from jsonschema import Draft202012Validator, FormatChecker

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
MOMENT = {"type": "string", "format": "date-time", "pattern": "Z$"}
LINK_BASE = {"rel": TEXT, "type": TEXT, "hreflang": TEXT, "title": TEXT, "length": {"type": "integer"}}
LINK = {"type": "object", "required": ["href", "rel"], "properties": {**LINK_BASE, "href": TEXT}}
TEMPLATE = {"type": "object", "required": ["uriTemplate", "rel"], "properties": {**LINK_BASE, "uriTemplate": TEXT}}
LANGUAGE = {"type": "object", "required": ["code"], "properties": {"code": {"type": "string", "minLength": 2}}}
VALUES = {"type": "array", "items": {"type": "object", "required": ["value"], "properties": {"value": TEXT}}}
CONTACT = {
    "type": "object",
    "anyOf": [{"required": ["name"]}, {"required": ["organization"]}],
    "properties": {
        "name": TEXT,
        "organization": TEXT,
        "phones": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["value"],
                "properties": {"value": {"type": "string", "pattern": r"^\+[1-9][0-9]{3,14}$"}},
            },
        },
        "emails": VALUES,
        "addresses": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "deliveryPoint": TEXTS,
                    **dict.fromkeys(("city", "administrativeArea", "postalCode", "country"), TEXT),
                },
            },
        },
        "roles": {**TEXTS, "minItems": 1},
    },
}
COMMON = {
    "type": "object",
    "properties": {
        "created": MOMENT,
        "updated": MOMENT,
        **dict.fromkeys(("title", "description", "license", "rights"), TEXT),
        "keywords": TEXTS,
        "language": LANGUAGE,
        "languages": {"type": "array", "items": LANGUAGE},
        "resourceLanguages": {"type": "array", "items": LANGUAGE},
        "externalIds": {**VALUES, "items": {**VALUES["items"], "properties": {"value": TEXT, "scheme": TEXT}}},
        "formats": {
            "type": "array",
            "items": {"type": "object", "anyOf": [{"required": ["name"]}, {"required": ["mediaType"]}]},
        },
        "contacts": {"type": "array", "items": CONTACT},
        "themes": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["concepts", "scheme"]}},
    },
}
END = {"type": "string", "pattern": r"^(\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?Z)?|\.\.)$"}
TIME = {
    "type": ["object", "null"],
    "properties": {
        "date": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"},
        "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "interval": {"type": "array", "minItems": 2, "maxItems": 2, "items": END},
        "resolution": {"type": "string", "pattern": "^P"},
    },
}
GEOMETRY = {
    "type": ["object", "null"],
    "required": ["type", "coordinates"],
    "properties": {
        "type": {"enum": ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"]},
        "coordinates": {"type": "array"},
    },
}
RECORD = {
    "type": "object",
    "required": ["id", "type", "time", "geometry", "properties", "links"],
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "type": {"const": "Feature"},
        "time": TIME,
        "geometry": GEOMETRY,
        "properties": {
            "allOf": [COMMON, {"type": "object", "required": ["type", "title"], "properties": {"type": TEXT}}]
        },
        "links": {"type": "array", "items": LINK},
        "linkTemplates": {"type": "array", "items": TEMPLATE},
    },
}
RECORDS = {
    "type": "object",
    "required": ["type", "features", "links", "numberReturned"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {"type": "array", "items": RECORD},
        "links": {"type": "array", "items": LINK},
        "numberMatched": {"type": "integer", "minimum": 0},
        "numberReturned": {"type": "integer", "minimum": 0},
    },
}
COLLECTION = {
    "allOf": [
        COMMON,
        {
            "type": "object",
            "required": ["id", "title", "type", "itemType", "links"],
            "properties": {
                "id": TEXT,
                "type": {"const": "Collection"},
                "itemType": {"const": "record"},
                "links": {"type": "array", "items": LINK},
                "defaultSortOrder": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["field", "direction"],
                        "properties": {"field": TEXT, "direction": {"enum": ["asc", "desc"]}},
                    },
                },
            },
        },
    ]
}


def faults(document, schema):
    """Return the faults of a document with their JSON paths."""
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [f"{each.json_path}: {each.message[:300]}" for each in validator.iter_errors(document)]
