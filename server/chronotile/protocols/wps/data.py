"""Inputs and outputs as WPS has them, derived from JSON schemas: literals, boxes, and complex data for the rest."""

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
"""Types of XML Schema by JSON types of literals; the last one wins if a schema allows several."""
PLAIN = frozenset({"", "utf-8", "utf8", "raw"})
"""Names that mean "not encoded"."""
MAX_DIGITS = 64
INTEGERS = range(-(1 << 63), 1 << 63)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_OF_EPSG = re.compile(r"epsg:\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class WpsInput:
    """An input in a request: a value, or the URL of a value; also a requested output, which has attributes only."""

    name: str
    attributes: Mapping[str, str]
    """Values by attribute names in lower case."""
    text: str = ""
    """The value. A box is written as its numbers, followed by the CRS unless an attribute names it."""
    is_xml: bool = False
    """Whether `text` is XML elements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKind:
    """The kind of data that a WPS input or output has, with its types and formats."""

    form: str
    """`literal`, `bbox` or `complex`."""
    data_type: str = ""
    """Type of a literal in XML Schema."""
    formats: tuple[tuple[str, str | None], ...] = ()
    """Media types of complex data, the default first, each with its encoding in XML."""
    schema: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A value as templates write it, or a reference to it."""

    form: str
    """`literal`, `bbox`, `complex` or `reference`."""
    text: str = ""
    data_type: str = ""
    media_type: str = ""
    encoding: str | None = None
    corners: tuple[list[float], ...] = ()
    crs: str = ""


def kind_of(schema: Json, *, is_output: bool = False) -> DataKind:
    """Return the kind of the values that a schema describes."""
    if schema.get("format") == "ogc-bbox":
        return DataKind(form="bbox")
    types = {alternative.get("type", "") for alternative in schema.get("oneOf", [schema])}
    if types <= set(TYPES) and not (of.media_types(schema) or of.is_base64(schema)):
        data_type = [xml_type for json_type, xml_type in TYPES.items() if json_type in types][-1]
        return DataKind(form="literal", data_type=data_type, schema=schema)
    if is_output:
        names = [name for alternative in schema.get("oneOf", [schema]) for name in of.output_types(alternative)]
    else:
        names = [*(of.media_types(schema) or (of.JSON, of.GEOJSON, *([of.TEXT] if "string" in types else [])))]
    return DataKind(
        form="complex", formats=tuple((media_type, _encoding(media_type)) for media_type in dict.fromkeys(names))
    )


def occurrences(declared: Input) -> tuple[DataKind, int, int]:
    """Return the kind of an input, and its least and greatest number of occurrences.

    An array of literals is a repeated literal in WPS.
    """
    schema, item = declared.schema, _item(declared.schema)
    least, most = (1, declared.most) if item is schema else (schema.get("minItems", 1), schema.get("maxItems", 1000))
    return kind_of(item), least if declared.is_required else 0, most


def inputs_of(process: Process, wps_inputs: Iterable[WpsInput]) -> dict[str, Any]:
    """Return inputs as the body of an execution has them; the caller checks them against their schemas.

    Raises:
        InvalidParameter: A value does not have the kind of its input.
        LimitExceeded: JSON has too many lists and objects.
    """
    values_by_name: dict[str, list[Any]] = {}
    arrays = set()
    for wps_input in wps_inputs:
        schema = process.inputs[wps_input.name].schema if wps_input.name in process.inputs else {}
        value = _value(wps_input, _item(schema))
        values_by_name.setdefault(wps_input.name, []).append(value)
        # JSON and references, which are dicts, may be the whole array.
        if _item(schema) is not schema and not isinstance(value, dict):
            arrays.add(wps_input.name)
    return {name: values if len(values) > 1 or name in arrays else values[0] for name, values in values_by_name.items()}


def data_of(kind: DataKind, value: Any, content: bytes, media_type: str, *, encoding: str | None) -> Data:  # noqa: ANN401 -- JSON
    """Return a value as templates write it.

    Args:
        kind: Kind of the output.
        value: The value as JSON.
        content: The file, or the value as bytes.
        media_type: Media type of `content`.
        encoding: Requested encoding of complex data; if `None`, text that XML can contain is not encoded.
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
    # The schema of the items if an input is an array of literals, else the schema itself.
    items: Json = schema.get("items", {}) if schema.get("type") == "array" else {}
    return items if items.get("type") in TYPES else schema


def _value(wps_input: WpsInput, schema: Json) -> Any:  # noqa: ANN401 -- JSON
    attributes, text, path, kind = wps_input.attributes, wps_input.text, f"inputs.{wps_input.name}", kind_of(schema)
    media_type, encoding = attributes.get("mimetype", ""), attributes.get("encoding", "")
    if "href" in attributes:
        choice(attributes.get("method", "GET").upper(), ["GET"], locator=f"{path}.href")
        return {"href": attributes["href"], "type": media_type or None}
    if kind.form == "bbox" and not _is_json(media_type):
        return _box(wps_input)
    if kind.form == "literal" and not _is_json(media_type):
        return _literal(text, schema)
    value: object = text
    accepts_text = "string" in {s.get("type") for s in schema.get("oneOf", [schema])}
    if of.is_base64(schema):
        value = base64.b64encode(text.encode()).decode() if wps_input.is_xml else "".join(text.split())
        media_type = "" if of.OCTETS in of.media_types(schema) else media_type
    elif accepts_text and _is_json(media_type) and text.lstrip()[:1] not in {"{", "[", '"'}:
        media_type = ""  # birdy sends the default media type of each input
    elif _is_json(media_type) or (not media_type and text.lstrip()[:1] in {"{", "["}):
        value = parse_json(text.encode(), what=f"input {wps_input.name}", locator=path)
    qualifiers = {"mediaType": media_type, "encoding": "" if encoding.lower() in PLAIN else encoding}
    return {"value": value, **{name: text for name, text in qualifiers.items() if text}}


def _box(wps_input: WpsInput) -> Json:
    parts = [part.strip() for part in wps_input.text.split(",")]
    edges = [number(part, locator=wps_input.name) for part in takewhile(_NUMBER.fullmatch, parts)]
    crs = wps_input.attributes.get("crs") or next(iter(parts[len(edges) :]), None)
    return {"bbox": edges} if crs is None else {"bbox": edges, "crs": crs.upper() if _OF_EPSG.fullmatch(crs) else crs}


def _literal(text: str, schema: Json) -> object:
    plain, types = text.strip(), {s.get("type") for s in schema.get("oneOf", [schema])}
    if types & {"integer", "number"} and len(plain) <= MAX_DIGITS and _NUMBER.fullmatch(plain):
        value = int(plain) if plain.lstrip("+-").isdigit() and int(plain) in INTEGERS else float(plain)
        return value if math.isfinite(value) else text
    return plain if "enum" in schema else text


def _is_json(media_type: str) -> bool:
    name = media_type.partition(";")[0].strip().lower()
    return name == of.JSON or name.endswith("+json")


def _encoding(media_type: str) -> str | None:
    return None if _is_json(media_type) or media_type.startswith("text/") else of.BASE64
