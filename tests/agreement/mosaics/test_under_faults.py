"""Faults under load: no wrong pixel, no status but 200 and 503, no memory that only grows, recovery."""

import pytest

from tests.sampling import IS_FULL
from tests.scenes_archive.under_faults import run

pytestmark = pytest.mark.slow

SECONDS = 60 if IS_FULL else 15
MOST_GROWTH_MB = 100
"""Sum of both workers, which fill caches of 24 MB and load libraries when they first need them."""


def test_no_answer_is_wrong_while_scenes_fail_hang_and_are_replaced(tmp_path):
    report = run(SECONDS, tmp_path, is_enough=lambda so_far: so_far.faults.total() > 10 and len(so_far.memory_mb) > 8)

    assert report.wrong == []
    assert set(report.statuses) <= {"CELL 200", "CELL 503", "WHOLE 200"}, report.lines()
    assert report.statuses["CELL 200"] > 20
    assert report.faults.total() > 10
    assert report.recovered
    assert report.growth_mb < MOST_GROWTH_MB, report.lines()
