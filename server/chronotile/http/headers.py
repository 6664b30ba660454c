"""Headers of requests: as ASGI carries them, and what a client would rather have (RFC 9110 §12.5)."""

import re
from collections.abc import Collection, Iterable, Sequence

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES
from starlette.types import Message, Scope, Send

MAX_MEMBERS = 50
MAX_SUBTAGS = 8
"""Parts of a language range that are looked at: no language that is offered has more."""
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def parse_weights(header: str) -> list[tuple[str, float]]:
    """Return the members of a header in lower case with their weights, the highest first; of equals as they came."""
    members: list[tuple[str, float]] = []
    for member in header.split(",")[:MAX_MEMBERS]:
        value, *parameters = (part.strip() for part in member.split(";"))
        weights = [found[1] for parameter in parameters if (found := _WEIGHT.fullmatch(parameter))]
        if value:
            members.append((value.lower(), float(weights[0]) if weights else 1.0))
    return sorted(members, key=lambda member: -member[1])


def preferred_type(header: str, offered: Sequence[str]) -> str:
    """Return the media type a client likes best; the first one offered where it likes several equally, or none."""
    members = dict(reversed(parse_weights(header)))

    def weight(media_type: str) -> float:
        family = media_type.partition("/")[0]
        for pattern in (media_type, f"{family}/*", "*/*"):
            if pattern in members:
                return members[pattern]
        return 0.0

    return max(offered, key=weight)


def takes_gzip(header: str) -> bool:
    """Return whether a client takes gzip and would not rather have what is not compressed (RFC 9110 §12.5.3).

    `x-gzip` is another name of it (§8.4.1.3). Where nothing is acceptable that could be sent, `identity` is sent.
    """
    weights = dict(reversed(parse_weights(header)))
    others = weights.get("*", 0.0)
    gzip = max((weights[name] for name in ("gzip", "x-gzip") if name in weights), default=others)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def preferred_language(header: str, offered: Sequence[str]) -> str:
    """Return the language a client likes best (RFC 4647 §3.4 lookup), the first one offered where it likes none."""
    for language_range, weight in parse_weights(header):
        found = offered_language(language_range, offered) if weight > 0 else None
        if found is not None:
            return found
    return offered[0]


def offered_language(language_range: str, offered: Sequence[str]) -> str | None:
    """Return the language that `language_range` or, part by part, its beginning names: `nl-BE` finds `nl`."""
    known = {language.lower(): language for language in offered}
    parts = language_range.lower().split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for length in range(len(parts), 0, -1):
        found = known.get("-".join(parts[:length]))
        if found is not None:
            return found
    return None


# Headers as ASGI carries them: lower-case names and values, in bytes.
#
# Starlette's `Headers` decode each of them for each look; what stands in the way of every request looks at the bytes.

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


def has_range(scope: Scope) -> bool:
    """Return whether a part is requested."""
    return scope["method"] == "GET" and bool(header_value(scope["headers"], b"range"))


# What leaves compressed.

ACCEPT_ENCODING = b"accept-encoding"
BINARY = (
    "application/netcdf",
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/x-netcdf",
    "application/x-npy",
    "font/*",
    "image/tiff",
    "image/vnd.microsoft.icon",
)
"""Of what is served, in addition to what Starlette leaves alone: it is packed already, or must be fast."""
EXCLUDED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *BINARY)


def is_compressible(content_type: str) -> bool:
    """Return whether an answer of that type leaves compressed for clients that take that."""
    media_type = content_type.partition(";")[0].strip().lower()
    return {media_type, f"{media_type.partition('/')[0]}/*"}.isdisjoint(EXCLUDED)


def leaves_compressed(scope: Scope, content_type: str) -> bool:
    """Return whether an answer of many bytes and that type leaves compressed; `scope` is that within `Guard`."""
    return join_values(scope["headers"], ACCEPT_ENCODING) == b"gzip" and is_compressible(content_type)
