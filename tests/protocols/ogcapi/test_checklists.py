"""Tests name existing lines of the checklists; every missing line is explained in docs/design/conformance.md."""

import pytest

from tests.protocols.checklists import SUITES, ids_held, ids_left_out, ids_of, lines_of

IDS = [
    ("AT 34", {"AT 34"}),
    ("AT 2/3", {"AT 2", "AT 3"}),
    ("AT 9-12", {"AT 9", "AT 10", "AT 11", "AT 12"}),
    ("AT 35/36, 51/52, 83", {"AT 35", "AT 36", "AT 51", "AT 52", "AT 83"}),
    ("A.3-A.5", {"A.3", "A.4", "A.5"}),
    ("A.12/A.13", {"A.12", "A.13"}),
    ("A.1.1-3", {"A.1.1", "A.1.2", "A.1.3"}),
    ("landing page", {"landing page"}),
]


@pytest.mark.parametrize(("name", "expected"), IDS)
def test_name_of_a_line_refers_to_each_of_its_tests(name, expected):
    assert ids_of(name) == expected


@pytest.mark.parametrize(
    ("suite", "count"), [("edr", 20), ("tiles", 9), ("maps", 13), ("coverages", 4), ("processes", 12)]
)
def test_every_clause_of_a_checklist_is_a_line(shared, suite, count):
    assert len(lines_of(suite)) == count


@pytest.mark.parametrize("suite", SUITES)
def test_every_line_of_a_test_exists(shared, suite):
    assert ids_held(suite) <= {each for line in lines_of(suite) for each in line.ids}


@pytest.mark.parametrize("suite", SUITES)
def test_every_line_has_a_test_or_a_reason(shared, suite):
    named = {each for line in lines_of(suite) for each in line.ids}

    assert named - ids_held(suite) == ids_left_out(suite)


def test_at_most_one_line_in_ten_is_excluded(shared):
    held_of = {suite: ids_held(suite) for suite in SUITES}
    lines = [(line.ids, held_of[suite]) for suite in SUITES for line in lines_of(suite)]

    left_out = [ids for ids, held in lines if ids.isdisjoint(held)]
    assert len(left_out) <= len(lines) / 10
