"""Cache-Control and Retry-After of errors: how long an error may be cached, and when a client may try again."""

from starlette.responses import Response

from chronotile.core.errors import ChronotileError, QuotaExceeded, TooManyDownloads, TooManyTries

RETRY_AFTER_S = 5
"""For 503 (a busy server, an unavailable source, a refused connection), and for 429 after too many downloads.

The gate answers 503 with `SIGN_IN_RETRY_S` if the source of a credential is unavailable.
"""

SIGN_IN_RETRY_S = 60
"""For 503 if a credential cannot be checked, because its source is unavailable."""


def add_error_headers(response: Response) -> Response:
    """Set `Cache-Control` of an error by its status (a minute for 404, none for 5xx) and `Retry-After` of 503."""
    if response.status_code == 404:
        response.headers["Cache-Control"] = "max-age=60"
    elif response.status_code >= 500:
        response.headers["Cache-Control"] = "no-store"
        if response.status_code == 503:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def add_limit_headers(response: Response, error: ChronotileError) -> Response:
    """Add `Retry-After` to the 429 of a limit of clients, and forbid caching."""
    retry_s = _retry_s(error)
    if retry_s is not None:
        response.headers.update({"Retry-After": str(retry_s), "Cache-Control": "no-store"})
    return response


def _retry_s(error: ChronotileError) -> int | None:
    if isinstance(error, TooManyDownloads):
        return RETRY_AFTER_S
    return error.retry_s if isinstance(error, QuotaExceeded | TooManyTries) else None
