"""Series of points and of areas as one table, place by time by column, from which all formats are written."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np
import orjson

from chronotile.core.model.collection import Layer
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.number_text import number_texts, numbers_json, text_values
from chronotile.core.model.payload import NOTHING_MISSING, Missing
from chronotile.core.model.request import Point
from chronotile.core.model.series.analysis import Findings
from chronotile.core.model.series.series import AreasSeries, PointsSeries, Series
from chronotile.core.model.types import (
    AnyArray,
    Float64Array,
    InstantArray,
    Int64Array,
    ObjectArray,
    UInt8Array,
)
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.analysis import findings_columns, units_of_column

Name = str | int | float
"""What a client called a place, or the number of the place."""

VALUE = "value"
"""The column of points of one layer."""
WITHOUT_UNITS = frozenset({"count", "valid_share", "histogram"})
"""Kinds of reducers that give numbers and shares of cells."""
WHOLE_KINDS = frozenset({"count", "histogram"})
"""Kinds of reducers that give numbers of cells, the latter with weights of areas square metres."""
VALUES_A_BATCH = 4096
"""Of one column: enough that numpy pays, few enough for a cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One quantity of all places."""

    name: str
    units: str
    times: InstantArray
    """(time,): its own, or those of the table; not a time (NaT) for the one value of a layer without time."""
    encoding: Encoding | None = None
    """Of cells, whose text the values have; `None` of statistics and numbers of cells."""
    bins: int = 0
    """Of a histogram."""
    is_found: bool = False
    """Whether it is a result of an analysis."""
    layer: Layer | None = None
    """Whose values they are, where each column has its own."""

    @property
    def has_time(self) -> bool:
        """Whether its layer has times; the request may have selected none of them."""
        return _has_time(self.times)

    @property
    def flat(self) -> "tuple[Column, ...]":
        """The column, or each bin of a histogram for itself, as `histogram:16.0`."""
        if not self.bins:
            return (self,)
        return tuple(replace(self, name=f"{self.name}.{number}", bins=0) for number in range(self.bins))

    def texts(self, values: AnyArray) -> list[str]:
        """Return the text of each of some values, row by row; empty where there is none."""
        return number_texts(text_values(values, self.encoding).ravel())

    def json(self, values: AnyArray) -> list[orjson.Fragment]:
        """Return the values of each place as JSON: numbers of cells as integers, where all of a place are whole."""
        if values.dtype.kind == "f" and self.layer is None and self.name.partition(":")[0] in WHOLE_KINDS:
            counts = (own.astype(np.int64) if (own == np.floor(own)).all() else own for own in values)
            return [numbers_json(text_values(own, self.encoding)) for own in counts]
        return [numbers_json(own) for own in text_values(values, self.encoding)]


def _no_counts() -> Int64Array:
    return np.empty((0, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Places that follow one another, and what there is of each along time."""

    places: Sequence[Point | Area]
    values: Mapping[str, AnyArray]
    """(place, time) by column, of a histogram (place, time, bin); NaN where there is no value."""
    first: int = 0
    """Number of the first place in the table."""
    codes: UInt8Array | None = None
    """(place, time): 0 where a point has a value, else the number, from 1, of the reason why it has none."""
    labels: tuple[str, ...] = ()
    """The reasons that codes stand for."""
    valid: Int64Array = field(default_factory=_no_counts)
    """(place, time): cells with a value; a point has one cell."""
    total: Int64Array = field(default_factory=_no_counts)
    """(place,): cells; of periods (place, period) those of all times of each."""
    notes: Sequence[str | None] = ()
    """(place,): how an area was repaired, or why a point has no cell, in words."""
    causes: Sequence[Mapping[str, Int64Array]] = ()
    """(place,): cells of an area without a value (time,) by the reason."""

    @property
    def names(self) -> list[Name]:
        """(place,): what the client called each, or its number in the table."""
        return names_of((place.id for place in self.places), first=self.first)

    @property
    def has_notes(self) -> bool:
        """Whether there is a note to any place."""
        return any(note is not None for note in self.notes)

    @property
    def totals(self) -> Int64Array:
        """(place, time): `total` at each time."""
        return np.broadcast_to(self.total if self.total.ndim > 1 else self.total[:, np.newaxis], self.valid.shape)

    def reasons(self, none: str | None) -> ObjectArray:
        """Return (place, time) why there is no value; `none` where there is one."""
        return np.array([none, *self.labels], dtype=object)[self.codes]

    def cells_without(self, row: int) -> Mapping[str, Int64Array]:
        """Return how many cells of a place have no value (time,) by the reason, of reasons that occur."""
        if self.codes is None:
            return self.causes[row] if self.causes else {}
        codes = self.codes[row]
        found = np.unique(codes[codes > 0]).tolist() if self.total[row].any() else ()
        return {self.labels[code - 1]: (codes == code).astype(np.int64) for code in found}

    def part(self, start: int, stop: int) -> "Rows":
        """Return those from one place up to another."""
        own = slice(start, stop)
        return Rows(
            places=self.places[own],
            values={name: values[own] for name, values in self.values.items()},
            first=self.first + start,
            codes=None if self.codes is None else self.codes[own],
            labels=self.labels,
            valid=self.valid[own],
            total=self.total[own],
            notes=self.notes[own],
            causes=self.causes[own],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesTable:
    """Series of places at the same times, all points or all areas."""

    title: str
    """Layer or collection that the series are of."""
    units: str = ""
    """Of the layer."""
    times: InstantArray
    """(time,): all that any column has, ascending; not a time (NaT) for the one value of layers without time."""
    columns: tuple[Column, ...]
    names: Sequence[Name]
    """(place,): of all places."""
    parts: Callable[[], Iterable[Rows]]
    """Yields all places in order; may read one file after another, so writers of files call it once."""
    has_areas: bool = False
    """Whether the places are areas, or would be if there were any."""
    has_notes: bool = False
    """Whether any area has a note."""
    edges: Mapping[str, Float64Array] = field(default_factory=dict)
    """(bin + 1,) by the name of each histogram."""
    findings: Mapping[str, Findings] = field(default_factory=dict)
    """Of all places, by the name of the column that was analysed."""
    method: str | None = None
    """How values of cells became one of a place, of columns with a layer each; `None` where a place is one cell."""
    missing: Missing = NOTHING_MISSING
    credits: Credits = field(default_factory=Credits)

    @property
    def has_time(self) -> bool:
        """Whether any column has times."""
        return _has_time(self.times)

    @property
    def has_counts(self) -> bool:
        """Whether numbers of cells are written: for areas of one layer."""
        return self.has_areas and self.method is None

    @property
    def size(self) -> int:
        """The number of values."""
        return sum(values.size for rows in self.parts() for values in rows.values.values())

    @property
    def flat_columns(self) -> list[Column]:
        """The columns, each bin of a histogram for itself."""
        return [each for column in self.columns for each in column.flat]

    def batches(self, most: int = VALUES_A_BATCH) -> Iterator[Rows]:
        """Yield all places in order, in batches of at most `most` values per column and at least one place."""
        size = max(1, most // max(1, len(self.times)))
        for rows in self.parts():
            for start in range(0, len(rows.places), size):
                yield rows.part(start, start + size)

    def flat(self, rows: Rows) -> dict[str, AnyArray]:
        """Return (place, time) by flat column, at its own times."""
        found: dict[str, AnyArray] = {}
        for column in self.columns:
            values = rows.values[column.name]
            bins = np.moveaxis(values, -1, 0) if column.bins else [values]
            found |= {each.name: own for each, own in zip(column.flat, bins, strict=True)}
        return found

    def at_all_times(self, rows: Rows) -> dict[str, AnyArray]:
        """Return (place, time) by flat column: NaN where it has no such time; one without time has all."""
        flat = self.flat(rows)
        return {column.name: self._at_all_times(column, flat[column.name]) for column in self.flat_columns}

    def _at_all_times(self, column: Column, values: AnyArray) -> AnyArray:
        if len(column.times) == len(self.times):
            return values
        shape = len(values), len(self.times)
        if not column.has_time:
            return np.broadcast_to(values, shape)
        spread = np.full(shape, np.nan)
        spread[:, np.searchsorted(self.times, column.times)] = values
        return spread


def table_of_point(series: Series, credits: Credits) -> SeriesTable:
    """Return the table of one point."""
    numbers = {reason: number for number, reason in enumerate(dict.fromkeys([None, *series.reasons]))}
    rows = Rows(
        places=[Point(x=series.longitude, y=series.latitude)],
        values={VALUE: series.values[np.newaxis]},
        codes=np.array([[numbers[reason] for reason in series.reasons]], dtype=np.uint8),
        labels=tuple(reason for reason in numbers if reason is not None),
    )
    return _table(series, [value_column(series.units, series.encoding, series.times)], rows, credits)


def table_of_points(series: PointsSeries, credits: Credits) -> SeriesTable:
    """Return the table of many points of one layer; of no points there are no columns."""
    columns = [value_column(series.units, series.encoding, series.times)] if series.points else []
    return _table(series, columns, rows_of_points(series), credits)


def rows_of_points(series: PointsSeries, *, first: int = 0) -> Rows:
    """Return points as rows of a table; `first` is the number of the first one there."""
    inside = ~series.is_outside
    times = np.int64(1) if series.period_times is None else series.period_times
    counts = None if series.findings is None else series.findings.counts
    hints = zip(series.hints, series.is_outside.tolist(), strict=True)
    return Rows(
        places=series.points,
        values={VALUE: series.values},
        first=first,
        codes=series.codes if series.points else None,
        labels=series.reasons,
        valid=(series.codes == 0).astype(np.int64) if counts is None else counts,
        total=np.multiply.outer(inside.astype(np.int64), times),
        notes=[f"it lies outside the layer, which {series.reach}{hint}" if is_out else None for hint, is_out in hints],
    )


def table_of_areas(series: AreasSeries, credits: Credits, *, reducers: Iterable[str] = ()) -> SeriesTable:
    """Return the table of areas; without any area, its columns are those of `reducers`."""
    areas = series.areas
    columns = reducer_columns(areas[0].reduced if areas else reducers, series.units, series.times, series.edges)
    rows = Rows(
        places=[each.area for each in areas],
        values={
            each.name: table_values(each.name, _stacked([area.reduced[each.name] for area in areas], series, each.bins))
            for each in columns
        },
        valid=_stacked([each.valid for each in areas], series).astype(np.int64),
        total=np.array([each.total if each.totals is None else each.totals for each in areas], dtype=np.int64),
        notes=[each.area.note for each in areas],
        causes=[each.reasons for each in areas],
    )
    return _table(series, columns, rows, credits)


def table_of_layers(
    places: Sequence[Point | Area],
    series: Iterable[tuple[Layer, InstantArray, Float64Array]],
    *,
    method: str | None = None,
    missing: Missing = NOTHING_MISSING,
) -> SeriesTable:
    """Return the table of several layers at the same places.

    Args:
        places: All points of one CRS, or all areas.
        series: Of each layer, at least one, its times (time,), not a time (NaT) for the one value of a layer without,
            and its values (place, time).
        method: How values of cells became one of a place, such as `mean`; `None` where a place is one cell.
        missing: Dates and items that could not be read.
    """
    columns, values = list[Column](), dict[str, AnyArray]()
    for layer, own_times, own_values in series:
        name, encoding = layer.main_variable.name, layer.main_variable.encoding
        cells = encoding if method is None else None
        columns.append(Column(name=name, units=encoding.units, encoding=cells, layer=layer, times=own_times))
        values[name] = own_values
    times = {column.times.tobytes(): column.times for column in columns if column.has_time}
    rows = Rows(places=places, values=values)
    return SeriesTable(
        title="",
        times=reduce(np.union1d, times.values()) if times else columns[0].times,
        columns=tuple(columns),
        names=rows.names,
        parts=lambda: (rows,),
        has_areas=len(places) > 0 and isinstance(places[0], Area),
        method=method,
        missing=missing,
    )


def names_of(ids: Iterable[Name | None], *, first: int = 0) -> list[Name]:
    """Return the name of each place: its id, or its number in the table, counted from 1."""
    return [number if id_ is None else id_ for number, id_ in enumerate(ids, first + 1)]


def value_column(units: str, encoding: Encoding | None, times: InstantArray) -> Column:
    """Return the column of points of one layer, `encoding` being that of cells."""
    return Column(name=VALUE, units=units, times=times, encoding=encoding)


SUMS = Encoding(dtype="float64")
"""Of sums, which may have more digits than float32."""


def reducer_columns(
    names: Iterable[str], units: str, times: InstantArray, edges: Mapping[str, Float64Array]
) -> tuple[Column, ...]:
    """Return the columns of reducers of values in some units; those with edges are histograms."""
    return tuple(
        Column(
            name=name,
            units="1" if name.partition(":")[0] in WITHOUT_UNITS else units,
            times=times,
            bins=len(edges[name]) - 1 if name in edges else 0,
            encoding=SUMS if name == "sum" else None,
        )
        for name in names
    )


def table_values(name: str, values: Float64Array) -> AnyArray:
    """Return what a reducer made of values (place, time, …) as tables have it: numbers of cells as integers."""
    return values.astype(np.int64) if name == "count" and len(values) else values


def _table(
    series: Series | PointsSeries | AreasSeries, columns: Sequence[Column], rows: Rows, credits: Credits
) -> SeriesTable:
    """Results of an analysis at each time are columns after all others; those of a reducer are named `mean.smooth`."""
    if isinstance(series, AreasSeries):
        findings, edges = series.findings, series.edges
    else:
        findings, edges = {} if series.findings is None else {VALUE: series.findings}, {}
    found = {
        Column(
            name=name if of == VALUE else f"{of}.{name}",
            units=units_of_column(name, series.units),
            times=series.times,
            is_found=True,
        ): each
        for of, own in findings.items()
        for name, each in findings_columns(own).items()
        if rows.places
    }
    whole = replace(rows, values={**rows.values, **{column.name: each for column, each in found.items()}})
    return SeriesTable(
        title=series.layer,
        units=series.units,
        times=series.times,
        columns=(*columns, *found),
        names=rows.names,
        parts=lambda: (whole,),
        has_areas=isinstance(series, AreasSeries),
        has_notes=isinstance(series, AreasSeries) and rows.has_notes,
        edges=edges,
        findings=findings,
        missing=series.missing,
        credits=credits,
    )


def _stacked(values: Sequence[AnyArray], series: AreasSeries, bins: int = 0) -> AnyArray:
    # (area, time, …), also without any area.
    return np.stack(values) if values else np.empty((0, len(series.times), *([bins] if bins else [])))


def _has_time(times: InstantArray) -> bool:
    return not bool(np.isnat(times).any())
