"""ETags of answers that the client has stored."""

from starlette.requests import Request

ETAG_GZIP_SUFFIX = "-gzip"
"""End of the ETag of a compressed answer, whose bytes differ from the uncompressed answer (RFC 9110 §8.8.3.3)."""


class _AnyEtag(frozenset[str]):
    """Contains every ETag, for `If-None-Match: *`."""

    def __contains__(self, _etag: object) -> bool:
        return True


def client_etags(request: Request) -> frozenset[str]:
    """Return the ETags in `If-None-Match` (RFC 9110 §13.1.2), without quotes, `W/` and the suffix of compression."""
    parts = [part.strip() for line in request.headers.getlist("if-none-match") for part in line.split(",")]
    if "*" in parts:
        return _AnyEtag()
    return frozenset(part.removeprefix("W/").strip('"').removesuffix(ETAG_GZIP_SUFFIX) for part in parts if part)
