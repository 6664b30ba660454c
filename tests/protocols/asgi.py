"""Send bytes directly to ASGI applications that no HTTP client would send."""

import time
from collections.abc import Sequence
from urllib.parse import unquote

import anyio
from starlette.applications import Starlette

from tests.protocols.fuzzing.judging import Answer
from tests.running import PATIENCE_S

CLIENT = "127.0.0.1"
Headers = Sequence[tuple[str, bytes]]


async def ask(
    app: Starlette, method: str, raw_path: bytes, raw_query: bytes, *, headers: Headers = (), body: bytes = b""
) -> Answer:
    """Return the application's answer; 599 stands for an exception that it lets out, and for none."""
    named = {name for name, _ in headers}
    given = () if "host" in named else (("host", b"localhost"),)
    if body and "content-length" not in named:
        given = (*given, ("content-length", str(len(body)).encode()))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw_path.decode()),
        "raw_path": raw_path,
        "root_path": "",
        "query_string": raw_query,
        "headers": [(name.encode(), value) for name, value in (*given, *headers)],
        "client": (CLIENT, 1),
        "server": ("localhost", 80),
        "state": {},
    }
    start, messages = time.perf_counter(), []
    half = len(body) // 2
    bodies = iter([(body[:half], True), (body[half:], False)])

    async def receive() -> dict[str, object]:
        part, more = next(bodies, (None, False))
        if part is None:  # the next message would be the client's disconnect, which does not happen
            await anyio.sleep_forever()
        return {"type": "http.request", "body": part, "more_body": more}

    async def collect(message: dict[str, object]) -> None:
        messages.append(message)

    try:
        with anyio.fail_after(PATIENCE_S):
            await app(scope, receive, collect)
    except Exception as error:  # noqa: BLE001 -- every exception is a finding
        return Answer(599, {}, repr(error).encode(), time.perf_counter() - start)
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in messages[0]["headers"]]
    answered = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(messages[0]["status"], dict(pairs), answered, time.perf_counter() - start, pairs=tuple(pairs))
