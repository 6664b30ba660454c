"""Requests for coverages, and coverages resolved to existing data."""

import math
from dataclasses import dataclass
from typing import Protocol

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Collection, Layer, Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import NumberArray

RUN_BYTES = 32 << 20
"""Maximum size of the numbers that are read in one call. One row at one time may be larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """A box that limits a coverage; infinite sides are open.

    If two sides of an axis are equal, the box is a slice: it selects the one row or column that contains the position,
    like a series at that point. In a CRS that differs from the answer's, this holds only for points: a line selects all
    rows or columns that it crosses. In a geographic CRS, `xmin` > `xmax` crosses the antimeridian.
    """

    box: BBox
    crs: Crs
    locator: str = "bbox"
    """Name of the parameter, for error messages."""

    def __post_init__(self) -> None:
        xmin, ymin, xmax, ymax = self.box
        if any(map(math.isnan, self.box)) or math.inf in {xmin, ymin} or -math.inf in {xmax, ymax}:
            raise InvalidParameter(f"{self.locator} has an edge that is not a number", locator=self.locator)
        if ymin > ymax or (xmin > xmax and not self.crs.is_geographic):
            raise InvalidParameter(f"{self.locator} has a lower edge above its upper edge", locator=self.locator)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFactors:
    """Width and height of the answer's cells in native cells: 2 halves the resolution, 0.5 doubles it."""

    x: float
    y: float
    locator: str = "scale-factor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSize:
    """Columns and rows of the answer; a missing number follows from the other."""

    width: int | None = None
    height: int | None = None
    locator: str = "scale-size"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRequest:
    """Request for digital numbers of layers on a grid."""

    layers: tuple[str, ...]
    """Ids or aliases of layers of one collection; the answer has the layers in this order."""
    trims: tuple[Trim, ...] = ()
    """The answer is limited by all boxes together."""
    time: TimeSelection = ABSENT
    """Absent: all times."""
    crs: Crs | None = None
    """CRS of the answer; `None`: the native CRS."""
    scale: ScaleFactors | ScaleSize | None = None
    """`None`: the native resolution; in another CRS, the most similar resolution."""
    resampling: Resampling | None = None
    """For cells that are not native; `None`: the layer's setting."""
    area: Area | None = None
    """Only cells whose centre is inside have values, and the answer is cut to the area's bbox."""
    area_locator: str = "geometry"
    """Name of the area's parameter, for error messages."""
    cells: Grid | None = None
    """Exact grid of the answer, replaces trims, CRS, scale and area. Cells outside the data have no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageField:
    """One variable of a coverage."""

    name: str
    """Name of the variable, unique in the coverage."""
    title: str
    layer: Layer
    encoding: Encoding
    """Encoding of the returned numbers, with the scale and offset of the source. Masked and flagged numbers, and
    numbers outside the valid range, the area or the source, are replaced by `nodata`."""


class CoverageShape(Protocol):
    """Collection, fields, grid and times of a coverage, without its numbers."""

    @property
    def collection(self) -> Collection:
        """The collection, with attribution and licence."""

    @property
    def fields(self) -> tuple[CoverageField, ...]:
        """At least one field."""

    @property
    def grid(self) -> Grid:
        """North-up grid. At native resolution, its cells are native cells."""

    @property
    def times(self) -> TimeDomain:
        """The ascending starts of the times, and the ends of periods; empty for a coverage without time."""


class Coverage(CoverageShape, Protocol):
    """A resolved coverage whose numbers are read run by run. Its methods are thread-safe."""

    @property
    def etag(self) -> str:
        """Validator without quotes, made of the resolved target and the fingerprints of the sources."""

    @property
    def nbytes(self) -> int:
        """Size of all numbers, uncompressed."""

    @property
    def row_runs(self) -> tuple[range, ...]:
        """Runs that cover all rows. They end at blocks of the source, so that no block is read twice."""

    @property
    def time_runs(self) -> tuple[range, ...]:
        """Runs that cover all times. A run of rows at a run of times has at most about `RUN_BYTES`."""

    def read_times(self, field: int, *, times: range, rows: range) -> NumberArray:
        """Return (time, y, x) numbers of a field, in the dtype and with the `nodata` of its encoding.

        If blocks of the source extend along time, all times are read together.

        Args:
            field: Index into `fields`.
            times: Consecutive indexes into `times`; 0 alone for a coverage without time.
            rows: Consecutive rows of `grid`.

        Raises:
            SourceUnavailable: The source is missing or damaged.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """Request for the description of a layer's Zarr store."""

    layer: str
    """Id or alias."""
    revision: str | None = None
    """`None`: the current revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRequest:
    """Request for one chunk of an array of a store."""

    store: StoreRequest
    array: str
    encoding: int
    """Encoding of the chunk key, as a position in the list of key encodings that descriptions use."""
    numbers: tuple[int, ...]
    """Position of the chunk, by axis."""
