import pytest

from tests import quick, tiers

QUICK, LATER = "not (slow or client)", "slow or client"
FAILS = "import no_such_module\n"
MARKED = "import pytest\n@pytest.mark.slow\ndef test_slow(): pass\n"


@pytest.fixture
def run(pytester, monkeypatch):
    """Return `run(markers, *arguments, name=source, ...)`: the results of these modules of `tests`."""
    for each in (tiers.read, tiers.possible_markers, tiers._modules_with_expensive_functions):
        each.cache_clear()
    monkeypatch.setattr(tiers, "ROOT", pytester.path)

    def of(markers, *arguments, **sources):
        for name, source in sources.items():
            path = pytester.path / "tests" / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        options = ["-p", "tests.tiers", "-p", "no:cacheprovider", "--import-mode=importlib", "-m", markers, *arguments]
        return pytester.runpytest_inprocess(*options)

    return of


@pytest.mark.parametrize(
    "certain", ["pytestmark = pytest.mark.slow", "pytestmark = [\n    pytest.mark.data,\n    pytest.mark.slow,\n]"]
)
def test_a_module_whose_tests_are_all_slow_is_not_imported_for_quick_ones(run, certain):
    run(QUICK, test_a="def test_it(): pass", test_b=f"{certain}\n{FAILS}").assert_outcomes(passed=1)


def test_a_module_that_names_no_marker_is_not_imported_for_slow_tests(run):
    run(LATER, test_a=MARKED, test_b=FAILS).assert_outcomes(passed=1)


@pytest.mark.parametrize("markers", [QUICK, LATER])
def test_module_that_mentions_a_marker_may_be_collected(run, markers):
    run(markers, test_a=f"{MARKED}def test_quick(): pass").assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize(
    "sources",
    [
        {"conftest.py": "pytest.param(1, marks=pytest.mark.client)"},
        {"a/conftest.py": "pytest.param(1, marks=pytest.mark.client)"},
        {"a/test_a.py": "from tests.kinds import EACH", "kinds.py": "EACH = mark.client"},
        {
            "a/test_a.py": "from tests import (\n    kinds,\n)",
            "kinds.py": "from tests.b import C",
            "b.py": "mark.client",
        },
    ],
)
def test_markers_of_conftest_files_and_imports_are_read(tmp_path, monkeypatch, sources):
    monkeypatch.setattr(tiers, "ROOT", tmp_path)
    for name, source in {"a/test_a.py": "", **sources}.items():
        path = tmp_path / "tests" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    assert tiers.possible_markers(tmp_path / "tests" / "a" / "test_a.py") == {"client"}


def test_named_module_is_collected_in_any_case(run):
    result = run(QUICK, "tests/test_a.py", test_a=MARKED)

    result.assert_outcomes(deselected=1)


@pytest.mark.parametrize("markers", ["checklist", ""])
def test_a_run_of_other_markers_or_of_all_imports_all(run, markers):
    assert run(markers, test_a=MARKED, test_b=FAILS).parseoutcomes()["errors"] == 1


def test_marker_without_a_source_is_refused(run):
    hidden = "import pytest\nclient = getattr(pytest.mark, 'client')\n@client\ndef test_it(): pass"

    result = run(QUICK, test_a=hidden)

    result.stderr.fnmatch_lines(["*test_a.py::test_it: *does not see its markers {'client'}*"])


def test_module_with_expensive_function_has_slow_tests(run, monkeypatch):
    for module in (quick, tiers):
        monkeypatch.setattr(module, "expensive_functions", lambda: {"tests/test_a.py::test_it"})
    cases = 'import pytest\n@pytest.mark.parametrize("n", [1, 2, 3])\ndef test_it(n): pass\ndef test_other(): pass'

    run(LATER, "-p", "tests.quick", test_a=cases).assert_outcomes(passed=3, deselected=1)
