"""The vocabulary of both OpenAPI documents: schemas, parameters and operations (OpenAPI 3.0.3 and 3.1.1 §4.8)."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
ADDRESS: Json = {"type": "string", "format": "uri"}
NUMBER: Json = {"type": "number"}
WHOLE: Json = {"type": "integer"}
COUNT: Json = {"type": "integer", "minimum": 1}
INDEX: Json = {"type": "integer", "minimum": 0}
TRUTH: Json = {"type": "boolean"}
OBJECT: Json = {"type": "object"}
BINARY: Json = {"type": "string", "format": "binary"}
"""A file in OpenAPI 3.0."""
FILE: Json = {}
"""A file in OpenAPI 3.1."""
PAIR: Json = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
BOX: Json = {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 6}
"""Lower and upper corner, with or without heights."""
MAX_ENUMERATED = 100
"""Names up to which all are listed as values of a parameter."""
STATUSES = {
    "BadRequest": "400",
    "Unauthorized": "401",
    "Forbidden": "403",
    "NotFound": "404",
    "NotAcceptable": "406",
    "Conflict": "409",
    "Gone": "410",
    "TooLarge": "413",
    "TooMany": "429",
    "Unavailable": "503",
}
"""Of the error responses of the components."""
REFUSALS = ("BadRequest", "NotFound", "Unavailable")
REFUSALS_OF_TREE = ("BadRequest", "NotFound", "NotAcceptable", "Unavailable")


def enum_of(words: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some words."""
    return {"type": "string", "enum": list(words)}


def enum_of_few(names: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some names, which it lists if they are few."""
    return enum_of(names) if len(names) <= MAX_ENUMERATED else TEXT


def or_null(schema: Json) -> Json:
    """Return the schema of what may be null (OpenAPI 3.1)."""
    return {"oneOf": [schema, {"type": "null"}]}


def list_of(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def object_of(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def ref(name: str) -> Json:
    """Return a reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def in_path(name: str, description: str, schema: Json = TEXT, *, example: object = None) -> Json:
    """Return a segment of the path; without an example where nothing is known that would be answered."""
    given = {} if example is None else {"example": example}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema, **given}


def in_query(
    name: str, description: str, schema: Json = TEXT, *, example: object = None, required: bool = False
) -> Json:
    """Return a parameter of the query; lists have commas between their members."""
    given = {} if example is None else {"example": example}
    needed = {"required": True} if required else {}
    listed = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", **needed, "description": description, **listed, "schema": schema, **given}


def body(schema: Json, example: object, *, required: bool = True) -> Json:
    """Return a JSON body."""
    return {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}


def operation(  # noqa: PLR0913 -- all that an operation is
    name: str,
    summary: str,
    *,
    tag: str,
    parameters: Sequence[Json] = (),
    answers: Mapping[str, Json],
    posted: Json | None = None,
    refusals: Sequence[str] = REFUSALS,
) -> Json:
    """Return one operation.

    Args:
        name: Its id, unique in the document.
        summary: What it returns, in one line.
        tag: Under which it is listed.
        parameters: Of path and query.
        answers: Schemas of the response with status 200 by media type.
        posted: The body that it accepts.
        refusals: Names of its error responses, keys of `STATUSES`.
    """
    content = {media_type: {"schema": schema} if schema else {} for media_type, schema in answers.items()}
    others = {STATUSES[each]: {"$ref": f"#/components/responses/{each}"} for each in refusals}
    members: Json = {"operationId": name, "summary": summary, "tags": [tag], "parameters": list(parameters)}
    if posted is not None:
        members["requestBody"] = posted
    return {**members, "responses": {"200": {"description": summary, "content": content}, **others}}


def get(
    name: str,
    summary: str,
    *,
    tag: str,
    parameters: Sequence[Json],
    answers: Mapping[str, Json],
    refusals: Sequence[str] = REFUSALS_OF_TREE,
) -> Json:
    """Return the path item of one GET operation of OGC API; arguments as of `operation`."""
    return {"get": operation(name, summary, tag=tag, parameters=parameters, answers=answers, refusals=refusals)}


PROBLEM: Json = object_of(
    {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT},
    {
        "parameter": TEXT,
        "nearest": list_of(TEXT),
        "limit": TEXT,
        "allowed": WHOLE,
        "asked": WHOLE,
        "alternative": TEXT,
        "job": object_of({"href": TEXT, "inputs": OBJECT}, {"note": TEXT}),
    },
)
"""The document of an error (`protocols.common.responses.problem`)."""


UNANSWERED: Json = list_of(object_of({"collection": TEXT, "reason": TEXT, "partial": TRUTH}))
"""The collections of which an answer lacks items."""
