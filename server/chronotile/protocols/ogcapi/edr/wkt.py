"""Well-known text of `coords` (OGC 06-103r4 §7) as x and y; a third or fourth coordinate is left out."""

import math
import re
from typing import Any

import orjson

from chronotile.errors import MAX_SHOWN, InvalidParameter, LimitExceeded
from chronotile.model.crs import Crs, is_north_first
from chronotile.model.geometry.area import Area
from chronotile.model.geometry.geojson import GeometryRules, area_of
from chronotile.protocols.common.query.kvp import Kvp

LOCATOR = "coords"
POINTS = ("POINT", "MULTIPOINT")
POLYGONS = {"POLYGON": "Polygon", "MULTIPOLYGON": "MultiPolygon"}
"""Names that GeoJSON has for them."""
OPENED = {"POLYGON": "((", "MULTIPOLYGON": "((("}

# Lengths are bounded, and blanks are single ones, so that no text takes long to refuse.
_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,4})?"
_POSITION = rf"({_NUMBER}) ({_NUMBER})(?: {_NUMBER}){{0,2}}"
_TAGGED = re.compile(r"([A-Z]{1,30}?) ?(?:ZM|Z|M)? ?(\(.*\))", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(_POSITION, re.ASCII)
_POINT = re.compile(rf"\( ?{_POSITION} ?\)", re.ASCII)

Position = tuple[float, float]


def points_of(query: Kvp, crs: Crs, *, most: int) -> tuple[Position, ...]:
    """Return x and y of a POINT, or of each member of a MULTIPOINT; `crs` says in which order they are written.

    Raises:
        MissingParameter: There is no `coords`.
        InvalidParameter: It is something else.
        LimitExceeded: There are more than `most`.
    """
    kind, body = _tagged(query, POINTS)
    if kind == "POINT":
        return (_position(_POINT.fullmatch(body), body, crs),)
    members = body[1:-1].split(",")
    if len(members) > most:
        raise LimitExceeded(
            "max_features", allowed=most, needed=len(members), alternative="request fewer at once", locator=LOCATOR
        )
    return tuple(_member(each.strip(), body, crs) for each in members)


def area_of_text(query: Kvp, crs: Crs, *, max_vertices: int) -> Area:
    """Return the area of a POLYGON or MULTIPOLYGON, with a note of the repairs.

    Rings that cross themselves or one another are repaired, and open rings are closed, as in bodies of areas.

    Raises:
        MissingParameter: There is no `coords`.
        InvalidParameter: It is not a polygon, or its area is empty.
        LimitExceeded: It has more than `max_vertices`.
    """
    kind, body = _tagged(query, tuple(POLYGONS))
    if not body.replace(" ", "").startswith(OPENED[kind]):
        raise _unreadable(f"{kind}{body}", tuple(POLYGONS))
    geometry = {"type": POLYGONS[kind], "coordinates": _coordinates(body, crs)}
    rules = GeometryRules(max_vertices=max_vertices, max_features=1, crs_named=lambda _name: crs, crs=crs.name)
    return area_of(orjson.dumps(geometry), rules)


def _tagged(query: Kvp, accepted: tuple[str, ...]) -> tuple[str, str]:
    """The kind of geometry, and what stands in its brackets, with them."""
    text = " ".join(query.required(LOCATOR, accepted=_accepted(accepted)).split())
    found = _TAGGED.fullmatch(text)
    kind = found[1].upper() if found else ""
    if found is None or kind not in accepted:
        raise _unreadable(text, accepted)
    return kind, found[2]


def _member(text: str, body: str, crs: Crs) -> Position:
    """One of several points, in brackets of its own or without."""
    return _position((_POINT if text.startswith("(") else _PAIR).fullmatch(text), body, crs)


def _position(found: re.Match[str] | None, body: str, crs: Crs) -> Position:
    if found is None:
        raise _unreadable(body, POINTS)
    first, second = _finite(found[1]), _finite(found[2])
    return (second, first) if is_north_first(crs) else (first, second)


def _coordinates(body: str, crs: Crs) -> Any:  # noqa: ANN401 -- lists within lists
    """Brackets and positions as GeoJSON has them."""
    is_turned = is_north_first(crs)

    def pair(found: re.Match[str]) -> str:
        first, second = _finite(found[1]), _finite(found[2])
        return f"[{second!r},{first!r}]" if is_turned else f"[{first!r},{second!r}]"

    listed = _PAIR.sub(pair, body).replace("(", "[").replace(")", "]")
    try:
        return orjson.loads(listed)
    except orjson.JSONDecodeError as error:
        raise _unreadable(body, tuple(POLYGONS)) from error


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise InvalidParameter(f"{LOCATOR} has a coordinate that is not a finite number", locator=LOCATOR)
    return value


def _unreadable(text: str, accepted: tuple[str, ...]) -> InvalidParameter:
    return InvalidParameter(f"{LOCATOR} must be {_accepted(accepted)}, got {text[:MAX_SHOWN]!r}", locator=LOCATOR)


def _accepted(kinds: tuple[str, ...]) -> str:
    example = "POINT(4.5 50.8)" if kinds == POINTS else "POLYGON((4 50,5 50,5 51,4 50))"
    return f"well-known text of a {' or '.join(kinds)}, such as {example}"
