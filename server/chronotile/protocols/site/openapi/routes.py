"""`/openapi.json` and `/docs`."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.types import Json
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.changes.routes import operations as changes
from chronotile.protocols.catalogue.items.routes import operations as items
from chronotile.protocols.catalogue.odata.routes import operations as odata
from chronotile.protocols.catalogue.opensearch.routes import operations as opensearch
from chronotile.protocols.catalogue.products.routes import operations as products
from chronotile.protocols.catalogue.stac.routes import operations as stac
from chronotile.protocols.common.openapi import (
    FILE,
    NUMBER,
    OBJECT,
    PAIR,
    PROBLEM,
    TEXT,
    TRUTH,
    WHOLE,
    list_of,
    object_of,
    optional_security,
    or_null,
    ref,
    security_schemes,
)
from chronotile.protocols.common.openapi_examples import examples_of
from chronotile.protocols.common.operation import Operation, info_of, paths_of, refusal, routes_of
from chronotile.protocols.common.operations_page import OperationsPage, PageLink, operations_page, set_operations_policy
from chronotile.protocols.data.zarr.routes import operations as zarr
from chronotile.protocols.maps.animations.routes import operations as animations
from chronotile.protocols.maps.cubes.routes import operations as cubes
from chronotile.protocols.maps.tiles.routes import operations as tiles
from chronotile.protocols.places.routes import operations as places
from chronotile.protocols.site.landing.routes import operations as landing
from chronotile.protocols.site.layers.routes import operations as layers
from chronotile.protocols.site.ops.routes import operations_of
from chronotile.protocols.timeseries.routes import operations as series

VERSION = "3.1.1"
REFUSALS = {
    "BadRequest": "A parameter is missing or not accepted, or the answer would be larger than a limit",
    "Unauthorized": "The header `Authorization` is missing or its token is wrong",
    "Forbidden": "The operator does not allow it",
    "NotFound": "The layer, set, tile or time does not exist",
    "Conflict": "The item exists already, or other requests change it at the same time",
    "Gone": "The cursor is older than the list of removed items; list all items, and start again",
    "TooLarge": "The body is larger than `max_body_bytes`",
    "TooMany": "Too many downloads or wrong tokens of a client; try again after `Retry-After` seconds",
    "Unavailable": "A source cannot be read now, or too many requests wait; try again after `Retry-After` seconds",
}


def openapi_document(catalogue: Catalogue, *, base: str) -> Json:
    """Return the OpenAPI 3.1 document of all endpoints except OGC services, with examples for this catalogue.

    Args:
        catalogue: The served catalogue.
        base: Public URL without a slash at the end.
    """
    schemes = security_schemes(catalogue)
    return {
        "openapi": VERSION,
        "info": info_of(catalogue.service, catalogue.service.languages[0]),
        "servers": [{"url": base}],
        **optional_security(schemes),
        "paths": paths_of(OPERATIONS, examples_of(catalogue)),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"writeToken": {"type": "http", "scheme": "bearer"}, **schemes},
            "responses": {name: refusal(description) for name, description in REFUSALS.items()},
        },
    }


# JSON Schemas of the documents.


def _each(schema: Json, *names: str) -> Json:
    return dict.fromkeys(names, schema)


def _values_of(schema: Json) -> Json:
    return {"type": "object", "additionalProperties": schema}


BOX: Json = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 4}
ID: Json = {"type": ["string", "number", "null"]}
VALUE: Json = {"type": ["number", "null"]}
SOME_TEXT: Json = or_null(TEXT)
TEXTS: Json = list_of(TEXT)
TIMES: Json = list_of(or_null({"type": "string", "format": "date-time"}))
LINKS: Json = list_of(object_of(_each(TEXT, "rel", "href", "type"), {"title": TEXT, "templated": TRUTH}))
FOUND: Json = {"type": "object", "description": "Results of the analysis"}

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
        "climatology": or_null(object_of(_each(TEXT, "start", "end"))),
        "full_turn": NUMBER,
        "clear": object_of(_each(TEXT, "layer", "masked") | {"values": list_of(WHOLE), "revision": SOME_TEXT}),
    },
)
STOPS: Json = list_of(object_of({"value": NUMBER, "color": TEXT}))
RAMP: Json = object_of(_each(TEXT, "id", "title") | {"range": PAIR, "stops": STOPS} | _each(TEXT, "below", "above"))
PLACE_SET: Json = object_of(
    _each(TEXT, "id", "title")
    | {"count": WHOLE, "bbox": BOX, "attribution": SOME_TEXT, "fields": TEXTS, "revision": TEXT, "links": LINKS},
    {"places": list_of(OBJECT), "next": SOME_TEXT},
)
AREA_FEATURE: Json = object_of(
    {"id": ID, "series": _values_of(list_of({"type": ["number", "null", "array"]})), "valid": list_of(WHOLE)}
    | {"total": {"anyOf": [WHOLE, list_of(WHOLE)]}},
    {"properties": OBJECT, "note": TEXT, "reasons": _values_of(list_of(WHOLE)), "analysis": FOUND},
)
NODES: Json = list_of(ref("ProductNode"))
NODE: Json = object_of(
    {"name": TEXT, "type": {"enum": ["file", "folder", "missing"]}, "size": or_null(WHOLE)}
    | {"media_type": TEXT, "links": LINKS},
    {"title": TEXT, "checksum": _values_of(TEXT), "nodes": NODES},
)
POINT: Json = {"oneOf": [PAIR, object_of({"lon": NUMBER, "lat": NUMBER}, {"id": ID})]}
BOUNDS: Json = object_of(_each(NUMBER, "xmin", "ymin", "xmax", "ymax"))

SCHEMAS: Json = {
    "Problem": PROBLEM,
    "Layer": LAYER,
    "ProductNode": NODE,
    "Product": object_of(
        {"id": {"type": "string", "format": "uuid"}, "collection": TEXT, "item": TEXT, "size": or_null(WHOLE)}
        | {"nodes": NODES, "links": LINKS},
        {"datetime": TEXT, "withheld": TEXTS},
    ),
    "Layers": object_of(
        {"layers": list_of(ref("Layer")), "collections": list_of(object_of(_each(TEXT, "id", "title")))}
    ),
    "Times": object_of(
        {"times": TIMES, "ends": list_of(SOME_TEXT), "valid_shares": list_of(VALUE), "valid_shares_pending": WHOLE}
        | {"total": WHOLE, "next": SOME_TEXT}
    ),
    "PointSeries": object_of(
        {"layer": TEXT, "units": TEXT, "point": PAIR, "times": TIMES}
        | {"values": list_of(VALUE), "reasons": list_of(SOME_TEXT)},
        {"analysis": FOUND, "methods": OBJECT},
    ),
    "AreaSeries": object_of(
        {"layer": TEXT, "units": TEXT, "times": TIMES, "features": list_of(AREA_FEATURE)},
        {"unreadable": TEXTS, "edges": _values_of(list_of(NUMBER)), "methods": OBJECT},
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
    "Ramps": object_of({"ramps": list_of(RAMP)}),
    "TileJson": object_of({"tilejson": TEXT, "tiles": TEXTS}),
    "PlaceSet": PLACE_SET,
    "PlaceSets": object_of({"places": list_of(ref("PlaceSet"))}),
    "PlaceValues": object_of(
        _each(TEXT, "places", "revision", "layer", "units", "reducer")
        | {"times": TIMES, "offset": WHOLE, "total": WHOLE, "ids": TEXTS, "values": list_of(list_of(VALUE))},
        {"unreadable": TEXTS},
    ),
    "Landing": object_of({"title": TEXT, "version": TEXT, "collections": list_of(OBJECT), "links": LINKS}),
    "Health": object_of(
        {"status": TEXT},
        {
            "failing": TEXTS,
            "faults": list_of(object_of({"reason": TEXT}, _each(TEXT, "collection", "layer", "variable", "time"))),
        },
    ),
}


MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.1"
DOCUMENT = "openapi.json"


async def get_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    services, base = services_of(request), base_url(request)

    def make() -> bytes:
        return orjson.dumps(openapi_document(services.catalogue, base=base))

    return await answer_document(request, services, make, key=("openapi", base), media_type=MEDIA_TYPE)


async def get_page(request: Request) -> Response:
    """Return the OpenAPI document as a page."""
    services, base, has_viewer = services_of(request), base_url(request), state_of(request).viewer.is_complete
    make = partial(_render, services, base, has_viewer=has_viewer)
    key = ("docs", base, has_viewer)
    response = await answer_document(request, services, make, key=key, media_type="text/html")
    return set_operations_policy(response, has_forms=has_viewer)


def _render(services: Services, base: str, *, has_viewer: bool) -> bytes:
    document = openapi_document(services.catalogue, base=base)
    page = OperationsPage(
        title=document["info"]["title"],
        version="3.1",
        description=DOCUMENT,
        server="./",
        viewer="viewer" if has_viewer else None,
        related=(
            PageLink(title="Start", href="./"),
            PageLink(title="The same as OpenAPI 3.1", href=DOCUMENT),
            PageLink(title="API reference of OGC API", href="ogcapi/openapi?f=html"),
        ),
    )
    return operations_page(document, page)


describe = partial(Operation, tag="Service", faults=problem_response, refusals=("Unavailable",))
OWN = (
    describe(f"/{DOCUMENT}", get_document, "getOpenApi", "This document", answers={MEDIA_TYPE: FILE}),
    describe("/docs", get_page, "getDocs", "The same as a page", answers={"text/html": TEXT}),
)
OPERATIONS = (
    *(*layers, *products, *items, *changes, *stac, *tiles, *animations, *cubes, *zarr, *series, *places, *odata),
    *(*opensearch, *landing, *OWN, *operations_of()),
)
"""All operations, in the order of the document."""
routes = routes_of(OWN)
