"""A series as CSV."""

import csv
import io

import numpy as np
from numpy.typing import NDArray

from chronotile.encoders.findings import findings_columns
from chronotile.encoders.instants import format_instants
from chronotile.model.series import Series

HEADER = ("time", "value", "reason")


def encode_series_csv(series: Series) -> bytes:
    """Return one line a time; where there is no value the field is empty and the reason says why.

    Numbers are written shortest-round-trip. Lines end with a line feed alone. What was found out at each
    time follows in columns of its own.
    """
    found = {} if series.findings is None else findings_columns(series.findings, 0)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*HEADER, *found))
    columns = (_fields(series.values), series.reasons, *map(_fields, found.values()))
    writer.writerows(zip(format_instants(series.times), *columns, strict=True))
    return buffer.getvalue().encode()


def _fields(column: NDArray[np.float64] | NDArray[np.int64]) -> list[float | int | str]:
    """Numbers, and nothing where there is none."""
    known = np.isfinite(column).tolist()
    return [value if is_known else "" for value, is_known in zip(column.tolist(), known, strict=True)]
