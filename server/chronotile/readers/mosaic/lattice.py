"""The lattices that cells of pieces lie on, and the one grid that stands for all of a mosaic."""

import math
from collections.abc import Iterable, Mapping, Sequence

from chronotile.errors import InvalidParameter
from chronotile.model.crs import CRS84, crs_of
from chronotile.model.grid import BBox, NativeGrid, box_of_all, reach_in
from chronotile.model.request import Point
from chronotile.model.source import TargetGrid
from chronotile.readers.mosaic.ground import METRES_A_DEGREE
from chronotile.readers.reader import SHARE_OF_CELL, Lattice, cell_at

MOST_HALVINGS = 4
"""Coarser levels of the grid of a mosaic: about as many as overviews of its pieces have."""
LEAST_SIDE = 256


def lattice_of(grid: NativeGrid) -> Lattice | None:
    """Return the lattice that a grid is part of; `None` of one that is not north-up."""
    a, b, c, d, e, f = grid.transform[:6]
    if b or d or a <= 0 or e >= 0:
        return None
    return Lattice(crs=grid.crs, width=a, height=-e, x=_phase(c, a), y=_phase(f, -e))


def _phase(corner: float, size: float) -> float:
    """A corner modulo the size of a cell, to a thousandth of it: 0 and nearly 1 are one place."""
    steps = corner / size
    share = round((steps - math.floor(steps)) / SHARE_OF_CELL) * SHARE_OF_CELL
    return 0.0 if share >= 1 - SHARE_OF_CELL / 2 else share * size


def lattices_of(grids: Iterable[NativeGrid]) -> tuple[Lattice, ...]:
    """Return the lattices of grids, those of most first."""
    counts: dict[Lattice, int] = {}
    for grid in grids:
        lattice = lattice_of(grid)
        if lattice is not None:
            counts[lattice] = counts.get(lattice, 0) + 1
    return tuple(sorted(counts, key=lambda each: -counts[each]))


def require_same_cells(lattices: Mapping[str, Sequence[Lattice]]) -> None:
    """Raise `InvalidParameter` where no piece can have the cells of all variables that an expression is over.

    Args:
        lattices: Of the pieces of each variable, those of most first; none where they are not north-up.
    """
    (first, own), *rest = lattices.items()
    for other, found in rest:
        if own and found and set(own).isdisjoint(found):
            raise InvalidParameter(
                f"cells of {first} and {other} differ: they are {own[0].width:g} and {found[0].width:g} units of their "
                "CRS wide, or begin elsewhere; accepted are variables of one grid",
                locator="expression",
            )


def whole_lattice(grids: Iterable[NativeGrid], target: TargetGrid | None) -> Lattice:
    """Return the lattice on which a mosaic is handed out as a whole.

    It is the configured one; else that of all pieces if they share one; else cells in longitude and latitude, a whole
    number in a degree, about as large as the finest of the pieces.
    """
    grids = tuple(grids)
    if target is not None:
        return Lattice(crs=crs_of(target.crs), width=target.resolution, height=target.resolution, x=0.0, y=0.0)
    lattices = lattices_of(grids)
    if len(lattices) == 1 and all(lattice_of(grid) is not None for grid in grids):
        return lattices[0]
    finest = min(grid.resolution * grid.crs.metres_per_unit for grid in grids)
    cell = 1 / max(1, round(METRES_A_DEGREE / finest))
    return Lattice(crs=CRS84, width=cell, height=cell, x=0.0, y=0.0)


def whole_grid(lattice: Lattice, grids: Iterable[NativeGrid], extent: BBox) -> NativeGrid:
    """Return the cells of a lattice that hold all pieces.

    Args:
        lattice: Of `whole_lattice`.
        grids: Of the pieces.
        extent: A CRS84 box of all pieces, with longitudes beyond 180 where it crosses the antimeridian.
    """
    grids = tuple(grids)
    if all(grid.crs == lattice.crs for grid in grids) and _holds(grids, extent):
        return lattice.grid(box_of_all([grid.bbox for grid in grids]))
    return lattice.grid(reach_in(extent, CRS84, lattice.crs))


def _holds(grids: tuple[NativeGrid, ...], extent: BBox) -> bool:
    """Whether grids together reach as far as a CRS84 box: there may be pieces of which no grid is known."""
    held = box_of_all([grid.unwound_box_in(CRS84) for grid in grids])
    near = grids[0].resolution / (1.0 if grids[0].crs.is_geographic else METRES_A_DEGREE)
    return (
        held.xmin <= extent.xmin + near
        and held.ymin <= extent.ymin + near
        and held.xmax >= extent.xmax - near
        and held.ymax >= extent.ymax - near
    )


def levels_of(grid: NativeGrid) -> tuple[NativeGrid, ...]:
    """Return a grid with coarser ones, each with cells twice as wide and high."""
    levels = [grid]
    while len(levels) <= MOST_HALVINGS and min(levels[-1].width, levels[-1].height) >= 2 * LEAST_SIDE:
        levels.append(grid.coarser(2 ** len(levels)))
    return tuple(levels)


def lattice_at(grids: Iterable[NativeGrid], lattices: Sequence[Lattice], place: Point) -> Lattice | None:
    """Return the first of some lattices that a grid which holds a place is part of; the first of all where none does.

    Args:
        grids: Of the pieces.
        lattices: In order.
        place: Anywhere.
    """
    there = {lattice_of(grid) for grid in grids if cell_at(grid, place) is not None}
    return next((each for each in lattices if each in there), next(iter(lattices), None))
