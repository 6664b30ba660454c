"""Whether a URL is answered by its own server: GDAL follows redirects and cannot be configured not to."""

import threading
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable

from chronotile.errors import SourceUnavailable, UnknownPath

TIMEOUT_S = 10
KEPT_S = 60.0
KEPT = 1024


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer it is."""

    def redirect_request(self, *_arguments: object) -> None:
        """Follow none."""


class RedirectCheck:
    """Asks a server for the first byte, and remembers for a minute that it gave it itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._good_until: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, url: str) -> None:
        """Check an http or https URL.

        Raises:
            UnknownPath: It is not there, or leads elsewhere.
            SourceUnavailable: Its server does not answer.
        """
        with self._lock:
            if self._good_until.get(url, 0.0) > self._clock():
                return
        self._ask(url)
        with self._lock:
            self._good_until[url] = self._clock() + KEPT_S
            self._good_until.move_to_end(url)
            while len(self._good_until) > KEPT:
                self._good_until.popitem(last=False)

    def _ask(self, url: str) -> None:
        request = urllib.request.Request(url, headers={"Range": "bytes=0-0"})  # noqa: S310 -- built from an allowed prefix
        try:
            self._opener.open(request, timeout=TIMEOUT_S).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code >= 500:
                raise SourceUnavailable("the server of url failed; try again later", locator="url") from error
            what = "redirects, which is not followed" if error.code < 400 else "is not there"
            raise UnknownPath(f"url {what} (its server answers {error.code})", locator="url") from error
        except OSError as error:
            raise SourceUnavailable("the server of url did not respond; try again later", locator="url") from error
