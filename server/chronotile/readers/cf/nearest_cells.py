"""The cell of a swath or curvilinear grid that is nearest to a point, in earth-centred coordinates.

Points are unit vectors, so poles and the antimeridian need no special rule. An index has one bounding sphere per block
of cells. Cells of the blocks that can be nearest are read and searched with a k-d tree. A point belongs to the nearest
cell if it lies within half of the diagonal of that cell, which is estimated from the distances to its neighbours.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import BoolArray, Float32Array, Float64Array, FloatArray, Int64Array

BLOCK = 32
"""Rows and columns of a block of cells."""
MARGIN = 2
"""Neighbours on each side that the size of a cell is estimated from."""
MAX_JUMP = 1.5
"""A distance of neighbours that is greater than the next smaller one by this factor is a jump."""
TOLERANCE = 1.05
"""Factor of half of the diagonal: sizes of neighbours differ."""
DIAGONAL = TOLERANCE / math.sqrt(2)
"""Half of the diagonal of a square cell, as a fraction of its side."""
STRIP_CELLS = 1 << 18
"""Cells, or points, that are processed together."""
MAX_STORED = 4 << 20
"""Cells whose positions may be in memory together: 64 MB."""
SAMPLED_SIZES = 100_000
ROUNDING = 1e-6
"""Added to radii (6 m on the Earth), which are stored in 32 bits."""


class CellPositions(Protocol):
    """Longitudes and latitudes of the cells of an array."""

    @property
    def height(self) -> int:
        """Number of rows."""

    @property
    def width(self) -> int:
        """Number of columns."""

    def read(self, rows: slice, columns: slice) -> tuple[Float64Array, Float64Array]:
        """Return (y, x) longitudes from -180 to 180 and latitudes; both are NaN for cells without a position."""

    def in_memory(self, rows: slice) -> "CellPositions":
        """Return some rows with their stored numbers in memory: each read of a part decodes whole chunks."""


@dataclass(frozen=True, slots=True)
class ThinnedPositions:
    """Every n-th row and every m-th column of cells."""

    cells: CellPositions
    factors: tuple[int, int]
    """n and m."""

    @property
    def height(self) -> int:
        """Number of rows."""
        return -(-self.cells.height // self.factors[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return -(-self.cells.width // self.factors[1])

    def read(self, rows: slice, columns: slice) -> tuple[Float64Array, Float64Array]:
        """Return (y, x) longitudes and latitudes, thinned after contiguous reads, because strided reads are slow."""
        n, m = self.factors
        parts = []
        cells, first, stop = self.cells, rows.start * n, min(rows.stop * n, self.cells.height)
        if (stop - first) * cells.width <= MAX_STORED:
            cells, first, stop = cells.in_memory(slice(first, stop)), 0, stop - first
        step = n * max(1, STRIP_CELLS // ((columns.stop - columns.start) * n * m))
        for start in range(first, stop, step):
            longitudes, latitudes = cells.read(
                slice(start, min(start + step, stop)),
                slice(columns.start * m, min(columns.stop * m, cells.width)),
            )
            parts.append((longitudes[::n, ::m], latitudes[::n, ::m]))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def in_memory(self, rows: slice) -> CellPositions:
        """Return some rows, with all rows of cells between them in memory."""
        start, stop = rows.start * self.factors[0], min(rows.stop * self.factors[0], self.cells.height)
        return ThinnedPositions(self.cells.in_memory(slice(start, stop)), self.factors)


@dataclass(frozen=True, slots=True)
class CellIndex:
    """Blocks of `BLOCK` by `BLOCK` cells: 20 bytes each. Lengths are chords of the unit sphere."""

    centres: Float32Array
    """(y, x, 3) of blocks."""
    radii: Float32Array
    """(y, x); `-inf` for blocks without cells."""
    reaches: Float32Array
    """(y, x): half of the longest diagonal of a cell of the block."""
    sides: tuple[float, float]
    """Median distances of neighbours, down and across."""

    @property
    def side(self) -> float:
        """The shorter side of a cell."""
        return min(self.sides)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.centres.nbytes + self.radii.nbytes + self.reaches.nbytes

    def blocks_near(self, points: Float64Array, margin: float = 0.0) -> tuple[BoolArray, BoolArray]:
        """Return (y, x) masks of the blocks that have the nearest cells of points within their reach.

        The second mask is of the blocks of (y, x, 3) points that cells can reach.

        Args:
            points: Unit vectors.
            margin: Added to the reach of cells.
        """
        from scipy.spatial.distance import cdist

        is_used = np.isfinite(self.radii)
        near = np.zeros(self.radii.shape, dtype=bool)
        centres, radii = bounding_spheres(points)
        is_near = np.isfinite(radii)
        is_reached = np.zeros(radii.shape, dtype=bool)
        if not is_near.any() or not is_used.any():
            return near, is_reached
        distances = cdist(centres[is_near], self.centres[is_used]) - radii[is_near][:, np.newaxis] - self.radii[is_used]
        distances -= margin
        are_pairs = distances <= self.reaches[is_used]
        can_reach, is_reached[is_near] = are_pairs.any(axis=0), are_pairs.any(axis=1)
        # A cell that does not reach a point still wins against a farther cell that does.
        longest = self.reaches[is_used].max(where=can_reach, initial=-np.inf)
        near[is_used] = (distances <= longest).any(axis=0)
        return near, is_reached


def unit_vectors(longitudes: FloatArray, latitudes: FloatArray) -> Float64Array:
    """Return (…, 3) unit vectors of longitudes and latitudes in degrees, which are broadcast; NaN stays NaN."""
    x, y = np.radians(longitudes), np.radians(latitudes)
    parallel = np.cos(y)
    return np.stack(np.broadcast_arrays(parallel * np.cos(x), parallel * np.sin(x), np.sin(y)), axis=-1)


def degrees_of(vectors: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return (…) longitudes and latitudes in degrees of (…, 3) vectors."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def bounding_spheres(vectors: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return centres (y, x, 3) and radii (y, x) of spheres around blocks of (y, x, 3) vectors.

    Blocks without finite vectors have the centre 0 and the radius `-inf`.
    """
    blocks = _blocks_of(vectors, np.nan)
    is_finite = np.isfinite(blocks[..., :1])
    counts = is_finite.sum(axis=(1, 3))
    centres = np.where(is_finite, blocks, 0.0).sum(axis=(1, 3)) / np.maximum(counts, 1)
    distances = _lengths(blocks - centres[:, np.newaxis, :, np.newaxis])
    radii = np.where(is_finite[..., 0], distances, -np.inf).max(axis=(1, 3))
    return centres, radii + ROUNDING


