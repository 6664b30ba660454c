"""What a worker does with the connections that it is handed."""

import asyncio
import socket
from contextlib import ExitStack

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from chronotile.process_setup import server_options
from chronotile.workers.channel import CONNECTION
from chronotile.workers.worker import Worker
from tests.running import PATIENCE_S


async def answer(_request):
    return Response(b"answer")


def test_connections_that_wait_are_taken_together():
    """The fault: one in each turn of the event loop, which left clients without an answer for 10 s."""

    async def take() -> int:
        channel, its_end = socket.socketpair()
        config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), **server_options())
        config.load()
        worker = Worker(config, its_end, 0, None)
        worker.lifespan = config.lifespan_class(config)
        with channel, its_end, ExitStack() as clients:
            await worker.startup()
            for _ in range(20):
                client, connection = socket.socketpair()
                clients.enter_context(client)
                with connection:
                    socket.send_fds(channel, [CONNECTION], [connection.fileno()])
            while not worker._opening:  # noqa: ASYNC110 -- nobody tells of it
                await asyncio.sleep(0)
            taken = len(worker._opening)

            await worker.shutdown()

        return taken

    assert asyncio.run(asyncio.wait_for(take(), PATIENCE_S)) == 20


def test_a_worker_that_ends_answers_on_the_connection_that_it_took_just_now():
    async def end_as_one_connects() -> bytes:
        channel, its_end = socket.socketpair()
        client, connection = socket.socketpair()
        client.settimeout(PATIENCE_S)
        config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), **server_options())
        config.load()
        worker = Worker(config, its_end, 0, None)
        worker.lifespan = config.lifespan_class(config)
        with channel, its_end, client:
            await worker.startup()
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with connection:
                socket.send_fds(channel, [CONNECTION], [connection.fileno()])
            while not worker.server_state.connections:  # noqa: ASYNC110 -- nobody tells of it
                await asyncio.sleep(0)

            await worker.shutdown()

            return client.recv(1024)

    assert asyncio.run(asyncio.wait_for(end_as_one_connects(), PATIENCE_S)).startswith(b"HTTP/1.1 200 OK")
