"""Errors in the words of each way to ask for a series."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.protocols.common.responses.problem import problem_response

TERRASCOPE = {"layer": "productId", "point": "lon,lat", "time": "startDate"}
POINTS = {"layer": "layers", "time": "datetime", "geometry": "points"}
LONGITUDE_LATITUDE = {"point": "lon,lat", "time": "datetime"}
COORDINATES = {"point": "x,y", "time": "datetime"}


def terrascope_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem with parameters as Terrascope's service spells them."""
    return problem_response(error, request, spelling=TERRASCOPE)


def point_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem with the coordinates as the request spells them."""
    has_coordinates = any(name.lower() in {"x", "y"} for name in request.query_params)
    return problem_response(error, request, spelling=COORDINATES if has_coordinates else LONGITUDE_LATITUDE)


def area_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem with parameters as the query spells them."""
    return problem_response(error, request, spelling=LONGITUDE_LATITUDE)


def points_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem with the members of the body as they are spelled there."""
    return problem_response(error, request, spelling=POINTS)
