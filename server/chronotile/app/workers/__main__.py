"""`python -m chronotile.app.workers LISTENER PLAN`: the supervisor, in place of the process that opened the archive.

It imports nothing that opens data, so that it takes 35 MB rather than 140. Arguments are descriptors: of a socket that
listens, and of the file of a `Plan`.
"""

import asyncio
import os
import socket
import subprocess
import sys

import typer

from chronotile.app.process_setup import run_process
from chronotile.app.workers.plan import stored_plan
from chronotile.app.workers.supervisor import Supervisor
from chronotile.core.errors import ChronotileError
from chronotile.core.logs import configure_logging


def main() -> None:
    """Keep workers serving until stopped.

    Raises:
        SystemExit: None could start.
    """
    _, listener, stored = sys.argv
    with os.fdopen(int(stored), encoding="utf-8") as file:
        plan = stored_plan(file)
    configure_logging(plan.log_level, plan.log_format)
    with socket.socket(fileno=int(listener)) as listening:
        supervisor = Supervisor(
            listening,
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
