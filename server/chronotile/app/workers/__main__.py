"""`python -m chronotile.app.workers LISTENER PLAN`: the supervisor, which replaces the process that opened the archive.

It does not import libraries that open data, and takes 35 MB instead of 140. The arguments are descriptors of a
listening socket and of the file of a `WorkerPlan`.
"""

import asyncio
import os
import socket
import subprocess
import sys

import typer

from chronotile.app.process_setup import run_process
from chronotile.app.workers.plan import read_plan
from chronotile.app.workers.supervisor import Supervisor
from chronotile.core.errors import ChronotileError
from chronotile.core.logs import configure_logging


def main() -> None:
    """Run the supervisor until it is stopped.

    Raises:
        SystemExit: No worker could start.
    """
    _, listener, plan_file = sys.argv
    with os.fdopen(int(plan_file), encoding="utf-8") as file:
        plan = read_plan(file)
    configure_logging(plan.log_level, plan.log_format)
    with socket.socket(fileno=int(listener)) as listening_socket:
        supervisor = Supervisor(
            listening_socket,
            count=plan.count,
            spawn=subprocess.Popen,
            block_bytes=plan.block_bytes,
            findings=plan.findings,
            announce=lambda: typer.echo("\n".join(plan.lines)),
        )
        try:
            asyncio.run(supervisor.run())
        except ChronotileError as error:
            raise SystemExit(f"chronotile: {error.message}") from None


if __name__ == "__main__":
    run_process(main)
