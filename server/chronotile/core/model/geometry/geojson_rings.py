"""Parser of GeoJSON without a list per position: rings become arrays before the rest is parsed.

A position takes 150 bytes as a list of two numbers, and 16 bytes in an array.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import orjson

from chronotile.core.model.geometry.json_estimates import memory_of_json
from chronotile.core.model.geometry.json_text import load_json, require_room
from chronotile.core.model.types import FloatArray, JsonValue

WHOLE_BYTES = 1 << 16
"""Texts up to this size are parsed in one call."""

PART_BYTES = 1 << 16
"""Size of the parts of a ring that are parsed in one call."""

RING_BYTES = 700
"""Memory of a ring in addition to its positions: the array object, and the mark that replaces it."""

SHORT_BYTES = 100
"""Shorter lists of positions are not replaced, because they take less memory as lists."""

_COORDINATES = re.compile(rb'(?<!\\)"coordinates"[ \t\n\r]*:[ \t\n\r]*(?=\[)')
"""Never matches inside a string of valid JSON: its first quote would end the string, and no name may follow there."""
_NUMBERS = re.compile(rb"[\[\]\d+\-.eE, \t\n\r]*+")
_RING = re.compile(rb"\[[ \t\n\r]*\[[ \t\n\r]*[-\d]")
_END = re.compile(rb"\][ \t\n\r]*\]")
_COMMA_OR_END = re.compile(rb"[ \t\n\r]*(,|\Z)")


@dataclass(frozen=True, slots=True)
class _RingText:
    """Position of a ring in a text, and its content."""

    start: int
    stop: int
    positions: FloatArray


def parse_geojson(text: bytes, *, locator: str) -> JsonValue:
    """Parse GeoJSON, with arrays (vertex, 2) instead of lists of positions.

    Lists of positions remain lists if they are malformed, in properties, or not inside another list.

    Args:
        text: UTF-8.
        locator: Name of the parameter, for errors.

    Raises:
        orjson.JSONDecodeError: It is not JSON; the message states the position in the text.
        LimitExceeded: It would take more memory than is available for a body.
    """
    if len(text) <= WHOLE_BYTES:
        return load_json(text, locator=locator)
    mark, rings = secrets.token_hex(8), list[_RingText]()
    parts, end, needed_bytes = list[bytes](), 0, len(text)
    for ring in _rings(text):
        needed_bytes += ring.positions.nbytes + RING_BYTES
        require_room(needed_bytes, locator=locator)
        parts += (text[end : ring.start], _marker(mark, len(rings)).encode())
        rings.append(ring)
        end = ring.stop
    parts.append(text[end:])
    rest = b"".join(parts)
    parts.clear()
    needed_bytes += memory_of_json(rest)
    require_room(needed_bytes, locator=locator)
    try:
        document = load_json(rest, locator=locator)
    except orjson.JSONDecodeError as error:
        raise _shift_position(error, rings, mark) from error
    for container, key, ring, is_property in _find_marks(document, rings, mark) if rings else ():
        if is_property:
            listed = text[ring.start : ring.stop]
            needed_bytes += memory_of_json(listed)
            require_room(needed_bytes, locator=locator)
            container[key] = orjson.loads(listed)
        elif isinstance(container, dict):  # positions that no list encloses are no ring of a polygon
            container[key] = ring.positions[:1].tolist()
        else:
            container[key] = ring.positions
    return document


def positions_of(listed: JsonValue) -> FloatArray | None:
    """Return (vertex, 2) positions without heights; `None` if it is not a list of positions."""
    if not isinstance(listed, list) or not listed:
        return None
    if set(map(type, listed)) != {list} or not set(map(type, chain.from_iterable(listed))) <= {int, float}:
        return None  # not left to numpy, which pads texts to the longest text
    try:
        positions = np.array(listed, dtype=np.float64)
    except ValueError:  # some positions have heights
        try:
            positions = np.array([position[:2] for position in listed], dtype=np.float64)
        except ValueError:
            return None
    return np.ascontiguousarray(positions[:, :2]) if positions.shape[1] > 1 else None


def _rings(text: bytes) -> Iterator[_RingText]:
    """Yield the well-formed lists of positions of a text, in order."""
    for name in _COORDINATES.finditer(text):
        numbers = _NUMBERS.match(text, name.end())
        last = numbers.end() if numbers else name.end()
        begin = _RING.search(text, name.end(), last)
        while begin and (end := _END.search(text, begin.end(), last)):
            is_long = end.end() - begin.start() >= SHORT_BYTES
            positions = _positions_between(text, begin.start() + 1, end.end() - 1) if is_long else None
            if positions is not None:
                yield _RingText(begin.start(), end.end(), positions)
            begin = _RING.search(text, end.end(), last)


def _positions_between(text: bytes, first: int, last: int) -> FloatArray | None:
    """Return (vertex, 2) positions between two offsets of a text; `None` if the text contains other content."""
    arrays, is_last = list[FloatArray](), False
    while not is_last:
        end = text.find(b"]", min(first + PART_BYTES, last), last) + 1 or last
        comma = _COMMA_OR_END.match(text, end, last)
        try:
            positions = positions_of(orjson.loads(b"[" + text[first:end] + b"]"))
        except orjson.JSONDecodeError:
            return None
        if positions is None or comma is None:
            return None
        arrays.append(positions)
        first, is_last = comma.end(), not comma[1]
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _shift_position(error: orjson.JSONDecodeError, rings: list[_RingText], mark: str) -> orjson.JSONDecodeError:
    """Return the error of a text without its rings, with the position in the whole text."""
    before = rings[: error.doc.count(mark, 0, error.pos)]
    place = error.pos + sum(ring.stop - ring.start - len(_marker(mark, number)) for number, ring in enumerate(before))
    moved = orjson.JSONDecodeError(error.msg, error.doc, error.pos)
    moved.args = (f"{error.msg} (char {place})",)
    return moved


def _marker(mark: str, number: int) -> str:
    # Replacement of a ring in a text. A string could become a name, and so make invalid JSON valid; a list cannot.
    return f'["{mark}{number}"]'


def _has_mark(member: JsonValue, mark: str) -> bool:
    return isinstance(member, str) and member.startswith(mark)


def _find_marks(
    document: JsonValue, rings: list[_RingText], mark: str
) -> Iterator[tuple[JsonValue, JsonValue, _RingText, bool]]:
    """Yield each ring with the container of its mark, the key in the container, and whether it is in properties."""
    levels = [_members(document, is_property=False)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            continue
        container, key, member, is_property = entry
        if isinstance(member, list) and len(member) == 1 and _has_mark(member[0], mark):
            yield container, key, rings[int(member[0][len(mark) :])], is_property
        elif isinstance(member, dict | list):
            levels.append(_members(member, is_property=is_property or key == "properties"))


def _members(container: JsonValue, *, is_property: bool) -> Iterator[tuple[JsonValue, JsonValue, JsonValue, bool]]:
    if isinstance(container, dict | list):
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        yield from ((container, key, member, is_property) for key, member in pairs)
