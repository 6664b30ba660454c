"""A series as CSV."""

import csv
import io

import numpy as np

from chronotile.encoders.instants import format_instants
from chronotile.model.series import Series

HEADER = ("time", "value", "reason")


def encode_series_csv(series: Series) -> bytes:
    """Return one line a time; where there is no value the field is empty and the reason says why.

    Numbers are written shortest-round-trip. Lines end with a line feed alone.
    """
    known = np.isfinite(series.values).tolist()
    values = (value if is_known else "" for value, is_known in zip(series.values.tolist(), known, strict=True))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(zip(format_instants(series.times), values, series.reasons, strict=True))
    return buffer.getvalue().encode()
