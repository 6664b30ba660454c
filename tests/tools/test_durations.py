import pytest

from tools import durations

LINES = """1.500\t1.250\ttests/test_a.py::test_one[x]
0.200\t0.100\ttests/test_a.py::test_one[y[0]]
0.100\t0.100\ttests/test_b.py::test_two
"""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(durations, "ROOT", tmp_path)
    monkeypatch.setattr(durations, "KEPT", tmp_path / "kept")
    return tmp_path / "kept"


def test_cases_of_a_function_are_added_up_and_short_ones_are_not_kept(kept):
    (kept.parent / ".test-durations-rest.tsv").write_text(LINES)

    assert durations.main() == 0
    assert (kept / "rest.tsv").read_text().splitlines()[1:] == ["1.7\t1.4\t1.2\t2\ttests/test_a.py::test_one"]


def test_a_case_that_is_too_slow_for_the_quick_tier_is_named(kept, capsys):
    (kept.parent / ".test-durations-quick.tsv").write_text(LINES)

    assert durations.main() == 1
    assert capsys.readouterr().out == "too slow for the quick tier: tests/test_a.py::test_one\n"
