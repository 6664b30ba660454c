"""`python -m benchmarks.kills FOLDER`: kill every program that accepts or runs jobs repeatedly, and count.

Twenty jobs run concurrently, in five workers, on a Dask cluster of two processes. Whenever more tasks have started, one
of the programs is ended with `kill -9` and started again: the server, a worker, the scheduler (with its processes), a
process of the cluster, and PostgreSQL if it stores the table. The programs get no other message about it than in
production: a worker's jobs are taken over when their leases expire.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from chronotile.archive.archive_ids import archive_id
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable
from tests.jobs.runner.deployment import SITE, Deployment, begun, deployed
from tests.postgresql import Server, serving_postgresql
from tests.scenes import Scene, write_cogs

TOGETHER, WORKERS, PROCESSES = 20, 5, 2
COUNT = 40
"""Tasks of each job."""
SUM = sum(number**2 for number in range(COUNT))
PAUSE_S = 0.2
"""How long each takes."""
BETWEEN = 40
"""Tasks that are begun between two kills."""
CLIENTS = 4
LOOK_S = 0.1
END_WITHIN_S = 900.0


@dataclass(kw_only=True)
class Run:
    """One run and its counts."""

    deployment: Deployment
    table: JobTable
    gates: Path
    """The folder of the notes that tasks leave."""
    kills: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    """Tasks that were begun and not finished when something was killed, in all."""

    def submit(self) -> tuple[list[str], int]:
        """Request the jobs while the server is killed; return their ids and the number of lost answers."""
        inputs = {"count": COUNT, "open": COUNT, "gates": str(self.gates), "pause_s": PAUSE_S}
        ask = self.deployment.submit
        with ThreadPoolExecutor(CLIENTS) as clients:
            asked = [clients.submit(ask, inputs) for _ in range(TOGETHER)]
            _wait_until(lambda: sum(each.done() for each in asked) >= TOGETHER // 2)
            self.kill("server", self.deployment.kill_server)
        accepted = [id_ for each in asked if (id_ := each.result()) is not None]
        unanswered = TOGETHER - len(accepted)
        again = [ask(inputs) for _ in range(unanswered)]
        return [*accepted, *(id_ for id_ in again if id_ is not None)], unanswered

    def kill_in_turn(self, kills: dict[str, Callable[[], object]]) -> None:
        """Kill until all jobs have ended."""
        for name in cycle(kills):
            self.wait_for_tasks(BETWEEN)
            if self.has_ended():
                return
            self.kill(name, kills[name])

    def wait_for_tasks(self, count: int) -> None:
        """Return when so many more were begun, or all jobs have ended."""
        enough = begun(self.gates).total() + count
        _wait_until(lambda: begun(self.gates).total() >= enough or self.has_ended())

    def kill(self, name: str, do: Callable[[], object]) -> None:
        """Kill one program, and count the tasks in flight."""
        self.kills[name] += 1
        finished = {job.id: job.status == "successful" for job in self.table.jobs()[0]}
        remembered = {id_: set(self.table.finished_tasks(id_)) for id_, is_done in finished.items() if not is_done}
        self.in_flight += sum(number not in remembered.get(id_, {number}) for id_, number in begun(self.gates))
        do()

    def has_ended(self) -> bool:
        """Return whether all jobs have."""
        return self.table.jobs(statuses=["accepted", "running"], limit=1)[1] == 0

    def summary(self, accepted: list[str], unanswered: int) -> dict[str, Any]:
        """Return the result of the run."""
        jobs, told, tasks = self.table.jobs()[0], self.deployment.told, begun(self.gates)
        successful = [id_ for id_ in accepted if told(f"jobs/{id_}")["status"] == "successful"]
        return {
            "accepted": len(accepted),
            "right": sum(told(f"jobs/{id_}/results") == SUM for id_ in successful),
            "unanswered": unanswered,
            "unanswered and accepted": len(jobs) - len(accepted),
            "statuses": Counter(job.status for job in jobs),
            "ends": Counter([text for _at, text in self.table.log(job.id)].count("is done") for job in jobs),
            "attempts": dict(sorted(Counter(job.attempts for job in jobs).items())),
            "kills": self.kills,
            "tasks": len(tasks),
            "tasks in flight at kills": self.in_flight,
            "tasks begun again": tasks.total() - len(tasks),
        }


def main() -> None:
    """Run, and end with 1 if a job was lost, failed or ended twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for kills.json and the logs")
    parser.add_argument("--postgresql", action="store_true", help="keep the table in PostgreSQL, which is killed too")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="kills-") as place, ExitStack() as stack:
        folder = Path(place)
        jobs, data, gates = folder / "jobs", folder / "data", folder / "gates"
        for each in (data, gates):
            each.mkdir()
        write_cogs(data, Scene())
        environment = {"PYTHONPATH": os.pathsep.join([str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])])}
        database = stack.enter_context(serving_postgresql(["fsync=off"])) if given.postgresql else None
        url = None if database is None else database.make_database()
        if url is not None:
            environment["CHRONOTILE_DATABASE_URL"] = url
        table = stack.enter_context(closing(JobTable(open_engine(url, jobs), archive=archive_id(data, None))))
        deployment = deployed(data, jobs, workers=WORKERS, processes=PROCESSES, servers=1, **environment)
        run = Run(deployment=stack.enter_context(deployment), table=table, gates=gates)
        started = time.monotonic()
        accepted, unanswered = run.submit()
        run.kill_in_turn(_kills(run.deployment, database))
        summary = run.summary(accepted, unanswered) | {"seconds": round(time.monotonic() - started)}
    (given.folder / "kills.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary, indent=1))
    is_right = summary["right"] == TOGETHER and summary["ends"].keys() == {1}
    sys.exit(0 if is_right else 1)


def _kills(deployment: Deployment, database: Server | None) -> dict[str, Callable[[], object]]:
    def again(which: str) -> None:
        program = random.choice(deployment.workers if which == "worker" else deployment.processes)
        program.kill()
        program.start()

    def crash() -> None:
        assert database is not None
        database.crash()
        database.start()

    kills: dict[str, Callable[[], object]] = {
        "worker": lambda: again("worker"),
        "scheduler": deployment.kill_scheduler,
        "process": lambda: again("process"),
        "server": deployment.kill_server,
    }
    return kills if database is None else kills | {"database": crash}


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + END_WITHIN_S
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing went on for {END_WITHIN_S:g} s")
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
