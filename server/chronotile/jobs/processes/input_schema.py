"""Validation of inputs by their JSON Schema, up to the first fault.

Libraries for JSON Schema put invalid values into their messages, and collect the faults of all alternatives of a
`oneOf`: gigabytes for some bodies. Here validation ends at the first fault, and a message has a few lines at most.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from operator import gt, lt
from typing import Any

from chronotile.core.errors import MAX_SHOWN
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.types import Json

Check = Callable[[Any, Json], str | None]
Exceeds = Callable[[Any, Any], bool]
_BOUNDS: Mapping[Exceeds, str] = {lt: "at least", gt: "at most"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaFault:
    """The first place at which JSON violates a schema."""

    path: tuple[str | int, ...]
    """Names and indexes from the root."""
    words: str
    """Expected and actual value."""

    @property
    def place(self) -> str:
        """The path in the form that follows a name: `.bbox[1]`."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part[:MAX_SHOWN]}" for part in self.path)


def fault_in(value: object, schema: Json) -> SchemaFault | None:
    """Return the first place at which a value violates a schema; `None` if the value is valid.

    Args:
        value: Any JSON.
        schema: JSON Schema (draft 2020-12) with the keywords in `WORDS`; others are ignored.
    """
    for word in schema:
        words = CHECKS[word](value, schema) if word in CHECKS else None
        if words is not None:
            return SchemaFault(path=(), words=words)
    if "oneOf" in schema and (fault := _fault_in_forms(value, schema["oneOf"])) is not None:
        return fault
    for part, member, subschema in _members(value, schema):
        if (fault := fault_in(member, subschema)) is not None:
            return SchemaFault(path=(part, *fault.path), words=fault.words)
    return None


def _members(value: object, schema: Json) -> Iterator[tuple[str | int, Any, Json]]:
    """Yield the members of a value that have a schema."""
    if isinstance(value, list) and "items" in schema:
        for index, member in enumerate(value):
            yield index, member, schema["items"]
    elif isinstance(value, dict):
        for name, subschema in schema.get("properties", {}).items():
            if name in value:
                yield name, value[name], subschema


def _fault_in_forms(value: object, forms: list[Json]) -> SchemaFault | None:
    """Return the fault in the most likely alternative: it has the JSON type of the value, and its fault is deepest."""
    results = [(form, fault_in(value, form)) for form in forms]
    fits = [form for form, fault in results if fault is None]
    if len(fits) == 1:
        return None
    if fits:
        return SchemaFault(path=(), words="must be one of several forms, and fits more than one")
    alike = [fault for form, fault in results if fault is not None and _is_of_kind(value, form)]
    return max(alike, key=lambda fault: len(fault.path)) if alike else _kind_fault(value, forms)


def _is_of_kind(value: object, form: Json) -> bool:
    """Return whether a value has the JSON type of an alternative and, for objects, an allowed member `type`."""
    if not _is_of_type(value, form):
        return False
    names = _names_in(form)
    return not names or (isinstance(value, dict) and value.get("type") in names)


def _is_of_type(value: object, form: Json) -> bool:
    return "type" not in form or _TYPES[form["type"]](value)


def _names_in(form: Json) -> list[str]:
    # Allowed values of the member `type`
    names: list[str] = form.get("properties", {}).get("type", {}).get("enum", [])
    return names


def _kind_fault(value: object, forms: list[Json]) -> SchemaFault:
    names = [name for form in forms if _is_of_type(value, form) for name in _names_in(form)]
    if not names or not isinstance(value, dict):
        kinds = dict.fromkeys(_KINDS[form["type"]] for form in forms)
        return SchemaFault(path=(), words=f"must be {' or '.join(kinds)}, got {_value_text(value)}")
    if "type" not in value:
        return SchemaFault(path=(), words=f"needs the member type, which is {_one_of(names)}")
    return SchemaFault(path=("type",), words=f"must be {_one_of(names)}, got {_value_text(value['type'])}")


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "integer": lambda value: is_number(value) and (isinstance(value, int) or value.is_integer()),
    "number": is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}
_KINDS: Mapping[str, str] = {
    "array": "an array",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "string": "text",
}


def _value_text(value: object) -> str:
    if isinstance(value, str):
        return repr(value) if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]!r} and more"
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    return json.dumps(value)


def _type(value: object, schema: Json) -> str | None:
    expected = schema["type"]
    if _TYPES[expected](value):
        return None
    like = f" like {json.dumps(schema['examples'][0])}" if "examples" in schema else ""
    return f"must be {_KINDS[expected]}{like}, got {_value_text(value)}"


def _enum(value: object, schema: Json) -> str | None:
    if isinstance(value, str) and value in schema["enum"]:
        return None
    return f"must be {_one_of(schema['enum'])}, got {_value_text(value)}"


def _bound(word: str, is_beyond: Exceeds) -> Check:
    def check(value: object, schema: Json) -> str | None:
        is_wrong = is_number(value) and is_beyond(value, schema[word])
        return f"must be {_BOUNDS[is_beyond]} {schema[word]}, got {_value_text(value)}" if is_wrong else None

    return check


def _length(word: str, kind: type[Sized], is_beyond: Exceeds, in_words: Callable[[int], str]) -> Check:
    def check(value: object, schema: Json) -> str | None:
        if not isinstance(value, kind) or not is_beyond(len(value), schema[word]):
            return None
        return f"must have {_BOUNDS[is_beyond]} {in_words(schema[word])}, got {len(value)}"

    return check


def _pattern(value: object, schema: Json) -> str | None:
    end = r"\Z"  # `$` in JSON Schema is the end only; in Python it also matches before a final line feed
    if not isinstance(value, str) or re.search(re.sub(r"\$$", lambda _end: end, schema["pattern"]), value):
        return None
    return f"must match {schema['pattern']}, got {_value_text(value)}"


def _check_required(value: object, schema: Json) -> str | None:
    missing = [name for name in schema["required"] if isinstance(value, dict) and name not in value]
    return f"needs the member {missing[0]}" if missing else None


def _no_others(value: object, schema: Json) -> str | None:
    properties = schema["properties"]
    if not isinstance(value, dict) or schema["additionalProperties"]:
        return None
    other = next((name for name in value if name not in properties), None)
    return None if other is None else f"has no member {_value_text(other)}; it has {', '.join(properties)}"


def _one_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def _members_in_words(count: int) -> str:
    return "1 member" if count == 1 else f"{count} members"


CHECKS: Mapping[str, Check] = {
    "type": _type,
    "enum": _enum,
    "minimum": _bound("minimum", lt),
    "maximum": _bound("maximum", gt),
    "maxLength": _length("maxLength", str, gt, "{} characters".format),
    "pattern": _pattern,
    "minItems": _length("minItems", list, lt, _members_in_words),
    "maxItems": _length("maxItems", list, gt, _members_in_words),
    "maxProperties": _length("maxProperties", dict, gt, _members_in_words),
    "required": _check_required,
    "additionalProperties": _no_others,
}
"""Checks of a value itself by keyword; each returns a message, or `None` if the value is valid."""
WORDS = frozenset({*CHECKS, "oneOf", "items", "properties"})
"""Keywords that are checked."""
