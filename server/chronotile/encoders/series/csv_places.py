"""Series of many places as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from chronotile.encoders.instants import format_instants
from chronotile.encoders.series.table import PlaceSeries, PlacesSeries
from chronotile.model.number_text import number_texts, statistics
from chronotile.model.places import PlaceValues

PLACES_A_PIECE = 64


def encode_places_csv(series: PlacesSeries) -> Iterator[bytes]:
    """Yield a long table in pieces: one line a place and time, with the reducers, `valid` and `total` in columns.

    Where any area has a note, the last column has them. `id` is what the client called the place, or its number from
    1. Fields without a value are empty. Numbers are written as in JSON; lines end with a line feed alone.
    """
    times = format_instants(series.times)
    has_notes = series.has_notes
    extra = ["valid", "total", *(["note"] if has_notes else [])] if series.has_areas else ["reason"]
    yield _lines([["id", "time", *series.columns, *extra]])
    names = series.names
    for start in range(0, len(names), PLACES_A_PIECE):
        stop = start + PLACES_A_PIECE
        yield b"".join(
            _lines(zip([name] * len(times), times, *_columns(place, series, has_notes=has_notes), strict=True))
            for name, place in zip(names[start:stop], series.places[start:stop], strict=True)
        )


def encode_place_values_csv(found: PlaceValues) -> bytes:
    """Return the matrix as a long table: one line a place and time, the values in a column called as the reducer.

    Fields without a value are empty; numbers and lines are as those of `encode_places_csv`.
    """
    times = format_instants(found.times)
    rows = (
        zip([name] * len(times), times, number_texts(statistics(values)), strict=True)
        for name, values in zip(found.ids, found.values, strict=True)
    )
    return _lines([["id", "time", found.reducer]]) + b"".join(map(_lines, rows))


def _columns(place: PlaceSeries, series: PlacesSeries, *, has_notes: bool) -> list[Sequence[object]]:
    columns: list[Sequence[object]] = [number_texts(series.texts(name, values)) for name, values in place.flat.items()]
    if place.valid is None:
        return [*columns, list(place.reasons or ())]
    notes: list[Sequence[object]] = [[place.note] * len(place.valid)] if has_notes else []
    return [*columns, list(place.valid.tolist()), list(place.totals.tolist()), *notes]


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()
