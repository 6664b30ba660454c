import pytest

from benchmarks.load.open_loop import OpenLoop, parse


@pytest.mark.parametrize(("share", "expected"), [(50, 0.6), (95, 2.1), (99.9, 300.1)])
def test_percentiles_are_those_of_the_counts(share, expected):
    found = OpenLoop(100, {5: 90, 20: 9, 3000: 1}, 0)

    assert found.percentile_ms(share) == expected


def test_output_of_the_script_is_parsed():
    found = parse("Requests/sec: 3\n\nFAILED 2\nTENTHS 13 40\nTENTHS 9 60\n", 50)

    assert (found.answered, found.failed, found.counts) == (100, 2, {13: 40, 9: 60})