def _lengths(vectors: Float64Array) -> Float64Array:
    lengths: Float64Array = np.sqrt(np.einsum("...i,...i", vectors, vectors))
    return lengths


def _blocks_of(values: FloatArray, fill: float) -> FloatArray:
    """Return (y, row, x, column, …): values of each block; the last blocks are completed with `fill`."""
    height, width, *rest = values.shape
    block_width = min(BLOCK, width)
    rows, columns = -(-height // BLOCK), -(-width // block_width)
    padding = [(0, rows * BLOCK - height), (0, columns * block_width - width), *[(0, 0)] * len(rest)]
    padded = np.pad(values, padding, constant_values=fill) if any(after for _before, after in padding) else values
    return padded.reshape(rows, BLOCK, columns, block_width, *rest)


def strips_of_rows(cells: CellPositions) -> Iterator[slice]:
    """Yield rows of whole blocks, about `STRIP_CELLS` cells together."""
    rows = max(1, STRIP_CELLS // (cells.width * BLOCK)) * BLOCK
    for start in range(0, cells.height, rows):
        yield slice(start, min(start + rows, cells.height))


def index_cells(cells: CellPositions) -> CellIndex:
    """Return the index of cells, which reads all positions once.

    Raises:
        UnsupportedSource: No cell has a position, or all cells have the same along a dimension, so their size is
            unknown.
    """
    strips, sizes = list[tuple[Float32Array, ...]](), list[Float32Array]()
    step = max(1, math.isqrt(cells.height * cells.width // SAMPLED_SIZES))
    for rows in strips_of_rows(cells):
        vectors, (down, across) = _read_with_sizes(cells, rows, slice(0, cells.width))
        reaches = _blocks_of(_reach(down, across, 0.0), 0.0).max(axis=(1, 3))
        strips.append(tuple(part.astype(np.float32) for part in (*bounding_spheres(vectors), reaches)))
        sizes.append(np.stack([down[::step, ::step], across[::step, ::step]]))
    centres, radii, reaches = map(np.concatenate, zip(*strips, strict=True))
    if not np.isfinite(radii).any():
        raise UnsupportedSource("no cell has a latitude and longitude")
    sides = _typical_sides(np.concatenate(sizes, axis=1), cells)
    return CellIndex(centres, radii, np.maximum(reaches, np.float32(min(sides) * DIAGONAL)), sides)


def _typical_sides(sizes: Float32Array, cells: CellPositions) -> tuple[float, float]:
    """Return the medians of the positive sizes (2, y, x) down and across; of a single row or column, one twice."""
    medians = []
    for direction, length, along in zip(sizes, (cells.height, cells.width), ("columns", "rows"), strict=True):
        positive = direction[direction > 0]
        if positive.size:
            medians.append(float(np.median(positive)))
        elif length > 1:
            raise UnsupportedSource(
                f"its cells do not advance along {along}: neighbours have the same latitude and longitude, or every "
                "second cell or more has none"
            )
    if not medians:
        raise UnsupportedSource("it has a single cell with a latitude and longitude, so the size of a cell is unknown")
    return medians[0], medians[-1]


def _read_with_sizes(
    cells: CellPositions, rows: slice, columns: slice
) -> tuple[Float64Array, tuple[Float32Array, Float32Array]]:
    """Return unit vectors (y, x, 3) of a part of the cells, and their sizes (y, x) down and across; 0 if unknown."""
    vectors, inner = _read_with_margin(cells, rows, columns)
    return vectors[inner], (
        _sizes_along(vectors[:, inner[1]])[inner[0]],
        _sizes_along(vectors[inner[0]].swapaxes(0, 1)).T[:, inner[1]],
    )


def _read_with_margin(cells: CellPositions, rows: slice, columns: slice) -> tuple[Float64Array, tuple[slice, slice]]:
    """Return unit vectors of a part of the cells with its neighbours, and the rows and columns of the part in them."""
    top, west = max(0, rows.start - MARGIN), max(0, columns.start - MARGIN)
    bottom, east = min(cells.height, rows.stop + MARGIN), min(cells.width, columns.stop + MARGIN)
    vectors = unit_vectors(*cells.read(slice(top, bottom), slice(west, east)))
    return vectors, (slice(rows.start - top, rows.stop - top), slice(columns.start - west, columns.stop - west))


def read_with_steps(
    cells: CellPositions, rows: slice, columns: slice
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Return unit vectors (y, x, 3) of a part of the cells, and their steps (2, y, x, 3) down and across.

    Steps lead from the cell before and to the cell after. If one is missing or a jump, it equals the other; if both
    are, they are 0.
    """
    vectors, inner = _read_with_margin(cells, rows, columns)
    down = _steps_along(vectors[:, inner[1]])[:, inner[0]]
    return vectors[inner], down, _steps_along(vectors[inner[0]].swapaxes(0, 1)).swapaxes(1, 2)[:, :, inner[1]]


def _steps_along(vectors: Float64Array) -> Float64Array:
    steps = np.pad(np.diff(vectors, axis=0), ((1, 1), (0, 0), (0, 0)), constant_values=np.nan)
    limits = _sizes_along(vectors)[..., np.newaxis] * (1 + 1e-3)
    both = np.stack([steps[:-1], steps[1:]])
    is_step = _lengths(both)[..., np.newaxis] <= limits
    return np.where(is_step, both, np.where(is_step[::-1], both[::-1], 0.0))


def _sizes_along(vectors: Float64Array) -> Float32Array:
    """Return the sizes (y, x) of cells along the first axis of (y, x, 3) vectors; 0 if no neighbour has a position.

    A size is the greater distance to the neighbours on both sides. A jump to another scan, or to the other side of a
    track, does not count: then it is the second largest of the distances between the two neighbours on either side.
    """
    distances = np.nan_to_num(_lengths(np.diff(vectors, axis=0)).astype(np.float32), nan=0.0)
    padded = np.pad(distances, ((2, 2), (0, 0)))
    first, second, third, fourth = (padded[start : start + len(vectors)] for start in range(4))
    above, below = np.maximum(first, second), np.maximum(third, fourth)
    rest = np.where(above > below, np.minimum(first, second), np.minimum(third, fourth))
    second_largest = np.maximum(np.minimum(above, below), rest)
    adjacent = np.maximum(second, third)
    is_jump = (second_largest > 0) & (adjacent > MAX_JUMP * second_largest)
    return np.where(is_jump, second_largest, np.where(adjacent > 0, adjacent, second_largest))


def _reach(down: Float32Array, across: Float32Array, side: float) -> Float32Array:
    # An unknown size equals the size in the other direction, or the typical side.
    sizes = np.where(down > 0, down, across), np.where(across > 0, across, down)
    return np.where(sizes[0] > 0, np.hypot(*sizes) * np.float32(TOLERANCE / 2), np.float32(side * DIAGONAL))


def find_nearest(cells: CellPositions, index: CellIndex, points: Float64Array) -> Int64Array:
    """Return (y, x) numbers of the nearest cells, counted row by row; -1 for points that no cell reaches.

    The result for a point does not depend on other points. If two cells have the same distance, the first counts.

    Args:
        cells: The cells. Only blocks near the points are read.
        index: Index of these cells.
        points: (y, x, 3) unit vectors; NaN for points off the Earth.
    """
    from scipy.spatial import cKDTree

    numbers = np.full(points.shape[:2], -1, dtype=np.int64)
    near, point_blocks = index.blocks_near(points)
    if not near.any():
        return numbers
    parts = list(_cells_of(cells, index, near))
    vectors, cell_numbers, reaches = (np.concatenate(part) for part in zip(*parts, strict=True))
    tree = cKDTree(vectors, leafsize=BLOCK, balanced_tree=False, compact_nodes=False)
    usable = np.isfinite(points[..., 0]) & _spread(point_blocks, numbers.shape)
    limit = float(reaches.max()) * (1 + ROUNDING)
    distances, nearest = tree.query(points[usable], k=[1, 2], distance_upper_bound=limit)
    is_tie = (distances[:, 0] == distances[:, 1]) & (nearest[:, 1] < nearest[:, 0])
    chosen = np.where(is_tie, nearest[:, 1], nearest[:, 0])
    is_reached = np.isfinite(distances[:, 0])
    chosen[~is_reached] = 0
    is_reached &= distances[:, 0] <= reaches[chosen]
    numbers[usable] = np.where(is_reached, cell_numbers[chosen], -1)
    return numbers


def _cells_of(
    cells: CellPositions, index: CellIndex, near: BoolArray
) -> Iterator[tuple[Float64Array, Int64Array, Float32Array]]:
    """Yield vectors (n, 3), numbers and reaches of the cells of some blocks, for each run of rows that has any."""
    for window in find_block_windows(near, cells):
        rows, columns = slice(window.row_start, window.row_stop), slice(window.column_start, window.column_stop)
        vectors, sizes = _read_with_sizes(cells, rows, columns)
        blocks = near[rows.start // BLOCK : -(-rows.stop // BLOCK), columns.start // BLOCK : -(-columns.stop // BLOCK)]
        chosen = _spread(blocks, vectors.shape) & np.isfinite(vectors[..., 0])
        y, x = np.nonzero(chosen)
        reaches = _reach(*sizes, index.side)[chosen]
        yield vectors[chosen], (y + rows.start) * cells.width + x + columns.start, reaches


def _spread(blocks: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    return blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[: shape[0], : shape[1]]


def find_block_windows(near: BoolArray, cells: CellPositions) -> Iterator[Window]:
    """Yield windows of cells with all blocks of a mask, for each run of rows of blocks that has any."""
    block_rows = np.flatnonzero(near.any(axis=1))
    for run in np.split(block_rows, np.flatnonzero(np.diff(block_rows) > 1) + 1) if block_rows.size else ():
        block_columns = np.flatnonzero(near[run[0] : run[-1] + 1].any(axis=0))
        first, last = int(block_columns[0]), int(block_columns[-1])
        stop = min((int(run[-1]) + 1) * BLOCK, cells.height)
        yield Window(int(run[0]) * BLOCK, stop, first * BLOCK, min((last + 1) * BLOCK, cells.width))
