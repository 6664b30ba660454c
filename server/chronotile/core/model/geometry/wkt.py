"""Well-known text (OGC 06-103r4 §7) as GeoJSON."""

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, require_at_most

NAMES = {
    "POINT": "Point",
    "MULTIPOINT": "MultiPoint",
    "LINESTRING": "LineString",
    "POLYGON": "Polygon",
    "MULTIPOLYGON": "MultiPolygon",
}
"""Types of GeoJSON."""
SHAPES = ("POINT", "LINESTRING", "POLYGON", "MULTIPOLYGON")
# Lengths are bounded, so that no text takes long to refuse.
_TAGGED = re.compile(r"\s*+([A-Z]{1,20}?)\s*+(?:ZM|Z|M)?\s*+(\([-+0-9.e,()\s]*+)", re.ASCII | re.IGNORECASE)
_NUMBER = r"([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:e[+-]?\d{1,3})?)"
_POSITION = re.compile(rf"{_NUMBER}\s+{_NUMBER}(?:\s+{_NUMBER}){{0,2}}", re.ASCII | re.IGNORECASE)
_POSITIONS = r"\(p(?:,p)*+\)"
_RINGS = rf"\({_POSITIONS}(?:,{_POSITIONS})*+\)"
_FORMS = {
    "POINT": re.compile(r"\(p\)"),
    "MULTIPOINT": re.compile(rf"{_POSITIONS}|\(\(p\)(?:,\(p\))*+\)"),
    "LINESTRING": re.compile(_POSITIONS),
    "POLYGON": re.compile(_RINGS),
    "MULTIPOLYGON": re.compile(rf"\({_RINGS}(?:,{_RINGS})*+\)"),
}
"""Accepted forms, with `p` for each position."""


def geometry_of_wkt(  # noqa: PLR0913 -- each protocol words its errors
    written: str,
    *,
    most: int,
    locator: str,
    kinds: Collection[str] = SHAPES,
    accepted: str = f"{', '.join(SHAPES)}, longitude first",
    limit: str = "vertices",
    is_north_first: bool = False,
) -> tuple[Mapping[str, Any], int]:
    """Convert well-known text to GeoJSON, x before y and without heights; also return the number of vertices.

    Args:
        written: The text.
        most: Maximum number of vertices.
        locator: Name of the parameter, for errors.
        kinds: Accepted keys of `NAMES`.
        accepted: Description of accepted texts, for errors.
        limit: Name of the limit of vertices, for errors.
        is_north_first: Whether the text has y before x.

    Raises:
        InvalidParameter: The text is not accepted.
        LimitExceeded: It has too many vertices.
    """
    refused = InvalidParameter(
        f"{locator} has the geometry {written[:MAX_SHOWN]!r}; accepted: {accepted}", locator=locator
    )
    tagged = _TAGGED.fullmatch(written)
    kind = tagged[1].upper() if tagged else ""
    if tagged is None or kind not in kinds:
        raise refused
    body = tagged[2]
    vertices, fewer = body.count(",") + 1, "request a simpler geometry, or fewer points"
    require_at_most(limit, vertices, most, alternative=fewer, locator=locator)
    if _FORMS[kind].fullmatch("".join(_POSITION.sub("p", body).split())) is None:
        raise refused
    if kind == "MULTIPOINT":  # each member may be in brackets
        body = f"({body.replace('(', '').replace(')', '')})"
    positions = [(float(match[1]), float(match[2])) for match in _POSITION.finditer(body)]
    if not all(math.isfinite(number) for position in positions for number in position):
        raise InvalidParameter(f"{locator} has a coordinate that is not a finite number", locator=locator)
    texts = iter(f"[{y!r},{x!r}]" if is_north_first else f"[{x!r},{y!r}]" for x, y in positions)
    listed = _POSITION.sub(lambda _match: next(texts), body).replace("(", "[").replace(")", "]")
    coordinates = orjson.loads(listed)
    return {"type": NAMES[kind], "coordinates": coordinates[0] if kind == "POINT" else coordinates}, vertices
