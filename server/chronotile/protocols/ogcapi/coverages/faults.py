"""Errors of coverages in OGC 19-087's names of parameters."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, OutsideData
from chronotile.protocols.common.responses.problem import problem_response


def coverage_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error; times are those of `subset` where it has them.

    What lies outside the data is not found (/req/subsetting/subset J).
    """
    named = {name.lower() for name, text in request.query_params.multi_items() if text.strip()}
    time = "datetime" if "datetime" in named or "subset" not in named else "subset"
    spelling = {"time": time, "datetime": time, "layer": "properties"}
    status = 404 if isinstance(error, OutsideData) else None
    return problem_response(error, request, spelling=spelling, status=status)
