"""How a server process ends while requests are under way, over real sockets and signals."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.running import PATIENCE_S

pytestmark = pytest.mark.slow

HANGING = """
import asyncio, logging, socket, threading
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from chronotile.app.process_setup import end_well_when_stopped, server_options
from chronotile.http.limiter import Limiter
from chronotile.http.request_log import RequestLog
from chronotile.app.workers import server

logging.basicConfig(level="INFO", format="%(levelname)s %(message)s")
server.GRACE_S, server.END_S = GRACE, END

async def hang_in_thread(request):
    limiter = Limiter("pictures", 1)
    print("asked", flush=True)
    await limiter.run(threading.Event().wait)

async def hang_in_answer(request):
    async def pieces():
        yield b"begun"
        print("asked", flush=True)
        await asyncio.Event().wait()
    return StreamingResponse(pieces())

async def answer_later(request):
    print("asked", flush=True)
    while not running.should_exit:
        await asyncio.sleep(0)
    return Response(b"answer")

paths = {"/thread": hang_in_thread, "/answer": hang_in_answer, "/later": answer_later}
end_well_when_stopped()
app = RequestLog(Starlette(routes=[Route(path, handler) for path, handler in paths.items()]))
running = server.GracefulServer(uvicorn.Config(app, **server_options()))
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    running.run(sockets=[listener])
"""


@contextmanager
def hanging(*, grace_s, end_s):
    """Run a server in a separate process; yields the process and its port."""
    text = HANGING.replace("GRACE, END", f"{grace_s}, {end_s}")
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def asking(port, message):
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
    connection.sendall(message)
    return connection


def rest_of(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@contextmanager
def stopped_at(path, **times):
    """Run a server that gets a signal to end during an answer, and the connection that waits for the answer."""
    with hanging(**times) as (process, port):
        connection = asking(port, get(path))
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        yield process, connection


def test_a_request_that_hangs_is_answered_with_503_when_the_server_is_stopped():
    with stopped_at("/thread", grace_s=0.2, end_s=PATIENCE_S) as (_process, connection):
        head, _, body = rest_of(connection).decode().partition("\r\n\r\n")

    assert head.startswith("HTTP/1.1 503")
    assert {"retry-after: 5", "cache-control: no-store", "connection: close"} <= set(head.split("\r\n"))
    assert json.loads(body)["status"] == 503


def test_the_process_ends_though_a_thread_hangs():
    """The fault: the end of the interpreter waits for all threads."""
    with stopped_at("/thread", grace_s=0.1, end_s=5.0) as (process, connection):
        status = process.wait(PATIENCE_S)
        rest_of(connection)
        said = process.stderr.read()

    assert status == 0
    assert "status=503" in said
    assert "Traceback" not in said


def test_an_answer_that_is_not_whole_is_broken_off():
    with stopped_at("/answer", grace_s=0.1, end_s=PATIENCE_S) as (process, connection):
        answer = rest_of(connection)
        status = process.wait(PATIENCE_S)

    assert b"begun" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert status == 0


def test_answer_within_the_grace_period_is_completed():
    with stopped_at("/later", grace_s=PATIENCE_S, end_s=2 * PATIENCE_S) as (process, connection):
        answer = rest_of(connection)
        status = process.wait(PATIENCE_S)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"answer")
    assert status == 0


def test_a_request_whose_head_is_arriving_is_answered_with_503():
    with hanging(grace_s=PATIENCE_S, end_s=2 * PATIENCE_S) as (process, port):
        held = asking(port, get("/later"))
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGSTOP)  # a busy machine: it is not accepted before the server is to end
        connection = asking(port, b"GET /later HTTP/1.1\r\nHo")
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)

        answer = rest_of(connection)
        rest_of(held)

    assert answer.startswith(b"HTTP/1.1 503")


LOST = """
import gc, signal, socket
import uvicorn
from starlette.applications import Starlette
from chronotile.app.process_setup import end_well_when_stopped, server_options
from chronotile.app.workers.server import GracefulServer

end_well_when_stopped()
running = GracefulServer(uvicorn.Config(Starlette(), **server_options()))
gc.callbacks.append(lambda *_: (gc.callbacks.clear(), signal.raise_signal(signal.SIGTERM)))
gc.collect()
print("goes on", flush=True)
with socket.create_server(("127.0.0.1", 0)) as listener:
    running.run(sockets=[listener])
"""


def test_a_signal_that_came_before_the_server_ran_and_interrupted_nothing_ends_it():
    """The fault: Python suppresses exceptions from its callbacks, and the server never ended."""
    ran = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert (ran.returncode, ran.stdout) == (0, "goes on\n")
