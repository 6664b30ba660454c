"""Configuration of all tests: strict mode, locations of external data, and the search of hypothesis."""

import faulthandler
import gc
import importlib.util
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

# Before numpy is imported: with more threads than cores small products take 100 times longer.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GDAL_NUM_THREADS", "1")
# The server opens HDF5 files without locks, and all openings of a file in one process must agree; tests of locks run in
# a process of their own (tests/readers/netcdf/beside_writers.py).
if "CHRONOTILE_TEST_LOCKS" not in os.environ:
    os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"

import hypothesis
import pytest
from _pytest import pytester as pytester_plugin
from _pytest.faulthandler import fault_handler_stderr_fd_key

from chronotile.core import database
from chronotile.http import replaced_services
from tests import durations, ending, quick, sampling, strict, tiers
from tests.module_snapshot import ModuleSnapshot
from tests.postgresql import serving_postgresql
from tests.running import PATIENCE_S

# A server answers 503 if listing the items of an archive takes longer than this; a busy machine may need longer.
replaced_services.INDEX_WAIT_S = PATIENCE_S

pytest_plugins = ["pytester"]
pytester_plugin.SysModulesSnapshot = ModuleSnapshot  # type: ignore[misc,assignment]

# The machine is shared, so time is no measure of an example; in the strict mode, the search is repeatable.
hypothesis.settings.register_profile(
    "chronotile",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=strict.is_strict(),
    print_blob=not strict.is_strict(),
)
hypothesis.settings.load_profile("chronotile")


def pytest_configure(config: pytest.Config) -> None:
    """Put strict mode and the rules of the quick tier in force, collect durations, and choose cases of matrices."""
    for plugin in (strict, quick, durations, ending, sampling, tiers):
        config.pluginmanager.register(plugin)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Limit crash reports to the thread that crashed; those with all threads exceed the size of logs."""
    faulthandler.enable(session.config.stash[fault_handler_stderr_fd_key], all_threads=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with browser tests, and leave audits out unless they are named: `pytest -m audit`."""
    # They take longest, and mostly wait. The last of them would otherwise end the run alone.
    # Tests of the wheel share an environment with other tests of their module.
    items.sort(key=lambda item: item.get_closest_marker("browser") is None or item.path.name == "test_wheel.py")
    if "audit" in config.option.markexpr:
        return
    audits = [item for item in items if item.get_closest_marker("audit")]
    if audits:
        config.hook.pytest_deselected(items=audits)
        items[:] = [item for item in items if item not in audits]


def pytest_collection_finish() -> None:
    """Exempt the collected 16,000 tests from garbage collection, which took a tenth of the processor time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def require(lack: str | None) -> None:
    """Skip the test, with the reason, if there is one."""
    if lack:
        pytest.skip(lack)


@pytest.fixture
def at_end():
    """Return a stack; its contexts are left when the test ends, the last first."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def closed_at_end(at_end):
    """Return a function that closes its argument when the test ends and returns it."""
    return lambda opened: at_end.enter_context(closing(opened))


@pytest.fixture(scope="session")
def s3_server():
    """An S3 server, for all tests of this process."""
    from tests.s3 import serving_s3

    with serving_s3() as server:
        yield server


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """Return the prefix `results` of an empty bucket."""
    from chronotile.jobs.queue.result_bucket import Bucket

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return Bucket(f"s3://{s3_server.make_bucket()}/results", patience_s=60)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder ../shared next to the checkout."""
    require(strict.lack_of_shared())
    return strict.SHARED


@pytest.fixture(scope="session")
def shared_data(shared: Path) -> Path:
    """Return the real data in ../shared/data."""
    require(strict.lack_of_shared(shared / "data"))
    return shared / "data"


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the browser that browser tests drive."""
    require(strict.lack_of_chromium())
    return strict.find_chromium()


@pytest.fixture(autouse=True)
def faults_are_logged(monkeypatch):
    """Reset the limit of one log line per minute and kind of database fault for each test."""
    monkeypatch.setattr(database, "_logged_s", {})


@pytest.fixture(scope="session")
def postgresql():
    """A server, for all tests of this process."""
    with serving_postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def scene_forms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Return the made archive of scenes in each form of access (`tests.scenes_archive.forms.Forms`)."""
    from tests.scenes_archive.forms import Forms

    with ExitStack() as stack:
        yield Forms(stack, lambda: request.getfixturevalue("postgresql"), tmp_path_factory.mktemp("forms"))


@pytest.fixture(scope="session")
def validate_ogc(shared: Path) -> Callable[..., list[str]]:
    """Return `validate_ogc(document, schema=None)`, which lists errors by OGC's schemas in bytes, text or a path."""
    source = shared / "ogc" / "validate_offline.py"
    spec = importlib.util.spec_from_file_location("validate_offline", source)
    validator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(validator)

    def validate(document: bytes | str | Path, schema: str | None = None) -> list[str]:
        if isinstance(document, Path):
            document = document.read_bytes()
        return validator.validate(document.encode() if isinstance(document, str) else document, schema)

    return validate
