"""What path items of OpenAPI 3.0 are put together from."""

from collections.abc import Mapping, Sequence

from chronotile.protocols.ogcapi.block import Json

TEXT: Json = {"type": "string"}
ADDRESS: Json = {"type": "string", "format": "uri"}
NUMBER: Json = {"type": "number"}
TRUTH: Json = {"type": "boolean"}
BINARY: Json = {"type": "string", "format": "binary"}
COUNT: Json = {"type": "integer", "minimum": 1}
INDEX: Json = {"type": "integer", "minimum": 0}
BOX: Json = {"type": "array", "minItems": 4, "maxItems": 6, "items": NUMBER}
"""Lower and upper corner, with or without heights."""
MAX_ENUMERATED = 100
"""Collections up to which all are listed as values of the parameter."""
REFUSALS = {"400": "BadRequest", "404": "NotFound", "406": "NotAcceptable", "503": "Unavailable"}


def ref(name: str) -> Json:
    """Return a reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def word(words: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some words."""
    return {"type": "string", "enum": list(words)}


def name_of_few(names: Sequence[str]) -> Json:
    """Return the schema of a text that is one of some names, which are told where they are few."""
    return word(names) if len(names) <= MAX_ENUMERATED else TEXT


def members(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def in_path(name: str, description: str, schema: Json, *, example: object) -> Json:
    """Return a segment of the path."""
    described = {"description": description, "schema": schema, "example": example}
    return {"name": name, "in": "path", "required": True, **described}


def in_query(name: str, description: str, schema: Json, *, example: object = None) -> Json:
    """Return a parameter of the query; lists have commas between their members."""
    given = {} if example is None else {"example": example}
    listed = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", "description": description, **listed, "schema": schema, **given}


def language(languages: Sequence[str]) -> Json:
    """Return the parameter that says in which language titles are."""
    return in_query("lang", "The language of titles, in place of what Accept-Language asks for", word(languages))


def format_of(names: Sequence[str]) -> Json:
    """Return the parameter that says in which format the answer is."""
    return in_query("f", "The format, in place of what the Accept header asks for", word(names))


def get(operation: str, summary: str, *, tag: str, parameters: Sequence[Json], answers: Mapping[str, Json]) -> Json:
    """Return the path item of what is got; `answers` are schemas by media types."""
    content = {media_type: {"schema": schema} for media_type, schema in answers.items()}
    refusals = {status: {"$ref": f"#/components/responses/{name}"} for status, name in REFUSALS.items()}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "tags": [tag],
            "parameters": list(parameters),
            "responses": {"200": {"description": summary, "content": content}, **refusals},
        }
    }
