"""Errors of path APIs as problem documents (RFC 9457)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, LimitExceeded, TimeNotAvailable, UnknownParameter
from chronotile.http.server_state import base_url

MEDIA_TYPE = "application/problem+json"
AS_IN_THE_CORE: Mapping[str, str] = {}
DATED = {"time": "datetime"}
TILED = {**DATED, "row": "y", "column": "x", "tile_matrix": "z", "tile_matrix_set": "tms"}
"""Names of parameters, by the core's."""
OFFERED = "chronotile.job"
"""The member of a request's scope with the function that makes its offer."""


def problem_response(
    error: ChronotileError,
    request: Request,
    *,
    spelling: Mapping[str, str] = AS_IN_THE_CORE,
    status: int | None = None,
    type_: str | None = None,
    media_type: str = MEDIA_TYPE,
) -> Response:
    """Return the problem document of an error.

    Args:
        error: What went wrong.
        request: Where.
        spelling: The protocol's names of parameters, by the core's.
        status: Of HTTP, where the protocol has another one than the error.
        type_: Of the problem, where the protocol has another one than the error.
        media_type: Of the answer.
    """
    status = status or error.status
    members: dict[str, Any] = {
        "type": type_ or error.problem_type,
        "title": error.problem_title or HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
    }
    if error.locator:
        is_as_written = isinstance(error, UnknownParameter)
        members["parameter"] = error.locator if is_as_written else spelling.get(error.locator, error.locator)
    if isinstance(error, TimeNotAvailable):
        members["nearest"] = list(error.nearest)
    if isinstance(error, LimitExceeded):
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


dated_problem = partial(problem_response, spelling=DATED)
"""Problem documents of paths and queries whose times are in `datetime`."""
tile_problem = partial(problem_response, spelling=TILED)
"""Those of paths that end with `{tms}/{z}/{x}/{y}`, too."""


# The job that does what a request is too large for: a link, and the inputs that its body does not have.


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOffer:
    """A job that does the same as a request."""

    process: str
    inputs: dict[str, Any]
    """Those that the body of the request does not have."""
    limits: Mapping[str, float]
    """How far it goes, by the names of the limits of requests that do not apply to it."""
    notes: Sequence[str] = ()
    """What is different, and where the body of the request belongs."""


def offer_job(request: Request, make: Callable[[], JobOffer | None]) -> None:
    """Set which job does the same as a request, for the problem if it exceeds a limit.

    Args:
        request: It.
        make: Gives the job, or `None` where no process does the same; raises ChronotileError if the request is not
            valid.
    """
    request.scope[OFFERED] = make


def job_document(error: LimitExceeded, request: Request) -> dict[str, Any] | None:
    """Return the member `job` of a problem, the job to which the limit does not apply; `None` if there is none."""
    make = request.scope.get(OFFERED)
    try:
        job: JobOffer | None = None if make is None else make()
    except ChronotileError:  # the limit was met before the rest was checked
        return None
    if job is None or error.needed > job.limits.get(error.limit, 0):
        return None
    return {
        "href": f"{base_url(request)}/ogcapi/processes/{job.process}/execution",
        "inputs": job.inputs,
        **({"note": "; ".join(job.notes)} if job.notes else {}),
    }
