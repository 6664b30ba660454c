"""OpenAPI 3.0 path items of the tree's own documents."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.protocols.common.openapi import OBJECT, TEXT, Json, get, ref
from chronotile.protocols.common.query.parameter import documents, format_of, language
from chronotile.protocols.ogcapi.documents.params import SELECTION

TAG = "Documents"
COLLECTION: Json = {
    "name": "collectionId",
    "in": "path",
    "required": True,
    "description": "Id of a collection, or id or alias of a layer",
    "schema": TEXT,
}
EXAMPLES: Mapping[str, object] = {"bbox": [0, 50, 10, 60], "datetime": "2020-01-01/.."}


def own_paths(catalogue: Catalogue) -> dict[str, Json]:
    """Return the path items, below the tree's own address."""
    both = [format_of(["json", "html"]), language(catalogue.service.languages)]
    return {
        "/": _get("getLandingPage", "Landing page", "LandingPage", both),
        "/conformance": _get("getConformance", "Conformance classes that hold", "Conformance", both),
        "/collections": _get(
            "getCollections", "All collections", "Collections", [*documents(SELECTION, EXAMPLES), *both]
        ),
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
