"""An owner that is killed amid a transaction: committed rows stay, and another owner continues."""

import os
import subprocess
import sys
import time

import pytest

from chronotile.core.model.job import Execution
from tests.running import until

OWNER = """
import sys
from pathlib import Path
from sqlalchemy import update
from chronotile.jobs.queue.database import open_engine, write_transaction
from chronotile.jobs.queue.schema import JOBS
from chronotile.jobs.queue.table import JobTable

url, folder = sys.argv[1:]
engine = open_engine(url or None, Path(folder))
table = JobTable(engine, archive="a")
job = table.claim("killed", lease_s=0)
table.store_task_result(job.id, "killed", 0, {"sum": 1})
with write_transaction(engine) as connection:
    connection.execute(update(JOBS).values(status="successful"))
    print("in the midst", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_job_of_an_owner_killed_in_a_transaction_continues(table, clock, url, tmp_path):
    job = table.submit(Execution(process="echo", inputs={}), user=None, max_open=1)
    command = [sys.executable, "-c", OWNER, url or "", tmp_path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as owner:
        assert owner.stdout.readline() == b"in the midst\n"
        owner.kill()
    clock.now = time.time() + 1

    # A database server may notice the death of a client late, and undoes its transaction then.
    taken = until(lambda: table.claim("another", lease_s=30))

    assert (taken.id, taken.status, taken.attempts) == (job.id, "running", 2)
    assert table.finished_tasks(job.id) == {0: {"sum": 1}}
