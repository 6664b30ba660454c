"""Errors of WMS as service exceptions of the requested version, and warnings about maps."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core import errors
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.request import IdentifyRequest, MapRequest
from chronotile.core.model.space.boxes import BBox, box_in
from chronotile.core.model.space.crs import CRS84, Crs, is_north_first
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST
from chronotile.core.model.time.selection import TimePart, TimeSelection
from chronotile.http.request_log import FAULT_STATUS
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import TEXTS
from chronotile.pipeline.maps.error_picture import MessageRequest, draw_message
from chronotile.protocols.common.capabilities.crs_names import wms_name
from chronotile.protocols.common.capabilities.time_warnings import value_warning
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.maps.wms import params

MEDIA_TYPES = {"1.3.0": "text/xml", "1.1.1": "application/vnd.ogc.se_xml"}
"""Media types without charset, which the XML declares: QGIS shows only exceptions of exactly `text/xml`."""
TEMPLATES = {"1.3.0": "maps/wms/templates/exception_1_3_0.xml", "1.1.1": "maps/wms/templates/exception_1_1_1.xml"}
SPELLING = {
    "layer": "LAYERS",
    "style": "STYLES",
    "ramp": "STYLES",
    "range": "COLORSCALERANGE",
    "time": "TIME",
    "format": "FORMAT",
    "bbox": "BBOX",
    "sld": "SLD_BODY",
    "width": "WIDTH",
    "height": "HEIGHT",
    "bands": "NUMCOLORBANDS",
    "logarithmic": "LOGSCALE",
    "difference": "DIFFERENCE",
    "anomaly": "ANOMALY",
    "reference": "REFERENCE",
    "reducer": "REDUCER",
    "legend_options": "LEGEND_OPTIONS",
}
"""Names of parameters in WMS by names of the core; the name of the CRS parameter depends on the version."""
WITHOUT_CODE = {"NoApplicableCode", "limit-exceeded"}


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the service exception (WMS 1.3.0 §6.11, Annex E; WMS 1.1.1 §6.7, Annex A)."""
    version = _version(request)
    locator = (
        params.crs_parameter(version) if error.locator == "crs" else SPELLING.get(error.locator or "", error.locator)
    )
    code = _code(error, version, request)
    if _wants_json(request):
        exception = {"code": code, "locator": locator, "text": error.message}
        media_type, body = "application/json", orjson.dumps({"version": version, "exceptions": [exception]})
    else:
        media_type = MEDIA_TYPES[version]
        body = render_xml(TEMPLATES[version], code=code, locator=locator, message=error.message)
    headers = {"Content-Type": media_type, "Cache-Control": "no-store"}
    request.scope[FAULT_STATUS] = error.status
    is_of_http = error.status in {413, 414} or (
        error.status >= 500 and not isinstance(error, errors.OperationNotSupported)
    )
    status = error.status if is_of_http else services_of(request).catalogue.service.wms_exception_status
    return Response(body, status_code=status, headers=headers)


async def answer_or_draw_error(
    handler: Callable[[Request, Kvp], Awaitable[Response]], request: Request, query: Kvp
) -> Response:
    """Return the answer or, if EXCEPTIONS requests that and the client caused the error, a picture.

    Errors of sources, and errors that prevent the picture itself, remain exceptions.
    """
    try:
        return await handler(request, query)
    except errors.ClientGone:
        raise
    except errors.ChronotileError as error:
        picture = _picture_of(error, query) if error.status < 500 else None
        if picture is None:
            raise
        services = services_of(request)
        request.scope[FAULT_STATUS] = error.status
        body = await run(request, TEXTS, partial(draw_message, picture, services))
        return Response(body, media_type=picture.format, headers={"Cache-Control": "no-store"})


def _picture_of(error: errors.ChronotileError, query: Kvp) -> MessageRequest | None:
    """Return the picture of an error (WMS 1.3.0 §7.3.3.11), `None` unless one is requested and can be drawn."""
    with contextlib.suppress(errors.ChronotileError):
        exceptions, picture_format = params.EXCEPTIONS.value(query), params.FORMATS[params.FORMAT.value(query)]
        if exceptions in {"INIMAGE", "BLANK"} and picture_format != MapFormat.GEOTIFF:
            return MessageRequest(
                text=error.message if exceptions == "INIMAGE" else "",
                width=params.WIDTH.value(query),
                height=params.HEIGHT.value(query),
                format=picture_format,
                background=params.background(query, picture_format),
            )
    return None


def _pairs(request: Request) -> Sequence[tuple[str, str]]:
    # Parameters of URL and body; only of the URL if the body could not be read.
    pairs: Sequence[tuple[str, str]] = getattr(request.state, "pairs", request.query_params.multi_items())
    return pairs


def _last(request: Request, name: str) -> Kvp:
    # A query with only the last value of one parameter.
    return Kvp([pair for pair in _pairs(request) if pair[0].lower() == name.lower()][-1:])


