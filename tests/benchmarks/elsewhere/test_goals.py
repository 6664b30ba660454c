"""Whether the goals of the benchmark of sources elsewhere are met."""

import pytest

from benchmarks.elsewhere.result import Result, Seen

MET = {
    "start_s": {"without": [3.0, 4.0], "with": [5.0, 6.0]},
    "p95_ms": {"without": [10.0, 20.0], "with": [12.0, 24.0]},
    "term_s": {"without": [1.0], "with": [2.0]},
    "local_statuses": {"without": {200: 9}, "with": {200: 9}},
    "elsewhere": {"E0": Seen()},
    "first_back_s": {"E0": 3.0},
    "back_s": {"E0": 3.0},
}


def test_all_goals_are_met():
    assert all(Result(**MET).goals().values())


@pytest.mark.parametrize(
    ("missed", "goal"),
    [
        ({"start_s": {"without": [3.0], "with": [7.0]}}, "later"),
        ({"start_s": {"without": [3.0, 3.0], "with": [4.0, None]}}, "later"),
        ({"p95_ms": {"without": [10.0], "with": [16.0]}}, "p95"),
        ({"term_s": {"without": [1.0], "with": [2.0, None]}}, "SIGTERM"),
        ({"local_statuses": {"without": {200: 9}, "with": {200: 8, 503: 1}}}, "local tiles answered"),
        ({"elsewhere": {"E0": Seen(wrong=["wrong pixels"])}}, "pixel"),
        ({"back_s": {"E0": None}}, "came back"),
    ],
)
def test_missed_goal_is_reported(missed, goal):
    (found,) = [name for name, is_met in Result(**{**MET, **missed}).goals().items() if not is_met]

    assert goal in found
