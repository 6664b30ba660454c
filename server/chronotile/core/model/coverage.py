"""Requests for coverages, as given and as resolved."""

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
"""Of what is best read at once; one row at one time may take more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """A box outside which a coverage is cut off; sides that are infinite are open.

    Where two sides of an axis are equal it is a slice: the one row or column that holds the position, as a series at
    that point has it. In another CRS than the answer's that holds of points; a line is as wide there as it bends.
    In a geographic CRS `xmin` greater than `xmax` goes across the antimeridian.
    """

    box: BBox
    crs: Crs
    locator: str = "bbox"
    """The parameter that gave it, for what is refused."""

    def __post_init__(self) -> None:
        xmin, ymin, xmax, ymax = self.box
        if any(map(math.isnan, self.box)) or math.inf in {xmin, ymin} or -math.inf in {xmax, ymax}:
            raise InvalidParameter(f"{self.locator} has an edge that is not a number", locator=self.locator)
        if ymin > ymax or (xmin > xmax and not self.crs.is_geographic):
            raise InvalidParameter(f"{self.locator} has a lower edge above its upper edge", locator=self.locator)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleFactors:
    """How many native cells one cell of the answer is wide and high: 2 halves the resolution, 0.5 doubles it."""

    x: float
    y: float
    locator: str = "scale-factor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSize:
    """How many columns and rows the answer has; where one is not given, it follows from the other."""

    width: int | None = None
    height: int | None = None
    locator: str = "scale-size"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRequest:
    """Give me these numbers."""

    layers: tuple[str, ...]
    """Ids or aliases, of one collection, in the order in which they are given back."""
    trims: tuple[Trim, ...] = ()
    """All hold at once."""
    time: TimeSelection = ABSENT
    """Absent: all times."""
    crs: Crs | None = None
    """Of the answer; `None` is the native one."""
    scale: ScaleFactors | ScaleSize | None = None
    """`None` keeps the native resolution; in another CRS, the one that is most like it."""
    resampling: Resampling | None = None
    """Where cells are not native ones; `None` is the layer's own."""
    area: Area | None = None
    """Only cells whose centre lies in it have values, and the answer reaches no further than its box."""
    area_locator: str = "geometry"
    """The parameter that gave the area, for what is refused."""
    cells: Grid | None = None
    """Exactly these, in place of trims, CRS, scale and area: those that reach beyond the data have no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageField:
    """One variable of a coverage as it is written."""

    name: str
    """Of the variable, one within the coverage."""
    title: str
    layer: Layer
    encoding: Encoding
    """Of the numbers that are given: one number, `nodata`, stands for all that are no values (masked, flagged, outside
    the valid range, outside the area or the source), and scale and offset are the source's own."""


class CoverageShape(Protocol):
    """What a coverage is of, where and when, without its numbers."""

    @property
    def collection(self) -> Collection:
        """What it is of, with attribution and licence."""

    @property
    def fields(self) -> tuple[CoverageField, ...]:
        """At least one."""

    @property
    def grid(self) -> Grid:
        """North-up; of native resolution its cells are native ones."""

    @property
    def times(self) -> TimeDomain:
        """Ascending, with the ends of periods where times are such; empty for a coverage without time."""


class Coverage(CoverageShape, Protocol):
    """A request resolved to what exists, whose numbers are read run by run. Methods may be called by any thread."""

    @property
    def etag(self) -> str:
        """Without quotes; made of the resolved target and the state of the sources."""

    @property
    def nbytes(self) -> int:
        """Of all its numbers, uncompressed."""

    @property
    def row_runs(self) -> tuple[range, ...]:
        """All rows in such runs, which end where blocks of the source do, so that none is read twice."""

    @property
    def time_runs(self) -> tuple[range, ...]:
        """All times in such runs for `read_times`; a run of rows at a run of times has about `RUN_BYTES` at most."""

    def read_times(self, field: int, *, times: range, rows: range) -> NumberArray:
        """Return (time, y, x) numbers of a field, in the type and with the `nodata` of its encoding.

        They are read in one go where the source has blocks along time.

        Args:
            field: Index into `fields`.
            times: Consecutive indexes into `times`; 0 alone for a coverage without time.
            rows: Consecutive rows of `grid`.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRequest:
    """Describe the store of this layer."""

    layer: str
    """Id or alias."""
    revision: str | None = None
    """The state that is meant; `None` is that of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRequest:
    """Give me this chunk of it."""

    store: StoreRequest
    array: str
    """Its name."""
    encoding: int
    """Of the key in which the numbers were: an index into those in which stores are described."""
    numbers: tuple[int, ...]
    """Which chunk, by axis."""
