"""Areas: polygons in a CRS."""

from dataclasses import dataclass

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

    @property
    def vertices(self) -> int:
        """The number of vertices of all rings."""
        return sum(len(ring) for polygon in self.polygons for ring in polygon)
