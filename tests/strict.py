"""Pytest plugin: requirements of marked tests, and the strict mode, in which no test may be skipped."""

import os
import shutil
import sys
import sysconfig
from collections.abc import Generator
from pathlib import Path

import pytest

from benchmarks.load.cgroup import NO_GROUPS

SHARED = Path(__file__).parents[2] / "shared"
SHARED_ABSENT = "the folder ../shared is absent"
GDAL_TOOLS = ("gdalinfo", "gdal_translate", "gdalwarp")
POSTGRESQL = Path("/usr/lib/postgresql")
"""Debian's folder of its programs, by version and off the path."""
SCRIPTS = sysconfig.get_path("scripts")
"""Folder of this environment's programs, which need not be on the path."""
APART = tuple(Path(sys.prefix) / name / "bin" for name in ("moto", "pgstac", "stac", "cdse", "jupyter"))
"""Folders in which `make` installs the S3 server, the STAC API, and clients of STAC and CDSE, separately from packages
with contradicting requirements.
"""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def is_strict() -> bool:
    """Return whether a skipped test fails: on a machine that should have the requirements of all tests."""
    return os.environ.get("CHRONOTILE_TEST_STRICT", "") not in {"", "0"}


def find_chromium() -> Path | None:
    """Return the browser that browser tests drive: `$CHRONOTILE_CHROMIUM`, else the first on the path."""
    names = [os.environ.get("CHRONOTILE_CHROMIUM", ""), *CHROMIUM_NAMES]
    found = next(filter(None, map(shutil.which, filter(None, names))), None)
    return Path(found) if found else None


def lack_of_chromium() -> str | None:
    """Why browser tests cannot run, or None."""
    return None if find_chromium() else "Chromium is absent (Debian: apt-get install chromium)"


def find_program(name: str) -> Path | None:
    """A program of this environment, on the path, of those apart, or of the newest PostgreSQL that Debian has."""
    apart = os.pathsep.join(map(str, APART))
    found = shutil.which(name, path=SCRIPTS) or shutil.which(name) or shutil.which(name, path=apart)
    return Path(found) if found else max(POSTGRESQL.glob(f"*/bin/{name}"), default=None)


def lack_of_programs(*names: str) -> str | None:
    """Why tests that call these programs cannot run, or None."""
    missing = [name for name in names if not find_program(name)]
    return f"{', '.join(missing)} absent (Debian: see .ci/run)" if missing else None


def lack_of_shared(folder: Path = SHARED) -> str | None:
    """Why tests on the shared data and schemas cannot run, or None."""
    return None if folder.is_dir() else SHARED_ABSENT


def folders_with_rasters() -> list[str]:
    """Return the names of the folders of real data: others have outlines, and documents without files."""
    data = SHARED / "data"
    folders = sorted(each.name for each in data.iterdir() if each.is_dir()) if data.is_dir() else []
    return [name for name in folders if name not in {"naturalearth", "stac"}]


def lack_of(item: pytest.Item) -> str | None:
    """Return the missing requirements of a marked test in words; `None` if it can run."""
    lacks = []
    if item.get_closest_marker("data"):
        lacks.append(lack_of_shared(SHARED / "data"))
    if client := item.get_closest_marker("client"):
        lacks.append(lack_of_programs(*(client.args or GDAL_TOOLS)))
    if item.get_closest_marker("browser"):
        lacks.append(lack_of_chromium())
    return next(filter(None, lacks), None)


def refusal_of(report: pytest.CollectReport | pytest.TestReport) -> str | None:
    """Why strict mode does not let this skip pass, or None if it may."""
    if not (is_strict() and report.skipped) or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if SHARED_ABSENT in reason and not SHARED.is_dir():
        return None
    if NO_GROUPS in reason:  # which no package brings: the system or the user may not
        return None
    return f"skipped under CHRONOTILE_TEST_STRICT: {reason.removeprefix('Skipped: ')}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a marked test if a requirement is missing."""
    if reason := lack_of(item):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under strict mode, turn a skipped test into a failed one."""
    report = yield
    if refusal := refusal_of(report):
        report.outcome, report.longrepr = "failed", refusal
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Under strict mode, turn a skipped module into a failed one."""
    report = yield
    if refusal := refusal_of(report):
        report.outcome, report.longrepr = "failed", refusal
    return report
