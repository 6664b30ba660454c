"""Errors as WMS words them: service exceptions of the version that was asked."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import (
    ChronotileError,
    InvalidParameter,
    MissingTime,
    OperationNotSupported,
    UnsupportedCrs,
)
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.state import services_of
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wms.params import Version, crs_parameter, negotiated_version

MEDIA_TYPES = {"1.3.0": "text/xml", "1.1.1": "application/vnd.ogc.se_xml"}
TEMPLATES = {"1.3.0": "wms/templates/exception_1_3_0.xml", "1.1.1": "wms/templates/exception_1_1_1.xml"}
SPELLING = {
    "layer": "LAYERS",
    "style": "STYLES",
    "ramp": "STYLES",
    "range": "COLORSCALERANGE",
    "time": "TIME",
    "format": "FORMAT",
    "bbox": "BBOX",
    "width": "WIDTH",
    "height": "HEIGHT",
}
"""The core's words as WMS spells them; the reference system is called by the version."""
WITHOUT_CODE = {"NoApplicableCode", "limit-exceeded"}


def fault(error: ChronotileError, request: Request) -> Response:
    """Return the service exception (WMS 1.3.0 §6.11, Annex E; WMS 1.1.1 §6.7, Annex A)."""
    version = _version(request)
    locator = _locator(error, version)
    body = render_xml(TEMPLATES[version], code=_code(error, version, request), locator=locator, message=error.message)
    status = _status(error, request)
    headers = {"Cache-Control": "no-store"} if status == 200 else None
    return Response(body, status_code=status, media_type=MEDIA_TYPES[version], headers=headers)


def _version(request: Request) -> Version:
    """Whatever is wrong with the request, some version must be answered."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name.lower() == "version"]
    try:
        return negotiated_version(Kvp(pairs[:1]))
    except InvalidParameter:
        return "1.3.0"


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
    """Whether the request has a time, were it `current` where there is none."""
    return any(name.lower() == "time" and value.strip() for name, value in request.query_params.multi_items())


def _status(error: ChronotileError, request: Request) -> int:
    """What is the client's fault has the configured status; a source or server that fails never looks well."""
    if error.status >= 500 and not isinstance(error, OperationNotSupported):
        return error.status
    return services_of(request).catalogue.service.wms_exception_status
