"""GeoJSON parsed without a list for each position: rings become arrays before the rest is parsed.

A position takes 150 bytes as a list of two numbers, and 16 in an array.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import orjson

from chronotile.core.model.geometry.json_text import load_json, memory_of_json, require_room
from chronotile.core.model.types import FloatArray, JsonValue

WHOLE_BYTES = 1 << 16
"""A text that has no more is parsed at once."""

PART_BYTES = 1 << 16
"""Of a ring, parsed at once."""

RING_BYTES = 700
"""Of a ring, beside its positions: its array, and the mark that replaces it."""

SHORT_BYTES = 100
"""A list of positions with a shorter text stays in the rest: as lists it takes less."""

_COORDINATES = re.compile(rb'(?<!\\)"coordinates"[ \t\n\r]*:[ \t\n\r]*(?=\[)')
"""Never inside a string of valid JSON: its first quote would end the string, after which no name may stand."""
_NUMBERS = re.compile(rb"[\[\]\d+\-.eE, \t\n\r]*+")
_RING = re.compile(rb"\[[ \t\n\r]*\[[ \t\n\r]*[-\d]")
_END = re.compile(rb"\][ \t\n\r]*\]")
_COMMA_OR_END = re.compile(rb"[ \t\n\r]*(,|\Z)")


@dataclass(frozen=True, slots=True)
class _RingText:
    """A ring in a text."""

    start: int
    stop: int
    positions: FloatArray


def parse_geojson(text: bytes, *, locator: str) -> JsonValue:
    """Return what a GeoJSON text is as JSON, with arrays (vertex, 2) in place of lists of positions.

    Lists of positions that are not well formed are left as they are, and so are those among properties, and those that
    are not within another list.

    Args:
        text: In UTF-8.
        locator: The parameter it came in.

    Raises:
        orjson.JSONDecodeError: It is not JSON; its message gives the place in the text.
        LimitExceeded: It would take more memory than there is for a body.
    """
    if len(text) <= WHOLE_BYTES:
        return load_json(text, locator=locator)
    mark, rings = secrets.token_hex(8), list[_RingText]()
    parts, end, taken = list[bytes](), 0, len(text)
    for ring in _rings(text):
        taken += ring.positions.nbytes + RING_BYTES
        require_room(taken, locator=locator)
        parts += (text[end : ring.start], _marker(mark, len(rings)).encode())
        rings.append(ring)
        end = ring.stop
    parts.append(text[end:])
    rest = b"".join(parts)
    parts.clear()
    taken += memory_of_json(rest)
    require_room(taken, locator=locator)
    try:
        document = load_json(rest, locator=locator)
    except orjson.JSONDecodeError as error:
        raise _shift_position(error, rings, mark) from error
    for container, key, ring, is_property in _find_marks(document, rings, mark) if rings else ():
        if is_property:
            listed = text[ring.start : ring.stop]
            taken += memory_of_json(listed)
            require_room(taken, locator=locator)
            container[key] = orjson.loads(listed)
        elif isinstance(container, dict):  # no ring: it lacks a list round it, whatever else it has
            container[key] = ring.positions[:1].tolist()
        else:
            container[key] = ring.positions
    return document


def positions_of(listed: JsonValue) -> FloatArray | None:
    """Return (vertex, 2) of a list of positions, a third coordinate left out; `None` where it is none."""
    if not isinstance(listed, list) or not listed:
        return None
    if set(map(type, listed)) != {list} or not set(map(type, chain.from_iterable(listed))) <= {int, float}:
        return None  # before numpy, which pads texts to the longest of them
    try:
        positions = np.array(listed, dtype=np.float64)
    except ValueError:  # some have heights
        try:
            positions = np.array([position[:2] for position in listed], dtype=np.float64)
        except ValueError:
            return None
    return np.ascontiguousarray(positions[:, :2]) if positions.shape[1] > 1 else None


def _rings(text: bytes) -> Iterator[_RingText]:
    """The lists of positions of a text that are well formed, in their order."""
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
    """(vertex, 2) of the positions between two places of a text; `None` where something else is between them."""
    found, is_last = list[FloatArray](), False
    while not is_last:
        end = text.find(b"]", min(first + PART_BYTES, last), last) + 1 or last
        comma = _COMMA_OR_END.match(text, end, last)
        try:
            positions = positions_of(orjson.loads(b"[" + text[first:end] + b"]"))
        except orjson.JSONDecodeError:
            return None
        if positions is None or comma is None:
            return None
        found.append(positions)
        first, is_last = comma.end(), not comma[1]
    return found[0] if len(found) == 1 else np.concatenate(found)


def _shift_position(error: orjson.JSONDecodeError, rings: list[_RingText], mark: str) -> orjson.JSONDecodeError:
    """The error of a text without its rings, with its position in the whole text."""
    before = rings[: error.doc.count(mark, 0, error.pos)]
    place = error.pos + sum(ring.stop - ring.start - len(_marker(mark, number)) for number, ring in enumerate(before))
    moved = orjson.JSONDecodeError(error.msg, error.doc, error.pos)
    moved.args = (f"{error.msg} (char {place})",)
    return moved


def _marker(mark: str, number: int) -> str:
    # What stands for a ring in a text: a list as well, since a string could be a name, where no list may stand.
    return f'["{mark}{number}"]'


def _has_mark(member: JsonValue, mark: str) -> bool:
    return isinstance(member, str) and member.startswith(mark)


def _find_marks(
    document: JsonValue, rings: list[_RingText], mark: str
) -> Iterator[tuple[JsonValue, JsonValue, _RingText, bool]]:
    """Each ring with the list or object that has its mark, its place there, and whether that is among properties."""
    levels = [_members(document, is_property=False)]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
            continue
        container, key, member, is_property = found
        if isinstance(member, list) and len(member) == 1 and _has_mark(member[0], mark):
            yield container, key, rings[int(member[0][len(mark) :])], is_property
        elif isinstance(member, dict | list):
            levels.append(_members(member, is_property=is_property or key == "properties"))


def _members(container: JsonValue, *, is_property: bool) -> Iterator[tuple[JsonValue, JsonValue, JsonValue, bool]]:
    if isinstance(container, dict | list):
        pairs = container.items() if isinstance(container, dict) else enumerate(container)
        yield from ((container, key, member, is_property) for key, member in pairs)
