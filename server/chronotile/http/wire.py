"""HTTP as it goes over the wire: bounded, answers whole, names of headers as spelt."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from chronotile.http.bounded_http import WITHOUT_HOST, BoundedHttp


class SpeltName(bytes):
    """A header's name that uvicorn, which makes names lower-case, leaves as it is written."""

    def lower(self) -> bytes:
        """Return the name as it is."""
        return self


SPELT = {b"warning": SpeltName(b"Warning")}
"""OGC's conformance suite for WMS 1.3.0 looks for this name letter by letter (RFC 9110 §5.1 does not)."""


PROBE_S = 0.2
"""Time after which an unanswered client that stopped sending is probed first; doubled with each probe."""
PROBE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""Clients discard it (RFC 9110 §15.2.1). The system of a client that closed both halves resets the connection."""


class Wire(BoundedHttp):
    """The protocol that chronotile runs uvicorn with."""

    def eof_received(self) -> bool:  # type: ignore[override]  # of which asyncio uses the value
        """Return whether the connection stays open: the client has sent whole requests, and waits for answers.

        A client that closed its sending half alone (RFC 9293 §3.6) looks like one that left until something is written.
        """
        is_waiting = not self.is_idle and not self._is_in_body and not self.is_refused
        if not is_waiting or not self.transport.can_write_eof():  # TLS has no halves
            return False
        self.cycle.keep_alive = False
        self._stop_receiving()
        self._receiving = self.loop.call_later(PROBE_S, self._probe, PROBE_S)
        return True

    def _probe(self, delay_s: float) -> None:
        if self.cycle.response_started or self.transport.is_closing():
            return
        if self.cycle.scope["http_version"] in WITHOUT_HOST:  # and without interim answers
            self.transport.close()
            return
        if not self.pipeline:  # no answer before it is on its way
            self.transport.write(PROBE)
        self._receiving = self.loop.call_later(2 * delay_s, self._probe, 2 * delay_s)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 -- uvicorn has types of its own for what Starlette calls so
        joined = Joined(cycle.transport, self.close_when_read)
        cycle.transport = joined  # type: ignore[assignment]  # has what uvicorn calls

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_joined(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = [(SPELT.get(name, name), value) for name, value in message.get("headers", ())]
                    joined.hold()
                    await send({**message, "headers": headers})
                else:
                    await send(message)
                    joined.let_go()

            try:
                if self.flow.write_paused:  # one answer of a connection is in memory, not the next as well
                    await self.flow.drain()
                    if self.transport.is_closing():
                        cycle.disconnected = True  # which uvicorn notes for the last request of a connection alone
                        return
                await app(scope, receive, send_joined)
            except asyncio.CancelledError:
                if not self.is_refused:  # otherwise the client has its answer
                    raise

        super()._start_asgi_task(cycle, answer)  # type: ignore[arg-type]  # as above


class Joined:
    """A transport that lets the head of an answer wait for the first of its body: one call of the system for both."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self._close = close
        self._held: list[bytes] | None = None

    def hold(self) -> None:
        """Let what is written from now on wait."""
        self._held = []

    def let_go(self) -> None:
        """Write the held data if the client is still connected, and later data at once."""
        held, self._held = self._held, None
        if held and not self._transport.is_closing():
            self._transport.writelines(held)

    def write(self, part: bytes) -> None:
        """Write a part, at once or later."""
        if self._held is None:
            self._transport.write(part)
        else:
            self._held.append(part)

    def close(self) -> None:
        """Close when all is written."""
        self.let_go()
        self._close()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._transport.is_closing()
