"""Feature tables of files of places, and names from these files in messages."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.types import ObjectArray

GEOPACKAGE, ZIP = b"SQLite format 3\0", b"PK"
"""First bytes of a GeoPackage, and of a ZIP."""
MAX_SHOWN = 40
"""Maximum number of characters of a name in a message, and of names in a list."""
_MAX_DEGREES = (360.0, 90.0)
"""Maximum absolute longitude and latitude."""
_HIDDEN = re.compile(r"[^\w .:-]")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The features of a file."""

    name: str
    crs: Crs
    shapes: ObjectArray
    """(feature,): shapely geometries of any type; `None` if the geometry is missing or unreadable."""
    columns: Mapping[str, Sequence[object]]
    """(feature,) values by name of the field."""


def shown(names: Iterable[object]) -> str:
    """Return names from a file for a message: limited in length and number, with `?` for unusual characters."""
    listed = [_HIDDEN.sub("?", str(name)[:MAX_SHOWN]) for name in names]
    more = f" and {len(listed) - MAX_SHOWN} more" if len(listed) > MAX_SHOWN else ""
    return f"{', '.join(listed[:MAX_SHOWN])}{more}"


def choose_table(tables: Sequence[str], name: str | None, *, takes_first: bool) -> str:
    """Return the feature table called `name`; without a name the only one, or the first if `takes_first`.

    Raises:
        UnsupportedSource: No table has that name, or there are several tables and no name.
    """
    if not tables:
        raise UnsupportedSource("it has no feature table")
    if name is None and len(tables) != 1 and not takes_first:
        raise UnsupportedSource(f"it has {len(tables)} feature tables; name one with table: {shown(tables)}")
    if name is not None and name not in tables:
        raise UnsupportedSource(f"it has no feature table {shown([name])!r}; it has {shown(tables)}")
    return name or tables[0]


def check_range(crs: Crs, shapes: ObjectArray) -> None:
    """Check that coordinates are finite, and at most `_MAX_DEGREES` in a geographic CRS.

    Raises:
        UnsupportedSource: A coordinate is not.
    """
    vertices = shapely.get_coordinates(shapes)
    if not np.isfinite(vertices).all():
        raise UnsupportedSource("it has coordinates that are not numbers")
    if crs.is_geographic and (np.abs(vertices) > _MAX_DEGREES).any():
        hint = "degrees are longitude first, and metres need a CRS (GeoJSON: a member crs)"
        raise UnsupportedSource(f"it has longitudes beyond 360 or latitudes beyond 90 degrees; {hint}")
