"""Messages of a worker to its supervisor, by a real channel and without a process."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette

from chronotile.app.workers.loads import ENDING, READY
from chronotile.app.workers.worker import Worker


def test_a_worker_that_ends_takes_no_more_connections():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    async def start_and_end():
        config = uvicorn.Config(Starlette(), log_config=None)
        config.load()
        worker = Worker(config, theirs, 0, None)
        worker.lifespan = config.lifespan_class(config)
        await worker.startup()
        await worker.shutdown()

    with ours, theirs:
        asyncio.run(start_and_end())

        assert [ours.recv(100), ours.recv(100)] == [READY, ENDING]
