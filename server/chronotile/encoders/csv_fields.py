"""Series of several variables as CSV."""

import csv
import io
from collections.abc import Iterator

from chronotile.encoders.instants import format_instants
from chronotile.model.field_series import FieldsSeries, FloatArray
from chronotile.model.request import Point

Cell = str | float | int | None


def encode_fields_csv(series: FieldsSeries) -> Iterator[bytes]:
    """Yield one line a place and time, place by place, with a column a variable; nothing where there is no value.

    A point has its coordinates in the columns `x` and `y`, as they were asked; an area its id in `location`. The field
    `time` is empty where no variable has times. Numbers are written shortest-round-trip, and lines end with a line
    feed alone.
    """
    has_points = isinstance(series.places[0], Point)
    columns = series.columns
    yield _lines([["time", *(("x", "y") if has_points else ("location",)), *columns]])
    times = format_instants(series.times)
    for row, place in enumerate(series.places):
        where: list[Cell] = [place.x, place.y] if isinstance(place, Point) else [place.id]
        values = [_numbers(column[row]) for column in columns.values()]
        yield _lines([[time, *where, *line] for time, *line in zip(times, *values, strict=True)])


def _numbers(values: FloatArray) -> list[Cell]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 -- NaN


def _lines(rows: list[list[Cell]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()
