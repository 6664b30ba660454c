"""Headers as ASGI carries them: lower-case names and values, in bytes.

Starlette's `Headers` decode each of them for each look; what stands in the way of every request looks at the bytes.
"""

from collections.abc import Collection, Iterable

from starlette.types import Message, Send

RawHeader = tuple[bytes, bytes]


def header_value(headers: Iterable[RawHeader], name: bytes) -> bytes:
    """Return the first value of a header; empty where there is none."""
    for each, value in headers:
        if each == name:
            return value
    return b""


def join_values(headers: Iterable[RawHeader], name: bytes) -> bytes:
    """Return the values of all lines of a header as one list (RFC 9110 §5.3); empty where there is none."""
    return b", ".join(value for each, value in headers if each == name)


def declared_bytes(headers: Iterable[RawHeader]) -> int | None:
    """Return the length of a body as `Content-Length` declares it; `None` where it does not."""
    declared = header_value(headers, b"content-length")
    # Of many digits the first ones say enough, but for zeros.
    return int(declared.lstrip(b"0")[:18] or b"0") if declared.isdigit() else None


def set_headers(start: Message, added: Collection[RawHeader]) -> None:
    """Give the start of an answer some headers, in place of those it has of the same names."""
    names = [name for name, _ in added]
    start["headers"] = [*(header for header in start["headers"] if header[0] not in names), *added]


def with_headers(send: Send, added: Collection[RawHeader]) -> Send:
    """Return what sends an answer with some headers in place of its own of the same names."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            set_headers(message, added)
        await send(message)

    return send_with_headers
