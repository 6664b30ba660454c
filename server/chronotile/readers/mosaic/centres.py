"""Statistics of pieces whose cells differ: all are read at the centre of the cell that `first` would choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.model.crs import transformer
from chronotile.model.grid import Grid, NativeGrid, Window
from chronotile.readers.mosaic.lattice import lattice_of
from chronotile.readers.mosaic.overlap import OUTSIDE_CODE, Sheet

Places = NDArray[np.floating[Any]]
"""(place,): x or y in a CRS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetOfPiece:
    """A piece on a grid: at each pixel the native cell that holds the pixel's centre."""

    sheet: Sheet
    grid: NativeGrid
    """Of the piece."""
    read: Callable[[Window], Sheet]
    """Gives (y, x) native cells of a window of that grid.

    Raises:
        SourceUnavailable: They cannot be read.
    """


def at_centres(pieces: Sequence[SheetOfPiece], grid: Grid) -> list[Sheet]:
    """Return the pieces, each with the cells that hold the centres of those that `first` would choose.

    Args:
        pieces: In order.
        grid: Of their sheets.

    Raises:
        SourceUnavailable: One cannot be read.
    """
    lattices = [lattice_of(piece.grid) for piece in pieces]
    if len(set(lattices)) <= 1 and None not in lattices:
        return [piece.sheet for piece in pieces]
    chosen = _chosen(pieces)
    x, y = np.meshgrid(grid.x_of(np.arange(grid.width) + 0.5), grid.y_of(np.arange(grid.height) + 0.5))
    moved = [Sheet(piece.sheet.numbers.copy(), piece.sheet.codes.copy()) for piece in pieces]
    for number, first in enumerate(pieces):
        is_first = chosen == number
        if not is_first.any():
            continue
        centres = _centres(first.grid, *transformer(grid.crs, first.grid.crs).transform(x[is_first], y[is_first]))
        for other, piece in enumerate(pieces):
            if other != number and (lattices[other] is None or lattices[other] != lattices[number]):
                found = _cells(piece, *transformer(first.grid.crs, piece.grid.crs).transform(*centres))
                moved[other].numbers[is_first], moved[other].codes[is_first] = found.numbers, found.codes
    return moved


def _chosen(pieces: Sequence[SheetOfPiece]) -> NDArray[np.intp]:
    """(y, x): the first piece with a value or a flag; -1 where none has one, and nothing is combined."""
    chosen = np.full(pieces[0].sheet.codes.shape, -1, dtype=np.intp)
    for number, piece in enumerate(pieces):
        chosen[(chosen < 0) & ~piece.sheet.is_lacking] = number
    return chosen


def _centres(grid: NativeGrid, x: Places, y: Places) -> tuple[Places, Places]:
    """The centres of the cells that hold places."""
    columns, rows = grid.pixels_at(x, y)
    return grid.points_at(np.floor(columns) + 0.5, np.floor(rows) + 0.5)


def _cells(piece: SheetOfPiece, x: Places, y: Places) -> Sheet:
    """(place,) cells of a piece that hold places; outside of it where it has none."""
    columns, rows = (np.floor(each) for each in piece.grid.pixels_at(x, y))
    is_inside = (columns >= 0) & (columns < piece.grid.width) & (rows >= 0) & (rows < piece.grid.height)
    numbers = np.zeros(columns.shape, dtype=piece.sheet.numbers.dtype)
    found = Sheet(numbers, np.full(columns.shape, OUTSIDE_CODE, dtype=np.uint8))
    if is_inside.any():
        own_rows, own_columns = rows[is_inside].astype(np.intp), columns[is_inside].astype(np.intp)
        top, left = int(own_rows.min()), int(own_columns.min())
        cells = piece.read(Window(top, int(own_rows.max()) + 1, left, int(own_columns.max()) + 1))
        at = own_rows - top, own_columns - left
        found.numbers[is_inside], found.codes[is_inside] = cells.numbers[at], cells.codes[at]
    return found
