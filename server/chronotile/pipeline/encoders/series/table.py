"""Series of points and areas as a table of places, times and columns, the source of all formats."""

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
from chronotile.core.model.series.reducers import CELL_KINDS, COUNT_KINDS
from chronotile.core.model.series.series import AreasSeries, PointsSeries, Series
from chronotile.core.model.types import AnyArray, Float64Array, InstantArray, Int64Array, ObjectArray, UInt8Array
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.series.analysis import findings_columns, units_of_column

Name = str | int | float
"""The id of a place from the client, or the number of the place."""

VALUE = "value"
"""The name of the column for points of one layer."""
VALUES_A_BATCH = 4096
"""Per column: enough for numpy to be efficient, few enough for the CPU cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One quantity for all places."""

    name: str
    units: str
    times: InstantArray
    """(time,): of this column, or of the table; not a time (NaT) for the one value of a layer without times."""
    encoding: Encoding | None = None
    """The encoding of cells, which sets how values are written; `None` for statistics and counts of cells."""
    bins: int = 0
    """The number of bins of a histogram; 0 for other columns."""
    is_found: bool = False
    """Whether it is a result of an analysis."""
    layer: Layer | None = None
    """The layer with these values, if each column has another layer."""

    @property
    def has_time(self) -> bool:
        """Whether the layer has times, even if the request selects none of them."""
        return _has_time(self.times)

    @property
    def flat(self) -> "tuple[Column, ...]":
        """The column itself, or one column for each bin of a histogram, such as `histogram:16.0`."""
        if not self.bins:
            return (self,)
        return tuple(replace(self, name=f"{self.name}.{number}", bins=0) for number in range(self.bins))

    def texts(self, values: AnyArray) -> list[str]:
        """Return the text of each value, row by row; empty where there is no value."""
        return number_texts(text_values(values, self.encoding).ravel())

    def json(self, values: AnyArray) -> list[orjson.Fragment]:
        """Return the values of each place as JSON; counts of cells are integers if all of a place are whole numbers."""
        if values.dtype.kind == "f" and self.layer is None and self.name.partition(":")[0] in COUNT_KINDS:
            counts = (
                row_values.astype(np.int64) if (row_values == np.floor(row_values)).all() else row_values
                for row_values in values
            )
            return [numbers_json(text_values(row_values, self.encoding)) for row_values in counts]
        return [numbers_json(row_values) for row_values in text_values(values, self.encoding)]


