"""Errors as WMS words them: service exceptions of the requested version."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import (
    ChronotileError,
    ClientGone,
    InvalidParameter,
    MissingTime,
    OperationNotSupported,
    UnsupportedCrs,
)
from chronotile.http.run import FAULT_STATUS, TEXTS, run, services_of
from chronotile.model.formats import MapFormat
from chronotile.pipeline.maps.stand_ins import MessageRequest, draw_message
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wms.params import (
    EXCEPTIONS,
    FORMAT,
    FORMATS,
    HEIGHT,
    VERSION,
    WIDTH,
    Version,
    background,
    crs_parameter,
    negotiated_version,
)

MEDIA_TYPES = {"1.3.0": "text/xml", "1.1.1": "application/vnd.ogc.se_xml"}
"""Without a charset, which the document names itself: QGIS shows the text of exceptions of exactly `text/xml`."""
TEMPLATES = {"1.3.0": "wms/templates/exception_1_3_0.xml", "1.1.1": "wms/templates/exception_1_1_1.xml"}
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
    "reducer": "REDUCER",
    "legend_options": "LEGEND_OPTIONS",
}
"""The core's words as WMS spells them; the reference system is called by the version."""
WITHOUT_CODE = {"NoApplicableCode", "limit-exceeded"}


def fault(error: ChronotileError, request: Request) -> Response:
    """Return the service exception (WMS 1.3.0 §6.11, Annex E; WMS 1.1.1 §6.7, Annex A)."""
    version = _version(request)
    locator = _locator(error, version)
    code = _code(error, version, request)
    if _wants_json(request):
        exception = {"code": code, "locator": locator, "text": error.message}
        media_type, body = "application/json", orjson.dumps({"version": version, "exceptions": [exception]})
    else:
        media_type = MEDIA_TYPES[version]
        body = render_xml(TEMPLATES[version], code=code, locator=locator, message=error.message)
    headers = {"Content-Type": media_type, "Cache-Control": "no-store"}
    request.scope[FAULT_STATUS] = error.status
    return Response(body, status_code=_status(error, request), headers=headers)


async def or_in_picture(
    handler: Callable[[Request, Kvp], Awaitable[Response]], request: Request, query: Kvp
) -> Response:
    """Return an answer or, where EXCEPTIONS requests that and the client is at fault, a picture instead.

    What keeps the picture itself from being drawn is an exception as usual, and so is a source that fails.
    """
    try:
        return await handler(request, query)
    except ClientGone:
        raise
    except ChronotileError as error:
        picture = _picture_of(error, query) if error.status < 500 else None
        if picture is None:
            raise
        services = services_of(request)
        request.scope[FAULT_STATUS] = error.status
        body = await run(request, TEXTS, partial(draw_message, picture, services))
        return Response(body, media_type=picture.format, headers={"Cache-Control": "no-store"})


def _picture_of(error: ChronotileError, query: Kvp) -> MessageRequest | None:
    """The picture that stands for an error (WMS 1.3.0 §7.3.3.11), where one is requested and the request says how."""
    with contextlib.suppress(ChronotileError):
        exceptions, picture_format = EXCEPTIONS.of(query), FORMATS[FORMAT.of(query)]
        if exceptions in {"INIMAGE", "BLANK"} and picture_format != MapFormat.GEOTIFF:
            return MessageRequest(
                text=error.message if exceptions == "INIMAGE" else "",
                width=WIDTH.of(query),
                height=HEIGHT.of(query),
                format=picture_format,
                background=background(query, picture_format),
            )
    return None


def _pairs(request: Request) -> Sequence[tuple[str, str]]:
    # The parameters; only those of the address where the body could not be read.
    pairs: Sequence[tuple[str, str]] = getattr(request.state, "pairs", request.query_params.multi_items())
    return pairs


def _last(request: Request, name: str) -> Kvp:
    # One parameter alone, its last value, which counts.
    return Kvp([pair for pair in _pairs(request) if pair[0].lower() == name.lower()][-1:])


def _version(request: Request) -> Version:
    try:
        return negotiated_version(_last(request, VERSION.name))
    except InvalidParameter:
        return "1.3.0"


def _wants_json(request: Request) -> bool:
    try:
        return EXCEPTIONS.of(_last(request, EXCEPTIONS.name)) == "JSON"
    except InvalidParameter:
        return False


def _locator(error: ChronotileError, version: Version) -> str | None:
    if error.locator == "crs":
        return crs_parameter(version)
    return SPELLING.get(error.locator or "", error.locator)


def _code(error: ChronotileError, version: Version, request: Request) -> str | None:
    """The code of Annex E, else that of OWS Common; none where neither has one."""
    is_about_time = isinstance(error, InvalidParameter | MissingTime) and error.locator == "time"
    if is_about_time and _names_time(request):
        return "InvalidDimensionValue"
    if isinstance(error, UnsupportedCrs):
        return "InvalidCRS" if version == "1.3.0" else "InvalidSRS"
    return None if error.code in WITHOUT_CODE else error.code


def _names_time(request: Request) -> bool:
    # Whether the request has a time, were it `current` where there is none.
    return any(name.lower() == "time" and value.strip() for name, value in _pairs(request))


def _status(error: ChronotileError, request: Request) -> int:
    """What is the client's fault has the configured status; a source or server that fails never looks well."""
    if error.status in {413, 414} or (error.status >= 500 and not isinstance(error, OperationNotSupported)):
        return error.status
    return services_of(request).catalogue.service.wms_exception_status
