"""Times as the server reads and writes them: UTC, without a time zone in pandas and xarray."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


ALL: Final = "1678/.."
"""All times: from the first whole year of instants in nanoseconds, as servers reject an interval without ends."""


def time_text(time: Any) -> str | None:  # noqa: ANN401 -- the types that users have times in
    """Return the value of `datetime` for a time.

    Args:
        time: Text, passed on unchanged (`"2023"`, `"2023-06/2023-08"`, `"latest"`); a date, datetime, Timestamp or
            datetime64; a slice from first to last, with None for an open end; or a sequence of instants. None for the
            default of the request.

    Raises:
        ValueError: It has another type, is an empty sequence, or a slice with a step.
    """
    if time is None or isinstance(time, str):
        return time
    if isinstance(time, slice):
        if time.step is not None:
            raise ValueError("a slice of times has no step")
        return ALL if time.start is None and time.stop is None else f"{_end(time.start)}/{_end(time.stop)}"
    if isinstance(time, (date, np.datetime64)):
        return _instant(time)
    if isinstance(time, Iterable):
        instants = [_instant(each) for each in time]
        if not instants:
            raise ValueError("there is no time in the sequence of times; None is the default of the request")
        return ",".join(instants)
    raise ValueError(f"a time is a text, a date, a slice or a sequence of dates, got {type(time).__name__}")


def _end(time: Any) -> str:  # noqa: ANN401 -- as in time_text
    return ".." if time is None else _instant(time)


def _instant(time: Any) -> str:  # noqa: ANN401 -- as in time_text
    if isinstance(time, str):
        return time
    if isinstance(time, datetime):  # and so pandas.Timestamp
        if time.tzinfo is not None:
            time = time.astimezone(UTC).replace(tzinfo=None)
        return f"{time.isoformat()}Z"
    if isinstance(time, date):
        return time.isoformat()
    if isinstance(time, np.datetime64):
        return f"{np.datetime_as_string(time)}Z" if _has_hours(time) else str(time)
    raise ValueError(f"an instant is a text, a date, a datetime or a datetime64, got {type(time).__name__}")


def _has_hours(time: "np.datetime64") -> bool:
    return np.datetime_data(time.dtype)[0] not in {"Y", "M", "W", "D"}


def time_index(texts: Sequence[str | None]) -> "pd.DatetimeIndex":
    """Return the server's instants as an index named `time`; a layer without time has one missing instant."""
    import pandas as pd

    instants = np.array([text.removesuffix("Z") if text else "NaT" for text in texts], dtype="datetime64[ns]")
    return pd.DatetimeIndex(instants, name="time")
