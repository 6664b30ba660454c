"""Time limits of what tensorstore reads from other machines."""

import asyncio
import os
import re
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from http import HTTPStatus
from time import monotonic
from typing import Any, TypeVar

import tensorstore as ts

from chronotile.readers.library_errors import Damaged, one_line
from chronotile.readers.remote.requests import (
    AGAIN_S,
    ATTEMPTS,
    CONNECT_S,
    IGNORES_RANGE,
    READ_S,
    REQUEST_S,
    Away,
    GivenUp,
    Refused,
    read_deadline,
)

_METRICS = "/tensorstore/kvstore/"
_CODES = "/tensorstore/http/response_codes"
_NOT_OF_THE_STORE = re.compile("INVALID_ARGUMENT|FAILED_PRECONDITION|OUT_OF_RANGE|UNIMPLEMENTED")
"""Errors of arrays that cannot be decoded; all others are of the network or the server."""

_REFUSALS = {
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
}
"""Which answer each error of tensorstore stands for."""

_CURL_ERRORS = {6: "its host name is unknown: is its address correct?", 28: "its server did not respond in time"}
"""What some of curl's codes mean, which are at the end of tensorstore's messages."""

_NO_CHUNK = re.compile(r"NOT_FOUND: chunk \{.*\} stored at .* is missing")
"""What tensorstore says of a chunk that is not there, where it is not to give the fill value for it."""

_NO_CONTENT = {"204", "412"}
"""Status codes that it takes, like 404, for an answer that a file is not there. So it does 304 without a condition."""

_HTTP_CODE = re.compile(r"\[(?:HTTP code |http_response_code=')(\d{3})'?\]")
"""As the drivers of the web and of S3 have it."""

COPY_THREADS = 2
IO_THREADS = 8

REQUESTS_AT_ONCE = 32
"""Of the arrays that share a context; more wait."""
SLOWEST_BYTES_S = 1000
"""A server that sends less for `REQUEST_S` seconds is taken for one that hangs."""


def request_limits() -> dict[str, Any]:
    """Return the members of a context that limit requests; the time-outs are this process's environment."""
    # tensorstore has no other place for them, and reads them before the first request.
    os.environ.setdefault("TENSORSTORE_CURL_CONNECT_TIMEOUT_SECONDS", f"{CONNECT_S:g}")
    os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS", f"{REQUEST_S:g}")
    os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_LIMIT_BYTES", str(SLOWEST_BYTES_S))
    retries = {"max_retries": ATTEMPTS - 1, "initial_delay": f"{AGAIN_S:g}s", "max_delay": f"{AGAIN_S:g}s"}
    at_once = {"limit": REQUESTS_AT_ONCE}
    return {
        "http_request_retries": retries,
        "s3_request_retries": retries,
        "http_request_concurrency": at_once,
        "s3_request_concurrency": at_once,
    }


def chunk_context(cache_bytes: int) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
    """Return the threads and the cache of decoded chunks, of so many bytes, of the arrays that are opened with it."""
    return ts.Context(
        {
            "cache_pool": {"total_bytes_limit": cache_bytes},
            "data_copy_concurrency": {"limit": COPY_THREADS},
            "file_io_concurrency": {"limit": IO_THREADS},
            **request_limits(),
        }
    )


class NoChunk(Exception):
    """A chunk is not there, or an answer was taken for that."""


def result_within(future: Any) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
    """Return the result of a remote read, within the time limit of this thread's read, else `READ_S` seconds.

    Raises:
        Away: The read fails or takes too long.
        NoChunk: It needs a chunk that does not exist.
        ValueError: The data are not valid.
    """
    deadline = read_deadline()
    try:
        return future.result(timeout=READ_S if deadline is None else max(0.0, deadline - monotonic()))
    except TimeoutError:
        future.cancel()
        raise Away(f"reading it takes longer than {READ_S:g} s") from None
    except (ValueError, NotImplementedError) as error:  # the second stands for 501
        if _NO_CHUNK.match(str(error)):
            raise NoChunk from None
        if "was ignored by server" in str(error):
            raise Away(IGNORES_RANGE) from error
        status = next((status for code, status in _REFUSALS.items() if str(error).startswith(code)), None)
        if status is not None:
            raise Refused(status) from None  # the origin, which is looked for
        if _HTTP_CODE.search(str(error)) or not _NOT_OF_THE_STORE.match(str(error)):
            raise Away(_why_away(str(error))) from error
        raise


def _why_away(said: str) -> str:
    """The reason of the failure, without the URL, which may contain a secret."""
    status = _HTTP_CODE.search(said)
    if status is not None:
        return f"its server answers {status[1]}"
    known = (words for code, words in _CURL_ERRORS.items() if f"[curl_code='{code}']" in said)
    return next(known, "its server cannot be reached, or answers with an error")


def requests_so_far() -> int:
    """Return how many values this process has read from stores elsewhere."""
    found = ts.experimental_collect_matching_metrics(_METRICS)
    ends = ("/http/read", "/s3/read")
    return sum(value["value"] for metric in found if metric["name"].endswith(ends) for value in metric["values"])


def answers_without_content() -> int:
    """Return how many answers without content this process has got that it takes for 404."""
    found = ts.experimental_collect_matching_metrics(_CODES)
    return sum(value["value"] for metric in found for value in metric["values"] if value["code"] in _NO_CONTENT)


Answer = TypeVar("Answer")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Where the work is done, in a thread that does not keep the process from ending."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="zarr", daemon=True).start()
    return loop


def result_of(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what a coroutine gives, within the time limit of this thread's read, else `READ_S` seconds.

    Raises:
        Damaged: What is stored cannot be decoded.
        GivenUp: It takes too long.
        Exception: Others are the store's own.
    """
    deadline = read_deadline()
    waiting = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return waiting.result(READ_S if deadline is None else max(0.0, deadline - monotonic()))
    except FutureTimeout:
        waiting.cancel()
        raise GivenUp(f"reading it takes longer than {READ_S:g} s") from None
    except (ValueError, RuntimeError, KeyError) as error:  # of codecs
        raise Damaged(f"it cannot be decoded: {one_line(error)}") from None