def _version(request: Request) -> params.WmsVersion:
    try:
        return params.negotiated_version(_last(request, params.VERSION.name))
    except errors.InvalidParameter:
        return "1.3.0"


def _wants_json(request: Request) -> bool:
    try:
        return params.EXCEPTIONS.value(_last(request, params.EXCEPTIONS.name)) == "JSON"
    except errors.InvalidParameter:
        return False


def _code(error: errors.ChronotileError, version: params.WmsVersion, request: Request) -> str | None:
    """Return the code of Annex E, else of OWS Common; `None` if neither defines one."""
    is_about_time = isinstance(error, errors.InvalidParameter | errors.MissingTime) and error.locator == "time"
    # A TIME in the request was invalid, even `current` for a layer without current time.
    if is_about_time and any(name.lower() == "time" and value.strip() for name, value in _pairs(request)):
        return "InvalidDimensionValue"
    if isinstance(error, errors.UnsupportedCrs):
        return "InvalidCRS" if version == "1.3.0" else "InvalidSRS"
    return None if error.code in WITHOUT_CODE else error.code


# Warnings about maps that may differ from the request.

ALL_LONGITUDES = (-180.0, 180.0)


def time_warnings(
    requests: Sequence[MapRequest | IdentifyRequest], times: Sequence[TimeUsed], catalogue: Catalogue
) -> list[str]:
    """Return the Warning headers of an answer about several layers, without repetitions."""
    warnings: dict[str, None] = {}
    for request, used in zip(requests, times, strict=True):
        layer = catalogue.layer(request.layer)
        warning = _time_warning(request.time, used, layer)
        if warning is not None:
            warnings[warning] = None
        if used.base_substitution is not None:
            warnings[value_warning(used.base_substitution, used.base, layer.times, of="difference")] = None
    return list(warnings)


def axes_warning(requests: Sequence[MapRequest], version: params.WmsVersion, catalogue: Catalogue) -> str | None:
    """Return the Warning header of an empty map whose box would meet the layers if its axes were swapped."""
    crs, box = requests[0].grid.crs, requests[0].grid.bbox
    if not (crs.is_geographic or is_north_first(crs)):
        return None
    boxes = [
        layer_box
        for layer in requests
        if (layer_box := box_in_crs(catalogue.layer(layer.layer).main_variable.grid, crs))
    ]
    swapped = BBox(box.ymin, box.xmin, box.ymax, box.xmax)
    if any(map(box.intersects, boxes)) or not any(map(swapped.intersects, boxes)):
        return None
    axes = ("longitude", "latitude") if crs.is_geographic else ("x", "y")
    first = axes[version == "1.3.0" and is_north_first(crs)]
    return f'199 - "BBOX lies outside of the layers; in {wms_name(crs)} of WMS {version} {first} comes first"'


def _time_warning(selection: TimeSelection, used: TimeUsed, layer: Layer) -> str | None:
    """Return the Warning header of a map that does not show exactly the requested times (WMS 1.3.0 Annex C.4).

    Lists and intervals draw the times that the layer has; the warning reports values and ends that it lacks.
    """
    if not used.instants:
        return None
    if used.substitution == "default":
        return value_warning("default", used.instants, layer.times)
    if used.substitution == "nearest" or any(_exceeds(part, layer.times) for part in selection.parts):
        return value_warning("nearest", used.instants, layer.times)
    return None


def _exceeds(part: TimePart, domain: TimeDomain) -> bool:
    """Return whether a value matches no time, or a closed end of an interval is outside the time domain."""
    if not part.is_interval:
        return not domain.indexes_within(part.span)
    end = part.span.end if part.end is None else part.end
    return bool(DISTANT_PAST < part.span.start < domain.starts[0] or domain.ends[-1] < end < DISTANT_FUTURE)


@lru_cache(maxsize=4096)
def box_in_crs(native: NativeGrid, crs: Crs) -> BBox | None:
    """Return the layer's box in a CRS, `None` if the layer has no coordinates there.

    If the CRS covers all longitudes, data that do so too or exceed its latitudes get the box of their longitudes and
    the shared latitudes. This avoids wrong edges at the antimeridian and infinite coordinates at a pole.
    """
    try:
        box = native.bbox_in(crs)
        area = crs.definition.area_of_use
        is_round = area is not None and (area.west, area.east) == ALL_LONGITUDES
        if area is None or not is_round or native.crs == crs or crs.is_geographic:
            return box
        west, south, east, north = native.bbox_in(CRS84)
        if area.south <= south and north <= area.north and (west, east) != ALL_LONGITUDES:
            return box
        shared = BBox(west, max(south, area.south), east, min(north, area.north))
        return box_in(shared, CRS84, crs) if shared.ymin < shared.ymax else None
    except errors.InvalidParameter:
        return None
