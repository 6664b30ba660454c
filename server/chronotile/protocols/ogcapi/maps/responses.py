"""How maps and map tiles are answered: headers of a picture (OGC 20-058 §7.2.2), and errors."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import BBox, Grid
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.time.instants import format_instant
from chronotile.http.endpoint import problem_response
from chronotile.protocols.common.query.place import in_axis_order

HALF_CIRCLE = 180.0


def grid_headers(grid: Grid) -> dict[str, str]:
    """Return `Content-Crs`, a bare URI as OGC's suite of Maps wants it, and `Content-Bbox` in its axis order."""
    uri = grid.crs.uri
    numbers = ",".join(_text(edge) for edge in in_axis_order(_turned(grid.bbox, grid.crs), grid.crs))
    return {**({} if uri is None else {"Content-Crs": uri}), "Content-Bbox": numbers}


def time_headers(time: TimeUsed) -> dict[str, str]:
    """Return `Content-Datetime`: the instant that is shown, or the interval in which those lie that are."""
    if not time.instants:
        return {}
    newest, oldest = format_instant(time.instants[0]), format_instant(time.instants[-1])
    return {"Content-Datetime": newest if newest == oldest else f"{oldest}/{newest}"}


def _turned(box: BBox, crs: Crs) -> BBox:
    # Across the antimeridian the eastern edge is less than the western one, as in `bbox`.
    goes_on = crs.is_geographic and box.xmin < HALF_CIRCLE < box.xmax and box.xmax - box.xmin < 2 * HALF_CIRCLE
    return box._replace(xmax=box.xmax - 2 * HALF_CIRCLE) if goes_on else box


def _text(edge: float) -> str:
    return repr(edge).removesuffix(".0")


# Errors of maps and map tiles in the words of their parameters.

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
