"""JSON Schemas of documents in the OpenAPI document."""

from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import (
    NUMBER,
    OBJECT,
    PAIR,
    PROBLEM,
    TEXT,
    TRUTH,
    UNANSWERED,
    WHOLE,
    enum_of,
    list_of,
    nullable_schema,
    object_of,
    ref,
)


def _each(schema: Json, *names: str) -> Json:
    return dict.fromkeys(names, schema)


def _values_of(schema: Json) -> Json:
    return {"type": "object", "additionalProperties": schema}


BOX: Json = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4}
ID: Json = {"type": ["string", "number", "null"]}
VALUE: Json = {"type": ["number", "null"]}
SOME_TEXT: Json = nullable_schema(TEXT)
TEXTS: Json = list_of(TEXT)
TIMES: Json = list_of(nullable_schema({"type": "string", "format": "date-time"}))
LINKS: Json = list_of(object_of(_each(TEXT, "rel", "href", "type"), {"title": TEXT, "templated": TRUTH}))
ANALYSIS: Json = object_of(
    {},
    _each(list_of(VALUE), "smooth", "fill", "climatology", "anomaly")
    | _each(list_of(WHOLE), "counts", "anomaly_counts")
    | {
        "normals": object_of({"slots": TEXTS, "values": list_of(VALUE), "counts": list_of(WHOLE)}),
        "trend": object_of(_each(VALUE, "slope", "low", "high", "intercept", "p", "count")),
        "phenology": object_of(
            _each(TEXTS, "start", "peak", "end")
            | {"length": list_of(WHOLE)}
            | _each(list_of(VALUE), "amplitude", "peak_value")
        ),
        "reasons": _values_of(TEXT),
    },
)
METHODS: Json = _values_of({"anyOf": [TEXT, OBJECT]})

RESULT: Json = object_of({"average": VALUE}, {"totalCount": WHOLE, "validCount": WHOLE, "uncertainty": VALUE})
RESULTS: Json = list_of(object_of({"date": TEXT, "result": RESULT}))
LAYER: Json = object_of(
    _each(TEXT, "id", "title", "collection")
    | _each(SOME_TEXT, "variable", "units")
    | {"bbox": BOX, "attribution": SOME_TEXT, "styles": list_of(object_of(_each(TEXT, "id", "title")))}
    | {"revision": SOME_TEXT}
    | {
        "times": object_of(
            _each(SOME_TEXT, "first", "last") | {"count": WHOLE, "default": SOME_TEXT}, {"clear": SOME_TEXT}
        ),
        "links": LINKS,
    },
    {
        "climatology": nullable_schema(object_of(_each(TEXT, "start", "end"))),
        "access": {"const": "private"},
        "full_turn": NUMBER,
        "clear": object_of(_each(TEXT, "layer", "masked") | {"values": list_of(WHOLE), "revision": SOME_TEXT}),
    },
)
LAYER_DETAILS: Json = object_of(
    _each(TEXT, "collection_title", "crs")
    | _each(SOME_TEXT, "abstract", "license")
    | _each(TEXTS, "keywords", "aliases", "variables")
    | {"resolution": PAIR, "size": {**PAIR, "items": WHOLE}}
)
STOPS: Json = list_of(object_of({"value": NUMBER, "color": TEXT}))
RAMP: Json = object_of(_each(TEXT, "id", "title") | {"range": PAIR, "stops": STOPS} | _each(TEXT, "below", "above"))
LEGEND: Json = object_of(
    _each(TEXT, "layer", "style", "title", "units")
    | {"type": enum_of(("ramp", "classes")), "range": PAIR, "stops": STOPS}
    | _each(TEXT, "below", "above", "nodata")
    | {
        "labels": list_of(object_of({"value": NUMBER, "text": TEXT})),
        "classes": list_of(object_of({"value": NUMBER, "color": TEXT, "label": TEXT})),
        "flags": list_of(object_of(_each(TEXT, "name", "color"))),
    }
)
PLACE_SET: Json = object_of(
    _each(TEXT, "id", "title")
    | {"count": WHOLE, "bbox": BOX, "attribution": SOME_TEXT, "fields": TEXTS, "revision": TEXT, "links": LINKS},
    {"places": list_of(OBJECT), "next": SOME_TEXT},
)
AREA_FEATURE: Json = object_of(
    # A number per time; histograms have one per time and bin, all null if no cell has a value.
    {"id": ID, "series": _values_of({"anyOf": [list_of(VALUE), list_of(list_of(VALUE))]}), "valid": list_of(WHOLE)}
    | {"total": {"anyOf": [WHOLE, list_of(WHOLE)]}},
    {
        "properties": OBJECT,
        "note": TEXT,
        "reasons": _values_of(list_of(WHOLE)),
        "analysis": _values_of(ref("Analysis")),
    },
)
NODES: Json = list_of(ref("ProductNode"))
NODE: Json = object_of(
    {"name": TEXT, "type": {"enum": ["file", "folder", "missing"]}, "size": nullable_schema(WHOLE)}
    | {"media_type": TEXT, "links": LINKS},
    {"title": TEXT, "checksum": _values_of(TEXT), "nodes": NODES},
)
POINT: Json = {"oneOf": [PAIR, object_of({"lon": NUMBER, "lat": NUMBER}, {"id": ID})]}
ITEM_PAGE: Json = object_of(
    {"type": {"const": "FeatureCollection"}, "features": list_of(OBJECT), "numberReturned": WHOLE}
    | {"links": list_of(object_of(_each(TEXT, "rel", "href", "type"), _each(TEXT, "title", "method")))},
    {"numberMatched": WHOLE, "context": OBJECT, "unanswered": UNANSWERED},
)
BASE_MAP: Json = object_of(
    _each(TEXT, "id", "title", "href", "attribution")
    | {"kind": enum_of(("tiles", "wms", "pmtiles")), "layers": SOME_TEXT, "max_zoom": WHOLE, "opacity": NUMBER}
)
VIEWER_CONFIG: Json = object_of(
    {"title": TEXT, "languages": TEXTS}
    | _each(SOME_TEXT, "default_layer", "default_base_map")
    | _each(list_of(ref("BaseMap")), "base_maps", "overlays")
    | {"geocoder": nullable_schema(ref("Geocoder"))},
    {"logo": SOME_TEXT, "sign_in": enum_of(("offered", "expired"))},
)
SESSION: Json = {
    "description": "Answer of `/signin/session` and `/signin/renew`, which exist if users can sign in",
    **object_of(
        {"signed_in": TRUTH, "name": SOME_TEXT, "expires_in": WHOLE, "renewable": TRUTH, "signin": TEXT},
    ),
}
BOUNDS: Json = object_of(_each(NUMBER, "xmin", "ymin", "xmax", "ymax"))

