"""A series as CSV."""

import csv
import io

from chronotile.encoders.instants import format_instants
from chronotile.encoders.series.analysis import findings_columns
from chronotile.model.number_text import number_texts, text_values
from chronotile.model.series.series import Series

HEADER = ("time", "value", "reason")


def encode_series_csv(series: Series) -> bytes:
    """Return one line a time; where there is no value the field is empty and the reason says why.

    Numbers are written as in JSON. Lines end with a line feed alone. What was found out at each
    time follows in columns of its own.
    """
    found = {} if series.findings is None else findings_columns(series.findings, 0)
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*HEADER, *found))
    texts = (number_texts(text_values(column, None)) for column in found.values())
    columns = (number_texts(text_values(series.values, series.encoding)), series.reasons, *texts)
    writer.writerows(zip(format_instants(series.times), *columns, strict=True))
    return buffer.getvalue().encode()
