"""Compression of answers: which are compressed (gzip), and the headers that change with it."""

from functools import lru_cache

from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipResponder, IdentityResponder
from starlette.types import ASGIApp, Message, Scope, Send

from chronotile.http.asgi_headers import header_value, join_values
from chronotile.http.if_none_match import ETAG_GZIP_SUFFIX
from chronotile.http.negotiation import accepts_gzip

MIN_BYTES = 1024
LEVEL = 6
"""A third of the time of level 9; texts are 1 to 2 % larger."""
MAX_CACHED_BYTES = 100
"""Longest `Accept-Encoding` whose preferred encoding is cached."""
ACCEPT_ENCODING = b"accept-encoding"
BINARY = (
    "application/flatgeobuf",
    "application/geopackage+sqlite3",
    "application/netcdf",
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/x-netcdf",
    "application/x-npy",
    "font/*",
    "image/tiff",
    "image/vnd.microsoft.icon",
    "multipart/related",
)
"""Media types that are compressed already or must be sent fast, in addition to those that Starlette excludes."""
EXCLUDED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *BINARY)


def is_compressible(content_type: str) -> bool:
    """Return whether an answer of this media type is compressed for clients that accept gzip."""
    media_type = content_type.partition(";")[0].strip().lower()
    return {media_type, f"{media_type.partition('/')[0]}/*"}.isdisjoint(EXCLUDED)


def is_compressed_for(scope: Scope, content_type: str) -> bool:
    """Return whether an answer of at least `MIN_BYTES` is compressed; `scope` has passed `negotiate_encoding`."""
    return join_values(scope["headers"], ACCEPT_ENCODING) == b"gzip" and is_compressible(content_type)


def negotiate_encoding(scope: Scope) -> bytes:
    """Replace `Accept-Encoding` of a request by the encoding of its answer, and return it: `gzip` or `identity`."""
    accepted = join_values(scope["headers"], ACCEPT_ENCODING)
    is_short = len(accepted) <= MAX_CACHED_BYTES
    encoding = _choose_encoding(accepted) if is_short else _choose_encoding.__wrapped__(accepted)
    headers = [header for header in scope["headers"] if header[0] != ACCEPT_ENCODING]
    scope["headers"] = [*headers, (ACCEPT_ENCODING, encoding)]
    return encoding


@lru_cache(maxsize=256)
def _choose_encoding(accepted: bytes) -> bytes:
    return b"gzip" if accepts_gzip(accepted.decode("latin-1")) else b"identity"


def compress_on_send(send: Send, encoding: bytes, app: ASGIApp) -> Send:
    """Return a send function that compresses an answer if `encoding` is gzip and the answer may be compressed."""
    send_message = send

    async def send_compressed(message: Message) -> None:
        nonlocal send_message
        if message["type"] == "http.response.start" and _may_compress(message):
            responder = (
                GZipResponder(app, MIN_BYTES, LEVEL, exclude_content_types=EXCLUDED)
                if encoding == b"gzip"
                else IdentityResponder(app, MIN_BYTES, exclude_content_types=EXCLUDED)
            )
            responder.send = send
            send_message = responder.send_with_compression
        await send_message(message)

    return send_compressed


def _may_compress(message: Message) -> bool:
    # A part of an answer (206) and an encoded answer are sent unchanged.
    headers = message["headers"]
    return (
        message["status"] != 206
        and not header_value(headers, b"content-encoding")
        and is_compressible(header_value(headers, b"content-type").decode("latin-1"))
    )


def correct_encoding_headers(message: Message, if_none_match: bytes) -> None:
    """Set the ETag of the bytes that are sent, remove the encoding `identity`, and list each header once in `Vary`.

    A handler marks an answer as `identity` to keep Starlette from compressing it; clients must not see the mark
    (RFC 9110 §8.4). Starlette adds `Accept-Encoding` to `Vary` even if the answer has it.
    """
    encoding = header_value(message["headers"], b"content-encoding")
    if encoding == b"identity":
        identity = (b"content-encoding", b"identity")
        message["headers"] = [header for header in message["headers"] if header != identity]
    headers = MutableHeaders(raw=message["headers"])
    etag = header_value(message["headers"], b"etag").decode("latin-1")
    if etag.startswith('"') and (encoding == b"gzip" or (message["status"] == 304 and if_none_match)):
        gzip_etag = f'{etag[:-1]}{ETAG_GZIP_SUFFIX}"'
        if encoding == b"gzip" or gzip_etag in if_none_match.decode("latin-1"):
            headers["etag"] = gzip_etag
    vary = join_values(message["headers"], b"vary").decode("latin-1")
    names = [name.strip() for name in vary.split(",")] if "," in vary else []
    unique_names = {name.lower(): name for name in names}
    if len(unique_names) < len(names):
        headers["vary"] = ", ".join(unique_names.values())
