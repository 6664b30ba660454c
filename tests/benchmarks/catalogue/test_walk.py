"""Right and wrong walks over pages."""

import pytest

from benchmarks.catalogue.walk import judge

EXPECTED = ["c", "b", "a"]


def test_items_that_come_once_in_order_are_right_also_between_added_ones():
    verdict = judge(EXPECTED, ["c", "new", "b", "a"])

    assert verdict.is_right
    assert (verdict.expected, verdict.added_seen) == (3, 1)


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (["c", "a"], {"missing": 1}),
        (["c", "b", "b", "a"], {"twice": 1}),
        (["c", "new", "b", "new", "a"], {"twice": 1}),
        (["b", "c", "a"], {"is_in_order": False}),
    ],
)
def test_fault_is_reported(seen, fault):
    verdict = judge(EXPECTED, seen)

    assert not verdict.is_right
    assert {name: getattr(verdict, name) for name in fault} == fault
