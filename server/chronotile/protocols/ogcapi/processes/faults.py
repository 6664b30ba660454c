"""Errors of processes and jobs as problem documents, of the types that OGC 18-062r2 has for them."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, UnknownPath
from chronotile.protocols.common.query.accept import parse_weights
from chronotile.protocols.common.responses.problem import MEDIA_TYPE, problem_response
from chronotile.protocols.ogcapi.processes.media_types import JSON

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
    media_type = problem_type(request)
    response = problem_response(error, request, spelling={"time": "datetime"}, type_=type_, media_type=media_type)
    response.headers["Vary"] = "Accept"
    return response


def problem_type(request: Request) -> str:
    """Return the media type of problems: JSON for clients that name it in Accept and no problem documents.

    The standard's own OpenAPI knows no other (OGC 18-062r2 Table 10), and OGC's suite reads the type.
    """
    accepted = {name for name, weight in parse_weights(request.headers.get("accept", "")) if weight > 0}
    return JSON if JSON in accepted and MEDIA_TYPE not in accepted else MEDIA_TYPE
