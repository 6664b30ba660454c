import pytest

from tests import sampling

MATRIX = """
import pytest
@pytest.mark.further_case
@pytest.mark.parametrize("case", range(400))
def test_further(case): pass
@pytest.mark.parametrize("case", range(50))
def test_it(case): pass
@pytest.mark.parametrize("case", range(7))
def test_other(case): pass
@pytest.mark.every_case
@pytest.mark.parametrize("case", range(20))
def test_whole(case): pass
@pytest.mark.slow
@pytest.mark.parametrize("case", range(4))
def test_later(case): pass
"""
EXPENSIVE = "import pytest\n" + "".join(f"@pytest.mark.slow\ndef test_{number}(): pass\n" for number in range(200))


@pytest.fixture
def run_tests(pytester, monkeypatch):
    """Return `run_tests(*arguments, NAME=value)`: the tests that a separate session ran, and its output."""
    monkeypatch.chdir(pytester.path)
    pytester.makeini("[pytest]\ntestpaths = .\nmarkers =\n further_case\n every_case\n slow")
    pytester.makepyfile(test_it=MATRIX)

    def run(*arguments, **environment):
        for name in ("FULL", "SEED", "SAMPLE"):
            monkeypatch.setenv(f"CHRONOTILE_TEST_{name}", environment.get(name, ""))
        result = pytester.runpytest_inprocess("-p", "tests.sampling", "-p", "no:cacheprovider", "-v", *arguments)
        return {line.split()[0] for line in result.outlines if " PASSED " in line}, result

    return run


def further(names):
    return {name for name in names if "::test_further" in name}


def test_full_run_contains_about_a_tenth_of_the_additional_cases(run_tests):
    names, result = run_tests(SEED="a")

    assert 20 <= len(further(names)) <= 60
    result.stdout.fnmatch_lines(["a few cases of a test, or 10% (CHRONOTILE_TEST_SEED=a)"])


def test_run_of_everything_takes_a_few_cases_or_a_tenth(run_tests, monkeypatch):
    monkeypatch.setattr(sampling, "stored_costs", lambda: {"test_it.py::test_later": 0.1})

    names, _result = run_tests(SEED="a")

    assert len([name for name in names if "::test_other" in name]) in {3, 4, 5}
    assert 3 <= len([name for name in names if "::test_it" in name]) <= 15
    assert len([name for name in names if "::test_whole" in name]) == 20
    assert len([name for name in names if "::test_later" in name]) in {1, 2}


def test_a_seed_repeats_its_choice_and_another_chooses_others(run_tests):
    first, again, other = (further(run_tests(SEED=seed)[0]) for seed in ("a", "a", "b"))

    assert first == again
    assert first != other


def test_run_without_a_seed_prints_one_that_repeats_it(run_tests):
    names, result = run_tests()
    (header,) = [line for line in result.outlines if "CHRONOTILE_TEST_SEED" in line]

    assert run_tests(SEED=header.partition("SEED=")[2].rstrip(")"))[0] == names


@pytest.mark.parametrize(("arguments", "environment"), [(["."], {}), ([], {"FULL": "1"})], ids=["named", "full"])
def test_named_cases_and_full_runs_are_complete(run_tests, arguments, environment):
    assert len(run_tests(*arguments, **environment)[0]) == 481


def test_sample_has_the_requested_number_of_tests(run_tests):
    assert len(run_tests(SAMPLE="20")[0]) == 20


@pytest.mark.slow
def test_processes_of_one_run_choose_the_same(run_tests):
    names, _result = run_tests(SEED="a")

    parallel = run_tests("-n", "2", SEED="a")[1]

    assert parallel.parseoutcomes()["passed"] == len(names)


def test_expensive_later_functions_run_in_proportion(run_tests, pytester, monkeypatch):
    pytester.makepyfile(test_it=EXPENSIVE)
    costs = {f"test_it.py::test_{number}": 0.9 if number < 100 else 10.0 for number in range(200)}
    monkeypatch.setattr(sampling, "stored_costs", lambda: costs)

    names, _result = run_tests(SEED="a")

    cheap = {f"test_it.py::test_{number}" for number in range(100)}
    assert names >= cheap
    assert 4 <= len(names - cheap) <= 20  # about a tenth of the others
    assert len(run_tests(FULL="1")[0]) == 200
