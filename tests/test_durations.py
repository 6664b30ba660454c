import pytest

from tests.durations import DEFAULT

TWO = "import time\ndef test_slow(): time.sleep(0.02)\ndef test_fast(): pass"


def written(pytester, monkeypatch, name):
    monkeypatch.setenv("CHRONOTILE_TEST_DURATIONS", name)
    pytester.makepyfile(test_it=TWO)
    pytester.runpytest_inprocess("-p", "tests.durations", "-p", "no:cacheprovider")
    return [line.split("\t") for line in (pytester.path / (name or DEFAULT)).read_text().splitlines()]


def test_each_test_has_a_line_with_its_seconds_the_slowest_first(pytester, monkeypatch):
    lines = written(pytester, monkeypatch, "")

    elapsed_s = {test: float(seconds) for seconds, _processor_s, test in lines}
    assert set(elapsed_s) == {"test_it.py::test_slow", "test_it.py::test_fast"}
    assert elapsed_s["test_it.py::test_slow"] >= 0.02
    assert list(elapsed_s.values()) == sorted(elapsed_s.values(), reverse=True)


def test_durations_file_has_the_configured_name(pytester, monkeypatch):
    assert len(written(pytester, monkeypatch, "other.tsv")) == 2


def test_a_run_that_is_cut_short_leaves_the_tests_that_ended(pytester, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_TEST_DURATIONS", "")
    look = f"assert Path({DEFAULT!r}).read_text().split('\\t')[2:] == ['test_it.py::test_first\\n']"
    pytester.makepyfile(test_it=f"from pathlib import Path\ndef test_first(): pass\ndef test_second(): {look}")

    pytester.runpytest_inprocess("-p", "tests.durations", "-p", "no:cacheprovider").assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_test_whose_process_crashes_fails_and_the_others_run(pytester, pytestconfig, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    monkeypatch.setenv("CHRONOTILE_TEST_DURATIONS", "")
    pytester.makepyfile(test_it="import os\ndef test_crash(): os.abort()\ndef test_other(): pass")

    run = pytester.runpytest_subprocess("-p", "tests.durations", "-p", "no:cacheprovider", "-n", "1")

    run.assert_outcomes(passed=1, failed=1)
