"""Well-known text (OGC 06-103r4 §7) as GeoJSON."""

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, LimitExceeded

NAMES = {"POINT": "Point", "LINESTRING": "LineString", "POLYGON": "Polygon", "MULTIPOLYGON": "MultiPolygon"}
"""What GeoJSON calls them."""
_TAGGED = re.compile(r"\s*+([A-Z]{1,20})\s*+(\([-+0-9.e,()\s]*+)", re.ASCII | re.IGNORECASE)
_NUMBER = r"([+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:e[+-]?\d{1,3})?)"
_PAIR = re.compile(rf"{_NUMBER}\s+{_NUMBER}", re.ASCII | re.IGNORECASE)
_POSITIONS = r"\(p(?:,p)*+\)"
_RINGS = rf"\({_POSITIONS}(?:,{_POSITIONS})*+\)"
_FORMS = {
    "POINT": re.compile(r"\(p\)"),
    "LINESTRING": re.compile(_POSITIONS),
    "POLYGON": re.compile(_RINGS),
    "MULTIPOLYGON": re.compile(rf"\({_RINGS}(?:,{_RINGS})*+\)"),
}
"""Of brackets and positions (`p`)."""


def geometry_of_wkt(
    written: str, *, most_vertices: int, locator: str, accepted: str = f"{', '.join(NAMES)}, longitude first"
) -> tuple[Mapping[str, Any], int]:
    """Return the GeoJSON of two-dimensional well-known text of one of `NAMES`, and how many vertices it has.

    Args:
        written: The text.
        most_vertices: That are accepted.
        locator: Of errors.
        accepted: What they say of the accepted text.

    Raises:
        InvalidParameter: It is not accepted.
        LimitExceeded: It has too many vertices.
    """
    refused = InvalidParameter(
        f"{locator} has the geometry {written[:MAX_SHOWN]!r}; accepted: {accepted}", locator=locator
    )
    tagged = _TAGGED.fullmatch(written)
    kind = tagged[1].upper() if tagged else ""
    if tagged is None or kind not in NAMES:
        raise refused
    body = tagged[2]
    vertices = body.count(",") + 1
    if vertices > most_vertices:
        raise LimitExceeded(
            "vertices",
            allowed=most_vertices,
            needed=vertices,
            alternative="simplify the geometry or use its bounding box",
            locator=locator,
        )
    form = "".join(_PAIR.sub("p", body).split())
    if _FORMS[kind].fullmatch(form) is None:
        raise refused
    if not all(math.isfinite(float(each)) for pair in _PAIR.findall(body) for each in pair):
        raise InvalidParameter(f"{locator} has a coordinate that is not a finite number", locator=locator)
    coordinates = orjson.loads(_PAIR.sub(_pair, body).replace("(", "[").replace(")", "]"))
    return {"type": NAMES[kind], "coordinates": coordinates[0] if kind == "POINT" else coordinates}, vertices


def _pair(found: re.Match[str]) -> str:
    return f"[{float(found[1])!r},{float(found[2])!r}]"
