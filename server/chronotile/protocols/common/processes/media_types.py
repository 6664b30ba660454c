"""Media types and encodings of inputs and results, from their schemas and values."""

from collections.abc import Iterator

from chronotile.core.model.job import Result
from chronotile.core.model.types import Json

JSON = "application/json"
HTML = "text/html"
TEXT = "text/plain"
GEOJSON = "application/geo+json"
OCTETS = "application/octet-stream"
BASE64 = "base64"


def media_types(schema: Json) -> tuple[str, ...]:
    """Return the media types that a schema names; empty if it names none."""
    return tuple(dict.fromkeys(s["contentMediaType"] for s in _alternatives(schema) if "contentMediaType" in s))


def output_types(schema: Json) -> tuple[str, ...]:
    """Return the media types that results of a schema may have."""
    declared = media_types(schema)
    if declared:
        return declared
    kinds = {s["type"] for s in _alternatives(schema) if "type" in s}
    return tuple(name for name, is_there in ((TEXT, "string" in kinds), (JSON, kinds != {"string"})) if is_there)


def is_base64(schema: Json) -> bool:
    """Return whether texts of a schema are bytes."""
    return any(s.get("contentEncoding") == BASE64 for s in _alternatives(schema))


def is_of_file(schema: Json) -> bool:
    """Return whether results of a schema may be files."""
    return any(s.get("contentEncoding") == "binary" for s in _alternatives(schema))


def media_type_of(result: Result, schema: Json) -> str:
    """Return the media type of a result by value; `schema` is of its output."""
    if result.file is not None or result.media_type != JSON or not isinstance(result.value, str):
        return result.media_type
    return next(iter(media_types(schema)), OCTETS if is_base64(schema) else f"{TEXT};charset=utf-8")


def _alternatives(schema: Json) -> Iterator[Json]:
    yield schema
    for name in ("oneOf", "anyOf", "allOf"):
        for alternative in schema.get(name, ()):
            yield from _alternatives(alternative)
