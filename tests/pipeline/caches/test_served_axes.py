"""Time axes that clients have: an index never silently means another date."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.pipeline.caches.served_axes import HOUR_S, KEPT_S, ServedAxes, TimeAxis
from chronotile.readers.caches.records import RecordsInFolder
from tests.clock import Clock


def axis(*days: int, layout: str = "a") -> TimeAxis:
    return TimeAxis(layout, np.array(days, dtype=np.int64))


def test_an_axis_that_grows_keeps_its_encoding():
    axes = ServedAxes()

    assert [axes.give("NDVI", axis(*range(count))) for count in (3, 4, 9)] == [0, 0, 0]


def test_an_axis_with_a_late_date_has_another_encoding():
    axes = ServedAxes()
    axes.give("NDVI", axis(1, 3))

    assert axes.give("NDVI", axis(1, 2, 3)) == 1


def test_another_layout_has_another_encoding():
    axes = ServedAxes()
    axes.give("NDVI", axis(1, 2))

    assert axes.give("NDVI", axis(1, 2, layout="b")) == 1


def test_layers_do_not_meet():
    axes = ServedAxes()
    axes.give("NDVI", axis(1, 3))

    assert axes.give("FAPAR", axis(1, 2)) == 0
    assert axes.means_the_same("FAPAR", 0, axis(1, 2), range(2))


def test_indexes_before_a_late_date_still_mean_the_same():
    axes, later = ServedAxes(), axis(1, 2, 3)
    axes.give("NDVI", axis(1, 3))

    assert axes.means_the_same("NDVI", 0, later, range(1))
    assert not axes.means_the_same("NDVI", 0, later, range(1, 2))
    assert axes.means_the_same("NDVI", 0, later, range(2, 3))


def test_a_date_that_is_no_more_means_nothing():
    axes = ServedAxes()
    axes.give("NDVI", axis(1, 2, 3))

    assert not axes.means_the_same("NDVI", 0, axis(1, 2), range(2, 3))


def test_an_axis_without_the_newest_date_has_another_encoding_and_is_whole():
    axes = ServedAxes()
    axes.give("NDVI", axis(1, 2, 3))

    assert axes.give("NDVI", axis(1, 2)) == 1
    assert axes.means_the_same("NDVI", 1, axis(1, 2), range(16_384))
    assert not axes.means_the_same("NDVI", 0, axis(1, 2), range(16_384))


def test_a_date_that_comes_and_goes_takes_two_encodings():
    axes = ServedAxes()

    assert [axes.give("NDVI", axis(*range(count))) for count in (3, 2, 3, 2, 4)] == [0, 1, 0, 1, 0]


def test_longer_axis_is_remembered_with_a_shorter_one():
    axes = ServedAxes()
    axes.give("NDVI", axis(1, 2, 3))
    axes.give("NDVI", axis(1, 2))

    assert axes.give("NDVI", axis(1, 2, 4)) == 1
    assert not axes.means_the_same("NDVI", 0, axis(1, 2, 4), range(2, 3))


def test_workers_share_their_axes(tmp_path):
    first, second = (ServedAxes(RecordsInFolder(tmp_path / "axes")) for _ in range(2))
    first.give("NDVI", axis(1, 3))

    assert second.give("NDVI", axis(1, 2, 3)) == 1
    assert not second.means_the_same("NDVI", 0, axis(1, 2, 3), range(1, 2))


def test_encoding_unused_for_a_day_is_reused():
    clock = Clock()
    axes = ServedAxes(clock=clock)
    given_out = [axes.give("NDVI", axis(1, number)) for number in (2, 3, 4, 5)]
    clock.now_s = KEPT_S + 2 * HOUR_S

    assert given_out == [0, 1, 2, None]
    assert axes.give("NDVI", axis(1, 5)) == 0
    assert axes.means_the_same("NDVI", 0, axis(1, 5), range(2))


def test_an_encoding_in_use_is_remembered():
    clock = Clock()
    axes = ServedAxes(clock=clock)
    for number in (2, 3, 4):
        axes.give("NDVI", axis(1, number))
    clock.now_s = KEPT_S + 2 * HOUR_S
    axes.give("NDVI", axis(1, 2))

    assert axes.give("NDVI", axis(1, 5)) == 1


@given(st.lists(st.sets(st.integers(0, 8), min_size=1), min_size=1, max_size=8))
def test_no_client_gets_another_date(states):
    axes, held = ServedAxes(), []
    for days in states:
        current = axis(*sorted(days))
        if (given_out := axes.give("NDVI", current)) is not None:
            assert axes.means_the_same("NDVI", given_out, current, range(len(days) + 3))
            held.append((given_out, current))
        for encoding, own in held:
            for index in range(len(own.starts)):
                if axes.means_the_same("NDVI", encoding, current, range(index, index + 1)):
                    assert current.starts[index] == own.starts[index]


@pytest.mark.parametrize("encoding", [0, 1, 2])
def test_axis_that_was_never_given_out_counts_as_the_same(encoding):
    assert ServedAxes().means_the_same("NDVI", encoding, axis(1, 2), range(2))


class Full:
    """Records on a disk that is full, as `RecordsInFolder` answers there."""

    def __init__(self) -> None:
        self.is_full = False
        self._texts: dict[str, str] = {}

    def add(self, name: str, text: str) -> bool:
        if not self.is_full:
            self._texts[name] = text
        return True

    def remove(self, name: str) -> bool:
        return self._texts.pop(name, None) is not None

    def names(self) -> list[str]:
        return list(self._texts)

    def read(self, name: str) -> str | None:
        return self._texts.get(name)


def test_axis_that_cannot_be_stored_is_not_given_out():
    records = Full()
    axes = ServedAxes(records)
    axes.give("NDVI", axis(1, 2, 4))
    records.is_full = True

    assert axes.give("NDVI", axis(1, 2, 3, 4)) is None
    assert axes.give("NDVI", axis(1, 2, 4)) == 0
    records.is_full = False
    assert axes.give("NDVI", axis(1, 2, 3, 4)) == 1


def test_forgotten_axes_take_no_memory():
    clock = Clock()
    axes = ServedAxes(clock=clock)
    for hour in range(50):
        clock.now_s = hour * HOUR_S
        axes.give("NDVI", axis(1, 2))

    axes.give("NDVI", axis(1, 2))

    assert len(axes._cached) <= 2