def _no_counts() -> Int64Array:
    return np.empty((0, 0), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Consecutive places of a table with their values along time."""

    places: Sequence[Point | Area]
    values: Mapping[str, AnyArray]
    """(place, time) by column, or (place, time, bin) for a histogram; NaN marks missing values."""
    first: int = 0
    """Number of the first place in the table."""
    codes: UInt8Array | None = None
    """(place, time): 0 for a value, else the number of the reason in `labels`, from 1."""
    labels: tuple[str, ...] = ()
    """The reasons for missing values."""
    valid: Int64Array = field(default_factory=_no_counts)
    """(place, time): the number of cells with a value; a point has one cell."""
    total: Int64Array = field(default_factory=_no_counts)
    """(place,): the number of cells; (place, period) for periods, which count the cells of all their times."""
    notes: Sequence[str | None] = ()
    """(place,): how an area was repaired, or why a point has no cell, as text."""
    causes: Sequence[Mapping[str, Int64Array]] = ()
    """(place,): for each reason, the number of cells of an area without a value (time,)."""

    @property
    def names(self) -> list[Name]:
        """(place,): the id from the client, or the number in the table."""
        return names_of((place.id for place in self.places), first=self.first)

    @property
    def has_notes(self) -> bool:
        """Whether any place has a note."""
        return any(note is not None for note in self.notes)

    @property
    def totals(self) -> Int64Array:
        """(place, time): `total` for each time."""
        return np.broadcast_to(self.total if self.total.ndim > 1 else self.total[:, np.newaxis], self.valid.shape)

    def reasons(self, none: str | None) -> ObjectArray:
        """Return the reason for each missing value (place, time); `none` where there is a value."""
        return np.array([none, *self.labels], dtype=object)[self.codes]

    def cells_without(self, row: int) -> Mapping[str, Int64Array]:
        """Return for each reason that occurs how many cells of a place have no value (time,)."""
        if self.codes is None:
            return self.causes[row] if self.causes else {}
        codes = self.codes[row]
        used_codes = np.unique(codes[codes > 0]).tolist() if self.total[row].any() else ()
        return {self.labels[code - 1]: (codes == code).astype(np.int64) for code in used_codes}

    def part(self, start: int, stop: int) -> "Rows":
        """Return the places from `start` to before `stop`."""
        rows = slice(start, stop)
        return Rows(
            places=self.places[rows],
            values={name: values[rows] for name, values in self.values.items()},
            first=self.first + start,
            codes=None if self.codes is None else self.codes[rows],
            labels=self.labels,
            valid=self.valid[rows],
            total=self.total[rows],
            notes=self.notes[rows],
            causes=self.causes[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesTable:
    """Series of places, all points or all areas, at the same times."""

    title: str
    """The layer or collection of the series."""
    units: str = ""
    """Units of the layer."""
    times: InstantArray
    """(time,): the times of all columns, ascending; not a time (NaT) for the one value of layers without times."""
    columns: tuple[Column, ...]
    names: Sequence[Name]
    """(place,): names of all places."""
    parts: Callable[[], Iterable[Rows]]
    """Yields all places in order. It may read many files, so writers of files call it only once."""
    has_areas: bool = False
    """Whether the places are areas; also set for a table of areas that is empty."""
    has_notes: bool = False
    """Whether any area has a note."""
    edges: Mapping[str, Float64Array] = field(default_factory=dict)
    """(bin + 1,): edges of the bins, by the name of the histogram."""
    findings: Mapping[str, Findings] = field(default_factory=dict)
    """Results for all places, by the name of the column that was analysed."""
    method: str | None = None
    """How cells are reduced to one value per place, if each column has its own layer; `None` if a place is one cell."""
    missing: Missing = NOTHING_MISSING
    credits: Credits = field(default_factory=Credits)

    @property
    def has_time(self) -> bool:
        """Whether any column has times."""
        return _has_time(self.times)

    @property
    def has_counts(self) -> bool:
        """Whether counts of cells are written, as for areas of one layer."""
        return self.has_areas and self.method is None

    @property
    def size(self) -> int:
        """The number of values."""
        return sum(values.size for rows in self.parts() for values in rows.values.values())

    @property
    def flat_columns(self) -> list[Column]:
        """All columns, with one column for each bin of a histogram."""
        return [flat for column in self.columns for flat in column.flat]

    def batches(self, most: int = VALUES_A_BATCH) -> Iterator[Rows]:
        """Yield all places in order, in batches of at most `most` values per column, but at least one place."""
        size = max(1, most // max(1, len(self.times)))
        for rows in self.parts():
            for start in range(0, len(rows.places), size):
                yield rows.part(start, start + size)

    def flat(self, rows: Rows) -> dict[str, AnyArray]:
        """Return the values (place, time) of each flat column at the times of that column."""
        flat_values: dict[str, AnyArray] = {}
        for column in self.columns:
            values = rows.values[column.name]
            bins = np.moveaxis(values, -1, 0) if column.bins else [values]
            flat_values |= {
                flat_column.name: bin_values for flat_column, bin_values in zip(column.flat, bins, strict=True)
            }
        return flat_values

    def values_at_all_times(self, rows: Rows) -> dict[str, AnyArray]:
        """Return the values (place, time) of each flat column at all times of the table.

        Values are NaN at times that the column does not have. A column without times repeats its value at every time.
        """
        flat = self.flat(rows)
        return {column.name: self._expand_times(column, flat[column.name]) for column in self.flat_columns}

    def _expand_times(self, column: Column, values: AnyArray) -> AnyArray:
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
    """Return the table for many points of one layer; without points it has no columns."""
    columns = [value_column(series.units, series.encoding, series.times)] if series.points else []
    return _table(series, columns, rows_of_points(series), credits)


def rows_of_points(series: PointsSeries, *, first: int = 0) -> Rows:
    """Return points as rows of a table; `first` is the number of the first point in the table."""
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
    """Return the table of areas; without areas, it has the columns of `reducers`."""
    areas = series.areas
    columns = reducer_columns(areas[0].reduced if areas else reducers, series.units, series.times, series.edges)
    rows = Rows(
        places=[item.area for item in areas],
        values={
            item.name: table_values(item.name, _stack([area.reduced[item.name] for area in areas], series, item.bins))
            for item in columns
        },
        valid=_stack([item.valid for item in areas], series).astype(np.int64),
        total=np.array([item.total if item.totals is None else item.totals for item in areas], dtype=np.int64),
        notes=[item.area.note for item in areas],
        causes=[item.reasons for item in areas],
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
        places: Points in one CRS, or areas.
        series: At least one layer, its times (time,), and its values (place, time). A layer without times has one
            value, at not a time (NaT).
        method: How cells are reduced to one value per place, such as `mean`; `None` if a place is one cell.
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
    """Return the column for points of one layer; `encoding` is the encoding of its cells."""
    return Column(name=VALUE, units=units, times=times, encoding=encoding)


SUMS = Encoding(dtype="float64")
"""The encoding of sums, which may have more digits than float32."""


def reducer_columns(
    names: Iterable[str], units: str, times: InstantArray, edges: Mapping[str, Float64Array]
) -> tuple[Column, ...]:
    """Return the columns of reducers for values with these units; reducers with edges are histograms."""
    return tuple(
        Column(
            name=name,
            units="1" if name.partition(":")[0] in CELL_KINDS else units,
            times=times,
            bins=len(edges[name]) - 1 if name in edges else 0,
            encoding=SUMS if name == "sum" else None,
        )
        for name in names
    )


def table_values(name: str, values: Float64Array) -> AnyArray:
    """Return values (place, time, …) of a reducer for tables: counts of cells are integers."""
    return values.astype(np.int64) if name == "count" and len(values) else values


def _table(
    series: Series | PointsSeries | AreasSeries, columns: Sequence[Column], rows: Rows, credits: Credits
) -> SeriesTable:
    """Return a table; results of an analysis become columns with names such as `mean.smooth` for a reducer."""
    if isinstance(series, AreasSeries):
        findings, edges = series.findings, series.edges
    else:
        findings, edges = {} if series.findings is None else {VALUE: series.findings}, {}
    results = {
        Column(
            name=name if of == VALUE else f"{of}.{name}",
            units=units_of_column(name, series.units),
            times=series.times,
            is_found=True,
        ): values
        for of, column_findings in findings.items()
        for name, values in findings_columns(column_findings).items()
        if rows.places
    }
    whole = replace(rows, values={**rows.values, **{column.name: values for column, values in results.items()}})
    return SeriesTable(
        title=series.layer,
        units=series.units,
        times=series.times,
        columns=(*columns, *results),
        names=rows.names,
        parts=lambda: (whole,),
        has_areas=isinstance(series, AreasSeries),
        has_notes=isinstance(series, AreasSeries) and rows.has_notes,
        edges=edges,
        findings=findings,
        missing=series.missing,
        credits=credits,
    )


def _stack(values: Sequence[AnyArray], series: AreasSeries, bins: int = 0) -> AnyArray:
    # The shape is (area, time, …), even without areas.
    return np.stack(values) if values else np.empty((0, len(series.times), *([bins] if bins else [])))


def _has_time(times: InstantArray) -> bool:
    return not bool(np.isnat(times).any())
