"""Pytest plugin: how long each test took, in a file; nothing fails by it."""

import os
import resource
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

DEFAULT = ".test-durations.tsv"


def processor_s() -> float:
    """Return the processor time of this process and of its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Durations:
    """Collects the duration of each test with its fixtures, in the reporting process, and writes it at the end."""

    def __init__(self, path: Path, *, reports: bool) -> None:
        self.path = path
        self.reports = reports
        """Whether this process receives the reports of all tests, and writes."""
        if reports:
            path.write_text("")
        self.mark_s = processor_s()
        self.elapsed_s: dict[str, float] = defaultdict(float)
        self.worked_s: dict[str, float] = defaultdict(float)

    def pytest_runtest_logstart(self) -> None:
        """Reset the clock to the start of the test."""
        self.mark_s = processor_s()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the processor time since the report before, in the process that runs the test."""
        report = yield
        before, self.mark_s = self.mark_s, processor_s()
        report.processor_s = self.mark_s - before
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the durations of set-up, call and teardown."""
        self.elapsed_s[report.nodeid] += report.duration
        # A test whose process crashed is reported by pytest-xdist itself, without it.
        self.worked_s[report.nodeid] += getattr(report, "processor_s", 0.0)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write a test's line when it has ended, so that an interrupted run keeps its lines."""
        if self.reports:
            with self.path.open("a") as file:
                file.write(f"{self.elapsed_s[nodeid]:.3f}\t{self.worked_s[nodeid]:.3f}\t{nodeid}\n")

    def pytest_sessionfinish(self) -> None:
        """Write all again: seconds, processor seconds and test, the slowest first."""
        if not self.reports:
            return
        slowest = sorted(self.elapsed_s.items(), key=lambda each: each[1], reverse=True)
        lines = [f"{elapsed_s:.3f}\t{self.worked_s[test]:.3f}\t{test}\n" for test, elapsed_s in slowest]
        self.path.write_text("".join(lines))


def pytest_configure(config: pytest.Config) -> None:
    """Collect, into the file that CHRONOTILE_TEST_DURATIONS names."""
    path = Path(os.environ.get("CHRONOTILE_TEST_DURATIONS") or DEFAULT)
    config.pluginmanager.register(Durations(config.rootpath / path, reports=not hasattr(config, "workerinput")))
