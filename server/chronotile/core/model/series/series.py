"""Values along time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.payload import NOTHING_MISSING, Missing
from chronotile.core.model.request import Point
from chronotile.core.model.series.analysis import Findings
from chronotile.core.model.types import BoolArray, Float64Array, InstantArray, Int64Array, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One value per instant at a point."""

    layer: str
    units: str
    longitude: float
    latitude: float
    """The requested point in CRS84."""
    times: InstantArray
    """(time,); not a time (NaT) for the single value of a layer without time."""
    values: Float64Array
    """(time,), NaN if missing."""
    reasons: tuple[str | None, ...]
    """(time,): why a value is missing; `None` for values."""
    encoding: Encoding | None
    """Encoding that determines the text of the values; `None` for means of periods."""
    findings: Findings | None = None
    """Results for this single series, if an analysis was requested."""
    missing: Missing = NOTHING_MISSING
    """Missing parts of all times that were read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaSeries:
    """Reduced values per instant of the cells of one area."""

    area: Area
    reduced: Mapping[str, Float64Array]
    """(time,) by reducer name, (time, bin) for a histogram; NaN if too few cells have a value."""
    valid: Int64Array
    """(time,): number of cells with a value."""
    total: int
    """Number of cells of the area."""
    reasons: Mapping[str, Int64Array]
    """(time,) by reason: number of cells without a value; only reasons that occur."""
    totals: Int64Array | None = None
    """(period,): number of cells of all times of a period, of which `valid` have a value; `None` without a step."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreasSeries:
    """Reduced values of areas of one layer at the same instants."""

    layer: str
    units: str
    times: InstantArray
    """(time,); not a time (NaT) for the single value of a layer without time."""
    areas: tuple[AreaSeries, ...]
    edges: Mapping[str, Float64Array]
    """(bin + 1,) by histogram name."""
    findings: Mapping[str, Findings] = field(default_factory=dict)
    """Results for the series of all areas by reducer name, if an analysis was requested."""
    missing: Missing = NOTHING_MISSING
    """Missing parts of all times that were read."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsSeries:
    """Values of one layer at many points and the same instants."""

    layer: str
    units: str
    times: InstantArray
    """(time,); not a time (NaT) for the single value of a layer without time."""
    points: tuple[Point, ...]
    """In CRS84."""
    is_outside: BoolArray
    """(point,): whether the point is outside the layer."""
    values: Float64Array
    """(point, time), NaN if missing."""
    codes: UInt8Array
    """(point, time): 0 for a value, else a position in `reasons` plus 1."""
    reasons: tuple[str, ...]
    """Reasons why values are missing."""
    encoding: Encoding | None
    """Encoding that determines the text of the values; `None` for means of periods."""
    reach: str
    """Extent of the layer in words, for points outside."""
    hints: Sequence[str]
    """(point,): text that follows `reach` if the point is outside; may be empty."""
    findings: Findings | None = None
    """Results for all points, if an analysis was requested."""
    period_times: Int64Array | None = None
    """(period,): number of times per period; `None` without a step."""
    missing: Missing = NOTHING_MISSING
    """Missing parts of all times that were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCost:
    """Costs of a series of areas, found without reading a pixel."""

    chunks: int
    """Number of chunks in the layout that is read."""
    bytes: int
    """Size of the decoded chunks."""
    seconds: float
    """Rough estimate."""
    cells: int
    """Number of cells in all areas at all times; a cell in two areas counts twice."""
    values: int
    """Number of values in the answer."""
