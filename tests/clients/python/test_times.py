"""Times as text, and as an index."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from chronotile_client.times import time_index, time_text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (None, None),
        ("2023-06/..", "2023-06/.."),
        (date(2023, 6, 1), "2023-06-01"),
        (datetime(2023, 6, 1, 10, 50), "2023-06-01T10:50:00Z"),
        (datetime(2023, 6, 1, 12, 50, tzinfo=timezone(timedelta(hours=2))), "2023-06-01T10:50:00Z"),
        (pd.Timestamp("2023-06-01T10:50:00.5"), "2023-06-01T10:50:00.500000Z"),
        (pd.Timestamp("2023-06-01", tz=UTC), "2023-06-01T00:00:00Z"),
        (np.datetime64("2023-06-01"), "2023-06-01"),
        (np.datetime64("2023-06"), "2023-06"),
        (np.datetime64("2023-06-01T10:50"), "2023-06-01T10:50Z"),
        (slice("2023", date(2024, 2, 1)), "2023/2024-02-01"),
        (slice(None, "2024"), "../2024"),
        (slice(None, None), "1678/.."),
        (["2023-06-01", date(2023, 6, 11)], "2023-06-01,2023-06-11"),
        (pd.DatetimeIndex(["2023-06-01", "2023-06-11"]), "2023-06-01T00:00:00Z,2023-06-11T00:00:00Z"),
    ],
)
def test_text_of_a_time(time, text):
    assert time_text(time) == text


@pytest.mark.parametrize("time", [7, slice("2023", "2024", 2), [7], [], np.array([], "M8[ns]"), pd.DatetimeIndex([])])
def test_invalid_time_is_refused(time):
    with pytest.raises(ValueError, match=r"time|instant"):
        time_text(time)


def test_index_has_no_time_zone_and_a_missing_instant_for_a_layer_without_time():
    index = time_index(["2023-06-01T10:50:29.024Z", None])

    assert index[0] == pd.Timestamp("2023-06-01T10:50:29.024")
    assert index.tz is None
    assert pd.isna(index[1])
