"""Geometries of `$filter`: `geography'SRID=4326;POLYGON((…))'`, read with bounds."""

import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from chronotile.errors import MAX_SHOWN, InvalidParameter, LimitExceeded
from chronotile.protocols.odata.tokens import FILTER, refused

MOST_VERTICES = 2_000
"""Of all geometries of a filter."""
NAMES = {"POINT": "Point", "LINESTRING": "LineString", "POLYGON": "Polygon", "MULTIPOLYGON": "MultiPolygon"}
"""What GeoJSON calls them."""
ACCEPTED = "geography'SRID=4326;POLYGON((4 50,5 50,5 51,4 50))', or POINT, LINESTRING, MULTIPOLYGON; longitude first"
_TAGGED = re.compile(r"\s*+SRID\s*+=\s*+4326\s*+;\s*+([A-Z]{1,20})\s*+(\([-+0-9.e,()\s]*+)", re.ASCII | re.IGNORECASE)
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


def geometry_of(written: str) -> tuple[Mapping[str, Any], int]:
    """Return the GeoJSON of a geography literal, and how many vertices it has.

    Raises:
        InvalidParameter: It is not one in CRS84.
        LimitExceeded: It has too many vertices.
    """
    tagged = _TAGGED.fullmatch(written.partition("'")[2].removesuffix("'"))
    kind = tagged[1].upper() if tagged else ""
    if tagged is None or kind not in NAMES:
        raise _unreadable(written)
    body = tagged[2]
    vertices = body.count(",") + 1
    if vertices > MOST_VERTICES:
        raise LimitExceeded(
            "vertices",
            allowed=MOST_VERTICES,
            needed=vertices,
            alternative="simplify the geometry or use its bounding box",
            locator=FILTER,
        )
    form = "".join(_PAIR.sub("p", body).split())
    if _FORMS[kind].fullmatch(form) is None:
        raise _unreadable(written)
    coordinates = orjson.loads(_PAIR.sub(_pair, body).replace("(", "[").replace(")", "]"))
    return {"type": NAMES[kind], "coordinates": coordinates[0] if kind == "POINT" else coordinates}, vertices


def _pair(found: re.Match[str]) -> str:
    x, y = float(found[1]), float(found[2])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise refused("has a coordinate that is not a finite number")
    return f"[{x!r},{y!r}]"


def _unreadable(written: str) -> InvalidParameter:
    return refused(f"has the geometry {written[:MAX_SHOWN]!r}; accepted: {ACCEPTED}")
