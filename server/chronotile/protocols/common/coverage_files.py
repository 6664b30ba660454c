"""Files of coverages as HTTP answers."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.formats import COVERAGE_JSON_TYPE, MapFormat
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid
from chronotile.http.bodies import BodyResponse
from chronotile.http.byte_ranges import expects_ranges
from chronotile.http.cache_headers import cache_headers, format_times_used
from chronotile.http.compression import is_compressible
from chronotile.http.if_none_match import client_etags
from chronotile.pipeline.coverage.deliver import Conditions, CoveragePayload
from chronotile.protocols.common.query.crs import in_axis_order

HALF_CIRCLE = 180.0


def grid_headers(grid: Grid) -> dict[str, str]:
    """Return `Content-Crs` (a bare URI, as in OGC's test suite of Maps) and `Content-Bbox` in its axis order."""
    uri = grid.crs.uri
    edges = in_axis_order(_wrap_east(grid.bbox, grid.crs), grid.crs)
    numbers = ",".join(repr(edge).removesuffix(".0") for edge in edges)
    return {**({} if uri is None else {"Content-Crs": uri}), "Content-Bbox": numbers}


def _wrap_east(box: BBox, crs: Crs) -> BBox:
    # Across the antimeridian east is less than west, as in `bbox`.
    crosses = crs.is_geographic and box.xmin < HALF_CIRCLE < box.xmax and box.xmax - box.xmin < 2 * HALF_CIRCLE
    return box._replace(xmax=box.xmax - 2 * HALF_CIRCLE) if crosses else box


DISPLAYED_TYPES = {
    *(COVERAGE_JSON_TYPE, "application/vnd.cov+json", "application/json", "application/geo+json"),
    *("text/csv", str(MapFormat.PNG)),
}
"""Media types that browsers display; they save others."""


def file_conditions(request: Request) -> Conditions:
    """Return the conditional headers of a request, and whether it needs a body or ranges."""
    return Conditions(
        client_etags=client_etags(request), with_body=request.method != "HEAD", keep=expects_ranges(request)
    )


def respond_with_file(payload: CoveragePayload) -> Response:
    """Return the answer with a file or parts of it; 304 if the client has it."""
    vary = "Accept, Accept-Encoding" if is_compressible(payload.media_type) else "Accept"
    headers = {"ETag": f'"{payload.etag}"', "Vary": vary, **grid_headers(payload.grid)}
    headers |= cache_headers(payload.missing, is_open=payload.time.is_open)
    instants = tuple(reversed(payload.times.instants))
    if instants:
        headers["Chronotile-Time"] = format_times_used(TimeUsed(instants=instants))
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    disposition = "inline" if payload.media_type in DISPLAYED_TYPES else "attachment"
    headers["Content-Disposition"] = f'{disposition}; filename="{payload.file_name}"'
    has_ranges = payload.is_cached_for_parts
    return BodyResponse(payload.body, media_type=payload.media_type, headers=headers, has_ranges=has_ranges)
