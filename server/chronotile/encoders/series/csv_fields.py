"""Series of several variables as CSV."""

import csv
import io
from collections.abc import Generator, Sequence
from itertools import repeat

from chronotile.encoders.instants import format_instants
from chronotile.model.geometry.area import Area
from chronotile.model.number_text import number_texts
from chronotile.model.request import Point
from chronotile.model.series.fields import FieldsSeries, FloatArray

LINES_A_PIECE = 4096


def encode_fields_csv(series: FieldsSeries) -> Generator[bytes]:
    """Yield one line a place and time, place by place, with a column a variable; nothing where there is no value.

    A point has its coordinates in the columns `x` and `y`, as they were asked; an area its id in `location`. The field
    `time` is empty where no variable has times. Numbers are written as in JSON, and lines end with a line
    feed alone.
    """
    columns, times = series.columns, [time or "" for time in format_instants(series.times)]
    yield _line("time", *(("location",) if series.has_areas else ("x", "y")), *columns).encode()
    step = max(1, LINES_A_PIECE // max(1, len(times)))
    for start in range(0, len(series.places), step):
        values = [series.texts(name, column[start : start + step]) for name, column in columns.items()]
        yield _lines(series.places[start : start + step], times, values).encode()


def _lines(places: Sequence[Point | Area], times: Sequence[str], values: Sequence[FloatArray]) -> str:
    """Of values (place, time) of each column; put together by hand, five times as fast as the module csv does."""
    columns = [number_texts(each.ravel()) for each in values]
    lines: list[str] = []
    for number, place in enumerate(places):
        where = _line(place.x, place.y) if isinstance(place, Point) else _line(place.id)
        part = slice(number * len(times), (number + 1) * len(times))
        lines += map(",".join, zip(times, repeat(where[:-1]), *(each[part] for each in columns), strict=False))
    return "\n".join([*lines, ""])


def _line(*cells: str | float | None) -> str:
    """With quotes where a text needs them."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
