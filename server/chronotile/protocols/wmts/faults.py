"""Errors as WMTS words them: OWS exception reports."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, LimitExceeded, MissingParameter
from chronotile.protocols.common.responses.xml import render_xml

TEMPLATE = "wmts/templates/exception_1_0_0.xml"
MEDIA_TYPE = "application/xml"
SPELLING = {
    "layer": "layer",
    "style": "Style",
    "time": "Time",
    "tile_matrix_set": "TileMatrixSet",
    "tile_matrix": "TileMatrix",
    "row": "TileRow",
    "column": "TileCol",
}
"""The core's words as WMTS spells them where a value is wrong; what is missing is named as in the request."""
IN_QUERY = {"reducer", "difference"}
"""Parameters for which a path has no place."""
OWS_CODES = {
    *("OperationNotSupported", "MissingParameterValue", "InvalidParameterValue", "VersionNegotiationFailed"),
    *("NoApplicableCode", "TileOutOfRange", "PointIJOutOfRange", "InvalidUpdateSequence"),
}
"""OWS Common 1.1 Table 27 and WMTS 1.0.0 Tables 23 and 30; whatever else is wrong is the value of a parameter."""


def fault(error: ChronotileError, _request: Request) -> Response:
    """Return the exception report of a request in key-value pairs: 400, but 501 and 503 as the error says."""
    return _report(error, error.status if error.status >= 500 else 400)


def path_fault(error: ChronotileError, _request: Request) -> Response:
    """Return the exception report of a REST path: 404 for a wrong name in the path, as the resource does not exist.

    A mistake in the query is 400, except a time that does not exist, which is 404 there too.
    """
    is_of_query = error.locator in IN_QUERY and error.status == 400
    is_about_path = error.status in {400, 404} and not isinstance(error, LimitExceeded) and not is_of_query
    return _report(error, 404 if is_about_path else error.status)


def _report(error: ChronotileError, status: int) -> Response:
    locator = error.locator
    if locator is not None and not isinstance(error, MissingParameter):
        locator = SPELLING.get(locator, locator)
    code = error.code if error.code in OWS_CODES else "InvalidParameterValue"
    body = render_xml(TEMPLATE, code=code, locator=locator, message=error.message)
    return Response(body, status_code=status, media_type=MEDIA_TYPE)
