"""Made series for tests of their analysis."""

import numpy as np
from hypothesis import strategies as st

from chronotile.core.model.series.analysis import Curves


def dekads(first_year: int, last_year: int) -> np.ndarray:
    """Starts of all dekads of these years."""
    days = [
        f"{year}-{month:02}-{day:02}"
        for year in range(first_year, last_year + 1)
        for month in range(1, 13)
        for day in (1, 11, 21)
    ]
    return np.array(days, dtype="datetime64[ns]")


def of_days(days, start: str = "2020-01-01") -> np.ndarray:
    """Times so many days after a start."""
    nanoseconds = np.round(np.asarray(days, dtype=float) * 86_400e9).astype("timedelta64[ns]")
    return np.datetime64(start, "ns") + nanoseconds


def curves(times, *rows) -> Curves:
    """Series of these values; `None` is a gap."""
    values = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=float)
    return Curves(times=np.asarray(times, dtype="datetime64[ns]"), values=values.reshape(len(rows), len(times)))


VALUES = st.lists(st.none() | st.floats(-1, 1).map(lambda value: round(value, 2)), min_size=1, max_size=25)
"""One series with gaps and ties."""


@st.composite
def uneven(draw, values=VALUES) -> Curves:
    """One series at uneven whole days."""
    row = draw(values)
    spacing = draw(st.lists(st.integers(1, 40), min_size=len(row), max_size=len(row)))
    return curves(of_days(np.cumsum(spacing)), row)
