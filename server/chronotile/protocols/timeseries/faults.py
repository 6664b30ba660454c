"""Errors in the words of each way to request a series."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError
from chronotile.http.endpoint import problem_response

LONGITUDE_LATITUDE = {"point": "lon,lat", "time": "datetime"}
COORDINATES = {"point": "x,y", "time": "datetime"}

terrascope_fault = partial(problem_response, spelling={"layer": "productId", "point": "lon,lat", "time": "startDate"})
"""Parameters are named as Terrascope's service does."""
area_fault = partial(problem_response, spelling=LONGITUDE_LATITUDE)
points_fault = partial(problem_response, spelling={"layer": "layers", "time": "datetime", "geometry": "points"})
"""Members of the body are named as they are there."""


def point_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem with the coordinates as the request spells them."""
    has_coordinates = any(name.lower() in {"x", "y"} for name in request.query_params)
    return problem_response(error, request, spelling=COORDINATES if has_coordinates else LONGITUDE_LATITUDE)
