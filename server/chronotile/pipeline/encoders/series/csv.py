"""Series as CSV (RFC 4180); numbers are as in JSON, and lines end with a line feed only."""

import csv
import io
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Literal

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.number_text import number_texts, statistics, text_values
from chronotile.core.model.places import PlaceValues
from chronotile.core.model.request import Point
from chronotile.core.model.series.series import Series
from chronotile.core.model.types import InstantArray
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.encoders.document_parts import format_instants
from chronotile.pipeline.encoders.series.analysis import findings_columns
from chronotile.pipeline.encoders.series.table import Rows, SeriesTable

Dialect = Literal["comma", "semicolon"]
DIALECTS: Mapping[Dialect, tuple[str, str]] = {"comma": (",", "."), "semicolon": (";", ",")}
"""The separator of fields and the decimal sign; spreadsheets in many European countries expect the second pair."""
SOURCE_COLUMNS = ("layer", "units", "attribution")


_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")


def safe_cell(text: str) -> str:
    """Return a text with an apostrophe before it if spreadsheets would run it as a formula; numbers are unchanged.

    See OWASP, "CSV Injection". Spreadsheets hide the apostrophe.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """How a CSV is written."""

    dialect: Dialect = "comma"
    has_days: bool = False
    """Whether times are written as days, `YYYY-MM-DD`; the caller must check that no two times are on the same day."""
    has_source: bool = False
    """Whether each line ends with the layer, its units and its attribution; only for tables of one layer."""

    @property
    def separator(self) -> str:
        """The separator between two fields."""
        return DIALECTS[self.dialect][0]

    def header(self, *names: str) -> str:
        """Return the header line without its line ending."""
        return self.cells(*names, *(SOURCE_COLUMNS if self.has_source else ()))

    def cells(self, *cells: str | float | None) -> str:
        """Return fields as one text, quoted where necessary."""
        buffer = io.StringIO(newline="")
        # The csv module would quote a single empty field, so an empty field is added and cut off below. It quotes the
        # characters of the terminator: with "\r\n" also a carriage return, which ends a line for some readers.
        safe = (safe_cell(cell) if isinstance(cell, str) else cell for cell in cells)
        csv.writer(buffer, delimiter=self.separator, lineterminator="\r\n").writerow((*safe, None))
        return buffer.getvalue()[:-3]

    def numbers(self, texts: Sequence[str]) -> Sequence[str]:
        """Return numbers with the decimal sign of the dialect."""
        sign = DIALECTS[self.dialect][1]
        return texts if sign == "." else [text.replace(".", sign) for text in texts]

    def times(self, times: InstantArray) -> list[str]:
        """Return instants or days (time,); empty where there is no time (NaT)."""
        texts = (time or "" for time in format_instants(times))
        return [text[: len("YYYY-MM-DD")] for text in texts] if self.has_days else list(texts)

    def source(self, layer: str, units: str, credits: Credits) -> list[str]:
        """Return the last fields of every line of one layer, as one text; empty without `has_source`."""
        return [self.cells(layer, units, credits.attribution)] if self.has_source else []


USUAL = CsvOptions()
"""The options of a request that sets none."""


def require_days_apart(layers: Iterable[Layer]) -> None:
    """Refuse layers of one table whose times cannot be written as days.

    Raises:
        InvalidParameter: A layer has several times on one day, or two layers have different times on one day.
    """
    remedy = "on one day, which date=day cannot tell apart; use date=instant"
    layers = tuple(layers)
    for layer in layers:
        if layer.times.has_shared_days:
            raise InvalidParameter(f"layer {layer.id} has several times {remedy}", locator="date")
    if layers:
        days = np.unique(np.concatenate([layer.times.starts for layer in layers])).astype("datetime64[D]")
        if (days[1:] == days[:-1]).any():
            names = ", ".join(layer.id for layer in layers)
            raise InvalidParameter(f"layers {names} have different times {remedy}", locator="date")


def encode_series_csv(series: Series, *, options: CsvOptions = USUAL, credits: Credits | None = None) -> bytes:
    """Return one line per time for one point; a missing value is an empty field with a reason.

    Results of an analysis at each time are further columns; `credits` are those of the layer.
    """
    results = {} if series.findings is None else findings_columns(series.findings)
    quoted = {reason: options.cells(reason) for reason in set(series.reasons)}
    values, *result_columns = (
        options.numbers(number_texts(text_values(numbers, encoding)))
        for numbers, encoding in ((series.values, series.encoding), *((column[0], None) for column in results.values()))
    )
    source = map(repeat, options.source(series.layer, series.units, credits or Credits()))
    columns = (options.times(series.times), values, [quoted[reason] for reason in series.reasons], *result_columns)
    lines = map(options.separator.join, zip(*columns, *source, strict=False))
    return _text([options.header("time", "value", "reason", *results), *lines])


def encode_places_csv(table: SeriesTable, options: CsvOptions = USUAL) -> Iterator[bytes]:
    """Yield a long table part by part: one line per place and time, with columns for reducers, `valid` and `total`.

    A column for notes follows if any area has a note. `id` is the id from the client, or the number of the place from
    1. Fields without a value are empty.
    """
    has_notes, times = table.has_notes, options.times(table.times)
    extra = ["valid", "total", *(["note"] if has_notes else [])] if table.has_counts else ["reason"]
    yield _text([options.header("id", "time", *(column.name for column in table.flat_columns), *extra)])
    source = options.source(table.title, table.units, table.credits)
    for rows in table.batches():
        columns = _columns(table, rows, options) + _extra_columns(table, rows, options, has_notes=has_notes)
        names = (options.cells(name) for name in rows.names)
        yield _lines(names, times, columns, options, last=source)


def encode_layers_csv(table: SeriesTable, options: CsvOptions = USUAL) -> Generator[bytes]:
    """Yield one line per place and time, place by place, with a column per layer; missing values are empty fields.

    A point has its coordinates, as given, in the columns `x` and `y`; an area has its id in `location`. The field
    `time` is empty if no layer has times. `has_source` has no effect, since each layer has a column.
    """
    times = options.times(table.times)
    place = ("location",) if table.has_areas else ("x", "y")
    yield _text([options.cells("time", *place, *(column.name for column in table.flat_columns))])
    for rows in table.batches():
        places = (_place(item, options) for item in rows.places)
        yield _lines(places, times, _columns(table, rows, options), options, is_time_first=True)


def encode_place_values_csv(matrix: PlaceValues, options: CsvOptions = USUAL) -> bytes:
    """Return the matrix as a long table: one line per place and time; the column of values is named by the reducer."""
    values = options.numbers(number_texts(statistics(matrix.values, reducer=matrix.reducer).ravel()))
    lines = _lines(map(options.cells, matrix.ids), options.times(matrix.times), [values], options)
    return _text([options.cells("id", "time", matrix.reducer)]) + lines


def _place(place: Point | Area, options: CsvOptions) -> str:
    if isinstance(place, Point):
        return options.separator.join(options.numbers([str(place.x), str(place.y)]))
    return options.cells(place.id)


def _columns(table: SeriesTable, rows: Rows, options: CsvOptions) -> list[Sequence[str]]:
    # Each column is (place * time,).
    values = table.values_at_all_times(rows)
    return [options.numbers(column.texts(values[column.name])) for column in table.flat_columns]


def _extra_columns(table: SeriesTable, rows: Rows, options: CsvOptions, *, has_notes: bool) -> list[Sequence[str]]:
    if not table.has_counts:
        return [replace(rows, labels=tuple(map(options.cells, rows.labels))).reasons("").ravel().tolist()]
    counts: list[Sequence[str]] = [number_texts(counts_array.ravel()) for counts_array in (rows.valid, rows.totals)]
    notes = [options.cells(note) for note in rows.notes]
    return [*counts, np.repeat(notes, len(table.times)).tolist()] if has_notes else counts


def _lines(
    places: Iterable[str],
    times: Sequence[str],
    columns: Sequence[Sequence[str]],
    options: CsvOptions,
    *,
    is_time_first: bool = False,
    last: Sequence[str] = (),
) -> bytes:
    """Join columns (place * time,) to lines, without the csv module, which takes five times as long."""
    lines: list[str] = []
    for number, place in enumerate(places):
        rows = slice(number * len(times), (number + 1) * len(times))
        first = (times, repeat(place)) if is_time_first else (repeat(place), times)
        fields = zip(*first, *(column[rows] for column in columns), *map(repeat, last), strict=False)
        lines += map(options.separator.join, fields)
    return _text(lines)


def _text(lines: Iterable[str]) -> bytes:
    return "\n".join([*lines, ""]).encode()
