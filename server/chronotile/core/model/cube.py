"""Cube tiles: digital numbers of one tile at many times (docs/design/ctc1.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import BoolArray, Int32Array, NumberArray, UnsignedArray

CUBE_TYPE = "application/vnd.chronotile.cube"
BLOCK_DATES = 16
"""Dates per block; every block is decoded separately."""

CubeDtype = Literal["uint8", "uint16"]
Res = Literal[1, 2]
"""Pixels of the tile per side of a cell: 1, or 2 for moving pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeTile:
    """Position of a tile in a tile matrix set, and its grid."""

    tile_matrix_set: str
    matrix: str
    column: int
    row: int
    grid: Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellPlaces:
    """Native cells under a tile, and the function from positions in the tile to cells.

    With u = 2 * across - 1 and v = 2 * down - 1 (`across` and `down` run from 0 to 1 over the tile), the column is the
    sum of `columns[j][i]` * T_i(u) * T_j(v), with Chebyshev polynomials T of the first kind. The row likewise.
    """

    columns: tuple[tuple[float, ...], ...]
    rows: tuple[tuple[float, ...], ...]
    width: int
    """Columns of cells."""
    height: int
    """Rows of cells."""
    pixels: Int32Array
    """(height, width): number of tile pixels whose centre is in the cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeRequest:
    """Request for the digital numbers of a tile at some times."""

    layer: str
    """Id or alias."""
    tile: CubeTile
    time: TimeSelection = ABSENT
    res: Res = 1
    is_of_cells: bool = False
    """Whether native cells replace the pixels of the tile, if the layer has native cells there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeFrame:
    """Digital numbers of a tile at one time."""

    numbers: NumberArray
    """(y, x), meaningless in gaps."""
    valid: BoolArray
    """(y, x): true for values."""
    gaps: BoolArray
    """(y, x): true for pixels without a value and without a flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeBlock:
    """A tile at consecutive times, in the numbers of the cube."""

    numbers: UnsignedArray
    """(time, y, x), meaningless in gaps."""
    valid: BoolArray
    """(time, y, x)."""
    gaps: BoolArray
    """(time, y, x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeNumbering:
    """Conversion of source numbers to cube numbers: `round((number - base) / step)`, exact if the step is 1."""

    dtype: CubeDtype
    nodata: int
    """Cube number that no value and no flag has."""
    scale: float
    offset: float
    """Value = cube number * scale + offset, in float64."""
    base: float = 0
    step: float = 1
    flags: Mapping[int, tuple[float, str]] = field(default_factory=dict)
    """By cube number: the source number of a flag, and its name."""
    range: tuple[int, int] | None = None
    """Smallest and largest cube number that values may have; `None` if the source does not state it."""
    source_offset: float | None = None
    """Offset of the source if `base` is not 0: value = (cube number + base) * scale + source_offset. Else `None`."""
    holds: tuple[float, float] | None = None
    """Smallest and largest source number with a cube number; `None` if all have one."""
    is_quantised: bool = False
    """Whether values were rounded to a step."""
    reach: tuple[int | None, int | None] = (None, None)
    """Smallest and largest cube number, if they also stand for all values beyond; else `None`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeAbout:
    """The header of a cube."""

    layer: str
    revision: str
    """Version of the pixels and of their meaning."""
    tile: CubeTile
    res: Res
    numbering: CubeNumbering
    units: str
    times: tuple[str | None, ...]
    """RFC 3339; `None` for the single frame of a layer without time."""
    is_categorical: bool
    """Whether numbers are classes."""
    is_mean: bool
    """Whether numbers are means of several native cells."""
    is_warped: bool = False
    """Whether pixels are not cells or parts of cells, but show the cell under their centre."""
    places: CellPlaces | None = None
    """Set if the cube has native cells; `None` if it has pixels of the tile."""
