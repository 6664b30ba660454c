"""Series as CSV, with numbers as in JSON; lines end with a line feed alone."""

import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import repeat

import numpy as np

from chronotile.encoders.instants import format_instants
from chronotile.encoders.series.analysis import findings_columns
from chronotile.encoders.series.table import Rows, SeriesTable
from chronotile.model.number_text import number_texts, statistics, text_values
from chronotile.model.places import PlaceValues
from chronotile.model.request import Point
from chronotile.model.series.series import Series
from chronotile.model.time.instants import InstantArray


def encode_series_csv(series: Series) -> bytes:
    """Return one line a time of one point; where there is no value the field is empty and the reason says why.

    Results of an analysis at each time follow in columns of their own.
    """
    found = {} if series.findings is None else findings_columns(series.findings)
    quoted = {reason: _cells(reason) for reason in set(series.reasons)}
    values = number_texts(text_values(series.values, series.encoding))
    texts = (number_texts(text_values(column[0], None)) for column in found.values())
    columns = (_times(series.times), values, [quoted[reason] for reason in series.reasons], *texts)
    return _text([_cells("time", "value", "reason", *found), *map(",".join, zip(*columns, strict=True))])


def encode_places_csv(table: SeriesTable) -> Iterator[bytes]:
    """Yield a long table part by part: one line a place and time, with the reducers, `valid` and `total` in columns.

    Where any area has a note, the last column has them. `id` is what the client called the place, or its number from
    1. Fields without a value are empty.
    """
    has_notes, times = table.has_notes, _times(table.times)
    extra = ["valid", "total", *(["note"] if has_notes else [])] if table.has_counts else ["reason"]
    yield _text([_cells("id", "time", *(column.name for column in table.flat_columns), *extra)])
    for rows in table.batches():
        columns = _columns(table, rows) + _extra_columns(table, rows, has_notes=has_notes)
        yield _lines(map(_cells, rows.names), times, columns)


def encode_layers_csv(table: SeriesTable) -> Generator[bytes]:
    """Yield one line a place and time, place by place, with a column a layer; nothing where there is no value.

    A point has its coordinates in the columns `x` and `y`, as they were given; an area its id in `location`. The field
    `time` is empty where no layer has times.
    """
    times = _times(table.times)
    place = ("location",) if table.has_areas else ("x", "y")
    yield _text([_cells("time", *place, *(column.name for column in table.flat_columns))])
    for rows in table.batches():
        places = (f"{each.x},{each.y}" if isinstance(each, Point) else _cells(each.id) for each in rows.places)
        yield _lines(places, times, _columns(table, rows), is_time_first=True)


def encode_place_values_csv(found: PlaceValues) -> bytes:
    """Return the matrix as a long table: one line a place and time, the values in a column called as the reducer."""
    lines = _lines(map(_cells, found.ids), _times(found.times), [number_texts(statistics(found.values).ravel())])
    return _text([_cells("id", "time", found.reducer)]) + lines


def _columns(table: SeriesTable, rows: Rows) -> list[Sequence[str]]:
    """(place * time,) of each."""
    values = table.at_all_times(rows)
    return [column.texts(values[column.name]) for column in table.flat_columns]


def _extra_columns(table: SeriesTable, rows: Rows, *, has_notes: bool) -> list[Sequence[str]]:
    if not table.has_counts:
        return [replace(rows, labels=tuple(map(_cells, rows.labels))).reasons("").ravel().tolist()]
    counts: list[Sequence[str]] = [number_texts(each.ravel()) for each in (rows.valid, rows.totals)]
    return [*counts, np.repeat(list(map(_cells, rows.notes)), len(table.times)).tolist()] if has_notes else counts


def _lines(
    places: Iterable[str], times: Sequence[str], columns: Sequence[Sequence[str]], *, is_time_first: bool = False
) -> bytes:
    """Of columns (place * time,); put together by hand, five times as fast as the module csv does."""
    lines: list[str] = []
    for number, place in enumerate(places):
        own = slice(number * len(times), (number + 1) * len(times))
        first = (times, repeat(place)) if is_time_first else (repeat(place), times)
        lines += map(",".join, zip(*first, *(column[own] for column in columns), strict=False))
    return _text(lines)


def _text(lines: Iterable[str]) -> bytes:
    return "\n".join([*lines, ""]).encode()


def _times(times: InstantArray) -> list[str]:
    return [time or "" for time in format_instants(times)]


def _cells(*cells: str | float | None) -> str:
    """Fields, quoted where necessary. The module csv quotes an empty field that is alone in a line: hence one more."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerow((*cells, None))
    return buffer.getvalue()[:-2]
