"""The OpenAPI 3.0 document of OGC API, assembled from all building blocks (OGC 19-072 §8.2)."""

from collections.abc import Iterable, Sequence

from chronotile.core.model.types import Json
from chronotile.http.problems import PROBLEM_TYPE
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
    enum_of,
    list_of,
    object_of,
    optional_security,
    ref,
    security_schemes,
)
from chronotile.protocols.common.openapi_examples import examples_of
from chronotile.protocols.common.operation import Operation, info_of, paths_of, refusal
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext

VERSION = "3.0.3"

REFUSALS = {
    "BadRequest": "A parameter is missing or not accepted, or the answer would be larger than a limit",
    "Forbidden": "Web pages of this origin, or under this host name, may not use jobs",
    "NotFound": "There is no such collection, or no such part of it, or nothing at that time",
    "Gone": "The places were replaced since the page to which the cursor belongs",
    "NotAcceptable": "The client takes none of the media types in which this is given",
    "TooLarge": "The body is larger than `max_body_bytes`",
    "Unavailable": "A source cannot be read now, or too much waits already; try again after `Retry-After` seconds",
}


def openapi_document(
    context: DocumentContext, operations: Iterable[Operation], blocks: Sequence[BuildingBlock]
) -> Json:
    """Return the definition of operations and schemas; paths are relative to the URL of OGC API."""
    further = [operation for block in blocks for operation in block.operations_of(context.catalogue)]
    paths = paths_of([*operations, *further], examples_of(context.catalogue))
    tags = [tag for item in paths.values() for operation in item.values() for tag in operation["tags"]]
    schemes = security_schemes(context.catalogue)
    return {
        "openapi": VERSION,
        "info": info_of(context.catalogue.service, context.language),
        "servers": [{"url": context.base}],
        **optional_security(schemes),
        "tags": [{"name": name} for name in dict.fromkeys(tags)],
        "paths": paths,
        "components": {
            **({"securitySchemes": schemes} if schemes else {}),
            "schemas": SCHEMAS | {name: schema for block in blocks for name, schema in block.schemas.items()},
            "parameters": {name: parameter for block in blocks for name, parameter in block.parameters.items()},
            "responses": {
                **{name: refusal(description) for name, description in REFUSALS.items()},
                **{
                    f"Process{name}": refusal(description, (PROBLEM_TYPE, "application/json"))
                    for name, description in REFUSALS.items()
                },
            },
        },
    }


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
    "Link": object_of({"href": TEXT, "rel": TEXT}, {"type": TEXT, "title": TEXT, "hreflang": TEXT, "templated": TRUTH}),
    "LandingPage": object_of(
        {"links": list_of(ref("Link"))},
        {
            **dict.fromkeys(("title", "description"), TEXT),
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
            **dict.fromkeys(("title", "description"), TEXT),
            "keywords": list_of(TEXT),
            **dict.fromkeys(("attribution", "license"), TEXT),
            "storageCrs": ADDRESS,
            "climatology": {**object_of({"start": TEXT, "end": TEXT}), "nullable": True},
            "dataType": enum_of(["coverage", "map"]),
            "itemType": enum_of(["coverage", "feature", "map", "record"]),
        },
    ),
    "Collections": object_of(
        {"links": list_of(ref("Link")), "collections": list_of(ref("Collection"))},
        {"numberMatched": INDEX, "numberReturned": INDEX},
    ),
    "Problem": PROBLEM,
}
