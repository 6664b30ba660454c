"""Inputs and outputs as WPS has them, made of their JSON schemas: literals, boxes, and all else as complex data."""

import base64
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from chronotile.core.model.space.crs import CRS84_URI
from chronotile.core.model.types import Json
from chronotile.core.xml_names import xml_characters
from chronotile.jobs.processes.process import Input, Process
from chronotile.protocols.common.processes import media_types as of
from chronotile.protocols.common.processes.json_text import parse_json
from chronotile.protocols.common.query.values import choice, number

TYPES: Mapping[str, str] = {"integer": "integer", "number": "double", "string": "string"}
"""Of XML Schema, by those of JSON that literals have; of several the last one counts."""
PLAIN = frozenset({"", "utf-8", "utf8", "raw"})
"""Names of encodings that are none."""
MOST_DIGITS = 64
INTEGERS = range(-(1 << 63), 1 << 63)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OF_EPSG = re.compile(r"epsg:\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Given:
    """An input as a client gives it: a value, or where it lies."""

    name: str
    attributes: Mapping[str, str]
    """By their names in small letters."""
    text: str = ""
    """The value; of a box its numbers, and its CRS where no attribute has it."""
    is_xml: bool = False
    """Whether the text is that of elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Of which kind an input or output is."""

    form: str
    """`literal`, `bbox` or `complex`."""
    data_type: str = ""
    """Of a literal, in XML Schema."""
    formats: tuple[tuple[str, str | None], ...] = ()
    """Media types of complex data, the usual one first, with the encoding that XML has them in."""
    schema: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A value in the words of XML, or where it lies."""

    form: str
    """Of its kind, or `reference`."""
    text: str = ""
    data_type: str = ""
    media_type: str = ""
    encoding: str | None = None
    corners: tuple[list[float], ...] = ()
    crs: str = ""


def kind_of(schema: Json, *, is_output: bool = False) -> Kind:
    """Return of which kind the values of a schema are."""
    if schema.get("format") == "ogc-bbox":
        return Kind(form="bbox")
    types = {each.get("type", "") for each in schema.get("oneOf", [schema])}
    if types <= set(TYPES) and not (of.media_types(schema) or of.is_base64(schema)):
        data_type = [name for each, name in TYPES.items() if each in types][-1]
        return Kind(form="literal", data_type=data_type, schema=schema)
    if is_output:
        names = [name for each in schema.get("oneOf", [schema]) for name in of.output_types(each)]
    else:
        names = [*(of.media_types(schema) or (of.JSON, of.GEOJSON, *([of.TEXT] if "string" in types else [])))]
    return Kind(form="complex", formats=tuple((each, _encoding(each)) for each in dict.fromkeys(names)))


def occurrences(declared: Input) -> tuple[Kind, int, int]:
    """Return the kind of an input, and how often it may be there: an array of literals is as many of them."""
    schema, item = declared.schema, _item(declared.schema)
    least, most = (1, declared.most) if item is schema else (schema.get("minItems", 1), schema.get("maxItems", 1000))
    return kind_of(item), least if declared.is_required else 0, most


def inputs_of(process: Process, given: Iterable[Given]) -> dict[str, Any]:
    """Return inputs as the body of an execution has them; they are not checked against their schemas.

    Raises:
        InvalidParameter: One is not of its kind.
        LimitExceeded: JSON has too many lists and objects.
    """
    found: dict[str, list[Any]] = {}
    arrays = set()
    for each in given:
        schema = process.inputs[each.name].schema if each.name in process.inputs else {}
        value = _value(each, _item(schema))
        found.setdefault(each.name, []).append(value)
        if _item(schema) is not schema and not isinstance(value, dict):  # JSON and what lies elsewhere may be all of it
            arrays.add(each.name)
    return {name: values if len(values) > 1 or name in arrays else values[0] for name, values in found.items()}


def data_of(kind: Kind, value: Any, content: bytes, media_type: str, *, encoding: str | None) -> Data:  # noqa: ANN401 -- JSON
    """Return a value in the words of XML.

    Args:
        kind: Its kind.
        value: As JSON.
        content: Of a file, or what its value is as bytes.
        media_type: Of these.
        encoding: In which complex data has to come; otherwise text that XML can hold comes as it is.
    """
    if kind.form == "literal":
        return Data(form="literal", text=content.decode(), data_type=kind.data_type)
    if kind.form == "bbox":
        edges, half = value["bbox"], len(value["bbox"]) // 2
        return Data(form="bbox", corners=(edges[:half], edges[half:]), crs=value.get("crs", CRS84_URI))
    with suppress(UnicodeDecodeError):
        text = content.decode() if (encoding or _encoding(media_type)) is None else "\0"
        if xml_characters(text) == text:
            return Data(form="complex", text=text, media_type=media_type)
    return Data(form="complex", text=base64.b64encode(content).decode(), media_type=media_type, encoding=of.BASE64)


def _item(schema: Json) -> Json:
    # The schema of one of several literals, where an input is an array of them; else its own.
    items: Json = schema.get("items", {}) if schema.get("type") == "array" else {}
    return items if items.get("type") in TYPES else schema


def _value(given: Given, schema: Json) -> Any:  # noqa: ANN401 -- JSON
    attributes, text, path, kind = given.attributes, given.text, f"inputs.{given.name}", kind_of(schema)
    media_type, encoding = attributes.get("mimetype", ""), attributes.get("encoding", "")
    if "href" in attributes:
        choice(attributes.get("method", "GET").upper(), ["GET"], locator=f"{path}.href")
        return {"href": attributes["href"], "type": media_type or None}
    if kind.form == "bbox" and not _is_json(media_type):
        return _box(given)
    if kind.form == "literal" and not _is_json(media_type):
        return _literal(text, schema)
    value: object = text
    accepts_text = "string" in {each.get("type") for each in schema.get("oneOf", [schema])}
    if of.is_base64(schema):
        value = base64.b64encode(text.encode()).decode() if given.is_xml else "".join(text.split())
        media_type = "" if of.OCTETS in of.media_types(schema) else media_type
    elif accepts_text and _is_json(media_type) and text.lstrip()[:1] not in {"{", "[", '"'}:
        media_type = ""  # birdy names the usual media type of each input
    elif _is_json(media_type) or (not media_type and text.lstrip()[:1] in {"{", "["}):
        value = parse_json(text.encode(), what=f"input {given.name}", locator=path)
    qualifiers = {"mediaType": media_type, "encoding": "" if encoding.lower() in PLAIN else encoding}
    return {"value": value, **{name: each for name, each in qualifiers.items() if each}}


def _box(given: Given) -> Json:
    parts = [part.strip() for part in given.text.split(",")]
    edges = [number(part, locator=given.name) for part in takewhile(_NUMBER.fullmatch, parts)]
    crs = given.attributes.get("crs") or next(iter(parts[len(edges) :]), None)
    return {"bbox": edges} if crs is None else {"bbox": edges, "crs": crs.upper() if _OF_EPSG.fullmatch(crs) else crs}


def _literal(text: str, schema: Json) -> object:
    plain, types = text.strip(), {each.get("type") for each in schema.get("oneOf", [schema])}
    if types & {"integer", "number"} and len(plain) <= MOST_DIGITS and _NUMBER.fullmatch(plain):
        value = int(plain) if plain.lstrip("+-").isdigit() and int(plain) in INTEGERS else float(plain)
        return value if math.isfinite(value) else text
    return plain if "enum" in schema else text


def _is_json(media_type: str) -> bool:
    name = media_type.partition(";")[0].strip().lower()
    return name == of.JSON or name.endswith("+json")


def _encoding(media_type: str) -> str | None:
    return None if _is_json(media_type) or media_type.startswith("text/") else of.BASE64
