import pytest

from tools import durations

ONE = "tests/test_a.py::test_one"
SOURCE = "def test_one(): pass\ndef test_two(): pass\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(SOURCE)
    monkeypatch.setattr(durations, "ROOT", tmp_path)
    return tmp_path


def test_cost_is_mean_of_the_cases_of_a_function():
    lines = ["9\t1.2\ttests/test_a.py::test_one[x]", "9\t0.2\ttests/test_a.py::test_one[y[0]]"]

    assert durations.measured_costs(lines) == {"tests/test_a.py::test_one": pytest.approx(0.7)}


@pytest.mark.parametrize(
    ("stored", "quick", "later", "expected"),
    [
        ({}, {ONE: 0.09}, {}, {ONE: 0.09}),
        ({}, {ONE: 0.07}, {}, {}),
        ({}, {}, {ONE: 0.07}, {ONE: 0.07}),
        ({ONE: 0.2}, {}, {ONE: 0.03}, {ONE: 0.03}),
        ({ONE: 0.2}, {}, {}, {ONE: 0.2}),
        ({"tests/test_a.py::test_gone": 0.2}, {}, {}, {}),
        ({"tests/test_gone.py::test_one": 0.2}, {}, {}, {}),
    ],
    ids=["expensive", "cheap", "later", "cheaper", "not run", "function deleted", "module deleted"],
)
def test_stored_costs_follow_the_runs(root, stored, quick, later, expected):
    assert durations.update_costs(stored, quick=quick, later=later) == expected


def test_runs_of_all_tiers_update_the_stored_costs(root, monkeypatch):
    costs = root / "costs.tsv"
    monkeypatch.setattr(durations, "COSTS", costs)
    monkeypatch.setattr(durations, "stored_costs", dict)
    (root / ".test-durations-quick.tsv").write_text("9\t0.5\ttests/test_a.py::test_two\n")
    (root / ".test-durations-rest.tsv").write_text("9\t0.25\ttests/test_a.py::test_one\n")

    durations.main()

    assert costs.read_text() == "0.25\ttests/test_a.py::test_one\n0.50\ttests/test_a.py::test_two\n"
