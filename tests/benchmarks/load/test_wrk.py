import pytest

from benchmarks.load.wrk import parse


def test_output_of_the_script_is_parsed():
    found = parse("Running 1s test\n  120 requests in 1.00s\n\nRESULT 120 1000000 20 3 1500 9000\n")

    assert found.per_s == pytest.approx(100)
    assert (found.failed, found.p50_ms, found.p95_ms) == (23, 1.5, 9.0)
