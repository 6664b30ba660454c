"""Time limits of remote reads by tensorstore and icechunk, and the meaning of their errors."""

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
from chronotile.readers.remote.buckets import CONNECT_S, REQUEST_S
from chronotile.readers.remote.requests import (
    AGAIN_S,
    ATTEMPTS,
    IGNORES_RANGE,
    READ_S,
    Away,
    GivenUp,
    Refused,
    read_deadline,
)

_METRICS = "/tensorstore/kvstore/"
_CODES = "/tensorstore/http/response_codes"
_NOT_OF_THE_STORE = re.compile("INVALID_ARGUMENT|FAILED_PRECONDITION|OUT_OF_RANGE|UNIMPLEMENTED")
"""Errors of arrays that cannot be decoded; all other errors come from the network or the server."""

_REFUSALS = {
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
}
"""HTTP status for each error of tensorstore."""

_CURL_ERRORS = {6: "its host name is unknown: is its address correct?", 28: "its server did not respond in time"}
"""Reasons for codes of curl, which end tensorstore's messages."""

_NO_CHUNK = re.compile(r"NOT_FOUND: chunk \{.*\} stored at .* is missing")
"""tensorstore's message for a missing chunk if `fill_missing_data_reads` is off."""

_NO_CONTENT = {"204", "412"}
"""Status codes that tensorstore treats like 404. It also treats 304 so, if the request had no condition."""

_HTTP_CODE = re.compile(r"\[(?:HTTP code |http_response_code=')(\d{3})'?\]")
"""The HTTP status in messages of the drivers for HTTP and S3."""

COPY_THREADS = 2
IO_THREADS = 8

REQUESTS_AT_ONCE = 32
"""Maximum concurrent requests of arrays that share a tensorstore context; other requests wait."""
SLOWEST_BYTES_S = 1000
"""A server that sends less for `REQUEST_S` seconds counts as hanging."""


def request_limits() -> dict[str, Any]:
    """Return the members of a context that limit requests; time-outs are set in the environment of this process."""
    # tensorstore reads time-outs only from the environment, before the first request.
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
    """Return a context for opening arrays, with threads and a cache of `cache_bytes` of decoded chunks."""
    return ts.Context(
        {
            "cache_pool": {"total_bytes_limit": cache_bytes},
            "data_copy_concurrency": {"limit": COPY_THREADS},
            "file_io_concurrency": {"limit": IO_THREADS},
            **request_limits(),
        }
    )


class NoChunk(Exception):
    """A chunk is missing, or an answer without content was taken for that."""


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
    except (ValueError, NotImplementedError) as error:  # tensorstore raises NotImplementedError for HTTP 501
        if _NO_CHUNK.match(str(error)):
            raise NoChunk from None
        if "was ignored by server" in str(error):
            raise Away(IGNORES_RANGE) from error
        status = next((status for code, status in _REFUSALS.items() if str(error).startswith(code)), None)
        if status is not None:
            raise Refused(status) from None  # without a cause, as origin_of returns the first cause
        if _HTTP_CODE.search(str(error)) or not _NOT_OF_THE_STORE.match(str(error)):
            raise Away(_why_away(str(error))) from error
        raise


def _why_away(message: str) -> str:
    """Return the reason of a failure, without the URL, which may contain a secret."""
    status = _HTTP_CODE.search(message)
    if status is not None:
        return f"its server answers {status[1]}"
    reasons = (words for code, words in _CURL_ERRORS.items() if f"[curl_code='{code}']" in message)
    return next(reasons, "its server cannot be reached, or answers with an error")


def requests_so_far() -> int:
    """Return how many values this process has read from remote stores."""
    metrics = ts.experimental_collect_matching_metrics(_METRICS)
    ends = ("/http/read", "/s3/read")
    return sum(value["value"] for metric in metrics if metric["name"].endswith(ends) for value in metric["values"])


def answers_without_content() -> int:
    """Return how many answers tensorstore has taken for 404 in this process because they had no content."""
    metrics = ts.experimental_collect_matching_metrics(_CODES)
    return sum(value["value"] for metric in metrics for value in metric["values"] if value["code"] in _NO_CONTENT)


Answer = TypeVar("Answer")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop for coroutines, in a daemon thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="zarr", daemon=True).start()
    return loop


def result_of(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return the result of a coroutine, within the time limit of this thread's read, else `READ_S` seconds.

    Raises:
        Damaged: The stored data cannot be decoded.
        GivenUp: It takes too long.
        Exception: Other errors of the store.
    """
    deadline = read_deadline()
    waiting = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return waiting.result(READ_S if deadline is None else max(0.0, deadline - monotonic()))
    except FutureTimeout:
        waiting.cancel()
        raise GivenUp(f"reading it takes longer than {READ_S:g} s") from None
    except (ValueError, RuntimeError, KeyError) as error:  # errors of codecs
        raise Damaged(f"it cannot be decoded: {one_line(error)}") from None
