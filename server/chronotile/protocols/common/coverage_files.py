"""Files of coverages as HTTP answers, and the job that writes those which are too large for a request."""

import math
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.crs import Crs
from chronotile.core.model.formats import COVERAGE_JSON_TYPE, MapFormat
from chronotile.core.model.grid import BBox, Grid
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.types import Json
from chronotile.http.bodies import BodyResponse
from chronotile.http.byte_ranges import expects_ranges
from chronotile.http.cache_headers import cache_headers, format_times_used
from chronotile.http.compression import is_compressible
from chronotile.http.etags import client_etags
from chronotile.http.job_offers import JobOffer
from chronotile.jobs.processes.export import MOST_BYTES
from chronotile.pipeline.coverage.deliver import Conditions, CoveragePayload
from chronotile.pipeline.estimate import LIMIT
from chronotile.protocols.common.job_offer import bbox_input, crs_input, datetime_input, format_input, names_input
from chronotile.protocols.common.query.place import in_axis_order

HALF_CIRCLE = 180.0


def grid_headers(grid: Grid) -> dict[str, str]:
    """Return `Content-Crs`, a bare URI as OGC's suite of Maps wants it, and `Content-Bbox` in its axis order."""
    uri = grid.crs.uri
    edges = in_axis_order(_turned(grid.bbox, grid.crs), grid.crs)
    numbers = ",".join(repr(edge).removesuffix(".0") for edge in edges)
    return {**({} if uri is None else {"Content-Crs": uri}), "Content-Bbox": numbers}


def _turned(box: BBox, crs: Crs) -> BBox:
    # Across the antimeridian the eastern edge is less than the western one, as in `bbox`.
    goes_on = crs.is_geographic and box.xmin < HALF_CIRCLE < box.xmax and box.xmax - box.xmin < 2 * HALF_CIRCLE
    return box._replace(xmax=box.xmax - 2 * HALF_CIRCLE) if goes_on else box


SHOWN = {
    *(COVERAGE_JSON_TYPE, "application/vnd.cov+json", "application/json", "application/geo+json"),
    *("text/csv", str(MapFormat.PNG)),
}
"""Media types that a browser can show; others it had better save."""


def file_conditions(request: Request) -> Conditions:
    """Return the part of a file that a request needs."""
    return Conditions(
        client_etags=client_etags(request), with_body=request.method != "HEAD", keep=expects_ranges(request)
    )


def respond_with_file(payload: CoveragePayload) -> Response:
    """Return the answer that carries a file, or a part of it; 304 where the client holds it already."""
    vary = "Accept, Accept-Encoding" if is_compressible(payload.media_type) else "Accept"
    headers = {"ETag": f'"{payload.etag}"', "Vary": vary, **grid_headers(payload.grid)}
    headers |= cache_headers(payload.missing, is_open=payload.time.is_open)
    instants = tuple(reversed(payload.times.instants))
    if instants:
        headers["Chronotile-Time"] = format_times_used(TimeUsed(instants=instants))
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    shown = "inline" if payload.media_type in SHOWN else "attachment"
    headers["Content-Disposition"] = f'{shown}; filename="{payload.file_name}"'
    has_ranges = payload.is_cached_for_parts
    return BodyResponse(payload.body, media_type=payload.media_type, headers=headers, has_ranges=has_ranges)


# The job that writes a coverage which is too large for a request.

OF_FORMATS = ("max_series_values", "max_features", "max_pixels")
"""Limits of values, cells that are features, and pixels, in formats that the process does not write."""
BYTES_A_VALUE = 8
"""At most."""
LIMITS: Mapping[str, float] = {
    "max_coverage_bytes": MOST_BYTES,
    LIMIT: math.inf,
    **dict.fromkeys(OF_FORMATS, MOST_BYTES / BYTES_A_VALUE),
}


def export_offer(request: CoverageRequest, name: str, catalogue: Catalogue) -> JobOffer | None:
    """Return the job; `None` if the request is for cells of another size than the native one, or for cells in an area.

    Args:
        request: The coverage request, with its scale.
        name: The process's name of the format.
        catalogue: Of all served layers.

    Raises:
        UnsupportedCrs: No process accepts a CRS of the request.
    """
    is_resampled = request.crs is not None and request.resampling is not None
    if request.scale is not None or request.area is not None or is_resampled or len(request.trims) > 1:
        return None
    layer = catalogue.layer(request.layers[0])
    format_, notes = format_input("export", name, otherwise="GTiff")
    inputs = {
        "layer": names_input(request.layers),
        **datetime_input(request.time),
        **_box(request.trims, layer, catalogue),
        **({} if request.crs is None else {"crs": crs_input(request.crs, layer, catalogue)}),
        **format_,
    }
    return JobOffer(process="export", inputs=inputs, limits=LIMITS, notes=notes)


def _box(trims: tuple[Trim, ...], layer: Layer, catalogue: Catalogue) -> Json:
    """The box with the ends of the layer where it is open."""
    if not trims:
        return {}
    (trim,) = trims
    reach = layer.main_variable.grid.bbox_in(trim.crs)
    box = BBox(*(own if math.isfinite(own) else end for own, end in zip(trim.box, reach, strict=True)))
    return bbox_input(box, trim.crs, layer, catalogue)
