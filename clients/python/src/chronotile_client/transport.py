"""The two transports that run exchanges: blocking, and with `await`."""

import asyncio
import time
from collections.abc import Mapping
from io import BytesIO
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeVar

import httpx2

from chronotile_client.credential import without_key
from chronotile_client.errors import ArchiveError
from chronotile_client.exchange import (
    PAGE,
    Exchange,
    Failure,
    Pause,
    Request,
    Response,
    Retries,
    Steps,
    media_type_of,
    with_retries,
)

Result = TypeVar("Result")

MOST_BYTES: Final = 1 << 30
"""Maximum size of an answer in memory; a larger answer must be saved to a file."""
CONNECT_S: Final = 10.0
AGENT: Final = "chronotile-client/0.1"


class Transport:
    """Runs exchanges over connections to one server, blocking."""

    def __init__(self, client: httpx2.Client, retries: Retries) -> None:
        self._client = client
        self._retries = retries

    def run(self, exchange: Exchange[Result], warned: list[str]) -> Result:
        """Return the result of an exchange."""
        steps: Steps[Result] = with_retries(exchange, self._retries, warned)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(self._send(step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # as in with_retries

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _send(self, request: Request) -> Response | Failure:
        try:
            with self._client.stream(**_arguments(request)) as answer, _Sink(request, answer) as sink:
                for part in answer.iter_bytes():
                    sink.write(part)
                return sink.finish()
        except httpx2.RequestError as error:
            return _failure(error)


class AsyncTransport:
    """Runs exchanges over connections to one server, with `await`."""

    def __init__(self, client: httpx2.AsyncClient, retries: Retries) -> None:
        self._client = client
        self._retries = retries

    async def run(self, exchange: Exchange[Result], warned: list[str]) -> Result:
        """Return the result of an exchange."""
        steps: Steps[Result] = with_retries(exchange, self._retries, warned)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(await self._send(step))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # as in with_retries

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _send(self, request: Request) -> Response | Failure:
        try:
            async with self._client.stream(**_arguments(request)) as answer:
                with _Sink(request, answer) as sink:
                    async for part in answer.aiter_bytes():
                        sink.write(part)
                    return sink.finish()
        except httpx2.RequestError as error:
            return _failure(error)


class _Sink:
    """Destination of the body of an answer: memory, or the file of the request after the body is complete."""

    def __init__(self, request: Request, answer: httpx2.Response) -> None:
        self._answer = answer
        self._media_type = media_type_of(answer.headers)
        # The page of a proxy stays in memory: it must not replace the file, and the error quotes its start.
        self._to = request.to if answer.status_code < 300 and self._media_type != PAGE else None
        self._part = self._to.with_name(f"{self._to.name}.part") if self._to else None
        self._file: BinaryIO = self._part.open("wb") if self._part else BytesIO()
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._part:
            self._part.unlink(missing_ok=True)
        if isinstance(error, httpx2.DecodingError):
            what = f"the server answered {self._answer.status_code} with {self._media_type or 'no media type'}"
            coding = self._answer.headers.get("content-encoding")
            raise ArchiveError(
                f"{what}, compressed with {coding}, which cannot be decompressed: {error}",
                status=self._answer.status_code,
            ) from error

    def write(self, part: bytes) -> None:
        """Add a part of the body.

        Raises:
            ArchiveError: The body is too large for memory.
        """
        self._size += len(part)
        if self._part is None and self._size > MOST_BYTES:
            raise ArchiveError(
                f"the answer is larger than {MOST_BYTES >> 20} MiB: save it to a file, or request less",
                status=self._answer.status_code,
            )
        self._file.write(part)

    def finish(self) -> Response:
        """Return the complete answer."""
        body = b""
        if isinstance(self._file, BytesIO):
            body = self._file.getvalue()
        self._file.close()
        headers = {name.lower(): value for name, value in self._answer.headers.items()}
        if self._part and self._to and self._size:
            self._part.replace(self._to)
            return Response(self._answer.status_code, headers, body, is_saved=True)
        return Response(self._answer.status_code, headers, body)


def settings_of(url: str, timeout_s: float, headers: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the settings that the clients of both transports share.

    Raises:
        ValueError: The URL is not the address of a server.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"the address of a server begins with http:// or https://, got {url!r}")
    return {
        "base_url": url,
        "timeout": httpx2.Timeout(timeout_s, connect=min(timeout_s, CONNECT_S)),
        "headers": {"User-Agent": AGENT, **(headers or {})},
        "follow_redirects": True,
    }


def _arguments(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "params": dict(request.params),
        "content": request.body,
        "headers": dict(request.headers),
    }


def _failure(error: httpx2.RequestError) -> Failure:
    """Return the failure. After a timeout the request is not repeated, since the server may still work on it.

    Raises:
        ArchiveError: Too many redirects.
    """
    if isinstance(error, httpx2.TooManyRedirects):
        last = without_key(str(error.request.url))
        raise ArchiveError(f"the server redirects again and again, the last time from {last}") from error
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        return Failure(f"cannot connect to the server: {error}", was_sent=False)
    if isinstance(error, httpx2.TimeoutException):
        return Failure("the server did not answer in time: raise timeout_s", was_sent=True, is_final=True)
    return Failure(f"the connection broke: {str(error) or type(error).__name__}", was_sent=True)
