"""Errors of processes and jobs as problem documents, of the types that OGC 18-062r2 has for them."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, UnknownPath
from chronotile.protocols.common.problem import problem_response

TYPES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
NOT_READY = "results"
"""Locator of results that are not there yet, or never will be."""
OF_LOCATORS: Mapping[str, str] = {
    "processID": f"{TYPES}/no-such-process",
    "jobID": f"{TYPES}/no-such-job",
    NOT_READY: f"{TYPES}/result-not-ready",
}


def process_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error."""
    type_ = OF_LOCATORS.get(error.locator or "") if isinstance(error, UnknownPath) else None
    return problem_response(error, request, spelling={"time": "datetime"}, type_=type_)
