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
    """One value an instant at one place."""

    layer: str
    units: str
    longitude: float
    latitude: float
    """The requested place, in CRS84."""
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    values: Float64Array
    """(time,), NaN where there is none."""
    reasons: tuple[str | None, ...]
    """(time,): why there is no value; `None` where there is one."""
    encoding: Encoding | None
    """Of the cell, whose text its values have; `None` of means of periods."""
    findings: Findings | None = None
    """Of this one series, where an analysis was requested."""
    missing: Missing = NOTHING_MISSING
    """Among all times that were read for it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaSeries:
    """Reduced values per instant of the cells of one area."""

    area: Area
    reduced: Mapping[str, Float64Array]
    """(time,) by the reducer's name, of a histogram (time, bin); NaN where too few cells have a value, or none."""
    valid: Int64Array
    """(time,): cells with a value."""
    total: int
    """Cells of the area."""
    reasons: Mapping[str, Int64Array]
    """(time,): cells without a value, by the reason; only reasons that occur."""
    totals: Int64Array | None = None
    """(period,): the cells of all times of each period, of which `valid` is a part; `None` without a step."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreasSeries:
    """Reduced values of areas of one layer at the same instants."""

    layer: str
    units: str
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    areas: tuple[AreaSeries, ...]
    edges: Mapping[str, Float64Array]
    """(bin + 1,) by the name of each histogram."""
    encoding: Encoding | None = None
    """Of areas that are single cells, whose text their values have; `None` of statistics."""
    findings: Mapping[str, Findings] = field(default_factory=dict)
    """Of the series of all areas, by the reducer's name, where an analysis was requested."""
    missing: Missing = NOTHING_MISSING
    """Among all times that were read for it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsSeries:
    """Values of many places of one layer at the same instants."""

    layer: str
    units: str
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    points: tuple[Point, ...]
    """In CRS84."""
    is_outside: BoolArray
    """(point,): whether it lies outside the layer."""
    values: Float64Array
    """(point, time), NaN where there is none."""
    codes: UInt8Array
    """(point, time): 0 where there is a value, else the number, from 1, of the reason why there is none."""
    reasons: tuple[str, ...]
    """That codes stand for."""
    encoding: Encoding | None
    """Of the cells, whose text their values have; `None` of means of periods."""
    reach: str
    """How far the layer reaches, in words, for points outside."""
    hints: Sequence[str]
    """(point,): what else to say of it if it lies outside, to follow `reach`, or nothing."""
    findings: Findings | None = None
    """Of all points, where an analysis was requested."""
    period_times: Int64Array | None = None
    """(period,): how many times each holds; `None` without a step."""
    missing: Missing = NOTHING_MISSING
    """Among all times that were read for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCost:
    """What a series of areas takes, found without reading a pixel."""

    chunks: int
    """Of the layout that is read."""
    bytes: int
    """Of numbers in those chunks, decoded."""
    seconds: float
    """A rough expectation."""
    cells: int
    """Of all areas at all times; a cell of two areas counts twice."""
    values: int
    """In the answer."""
