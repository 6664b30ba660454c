"""Headers of requests and answers as ASGI carries them: lower-case names and values, in bytes.

Code that every request passes uses these functions, because Starlette's `Headers` decode all headers at each lookup.
"""

from collections.abc import Collection, Iterable

from starlette.types import Message, Scope, Send

RawHeader = tuple[bytes, bytes]


def header_value(headers: Iterable[RawHeader], name: bytes) -> bytes:
    """Return the first value of a header; empty if the header is missing."""
    for header, value in headers:
        if header == name:
            return value
    return b""


def join_values(headers: Iterable[RawHeader], name: bytes) -> bytes:
    """Return the values of all lines of a header as one list (RFC 9110 §5.3); empty if the header is missing."""
    return b", ".join(value for header, value in headers if header == name)


def declared_bytes(headers: Iterable[RawHeader]) -> int | None:
    """Return the length of a body according to `Content-Length`; `None` without a valid one."""
    declared = header_value(headers, b"content-length")
    # 18 digits exceed every limit; longer numbers would only cost time.
    return int(declared.lstrip(b"0")[:18] or b"0") if declared.isdigit() else None


def replace_headers(message: Message, headers: Collection[RawHeader]) -> None:
    """Set headers of an answer; existing headers of the same names are removed."""
    names = [name for name, _ in headers]
    message["headers"] = [*(header for header in message["headers"] if header[0] not in names), *headers]


def replace_headers_on_send(send: Send, headers: Collection[RawHeader]) -> Send:
    """Return a send function that calls `replace_headers` on the start of an answer."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            replace_headers(message, headers)
        await send(message)

    return send_with_headers


def has_range(scope: Scope) -> bool:
    """Return whether a request has a `Range` header that counts (RFC 9110 §14.2)."""
    return scope["method"] == "GET" and bool(header_value(scope["headers"], b"range"))
