"""Offers of a job to clients whose request exceeds a limit: a link to a process, and inputs for the same result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from chronotile.core import errors
from chronotile.http.base_urls import base_url

JOB_OFFER = "chronotile.job"
"""ASGI scope key of the function that makes the offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOffer:
    """A job with the same result as a request."""

    process: str
    inputs: dict[str, Any]
    """Inputs of the process, except inputs that the client takes from the body of its request."""
    limits: Mapping[str, float]
    """Limits of the job, by the names of the limits of requests."""
    notes: Sequence[str] = ()
    """Differences from the request, and the place of the request's body in the inputs, in words."""


def offer_job(request: Request, make: Callable[[], JobOffer | None]) -> None:
    """Let the problem document of a request that exceeds a limit contain a job.

    Args:
        request: The request.
        make: Called when the limit was exceeded. It returns `None` if no process has the same result, and raises
            ChronotileError if the request is invalid.
    """
    request.scope[JOB_OFFER] = make


def job_document(error: errors.LimitExceeded, request: Request) -> dict[str, Any] | None:
    """Return the member `job` of a problem document; `None` without an offer whose limits allow the request."""
    make = request.scope.get(JOB_OFFER)
    try:
        job: JobOffer | None = None if make is None else make()
    except errors.ChronotileError:  # the limit was exceeded before the rest of the request was checked
        return None
    if job is None or error.needed > job.limits.get(error.limit, 0):
        return None
    return {
        "href": f"{base_url(request)}/ogcapi/processes/{job.process}/execution",
        "inputs": job.inputs,
        **({"note": "; ".join(job.notes)} if job.notes else {}),
    }
