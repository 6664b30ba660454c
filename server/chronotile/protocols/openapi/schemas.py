"""The documents that endpoints give, as JSON Schema."""

from chronotile.protocols.openapi.parts import (
    NUMBER,
    TEXT,
    WHOLE,
    Json,
    document,
    list_of,
    named,
    or_null,
)

BOX: Json = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4}
ID: Json = {"type": ["string", "number", "null"]}
VALUE: Json = {"type": ["number", "null"]}
TIMES: Json = list_of(or_null({"type": "string", "format": "date-time"}))
LINKS: Json = list_of(
    document({"rel": TEXT, "href": TEXT, "type": TEXT}, {"title": TEXT, "templated": {"type": "boolean"}})
)
FOUND: Json = {"type": "object", "description": "What was found out about the series"}

FAULT: Json = document({"reason": TEXT}, {"collection": TEXT, "layer": TEXT, "variable": TEXT, "time": TEXT})

RESULTS: Json = list_of(
    document(
        {
            "date": TEXT,
            "result": document({"average": VALUE}, {"totalCount": WHOLE, "validCount": WHOLE, "uncertainty": VALUE}),
        }
    )
)

LAYER: Json = document(
    {
        "id": TEXT,
        "title": TEXT,
        "collection": TEXT,
        "variable": or_null(TEXT),
        "units": or_null(TEXT),
        "bbox": BOX,
        "attribution": or_null(TEXT),
        "styles": list_of(document({"id": TEXT, "title": TEXT})),
        "revision": or_null(TEXT),
        "times": document({"first": or_null(TEXT), "last": or_null(TEXT), "count": WHOLE, "default": or_null(TEXT)}),
        "links": LINKS,
    },
    {"climatology": or_null(document({"start": TEXT, "end": TEXT}))},
)

RAMP: Json = document(
    {
        "id": TEXT,
        "title": TEXT,
        "range": {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2},
        "stops": list_of(document({"value": NUMBER, "color": TEXT})),
        "below": TEXT,
        "above": TEXT,
    }
)

PLACE_SET: Json = document(
    {
        "id": TEXT,
        "title": TEXT,
        "count": WHOLE,
        "bbox": BOX,
        "attribution": or_null(TEXT),
        "fields": list_of(TEXT),
        "revision": TEXT,
        "links": LINKS,
    },
    {"places": list_of({"type": "object"}), "next": or_null(TEXT)},
)

AREA_FEATURE: Json = document(
    {
        "id": ID,
        "series": {"type": "object", "additionalProperties": list_of({"type": ["number", "null", "array"]})},
        "valid": list_of(WHOLE),
        "total": {"anyOf": [WHOLE, list_of(WHOLE)]},
    },
    {
        "properties": {"type": "object"},
        "note": TEXT,
        "reasons": {"type": "object", "additionalProperties": list_of(WHOLE)},
        "analysis": FOUND,
    },
)

SCHEMAS: Json = {
    "Problem": document(
        {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT},
        {
            "parameter": TEXT,
            "nearest": list_of(TEXT),
            "limit": TEXT,
            "allowed": WHOLE,
            "asked": WHOLE,
            "alternative": TEXT,
            "job": document({"process": TEXT, "href": TEXT, "execute": {"type": "object"}}, {"note": TEXT}),
        },
    ),
    "Layer": LAYER,
    "Layers": document(
        {"layers": list_of(named("Layer")), "collections": list_of(document({"id": TEXT, "title": TEXT}))}
    ),
    "Times": document(
        {
            "times": TIMES,
            "valid_shares": list_of(VALUE),
            "valid_shares_pending": WHOLE,
            "total": WHOLE,
            "next": or_null(TEXT),
        }
    ),
    "PointSeries": document(
        {
            "layer": TEXT,
            "units": TEXT,
            "point": {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2},
            "times": TIMES,
            "values": list_of(VALUE),
            "reasons": list_of(or_null(TEXT)),
        },
        {"analysis": FOUND, "methods": {"type": "object"}},
    ),
    "AreaSeries": document(
        {"layer": TEXT, "units": TEXT, "times": TIMES, "features": list_of(AREA_FEATURE)},
        {
            "unreadable": list_of(TEXT),
            "edges": {"type": "object", "additionalProperties": list_of(NUMBER)},
            "methods": {"type": "object"},
        },
    ),
    "SeriesCost": document(
        {"layer": TEXT, "chunks": WHOLE, "bytes": WHOLE, "megabytes": NUMBER, "seconds": NUMBER, "values": WHOLE}
    ),
    "PointsSeries": document({"results": list_of(named("AreaSeries"))}),
    "PointsRequest": document(
        {
            "layers": list_of(TEXT),
            "points": list_of(
                {
                    "oneOf": [
                        {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2},
                        document({"lon": NUMBER, "lat": NUMBER}, {"id": ID}),
                    ]
                }
            ),
        },
        {"datetime": TEXT},
    ),
    "Geometry": {
        "type": "object",
        "description": "A GeoJSON Polygon or MultiPolygon, a Feature of one, or a GeometryCollection of such",
        "required": ["type"],
    },
    "FeatureCollection": document({"type": {"const": "FeatureCollection"}, "features": list_of({"type": "object"})}),
    "TerrascopeLayers": document(
        {
            "layers": list_of(
                document(
                    {
                        "name": TEXT,
                        "dates": list_of(TEXT),
                        "bounds": document({"xmin": NUMBER, "ymin": NUMBER, "xmax": NUMBER, "ymax": NUMBER}),
                    }
                )
            )
        }
    ),
    "TerrascopeSeries": document({"results": RESULTS}),
    "TerrascopeSeriesOfMany": document({"results": list_of(RESULTS)}),
    "Ramps": document({"ramps": list_of(RAMP)}),
    "TileJson": document({"tilejson": TEXT, "tiles": list_of(TEXT)}),
    "PlaceSet": PLACE_SET,
    "PlaceSets": document({"places": list_of(named("PlaceSet"))}),
    "PlaceValues": document(
        {
            "places": TEXT,
            "revision": TEXT,
            "layer": TEXT,
            "units": TEXT,
            "reducer": TEXT,
            "times": TIMES,
            "offset": WHOLE,
            "total": WHOLE,
            "ids": list_of(TEXT),
            "values": list_of(list_of(VALUE)),
        },
        {"unreadable": list_of(TEXT)},
    ),
    "Landing": document({"title": TEXT, "version": TEXT, "collections": list_of({"type": "object"}), "links": LINKS}),
    "Health": document({"status": TEXT}, {"failing": list_of(TEXT), "faults": list_of(FAULT)}),
}
