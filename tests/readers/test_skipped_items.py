"""Failures of items: the cached ones, their duration, and that each is counted and logged only one time."""

import numpy as np
import pytest

from chronotile.core.errors import DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import ItemRef
from chronotile.core.model.space.boxes import BBox
from chronotile.readers import skipped_items
from chronotile.readers.library_errors import Damaged
from chronotile.readers.remote.requests import Away, Refused, Replaced
from chronotile.readers.skipped_items import SkippedItems, reason_of


def caused_by(cause, kind=DateUnreadable):
    error = kind("cannot be read")
    error.__cause__ = cause
    return error


def ref(number, changed=1):
    return ItemRef(number, f"item {number}", np.datetime64("2024-05-01", "ns"), changed, BBox(4, 50, 5, 51))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (caused_by(Refused(404)), "missing"),
        (caused_by(Refused(410), SourceUnavailable), "missing"),
        (caused_by(Refused(416)), "damaged"),
        (caused_by(Refused(403)), "refused"),
        (caused_by(Damaged("a block")), "damaged"),
        (UnsupportedSource("it is not a TIFF"), "damaged"),
        (caused_by(Replaced("another ETag")), "changed"),
        (caused_by(Away("503")), "unavailable"),
        (caused_by(Away("cut off"), SourceUnavailable), "unavailable"),
        (caused_by(FileNotFoundError("a.tif")), "missing"),
        (OSError("no route"), "unavailable"),
    ],
)
def test_reasons(error, reason):
    assert reason_of(error) == reason


def test_only_permanent_failures_are_remembered_and_for_a_limited_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(skipped_items, "monotonic", lambda: now[0])
    found = SkippedItems()

    found.note("gone", caused_by(Refused(404)))
    found.note("away", caused_by(Away("503")))

    assert found.failure("away") is None
    assert reason_of(found.failure("gone")) == "missing"
    assert found.failure("gone").__cause__ is None  # no frames are held
    now[0] = skipped_items.SKIP_S
    assert found.failure("gone") is None


def test_each_state_of_an_item_is_counted_and_logged_once(caplog):
    found = SkippedItems()

    for each in (ref(1), ref(1), ref(2), ref(1, changed=2)):
        found.report("s2", each, caused_by(Refused(404)))

    assert found.counts == {("s2", "missing"): 3}
    assert len(caplog.messages) == 3
    found.clear()
    found.report("s2", ref(1), caused_by(Refused(404)))
    assert len(caplog.messages) == 4


def test_memory_of_failures_is_bounded(monkeypatch):
    monkeypatch.setattr(skipped_items, "MAX_REMEMBERED", 10)
    found = SkippedItems()

    for number in range(50):
        found.note(number, caused_by(Refused(404)))
        found.report("s2", ref(number), caused_by(Refused(404)))

    assert (len(found._failures), len(found._reported)) == (10, 10)
    assert found.counts == {("s2", "missing"): 50}
