"""The protocol class of uvicorn: limits, fewer system calls, clients that close one half, spelling of header names."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from chronotile.http.bounded_http import WITHOUT_HOST, BoundedHttp


class SpeltName(bytes):
    """Name of a header whose case uvicorn does not change."""

    def lower(self) -> bytes:
        """Return the name unchanged."""
        return self


SPELT_NAMES = {b"warning": SpeltName(b"Warning")}
"""The OGC conformance suite for WMS 1.3.0 compares this name case-sensitively, against RFC 9110 §5.1."""


PROBE_S = 0.2
"""Time before the first probe of a waiting client that has closed its sending half; doubled after each probe."""
PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""An interim answer, which clients ignore (RFC 9110 §15.2.1). The system of a client that has closed the connection in
both directions answers with a reset."""


class Wire(BoundedHttp):
    """The protocol class of uvicorn in this server."""

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio uses the value
        """Return whether the connection stays open, because the client waits for answers to complete requests.

        A client that closed only its sending half (RFC 9293 §3.6) cannot be distinguished from a client that left until
        something is written: probes are.
        """
        is_waiting = not self.is_idle and not self._is_in_body and not self.is_refused
        if not is_waiting or not self.transport.can_write_eof():  # TLS connections cannot be closed in one direction
            return False
        self.cycle.keep_alive = False
        self._stop_receiving()
        self._receiving = self.loop.call_later(PROBE_S, self._probe, PROBE_S)
        return True

    def _probe(self, delay_s: float) -> None:
        if self.cycle.response_started or self.transport.is_closing():
            return
        if self.cycle.scope["http_version"] in WITHOUT_HOST:  # these versions have no interim answers either
            self.transport.close()
            return
        if not self.pipeline:  # no earlier answer is being sent
            self.transport.write(PROBE)
        self._receiving = self.loop.call_later(2 * delay_s, self._probe, 2 * delay_s)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 -- uvicorn's types differ from those of Starlette
        transport = HeadJoiningTransport(cycle.transport, self.close_when_read)
        cycle.transport = transport  # type: ignore[assignment]  # has all methods that uvicorn calls

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_with_joined_head(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = [(SPELT_NAMES.get(name, name), value) for name, value in message.get("headers", ())]
                    transport.hold()
                    await send({**message, "headers": headers})
                else:
                    await send(message)
                    transport.flush()

            try:
                if self.flow.write_paused:  # keep only one answer of a connection in memory
                    await self.flow.drain()
                    if self.transport.is_closing():
                        cycle.disconnected = True  # uvicorn does this for the last request of a connection only
                        return
                await app(scope, receive, send_with_joined_head)
            except asyncio.CancelledError:
                if not self.is_refused:  # after a refusal the client has its answer
                    raise

        super()._start_asgi_task(cycle, answer)  # type: ignore[arg-type]  # as above


class HeadJoiningTransport:
    """Transport that writes the head of an answer together with the beginning of its body, in one system call."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close
        self._delayed: list[bytes] | None = None

    def hold(self) -> None:
        """Delay the next writes until `flush`."""
        self._delayed = []

    def flush(self) -> None:
        """Write the delayed parts if the client is still connected, and stop delaying."""
        parts, self._delayed = self._delayed, None
        if parts and not self._transport.is_closing():
            self._transport.writelines(parts)

    def write(self, part: bytes) -> None:
        """Write a part, or delay it after `hold`."""
        if self._delayed is None:
            self._transport.write(part)
        else:
            self._delayed.append(part)

    def close(self) -> None:
        """Write the delayed parts and close."""
        self.flush()
        self._close()

    def is_closing(self) -> bool:
        """Return whether the connection is closing."""
        return self._transport.is_closing()
