"""Cube tiles: the digital numbers of one tile over many times (docs/design/ctc1.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import BoolArray, Int32Array, NumberArray, UnsignedArray

CUBE_TYPE = "application/vnd.chronotile.cube"
BLOCK_DATES = 16
"""Dates of a block, which is decoded by itself."""

CubeDtype = Literal["uint8", "uint16"]
Res = Literal[1, 2]
"""Pixels of the tile along each side of a cell: 1, or 2 for moving pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeTile:
    """Which tile, and where its pixels are."""

    tile_matrix_set: str
    matrix: str
    column: int
    row: int
    grid: Grid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellPlaces:
    """Native cells under a tile, and how a place of the tile leads to one of them.

    With u = 2 * across - 1 and v = 2 * down - 1, where `across` and `down` go from 0 to 1 over the tile, the column is
    the sum of `columns[j][i]` * T_i(u) * T_j(v), T being Chebyshev polynomials of the first kind; the row likewise.
    """

    columns: tuple[tuple[float, ...], ...]
    rows: tuple[tuple[float, ...], ...]
    width: int
    """Columns of cells."""
    height: int
    """Rows of cells."""
    pixels: Int32Array
    """(height, width): pixels of the tile whose centre lies in each cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeRequest:
    """All that a tile shows at these times."""

    layer: str
    """Id or alias."""
    tile: CubeTile
    time: TimeSelection = ABSENT
    res: Res = 1
    is_of_cells: bool = False
    """Whether the native cells under the tile replace its pixels, where the layer has its own there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeFrame:
    """A tile at one time, in the numbers of its source."""

    numbers: NumberArray
    """(y, x), meaningless in gaps."""
    valid: BoolArray
    """(y, x): where there is a value."""
    gaps: BoolArray
    """(y, x): where there is neither a value nor a flag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeBlock:
    """A tile at some times that follow one another, in the numbers of the cube."""

    numbers: UnsignedArray
    """(time, y, x), meaningless in gaps."""
    valid: BoolArray
    """(time, y, x)."""
    gaps: BoolArray
    """(time, y, x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeNumbering:
    """How numbers of a source become those of a cube: `round((number - base) / step)`, exactly where the step is 1."""

    dtype: CubeDtype
    nodata: int
    """Of the cube, as all that follows; no number of a value or flag is it."""
    scale: float
    offset: float
    """Value = number of the cube * scale + offset, in float64."""
    base: float = 0
    step: float = 1
    flags: Mapping[int, tuple[float, str]] = field(default_factory=dict)
    """By numbers of the cube: numbers of the source that are no values, and their names."""
    range: tuple[int, int] | None = None
    """That values may have, both ends included; `None` where the source does not tell."""
    source_offset: float | None = None
    """Of a source of signed numbers: value = (number of the cube + base) * scale + this, as the source's own are."""
    holds: tuple[float, float] | None = None
    """The least and the greatest number of the source that has one of the cube; `None` where all have."""
    is_quantised: bool = False
    """Whether values were rounded to a step."""
    reach: tuple[int | None, int | None] = (None, None)
    """The least and the greatest number of the cube, where values that lie beyond it have that number too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeAbout:
    """The header of a cube."""

    layer: str
    revision: str
    """Of the pixels that it was made of and of their meaning."""
    tile: CubeTile
    res: Res
    numbering: CubeNumbering
    units: str
    times: tuple[str | None, ...]
    """RFC 3339; `None` for the one frame of a layer without time."""
    is_categorical: bool
    """Whether numbers are classes."""
    is_mean: bool
    """Whether numbers are means of several native cells."""
    is_warped: bool = False
    """Whether pixels are not cells of the source, nor parts of them, but show the cell under their middle."""
    places: CellPlaces | None = None
    """Of a cube of native cells; `None` of one of the tile's pixels."""