SCHEMAS: Json = {
    "Problem": PROBLEM,
    "Layer": LAYER,
    "WholeLayer": {"allOf": [ref("Layer"), LAYER_DETAILS]},
    "Analysis": ANALYSIS,
    "ProductNode": NODE,
    "Product": object_of(
        {"id": {"type": "string", "format": "uuid"}, "collection": TEXT, "item": TEXT, "size": nullable_schema(WHOLE)}
        | {"nodes": NODES, "links": LINKS},
        {"datetime": TEXT, "withheld": TEXTS},
    ),
    "Layers": object_of(
        {"layers": list_of(ref("Layer")), "collections": list_of(object_of(_each(TEXT, "id", "title")))}
    ),
    "Times": object_of(
        {"times": TEXTS, "ends": list_of(SOME_TEXT), "valid_shares": list_of(VALUE), "valid_shares_pending": WHOLE}
        | {"total": WHOLE, "next": SOME_TEXT}
    ),
    "PointSeries": object_of(
        {"layer": TEXT, "units": TEXT, "point": PAIR, "times": TIMES}
        | {"values": list_of(VALUE), "reasons": list_of(SOME_TEXT)},
        {"analysis": ref("Analysis"), "methods": METHODS},
    ),
    "AreaFeature": AREA_FEATURE,
    "AreaSeries": object_of(
        {"layer": TEXT, "units": TEXT, "times": TIMES, "features": list_of(ref("AreaFeature"))},
        {"unreadable": TEXTS, "edges": _values_of(list_of(NUMBER)), "methods": METHODS},
    ),
    "SeriesCost": object_of(
        {"layer": TEXT, "chunks": WHOLE, "bytes": WHOLE, "megabytes": NUMBER, "seconds": NUMBER, "values": WHOLE}
    ),
    "PointsSeries": object_of({"results": list_of(ref("AreaSeries"))}),
    "PointsRequest": object_of({"layers": TEXTS, "points": list_of(POINT)}, {"datetime": TEXT}),
    "Geometry": {
        "type": "object",
        "description": "A GeoJSON Polygon or MultiPolygon, a Feature with one, or a GeometryCollection of these",
        "required": ["type"],
    },
    "FeatureCollection": object_of({"type": {"const": "FeatureCollection"}, "features": list_of(OBJECT)}),
    "TerrascopeLayers": object_of({"layers": list_of(object_of({"name": TEXT, "dates": TEXTS, "bounds": BOUNDS}))}),
    "TerrascopeSeries": object_of({"results": RESULTS}),
    "TerrascopeSeriesOfMany": object_of({"results": list_of(RESULTS)}),
    "Ramp": RAMP,
    "Ramps": object_of({"ramps": list_of(ref("Ramp"))}),
    "Legend": LEGEND,
    "TileJson": object_of({"tilejson": TEXT, "tiles": TEXTS} | _each(WHOLE, "minzoom", "maxzoom")),
    "PlaceSet": PLACE_SET,
    "PlaceSets": object_of({"places": list_of(ref("PlaceSet"))}),
    "PlaceValues": object_of(
        _each(TEXT, "places", "revision", "layer", "units", "reducer")
        | {"times": TIMES, "offset": WHOLE, "total": WHOLE, "ids": TEXTS, "values": list_of(list_of(VALUE))},
        {"attribution": TEXT, "unreadable": TEXTS},
    ),
    "ItemPage": ITEM_PAGE,
    "BaseMap": BASE_MAP,
    "Geocoder": object_of(_each(TEXT, "href", "attribution")),
    "ViewerConfig": VIEWER_CONFIG,
    "Session": SESSION,
    "Landing": object_of({"title": TEXT, "version": TEXT, "collections": list_of(OBJECT), "links": LINKS}),
    "Health": object_of(
        {"status": TEXT},
        {
            "failing": TEXTS,
            "faults": list_of(object_of({"reason": TEXT}, _each(TEXT, "collection", "layer", "variable", "time"))),
        },
    ),
}
