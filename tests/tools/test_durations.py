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


def of(name, *seconds):
    return "".join(f"9\t{each}\ttests/{name}[{number}]\n" for number, each in enumerate(seconds))


@pytest.mark.parametrize(
    ("before", "quick", "rest", "expected"),
    [
        ("", of("a", 0.2, 0.2), "", "tests/a\n"),
        ("", of("a", 0.9, 0.05, 0.05), "", ""),  # the first case makes what all use
        ("", of("a", 0.9), "", ""),
        ("", of("a", 0.2, 0.2) + of("b", 0.01, 0.01) + of("c", 0.3, 0.1), "", "tests/a\ntests/c\n"),
        ("tests/a\n", of("a", 0.2), of("a", 0.08, 0.08), "tests/a\n"),
        ("tests/a\n", of("a", 0.2), of("a", 0.01, 0.01), ""),
        ("tests/a\n", of("b", 0.2), of("c", 0.2, 0.2), ""),  # the function is gone, the other one is of a later tier
    ],
)
def test_functions_whose_further_cases_take_long_are_listed(kept, before, quick, rest, expected):
    kept.mkdir()
    (kept / "one_case.txt").write_text(before)
    (kept.parent / ".test-durations-quick.tsv").write_text(quick)
    (kept.parent / ".test-durations-rest.tsv").write_text(rest)

    durations.main()

    assert (kept / "one_case.txt").read_text() == expected


def test_the_list_stays_as_it_is_after_a_run_of_one_tier(kept):
    kept.mkdir()
    (kept / "one_case.txt").write_text("tests/a\n")
    (kept.parent / ".test-durations-quick.tsv").write_text(of("a", 0.01, 0.01))

    durations.main()

    assert (kept / "one_case.txt").read_text() == "tests/a\n"
