"""OpenAPI 3.0 path items of the tree's own documents."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.protocols.common.openapi import BOX, INDEX, OBJECT, TEXT, Json, get, in_query, ref
from chronotile.protocols.common.query.parameter import format_of, language
from chronotile.protocols.ogcapi.documents.params import MAX_LIMIT

TAG = "Documents"
COLLECTION: Json = {
    "name": "collectionId",
    "in": "path",
    "required": True,
    "description": "Id of a collection, or id or alias of a layer",
    "schema": TEXT,
}
SELECTION = (
    in_query(
        "bbox",
        "West, south, east, north in CRS84, or six numbers with heights: collections that reach into it",
        BOX,
        example=[0, 50, 10, 60],
    ),
    in_query(
        "datetime",
        "An instant or an interval, either end of which may be open (`..`): collections that have some time of it "
        "between their first and their last",
        example="2020-01-01/..",
    ),
    in_query(
        "limit",
        "The most collections that one answer has",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT},
    ),
    in_query(
        "offset",
        "How many collections come before the first one of the answer; links of `next` have it",
        {**INDEX, "maximum": 10**9, "default": 0},
    ),
)


def own_paths(catalogue: Catalogue) -> dict[str, Json]:
    """Return the path items, below the tree's own address."""
    both = [format_of(["json", "html"]), language(catalogue.service.languages)]
    return {
        "/": _get("getLandingPage", "Landing page", "LandingPage", both),
        "/conformance": _get("getConformance", "Conformance classes that hold", "Conformance", both),
        "/collections": _get("getCollections", "All collections", "Collections", [*SELECTION, *both]),
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
    answers = {media_type: ref(schema) if schema else OBJECT, "text/html": TEXT}
    refusals = ("BadRequest", *refusals, "NotAcceptable", "Unavailable")
    return get(name, summary, tag=TAG, parameters=parameters, answers=answers, refusals=refusals)
