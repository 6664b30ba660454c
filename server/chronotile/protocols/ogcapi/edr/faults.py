"""Errors of data queries as problem documents, with parameters as EDR spells them."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.protocols.common.responses.problem import problem_response

SPELLING = {
    "point": "coords",
    "points": "coords",
    "geometry": "coords",
    "time": "datetime",
    "layer": "parameter-name",
    "location": "locationId",
    "place": "locationId",
}


def area_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error of a query whose `coords` are an area: cells have no other box."""
    return problem_response(error, request, spelling={**SPELLING, "bbox": "coords"})


def edr_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error."""
    return problem_response(error, request, spelling=SPELLING)
