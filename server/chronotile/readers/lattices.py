"""Lattices: the cells of grids continued without end, to compare grids and to cover all pieces of a mosaic."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from affine import Affine

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.request import Point
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.boxes import BBox, box_of_all, reach_in
from chronotile.core.model.space.crs import CRS84, Crs, crs_of
from chronotile.core.model.space.grid import CIRCLE_TOLERANCE_PX, NativeGrid
from chronotile.readers.reader import cell_at

METRES_PER_DEGREE = 111_319.49079327358
CORNER_TOLERANCE = 1e-3
"""Tolerance in cells for comparing lattice corners; stored coordinates are rounded."""
MAX_HALVINGS = 4
"""Coarser levels of the grid of a mosaic: about as many as its pieces have overviews."""
MIN_LEVEL_SIDE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """North-up cells of one size and position that continue without end."""

    crs: Crs
    width: float
    """Width of a cell in units of the CRS."""
    height: float
    x: float
    """Left edge of some column: at least 0 and less than `width`."""
    y: float
    """Upper edge of some row: at least 0 and less than `height`."""

    def grid(self, box: BBox) -> NativeGrid:
        """Return the cells that a box of the CRS touches."""
        left = math.floor((box.xmin - self.x) / self.width + CORNER_TOLERANCE)
        right = max(left + 1, math.ceil((box.xmax - self.x) / self.width - CORNER_TOLERANCE))
        top = math.ceil((box.ymax - self.y) / self.height - CORNER_TOLERANCE)
        bottom = min(top - 1, math.floor((box.ymin - self.y) / self.height + CORNER_TOLERANCE))
        return NativeGrid(
            crs=self.crs,
            transform=Affine(self.width, 0, self.x + left * self.width, 0, -self.height, self.y + top * self.height),
            width=right - left,
            height=top - bottom,
        )


def lattice_of(grid: NativeGrid) -> Lattice | None:
    """Return the lattice that a grid is part of, or `None` if the grid is not north-up."""
    a, b, c, d, e, f = grid.transform[:6]
    if b or d or a <= 0 or e >= 0:
        return None
    return Lattice(crs=grid.crs, width=a, height=-e, x=_phase(c, a), y=_phase(f, -e))


def _phase(corner: float, size: float) -> float:
    """Coordinate of a corner modulo the size of a cell, rounded to `CORNER_TOLERANCE`; nearly 1 cell becomes 0."""
    steps = corner / size
    fraction = round((steps - math.floor(steps)) / CORNER_TOLERANCE) * CORNER_TOLERANCE
    return 0.0 if fraction >= 1 - CORNER_TOLERANCE / 2 else fraction * size


def lattices_of(grids: Iterable[NativeGrid]) -> tuple[Lattice, ...]:
    """Return the lattices of the north-up grids; the lattice of most grids is first."""
    counts: dict[Lattice, int] = {}
    for grid in grids:
        lattice = lattice_of(grid)
        if lattice is not None:
            counts[lattice] = counts.get(lattice, 0) + 1
    return tuple(sorted(counts, key=lambda lattice: -counts[lattice]))


def lattice_at(grids: Iterable[NativeGrid], lattices: Sequence[Lattice], point: Point) -> Lattice | None:
    """Return the first lattice of a grid that contains a point, or the first of all if no grid contains it.

    Args:
        grids: Grids of the pieces.
        lattices: Their lattices, in order of preference.
        point: A point, also outside the pieces.
    """
    lattices_at_point = {lattice_of(grid) for grid in grids if cell_at(grid, point) is not None}
    return next((lattice for lattice in lattices if lattice in lattices_at_point), next(iter(lattices), None))


def require_same_cells(lattices: Mapping[str, Sequence[Lattice]]) -> None:
    """Check that a piece can have the same cells for all variables of an expression.

    Args:
        lattices: Lattices of the pieces of each variable, the most common first; empty if none is north-up.

    Raises:
        InvalidParameter: Two variables have no lattice in common.
    """
    (first, first_lattices), *rest = lattices.items()
    for other, other_lattices in rest:
        if first_lattices and other_lattices and set(first_lattices).isdisjoint(other_lattices):
            raise InvalidParameter(
                f"cells of {first} and {other} differ: they are {first_lattices[0].width:g} and "
                f"{other_lattices[0].width:g} units of their CRS wide, or begin elsewhere; accepted are variables of "
                "one grid",
                locator="expression",
            )


def whole_lattice(grids: Iterable[NativeGrid], target: TargetGrid | None) -> Lattice:
    """Return the lattice of a mosaic as a whole.

    It is the configured one; otherwise the lattice of all pieces if they share one; otherwise cells in longitude and
    latitude, a whole number per degree, of about the size of the finest cells.
    """
    grids = tuple(grids)
    if target is not None:
        return Lattice(crs=crs_of(target.crs), width=target.resolution, height=target.resolution, x=0.0, y=0.0)
    lattices = lattices_of(grids)
    if len(lattices) == 1 and all(lattice_of(grid) is not None for grid in grids):
        return lattices[0]
    finest_m = min(grid.resolution * grid.crs.metres_per_unit for grid in grids)
    cell = 1 / max(1, round(METRES_PER_DEGREE / finest_m))
    return Lattice(crs=CRS84, width=cell, height=cell, x=0.0, y=0.0)


def whole_grid(lattice: Lattice, grids: Iterable[NativeGrid], extent: BBox) -> NativeGrid:
    """Return the cells of a lattice that cover all pieces.

    Args:
        lattice: Result of `whole_lattice`.
        grids: Grids of the pieces; some may be missing.
        extent: CRS84 box of all pieces; its longitudes exceed 180 if it crosses the antimeridian.
    """
    grids = tuple(grids)
    if all(grid.crs == lattice.crs for grid in grids) and _cover(grids, extent):
        grid = lattice.grid(box_of_all([grid.bbox for grid in grids]))
        circle = grid.crs.longitude_circle
        if circle is None or grid.wrap_columns is None or grid.width <= grid.wrap_columns + CIRCLE_TOLERANCE_PX:
            return grid
        # Some pieces continue beyond 180 degrees, others have all longitudes.
        return lattice.grid(grid.bbox._replace(xmin=circle.west, xmax=circle.east))
    return lattice.grid(reach_in(extent, CRS84, lattice.crs))


def _cover(grids: tuple[NativeGrid, ...], extent: BBox) -> bool:
    """Whether grids together reach the edges of a CRS84 box; they do not if pieces with unknown grids lie outside."""
    box = box_of_all([grid.unwound_box_in(CRS84) for grid in grids])
    cell = grids[0].resolution / (1.0 if grids[0].crs.is_geographic else METRES_PER_DEGREE)
    return (
        box.xmin <= extent.xmin + cell
        and box.ymin <= extent.ymin + cell
        and box.xmax >= extent.xmax - cell
        and box.ymax >= extent.ymax - cell
    )


def levels_of(grid: NativeGrid) -> tuple[NativeGrid, ...]:
    """Return a grid followed by coarser ones; each has cells twice as wide and high as the grid before."""
    levels = [grid]
    while len(levels) <= MAX_HALVINGS and min(levels[-1].width, levels[-1].height) >= 2 * MIN_LEVEL_SIDE:
        levels.append(grid.coarser(2 ** len(levels)))
    return tuple(levels)
