"""Problem documents (RFC 9457): the errors of protocols that use paths and JSON."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.http.job_offers import job_document

PROBLEM_TYPE = "application/problem+json"
CORE_SPELLING: Mapping[str, str] = {}
DATED_SPELLING = {"time": "datetime"}
TILED_SPELLING = {**DATED_SPELLING, "row": "y", "column": "x", "tile_matrix": "z", "tile_matrix_set": "tms"}
"""Names of parameters in a protocol, by their names in the core."""


def problem_response(
    error: errors.ChronotileError,
    request: Request,
    *,
    spelling: Mapping[str, str] = CORE_SPELLING,
    status: int | None = None,
    type_: str | None = None,
    media_type: str = PROBLEM_TYPE,
) -> Response:
    """Return the problem document of an error.

    Args:
        error: The error; its parts become members of the document.
        request: The failed request; the document contains the job that it offers (`offer_job`).
        spelling: Names of parameters in the protocol, by their names in the core.
        status: HTTP status instead of that of the error.
        type_: Problem type instead of that of the error.
        media_type: Media type of the answer.
    """
    status = status or error.status
    members: dict[str, Any] = {
        "type": type_ or error.problem_type,
        "title": error.problem_title or HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
    }
    if error.locator:
        is_from_client = isinstance(error, errors.UnknownParameter)
        members["parameter"] = error.locator if is_from_client else spelling.get(error.locator, error.locator)
    if isinstance(error, errors.TimeNotAvailable):
        members["nearest"] = list(error.nearest)
    if isinstance(error, errors.LimitExceeded):
        members |= {
            "limit": error.limit,
            "allowed": error.allowed,
            "asked": error.needed,
            "alternative": error.alternative,
        }
        job = job_document(error, request)
        members |= {} if job is None else {"job": job}
    body = b"" if request.method == "HEAD" else orjson.dumps(members)
    return Response(body, status_code=status, media_type=media_type)


dated_problem = partial(problem_response, spelling=DATED_SPELLING)
"""Problem documents of protocols with the parameter `datetime`."""
tile_problem = partial(problem_response, spelling=TILED_SPELLING)
"""Problem documents of protocols with paths that end with `{tms}/{z}/{x}/{y}`."""
