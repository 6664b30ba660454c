"""The table of jobs with 5,000 waiting jobs: submitting and listing, on SQLite and, if installed, on PostgreSQL."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from sqlalchemy import Engine

from benchmarks.figures import median
from benchmarks.findings import Findings, Row, Told
from benchmarks.peers.ground import Ground
from benchmarks.suites.options import Options
from chronotile.core.model.job import Execution
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable, new_id
from tests.postgresql import serving_postgresql
from tests.strict import lack_of_programs

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
WAITING, ENDED = 5000, 5000
CALLS = 50
"""Number of requests of each kind per round."""
PAGE = 100
OWNER = "the benchmark"
EXECUTION = Execution(process="composite", inputs={"layer": "NDVI", "period": "P1M", "bbox": [2.5, 49.5, 6.4, 51.5]})


def run(ground: Ground, options: Options) -> Findings:
    """Measure calls of the table, each a transaction, as a request or a worker makes them."""
    findings = Findings(
        suite="jobs",
        title=f"The table of jobs with {WAITING:,} that wait and {ENDED:,} that have ended",
        about=f"In-process, {CALLS} calls of each kind in a round: their median, and the slowest of them. A list is "
        f"its newest {PAGE} jobs and how many there are.",
        ours=SQLITE,
    )
    _measure(findings, SQLITE, open_engine(None, ground.scratch), options.rounds)
    findings.told.append(Told(SQLITE, sqlite3.sqlite_version, "on the disk of FOLDER, synchronous=FULL"))
    lack = lack_of_programs("initdb", "postgres")
    if lack is not None:
        findings.absent.append(f"{POSTGRESQL}: {lack}")
        return findings
    with serving_postgresql(settings=()) as server:
        _measure(findings, POSTGRESQL, open_engine(server.make_database(), ground.scratch), options.rounds)
        findings.told.append(Told(POSTGRESQL, server.version(), "as it comes, on the disk of /tmp, over a socket"))
    return findings


def _measure(findings: Findings, name: str, engine: Engine, rounds: int) -> None:
    with closing(JobTable(engine, archive="a")) as table:
        for _ in range(ENDED):
            table.add_finished(new_id(), EXECUTION, {}, user=None)
        for _ in range(WAITING):
            _submit(table)
        calls: dict[str, Callable[[], object]] = {
            "submit": lambda: _submit(table),
            "list": lambda: table.jobs(users=[None], limit=PAGE),
            "list those that wait": lambda: table.jobs(users=[None], limit=PAGE, statuses=["accepted"]),
            "list those of a process": lambda: table.jobs(users=[None], limit=PAGE, processes=["composite"]),
            "claim": lambda: table.claim(OWNER, lease_s=3600),
        }
        for case, call in calls.items():
            taken = [sorted(_milliseconds(call) for _ in range(CALLS)) for _ in range(rounds)]
            findings.rows += [
                Row(case=f"{case}, median", contender=name, unit="ms", rounds=[median(each) for each in taken]),
                Row(case=f"{case}, slowest", contender=name, unit="ms", rounds=[each[-1] for each in taken]),
            ]


def _submit(table: JobTable) -> str:
    return table.submit(EXECUTION, user=None, max_open=1_000_000).id


def _milliseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000
