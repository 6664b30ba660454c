"""Areas: polygons in a CRS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chronotile.model.crs import CRS84, Crs
from chronotile.model.grid import FloatArray

Polygon = tuple[FloatArray, ...]
"""Rings (vertex, 2) of x and y, closed; the first is the outer one, the others are holes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """Polygons that are one feature; what lies in two of them counts once."""

    polygons: tuple[Polygon, ...]
    crs: Crs = CRS84
    id: str | int | float | None = None
    """As the client called it."""
    properties: Mapping[str, Any] | None = None
    """Of the feature, as the client wrote them."""
    note: str | None = None
    """What was done to it, in words: such as how a ring that crosses itself was repaired."""

    @property
    def vertices(self) -> int:
        """The number of vertices of all rings."""
        return sum(len(ring) for polygon in self.polygons for ring in polygon)
