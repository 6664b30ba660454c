import math

import pytest

from benchmarks.findings import Findings, Row, markdown, ratio


@pytest.mark.parametrize(("unit", "expected"), [("req/s", 2.0), ("ms", 0.5)])
def test_ratio_is_how_many_times_better_ours_is(unit, expected):
    assert ratio([2.0, 4.0, 6.0], [1.0, 2.0, 2.0], unit) == pytest.approx(expected)


def test_ratio_to_a_failure_is_no_number():
    assert math.isnan(ratio([1.0], [0.0], "req/s"))


def test_table_has_medians_spread_ratios_and_failures():
    findings = Findings(suite="s", title="Tiles", about="Of a COG.", ours="ours", command="make bench")
    findings.rows += [
        Row(case="z14", contender="ours", unit="req/s", rounds=[1000.0, 1100.0, 1200.0]),
        Row(case="z14", contender="theirs", unit="req/s", rounds=[50.0, 55.0, 60.0], failed=2),
    ]
    findings.absent.append("another: cannot: tiles")

    lines = markdown(findings).splitlines()

    assert "| ours | 1100 [1000..1200] |" in lines
    assert "| theirs | 55.0 [50.0..60.0], 2 failed **20.0x** |" in lines
    assert "- another: cannot: tiles" in lines


def test_case_that_a_contender_lacks_is_a_dash():
    findings = Findings(suite="s", title="Tiles", about="", ours="ours")
    findings.rows += [
        Row(case="z14", contender="ours", unit="ms", rounds=[1.0]),
        Row(case="z8", contender="theirs", unit="ms", rounds=[2.0]),
    ]

    assert "| theirs | - | 2.00 [2.00..2.00] |" in markdown(findings).splitlines()
