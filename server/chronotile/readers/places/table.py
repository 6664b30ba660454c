"""Feature tables of files, and names in them as messages repeat them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.types import ObjectArray

GEOPACKAGE, ZIP = b"SQLite format 3\0", b"PK"
"""First bytes of files."""
MAX_SHOWN = 40
"""Characters of a name, and names of a list, in a message."""
_FURTHEST = (360.0, 90.0)
"""Longitude and latitude."""
_HIDDEN = re.compile(r"[^\w .:-]")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The features of a file."""

    name: str
    crs: Crs
    shapes: ObjectArray
    """(feature,): shapes of any kind; `None` if a feature has none or an unreadable one."""
    columns: Mapping[str, Sequence[object]]
    """(feature,) by name of the field."""


def shown(names: Iterable[object]) -> str:
    """Return names from a file for a message: letters, digits and few signs, of limited length and number."""
    listed = [_HIDDEN.sub("?", str(name)[:MAX_SHOWN]) for name in names]
    more = f" and {len(listed) - MAX_SHOWN} more" if len(listed) > MAX_SHOWN else ""
    return f"{', '.join(listed[:MAX_SHOWN])}{more}"


def choose_table(tables: Sequence[str], name: str | None, *, takes_first: bool) -> str:
    """Return the feature table called `name`; without a name the only one, or the first if `takes_first`.

    Raises:
        UnsupportedSource: There is no such table, or there are several.
    """
    if not tables:
        raise UnsupportedSource("it has no feature table")
    if name is None and len(tables) != 1 and not takes_first:
        raise UnsupportedSource(f"it has {len(tables)} feature tables; name one with table: {shown(tables)}")
    if name is not None and name not in tables:
        raise UnsupportedSource(f"it has no feature table {shown([name])!r}; it has {shown(tables)}")
    return name or tables[0]


def check_range(crs: Crs, shapes: ObjectArray) -> None:
    """Check that coordinates are numbers, and degrees on earth.

    Raises:
        UnsupportedSource: They are not.
    """
    vertices = shapely.get_coordinates(shapes)
    if not np.isfinite(vertices).all():
        raise UnsupportedSource("it has coordinates that are not numbers")
    if crs.is_geographic and (np.abs(vertices) > _FURTHEST).any():
        hint = "degrees are longitude first, and metres need a CRS (GeoJSON: a member crs)"
        raise UnsupportedSource(f"it has longitudes beyond 360 or latitudes beyond 90 degrees; {hint}")
