"""Series of several variables as CSV."""

import csv
import io
from collections.abc import Generator, Sequence

from chronotile.encoders.instants import format_instants
from chronotile.model.area import Area
from chronotile.model.field_series import FieldsSeries, FloatArray
from chronotile.model.request import Point

Cell = str | float | int | None
LINES_A_PIECE = 4096


def encode_fields_csv(series: FieldsSeries) -> Generator[bytes]:
    """Yield one line a place and time, place by place, with a column a variable; nothing where there is no value.

    A point has its coordinates in the columns `x` and `y`, as they were asked; an area its id in `location`. The field
    `time` is empty where no variable has times. Numbers are written shortest-round-trip, and lines end with a line
    feed alone.
    """
    columns, times = series.columns, format_instants(series.times)
    where = ("location",) if series.has_areas else ("x", "y")
    yield _lines([["time", *where, *columns]])
    step = max(1, LINES_A_PIECE // max(1, len(times)))
    for start in range(0, len(series.places), step):
        values = [column[start : start + step] for column in columns.values()]
        yield _lines(_rows(series.places[start : start + step], times, values))


def _rows(
    places: Sequence[Point | Area], times: Sequence[str | None], values: Sequence[FloatArray]
) -> list[list[Cell]]:
    """Of values (place, time) of each column."""
    rows: list[list[Cell]] = []
    for number, place in enumerate(places):
        where: list[Cell] = [place.x, place.y] if isinstance(place, Point) else [place.id]
        columns = [_numbers(each[number]) for each in values]
        rows += [[time, *where, *line] for time, *line in zip(times, *columns, strict=True)]
    return rows


def _numbers(values: FloatArray) -> list[Cell]:
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124 -- NaN


def _lines(rows: Sequence[Sequence[Cell]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()
