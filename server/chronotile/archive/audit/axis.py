"""Coordinates of a source along one axis, and which of them served cells are at."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.archive.audit.sources import FloatArray, OtherPlace

NEAR_PX = 0.06
"""How far from its coordinate the centre of a cell may be served: axes are served as evenly spaced."""
TURNS = (0.0, 360.0, -360.0)


class Axis(NamedTuple):
    """Coordinates as an independent library decodes them, in the unit of the system."""

    name: str
    centres: FloatArray
    """In the order of the source."""
    rounding: float
    """What their type rounds off, as a share."""
    is_longitude: bool = False

    def places(self, points: FloatArray) -> NDArray[np.intp]:
        """Return the index of the coordinate at each point.

        Raises:
            OtherPlace: There is none at one of them.
        """
        order = np.argsort(self.centres, kind="stable")
        ascending, last = self.centres[order], self.centres.size - 1
        found = np.zeros(points.shape, dtype=np.intp)
        apart = np.full(points.shape, np.inf)
        for turn in TURNS if self.is_longitude else TURNS[:1]:
            after = np.clip(np.searchsorted(ascending, points + turn), 0, last)
            for places in (after, np.maximum(after - 1, 0)):
                distance = np.abs(ascending[places] - points - turn)
                is_nearer = distance < apart
                found, apart = np.where(is_nearer, places, found), np.where(is_nearer, distance, apart)
        step = float(np.median(np.abs(np.diff(ascending)))) if last else 0.0
        if (apart > NEAR_PX * step + self.rounding * float(np.abs(ascending).max())).any():
            raise OtherPlace(
                f"its cells are served at {self.name} {points.min():.8g} to {points.max():.8g}, its source has them at "
                f"{ascending[0]:.8g} to {ascending[-1]:.8g}"
            )
        return np.asarray(order[found])
