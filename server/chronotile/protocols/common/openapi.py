"""Schemas and parameters of the OpenAPI documents (OpenAPI 3.0.3 and 3.1.1 §4.8)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.types import Json

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
"""Limit of names listed as values of a parameter."""
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
"""HTTP status of the error responses in the components."""
REFUSALS = ("BadRequest", "NotFound", "Unavailable")
REFUSALS_OF_BODIES = ("BadRequest", "NotFound", "TooLarge", "Unavailable")
REFUSALS_OF_TREE = ("BadRequest", "NotFound", "NotAcceptable", "Unavailable")


def enum_of(words: Sequence[str]) -> Json:
    """Return the schema of a text with listed values."""
    return {"type": "string", "enum": list(words)}


def enum_of_few(names: Sequence[str]) -> Json:
    """Return the schema of a text; lists the names if they are few."""
    return enum_of(names) if 0 < len(names) <= MAX_ENUMERATED else TEXT


def nullable_schema(schema: Json) -> Json:
    """Return the schema of a value that may be null (OpenAPI 3.1)."""
    return {"oneOf": [schema, {"type": "null"}]}


def omit_empty(members: Mapping[str, Any]) -> Json:
    """Return a document without null and empty members."""
    return {name: member for name, member in members.items() if member}


def list_of(schema: Json) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def object_of(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def security_schemes(catalogue: Catalogue) -> Json:
    """Return the authentication schemes (OpenAPI 3.0.3 §4.7.23, STAC authentication extension).

    Empty without access rules. All are optional: clients without credentials only see public layers.
    """
    if catalogue.access is None:
        return {}
    issuer = catalogue.access.issuer
    schemes: Json = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key"},
        "password": {"type": "http", "scheme": "basic", "description": "Any name, and an API key as the password"},
    }
    if issuer is not None:
        url = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
        schemes["token"] = {"type": "openIdConnect", "openIdConnectUrl": url, "description": "An access token"}
    return schemes


def optional_security(schemes: Json) -> Json:
    """Return the `security` member that allows each scheme, and no authentication."""
    return {"security": [{}, *({name: list[str]()} for name in schemes)]} if schemes else {}


def ref(name: str) -> Json:
    """Return a reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def in_path(name: str, description: str, schema: Json = TEXT, *, example: object = None) -> Json:
    """Return the OpenAPI object of a path parameter; `example` is `None` if no value is certain to exist."""
    examples = {} if example is None else {"example": example}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        **examples,
    }


def in_query(
    name: str, description: str, schema: Json = TEXT, *, example: object = None, required: bool = False
) -> Json:
    """Return a query parameter; lists are separated by commas.

    `style` repeats the default, because test suites of OGC require it.
    """
    examples = {} if example is None else {"example": example}
    needed = {"required": True} if required else {}
    style = {"style": "form", "explode": False}
    return {
        "name": name,
        "in": "query",
        **needed,
        "description": description,
        **style,
        "schema": schema,
        **examples,
    }


def body(schema: Json, example: object, *, required: bool = True) -> Json:
    """Return a JSON body."""
    return {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}


def scene(stac_version: str, properties: Json) -> Json:
    """Return an item as example of a request body."""
    return {
        "type": "Feature",
        "stac_version": stac_version,
        "id": "S2A_31UFS_20200601",
        "geometry": {"type": "Polygon", "coordinates": [[[4, 50], [5, 50], [5, 51], [4, 51], [4, 50]]]},
        "bbox": [4, 50, 5, 51],
        "properties": properties,
        "links": [],
        "assets": {"red": {"href": "https://example.com/S2A_31UFS_20200601/red.tif"}},
    }


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
"""The document of an error (`http.endpoint`)."""


UNANSWERED: Json = list_of(object_of({"collection": TEXT, "reason": TEXT, "partial": TRUTH}))
"""Collections with missing items in an answer."""


def extension_in_path(extensions: Iterable[str]) -> Json:
    """Return the segment `{extension}` of a path."""
    names = list(extensions)
    return in_path("extension", "Of the format", enum_of(names), example=names[0])
