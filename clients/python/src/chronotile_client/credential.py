"""Tokens and API keys: sent to one server only, and renewed by a function of the user."""

import asyncio
import base64
import json
import math
import re
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias

import httpx2

Token: TypeAlias = str | Callable[[], str]
"""A token or an API key, or a function that returns one."""
AsyncToken: TypeAlias = Token | Callable[[], Awaitable[str]]

LEEWAY_S: Final = 10.0
"""A token is renewed this long before it expires."""


class Credential(httpx2.Auth):
    """Adds a token to requests to one server, and never to other servers, even after redirects.

    A function is called before the first request, after its token has expired (the claim `exp` of a JSON Web Token),
    and once after the server has refused it (401).

    Args:
        url: The address of the server.
        source: The token, or the function that returns it.

    Raises:
        ValueError: The token is empty, or has characters that no header can contain.
    """

    def __init__(self, url: str, source: AsyncToken) -> None:
        self._url, self._source = url, source
        self._token, self._until = ("", 0.0) if callable(source) else (_checked(source), math.inf)
        self._lock, self._turn = threading.Lock(), asyncio.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from address and source, as locks cannot be copied; workers of Dask receive copies."""
        return Credential, (self._url, self._source)

    def token(self, refused: str | None = None) -> str:
        """Return the token, renewed if it has expired or if the server refused it.

        Args:
            refused: The token that the server refused.

        Raises:
            TypeError: The function did not return text.
        """
        with self._lock:
            if callable(self._source) and self._is_over(refused):
                if iscoroutinefunction(self._source):
                    raise TypeError("token is an async function, which AsyncArchive takes, and Archive does not")
                self._take(self._source())
            return self._token

    async def token_async(self, refused: str | None = None) -> str:
        """Return the token, as `token` does; plain functions run in a thread."""
        async with self._turn:
            if callable(self._source) and self._is_over(refused):
                if iscoroutinefunction(self._source):
                    self._take(await self._source())
                else:
                    self._take(await asyncio.to_thread(self._source))
            return self._token

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send a request with the token, and again with a new token if the first is refused."""
        if not self._is_for(request.url):
            yield request
            return
        sent = self.token()
        request.headers["Authorization"] = f"Bearer {sent}"
        response = yield request
        if response.status_code == 401 and (renewed := self.token(sent)) != sent:
            request.headers["Authorization"] = f"Bearer {renewed}"
            yield request

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request, as `sync_auth_flow` does, with `await`."""
        if not self._is_for(request.url):
            yield request
            return
        sent = await self.token_async()
        request.headers["Authorization"] = f"Bearer {sent}"
        response = yield request
        if response.status_code == 401 and (renewed := await self.token_async(sent)) != sent:
            request.headers["Authorization"] = f"Bearer {renewed}"
            yield request

    async def aiohttp_middleware(self, request: Any, handler: Any) -> Any:  # noqa: ANN401 -- aiohttp is an extra
        """Authorize requests of aiohttp, which reads stores; aiohttp calls this for each redirect too."""
        if not self._is_for(httpx2.URL(str(request.url))):
            return await handler(request)
        sent = await self.token_async()
        request.headers["Authorization"] = f"Bearer {sent}"
        answer = await handler(request)
        if answer.status == 401 and (renewed := await self.token_async(sent)) != sent:
            answer.release()
            request.headers["Authorization"] = f"Bearer {renewed}"
            answer = await handler(request)
        return answer

    def _is_for(self, url: httpx2.URL) -> bool:
        own = httpx2.URL(self._url)
        return (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port)

    def _is_over(self, refused: str | None) -> bool:
        return refused == self._token or time.time() > self._until

    def _take(self, found: object) -> None:
        self._token = _checked(found)
        self._until = _expiry_of(self._token) - LEEWAY_S


def without_key(url: str) -> str:
    """Return an address without the key in its path, for messages."""
    return re.sub(r"/k/[^/?]+", "/k/…", url)


def _checked(token: object) -> str:
    """Return the token without white space at its ends, which files often have; errors do not show the token."""
    if not isinstance(token, str):
        raise TypeError(f"a token is text, the function of token returned {type(token).__name__}")
    stripped = token.strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable():
        raise ValueError("token is empty, or has characters that no token has")
    return stripped


def _expiry_of(token: str) -> float:
    """Return the expiry of a JSON Web Token in seconds since 1970; infinity for other tokens."""
    try:
        payload = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (LookupError, TypeError, ValueError):
        return math.inf
