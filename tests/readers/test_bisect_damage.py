"""Reads around damaged dates, and their number."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import DateUnreadable, SourceUnavailable
from chronotile.core.model.encoding import UNREADABLE_CODE, Encoding
from chronotile.core.model.raster import Pixels
from chronotile.readers.bisect_damage import block_around_damage, cell_around_damage, dates_around_damage

ENCODING = Encoding(dtype="int16", nodata=-1)


class Source:
    """Returns ten times the index, and fails if the read includes a damaged one."""

    def __init__(self, damaged=()):
        self.damaged, self.reads = set(damaged), []

    def read(self, indexes):
        self.reads.append(list(indexes))
        if self.damaged & set(indexes):
            raise DateUnreadable("damaged")
        return Pixels(np.array(indexes, dtype="int16") * 10)

    def block(self, indexes):
        cells = self.read(indexes)
        return replace(cells, numbers=np.repeat(cells.numbers[:, None], 3, axis=1))


def test_good_dates_are_read_together():
    source, told = Source(), []

    pixels = cell_around_damage(source.read, range(365), ENCODING, lambda index, _error: told.append(index))

    assert (len(source.reads), told) == (1, [])
    assert pixels.reasons is None


def test_one_damaged_date_of_a_year_costs_few_reads():
    source, told = Source([200]), []

    pixels = cell_around_damage(source.read, range(365), ENCODING, lambda index, _error: told.append(index))

    assert told == [200]
    assert len(source.reads) <= 2 * 9 + 1
    assert sum(map(len, source.reads)) <= 3 * 365
    assert pixels.reasons == tuple("unreadable" if index == 200 else None for index in range(365))


@given(st.sets(st.integers(0, 40)), st.lists(st.integers(0, 40), min_size=1, unique=True).map(sorted))
def test_all_other_dates_are_read_and_each_damaged_one_is_reported_once(damaged, indexes):
    source, told = Source(damaged), []

    cell = cell_around_damage(source.read, indexes, ENCODING, lambda index, _error: told.append(index))
    block = block_around_damage(source.block, indexes, ENCODING, lambda _index, _error: None, shape=(3,))

    bad = [index in damaged for index in indexes]
    assert sorted(told) == [index for index in indexes if index in damaged]
    assert [int(number) for number, is_bad in zip(cell.numbers, bad, strict=True) if not is_bad] == [
        10 * index for index in indexes if index not in damaged
    ]
    reasons = cell.reasons or (None,) * len(indexes)
    assert [reason == "unreadable" for reason in reasons] == bad
    codes = np.zeros((len(indexes), 3)) if block.codes is None else block.codes.numbers
    np.testing.assert_array_equal(codes == UNREADABLE_CODE, np.repeat(np.array(bad)[:, None], 3, axis=1))


def test_parts_are_in_order():
    source = Source([3, 4, 9])

    parts = list(dates_around_damage(source.read, range(12), lambda _index, _error: None))

    found = [
        number for place, pixels in parts for number in zip(range(12)[place], pixels.numbers.tolist(), strict=True)
    ]
    assert found == [(index, 10 * index) for index in range(12) if index not in source.damaged]


def test_source_that_becomes_unavailable_is_no_damaged_date():
    def read(indexes):
        if len(indexes) < 4:
            raise SourceUnavailable("away")
        raise DateUnreadable("damaged")

    with pytest.raises(SourceUnavailable) as raised:
        cell_around_damage(read, range(8), ENCODING, lambda _index, _error: None)

    assert not isinstance(raised.value, DateUnreadable)
