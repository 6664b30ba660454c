"""OpenAPI 3.0 path items of the tree's own documents."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.protocols.ogcapi.block import Json
from chronotile.protocols.ogcapi.documents.params import MAX_LIMIT

TAG = "Documents"
FORMAT: Json = {
    "name": "f",
    "in": "query",
    "description": "The format, in place of what the Accept header asks for",
    "schema": {"type": "string", "enum": ["json", "html"]},
}
COLLECTION: Json = {
    "name": "collectionId",
    "in": "path",
    "required": True,
    "description": "Id of a collection, or id or alias of a layer",
    "schema": {"type": "string"},
}
BOX: Json = {
    "name": "bbox",
    "in": "query",
    "description": "West, south, east, north in CRS84, or six numbers with heights: collections that reach into it",
    "style": "form",
    "explode": False,
    "schema": {"type": "array", "minItems": 4, "maxItems": 6, "items": {"type": "number"}},
    "example": [0, 50, 10, 60],
}
TIME: Json = {
    "name": "datetime",
    "in": "query",
    "description": "An instant or an interval, either end of which may be open (`..`): collections that have some time "
    "of it between their first and their last",
    "schema": {"type": "string"},
    "example": "2020-01-01/..",
}
LIMIT: Json = {
    "name": "limit",
    "in": "query",
    "description": "The most collections that one answer has",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
}
OFFSET: Json = {
    "name": "offset",
    "in": "query",
    "description": "How many collections come before the first one of the answer; links of `next` have it",
    "schema": {"type": "integer", "minimum": 0, "maximum": 10**9, "default": 0},
}


def own_paths(catalogue: Catalogue) -> dict[str, Json]:
    """Return the path items, below the tree's own address."""
    language = {
        "name": "lang",
        "in": "query",
        "description": "The language of titles and descriptions, in place of what Accept-Language asks for",
        "schema": {"type": "string", "enum": list(catalogue.service.languages)},
    }
    both = [FORMAT, language]
    return {
        "/": _get("getLandingPage", "Landing page", "LandingPage", both),
        "/conformance": _get("getConformance", "Conformance classes that hold", "Conformance", both),
        "/collections": _get("getCollections", "All collections", "Collections", [BOX, TIME, LIMIT, OFFSET, *both]),
        "/collections/{collectionId}": _get(
            "getCollection", "One collection", "Collection", [COLLECTION, *both], refusals=("NotFound",)
        ),
        "/openapi": _get(
            "getOpenApi", "This document", None, both, media_type="application/vnd.oai.openapi+json;version=3.0"
        ),
    }


def _get(
    name: str,
    summary: str,
    schema: str | None,
    parameters: list[Json],
    *,
    refusals: tuple[str, ...] = (),
    media_type: str = "application/json",
) -> Json:
    document = {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"}
    content = {media_type: {"schema": document}, "text/html": {"schema": {"type": "string"}}}
    statuses = {"BadRequest": "400", "NotFound": "404", "NotAcceptable": "406", "Unavailable": "503"}
    others = {
        statuses[each]: {"$ref": f"#/components/responses/{each}"}
        for each in ("BadRequest", *refusals, "NotAcceptable", "Unavailable")
    }
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "tags": [TAG],
            "parameters": parameters,
            "responses": {"200": {"description": summary, "content": content}, **others},
        }
    }
