"""Small documents from the web."""

import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.request import Request

from chronotile.errors import InvalidParameter

TIMEOUT_S = 5.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An address that was allowed may lead to one that was not."""

    def redirect_request(  # noqa: PLR0917 -- urllib's own signature
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return none to follow; urllib then raises the answer as an error."""
        del req, fp, code, msg, headers, newurl
        return None


def fetch(url: str, *, max_bytes: int, locator: str) -> bytes:
    """Return at most `max_bytes + 1` bytes of what an http or https URL gives; redirects are not followed.

    Raises:
        InvalidParameter: It gives nothing within `TIMEOUT_S`.
    """
    opener = urllib.request.build_opener(_NoRedirects())
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            body: bytes = answer.read(max_bytes + 1)
    except (OSError, HTTPException) as error:
        raise InvalidParameter(f"{locator} gives no document", locator=locator) from error
    return body
