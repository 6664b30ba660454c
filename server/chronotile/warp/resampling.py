"""Which cells of a window each pixel takes: the nearest, or the mean of the four about it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.model.grid import FloatArray
from chronotile.model.raster import Encoding, Pixels

IntArray = NDArray[np.int32]
Slices = tuple[slice, slice]
"""Rows and columns."""
WHOLE: Slices = np.s_[:, :]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Takes the cell under each pixel's centre."""

    cells: "Cells"

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes."""
        return self.cells.nbytes

    def take(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Pixels:  # noqa: ARG002 -- bilinear has to know
        """Return (y, x) pixels out of a window; some rows and columns of them."""
        return self.cells.of_pixels(pixels, only)


@dataclass(frozen=True, slots=True)
class Bilinear:
    """Takes the mean of the four cells nearest to each pixel's centre, weighted by distance."""

    cells: "Cells"
    """Under the centres."""
    neighbours: "tuple[tuple[Cells, FloatArray], ...]"
    """The four, each with its weights, which broadcast to (y, x)."""

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes and weights."""
        return self.cells.nbytes + sum(cells.nbytes + weights.nbytes for cells, weights in self.neighbours)

    def take(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Pixels:
        """Return (y, x) pixels out of a window, some rows and columns of them; what is no value weighs nothing.

        A pixel whose own cell is no value stays what that cell is, so that clouds and gaps keep their edges.
        """
        own = self.cells.of_pixels(pixels)
        known = encoding.valid(pixels.numbers)
        if pixels.valid is not None:
            known &= pixels.valid
        total, weight = np.zeros(own.numbers.shape), np.zeros(own.numbers.shape)
        for cells, weights in self.neighbours:
            share = weights * cells.of(known)
            total += share * np.where(share > 0, cells.of(pixels.numbers), 0)
            weight += share
        is_value = encoding.valid(own.numbers) & (weight > 0)
        mean = np.divide(total, weight, out=np.zeros(total.shape), where=is_value)
        if own.numbers.dtype.kind in "iu":
            mean = np.rint(mean)
        numbers = np.where(is_value, mean, own.numbers).astype(own.numbers.dtype)
        return Pixels(numbers[only], None if own.valid is None else own.valid[only])


class Cells:
    """Cells (y, x) of a window; rows and columns that vary along one axis only are taken one by one."""

    def __init__(self, rows: IntArray, columns: IntArray, width: int) -> None:
        is_separable = rows.shape[1] == 1 and columns.shape[0] == 1
        self._cells = (rows[:, 0], columns[0]) if is_separable else rows * np.int32(width) + columns

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes."""
        return sum(part.nbytes for part in self._cells) if isinstance(self._cells, tuple) else self._cells.nbytes

    def of(self, window: NDArray[Any], only: Slices = WHOLE) -> NDArray[Any]:
        """Return a window's values (y, x) in some rows and columns of these cells."""
        if isinstance(self._cells, tuple):
            (rows, columns), (down, across) = self._cells, only
            taken: NDArray[Any] = window.take(rows[down], axis=0).take(columns[across], axis=1)
        else:
            taken = window.take(self._cells[only])
        return taken

    def of_pixels(self, pixels: Pixels, only: Slices = WHOLE) -> Pixels:
        """Return a window's numbers and mask (y, x) in some rows and columns of these cells."""
        return Pixels(self.of(pixels.numbers, only), None if pixels.valid is None else self.of(pixels.valid, only))


@dataclass(frozen=True, slots=True)
class Axis:
    """Fractional cells along one axis of a window, and how many cells the window has there."""

    coordinates: FloatArray
    size: int
    is_inside: bool
    """Whether all coordinates lie in the window."""

    def cells(self, coordinates: FloatArray) -> IntArray:
        """Return the cells that coordinates fall into; those outside, which are masked, become the nearest edge.

        Truncation is the floor of all that is not masked, and 20 times faster. Masked coordinates may be larger than
        any integer, so edges come first.
        """
        inside = coordinates if self.is_inside else np.clip(coordinates, 0, self.size - 1)
        return inside.astype(np.int32)

    def neighbours(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Give the two cells whose centres lie on either side, each with its weight."""
        first = np.floor(self.coordinates - 0.5)
        share = self.coordinates - 0.5 - first
        about = replace(self, is_inside=False)
        yield about.cells(first), 1 - share
        yield about.cells(first + 1), share


def nearest(down: Axis, across: Axis) -> Nearest:
    """Return the cells that coordinates (y, x) fall into."""
    return Nearest(Cells(down.cells(down.coordinates), across.cells(across.coordinates), across.size))


def bilinear(down: Axis, across: Axis) -> Bilinear:
    """Return the four cells whose centres are nearest to coordinates (y, x), and their weights."""
    neighbours = tuple(
        (Cells(rows, columns, across.size), row_weight * column_weight)
        for rows, row_weight in down.neighbours()
        for columns, column_weight in across.neighbours()
    )
    return Bilinear(nearest(down, across).cells, neighbours)
