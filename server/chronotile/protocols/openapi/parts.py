"""What an OpenAPI document is put together from (OpenAPI 3.1.1 §4.8)."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
WHOLE: Json = {"type": "integer"}
FILE: Json = {}
"""Bytes."""


def one_of(words: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some words."""
    return {"type": "string", "enum": list(words)}


def or_null(schema: Json) -> Json:
    """Return the schema of what may be null."""
    return {"oneOf": [schema, {"type": "null"}]}


def list_of(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def document(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def named(name: str) -> Json:
    """Return a reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def in_path(name: str, description: str, example: object, schema: Json = TEXT) -> Json:
    """Return a segment of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


def in_query(
    name: str, description: str, schema: Json = TEXT, *, example: object = None, required: bool = False
) -> Json:
    """Return a parameter of the query."""
    given = {} if example is None else {"example": example}
    needed = {"required": True} if required else {}
    return {"name": name, "in": "query", **needed, "description": description, "schema": schema, **given}


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
    refusals: Sequence[str] = ("BadRequest", "NotFound", "Unavailable"),
) -> Json:
    """Return one operation.

    Args:
        name: Its id, unique in the document.
        summary: What it gives, in a line.
        tag: Under which it is listed.
        parameters: Of path and query.
        answers: Schema by media type, of what it gives with 200.
        posted: The body it takes.
        refusals: Names of the answers of the components that it may give instead.
    """
    content = {media_type: {"schema": schema} if schema else {} for media_type, schema in answers.items()}
    statuses = {"BadRequest": "400", "NotFound": "404", "TooLarge": "413", "Unavailable": "503"}
    others = {statuses[each]: {"$ref": f"#/components/responses/{each}"} for each in refusals}
    members: Json = {"operationId": name, "summary": summary, "tags": [tag], "parameters": list(parameters)}
    if posted is not None:
        members["requestBody"] = posted
    return {**members, "responses": {"200": {"description": summary, "content": content}, **others}}
