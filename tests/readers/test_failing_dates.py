"""The list of unreadable dates: each is reported only one time, by one process or several, and finally forgotten."""

from dataclasses import replace

import numpy as np
import pytest

from chronotile.readers.caches.records import RecordsInFolder, RecordsInMemory
from chronotile.readers.failing_dates import MAX_DATES, FailingDate, FailingDates

DATE = FailingDate(
    collection="s2",
    variable="NDVI",
    instant=np.datetime64("2020-06-01T10:50:00.123456789", "ns"),
    reason="cannot be read",
    state="1a-2b",
)


@pytest.fixture(params=["memory", "folder"])
def make_list(request, tmp_path):
    """Return `make_list()`: the list of another process; in memory there is one process."""
    memory = RecordsInMemory()
    return lambda: FailingDates(memory if request.param == "memory" else RecordsInFolder(tmp_path / "failing"))


def test_date_is_listed_as_reported(make_list):
    make_list().report(DATE, details="NDVI_20200601.tif: ended early")

    assert make_list().list_dates() == (DATE,)


def test_date_without_time_is_listed(make_list):
    still = replace(DATE, instant=None)

    make_list().report(still, details="")

    assert make_list().list_dates() == (still,)


def test_date_is_logged_once_for_all_readers(make_list, caplog):
    for _ in range(3):
        make_list().report(DATE, details="NDVI_20200601.tif: ended early")

    assert caplog.messages == [
        "s2: NDVI of 2020-06-01T10:50:00.123456789Z cannot be read: NDVI_20200601.tif: ended early"
    ]


def test_date_whose_file_is_another_and_fails_again_is_logged_again(make_list, caplog):
    make_list().report(DATE, details="one")
    make_list().report(replace(DATE, state="3c-4d"), details="another")

    assert [message[-7:] for message in caplog.messages] == ["ad: one", "another"]
    assert [date.state for date in make_list().list_dates()] == ["3c-4d"]


def test_cleared_date_is_listed_no_more_and_logged_when_it_fails_again(make_list, caplog):
    make_list().report(DATE, details="one")
    make_list().clear()

    assert make_list().list_dates() == ()
    make_list().report(DATE, details="one")
    assert len(caplog.messages) == 2


def test_other_dates_stay_when_one_has_another_file(make_list):
    other = replace(DATE, variable="LAI")
    make_list().report(other, details="")
    make_list().report(DATE, details="")

    make_list().forget(DATE)

    assert make_list().list_dates() == (other,)


def test_dates_are_in_order(make_list):
    dates = [replace(DATE, instant=np.datetime64(day, "ns")) for day in ("2020-01-03", "2020-01-01", "2020-01-02")]

    for date in dates:
        make_list().report(date, details="")

    assert make_list().list_dates() == tuple(sorted(dates, key=lambda date: date.instant))


def test_list_is_bounded_and_the_overflow_is_logged(caplog):
    dates = FailingDates()

    for number in range(MAX_DATES + 10):
        dates.report(replace(DATE, instant=np.datetime64(number, "ns")), details="")

    assert (len(dates.list_dates()), len(caplog.messages)) == (MAX_DATES, MAX_DATES + 1)
    assert caplog.messages[-1] == f"{MAX_DATES} dates cannot be read; more are neither listed nor logged"
