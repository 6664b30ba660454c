"""A Starlette route that returns given bytes: the minimum cost of an answer."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load.exchange import Answer, Ask
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Contender, Server

ASK = Ask(path="/bytes")
BODY, MEDIA_TYPE = "BENCH_BODY", "BENCH_MEDIA_TYPE"


def create_app() -> Starlette:
    """Return the application; the environment names the file of the body."""
    body, media_type = Path(os.environ[BODY]).read_bytes(), os.environ[MEDIA_TYPE]

    async def get_bytes(request: Request) -> Response:
        if request.headers.get("if-none-match"):
            return Response(status_code=304, headers={"ETag": '"bare"'})
        return Response(body, media_type=media_type, headers={"ETag": '"bare"'})

    return Starlette(routes=[Route("/bytes", get_bytes)])


def bare(ground: Ground, name: str, answer: Answer, *, ask: Callable[[Any], Ask] = lambda _: ASK) -> Contender[Any]:
    """Return a server that sends the body of an answer for every subject."""
    body = ground.scratch / f"{name.replace(' ', '-').replace(',', '')}.body"
    body.write_bytes(answer.body)

    def commands(port: int) -> list[list[str]]:
        return [
            [sys.executable, "-m", "uvicorn", "benchmarks.peers.bare:create_app", "--factory", "--port", str(port),
             "--no-access-log", "--log-level", "warning"]
        ]  # fmt: skip

    return Contender(
        name=name,
        software="Starlette",
        settings=f"one route, {len(answer.body)} bytes; uvicorn, 1 worker",
        server=Server(
            commands=commands,
            probe="/bytes",
            environment={
                BODY: str(body),
                MEDIA_TYPE: answer.headers.get("content-type", "text/plain"),
                "PYTHONPATH": ":".join(filter(None, sys.path)),
            },
        ),
        ask=ask,
    )
