"""Errors of maps and map tiles in the words of their parameters."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.protocols.common.responses.problem import problem_response

SPELLING = {
    "format": "f",
    "layer": "collections",
    "tile_matrix_set": "tileMatrixSetId",
    "tile_matrix": "tileMatrix",
    "row": "tileRow",
    "y": "tileRow",
    "column": "tileCol",
    "x": "tileCol",
    "style": "styleId",
}


def picture_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error; time is `datetime` unless `subset` has it."""
    names = {name.lower() for name in request.query_params}
    time = "subset" if "subset" in names and "datetime" not in names else "datetime"
    return problem_response(error, request, spelling={**SPELLING, "time": time})
