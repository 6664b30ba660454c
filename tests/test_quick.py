"""A forbidden operation fails a quick test, even if its code handles the refusal."""

import pytest

from tests import quick

FORBIDDEN = {
    "process": "import subprocess; subprocess.run(['true'])",
    "shell": "import os; os.system('true')",
    "fork": "import os; os.fork() or os._exit(0)",
    "spawned": "import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "multiprocessing": "import multiprocessing; multiprocessing.get_context('spawn').Process(target=print).start()",
    "server": "import socket; socket.create_server(('127.0.0.1', 0)).close()",
    "client": "import socket; socket.create_connection(('127.0.0.1', 9))",
    "client of IPv6": "import socket; socket.create_connection(('::1', 9))",
}
ALLOWED = {
    "pair": "import socket; [each.close() for each in socket.socketpair()]",
    "path": "import socket; one = socket.socket(socket.AF_UNIX); one.bind('here'); one.close()",
    "loop": "import asyncio; asyncio.run(asyncio.sleep(0))",
}
CAUGHT = """
def test_it():
    try:
        {code}
    except Exception:
        pass
"""
IN_A_FIXTURE = """
import pytest
@pytest.fixture(scope="module")
def needed():
    {code}
def test_it(needed): pass
"""
MARKED = """
import pytest
@pytest.mark.{mark}
def test_it():
    import subprocess; subprocess.run(['true'])
"""


@pytest.fixture
def run_tests(pytester, monkeypatch):
    """Return `run_tests(source)`: the results of tests in a separate session."""
    monkeypatch.chdir(pytester.path)

    def run(source):
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess("-p", "tests.quick", "-W", "ignore", "-p", "no:cacheprovider")

    return run


@pytest.mark.parametrize("code", FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_process_or_a_network_socket_is_refused_with_the_marker_to_add(run_tests, code):
    result = run_tests(f"def test_it():\n    {code}")

    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["*NotQuick: *needs a marker, for example @pytest.mark.slow*"])


@pytest.mark.parametrize("source", [CAUGHT, IN_A_FIXTURE], ids=["caught", "in a fixture"])
def test_a_refusal_fails_the_test_though_its_code_catches_it_or_a_fixture_has_it(run_tests, source):
    assert run_tests(source.format(code=FORBIDDEN["process"])).parseoutcomes()["errors"]


@pytest.mark.parametrize("code", ALLOWED.values(), ids=ALLOWED)
def test_system_calls_of_an_event_loop_are_allowed(run_tests, code):
    assert run_tests(f"def test_it():\n    {code}").parseoutcomes() == {"passed": 1}


@pytest.mark.parametrize("mark", ["slow", "client", "browser", "data"])
def test_a_marked_test_may_do_so(run_tests, mark):
    assert run_tests(MARKED.format(mark=mark)).parseoutcomes() == {"passed": 1}


def test_unlisted_cases_belong_to_a_later_tier(run_tests):
    result = run_tests("""
import pytest
@pytest.mark.quick_cases("this")
@pytest.mark.parametrize("case", ["this one", "another"])
def test_it(case, request):
    assert (request.node.get_closest_marker("slow") is None) == (case == "this one")
""")

    assert result.parseoutcomes()["passed"] == 2


LISTED = """
import pytest
@pytest.mark.parametrize("case", [pytest.param(0, marks=pytest.mark.client), 1, 2])
def test_listed(case, request):
    assert (request.node.get_closest_marker("slow") is None) == (case == 0)
def test_other(request):
    assert request.node.get_closest_marker("slow") is None
"""


def test_expensive_function_is_slow(run_tests, monkeypatch):
    monkeypatch.setattr(quick, "expensive_functions", lambda: {"test_expensive_function_is_slow.py::test_listed"})

    assert run_tests(LISTED).parseoutcomes()["passed"] == 4
