"""Errors of WCS: the codes of its standards, and reports that word them."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.http.endpoint import job_document
from chronotile.http.run import FAULT_STATUS
from chronotile.protocols.common.ows import exception_report

STATUSES: Mapping[str, int] = {
    # OGC 09-110r4 §8, 11-053r1 (CRS), 12-039 (scaling), 12-040 (range subsetting), 12-049 (interpolation).
    **dict.fromkeys(("emptyCoverageIdList", "NoSuchCoverage", "InvalidAxisLabel", "InvalidSubsetting"), 404),
    **dict.fromkeys(("SubsettingCrs-NotSupported", "OutputCrs-NotSupported", "InvalidScaleFactor"), 404),
    **dict.fromkeys(("InvalidExtent", "ScaleAxisUndefined", "NoSuchField", "IllegalFieldSequence"), 404),
    **dict.fromkeys(("InterpolationMethodNotSupported",), 404),
    # OGC 09-148r1 (POST); OWS Common 2.0, OGC 06-121r9 §8.6.
    **dict.fromkeys(("InvalidEncodingSyntax", "MissingParameterValue", "InvalidParameterValue"), 400),
    **dict.fromkeys(("VersionNegotiationFailed", "InvalidUpdateSequence"), 400),
    "OperationNotSupported": 501,
}
"""Of HTTP, by the code."""


def refusal(code: str, message: str, *, locator: str) -> errors.InvalidParameter:
    """Return the error with a code of the standards.

    Args:
        code: One of `STATUSES`.
        message: The sentence for the client.
        locator: The parameter, or what the standard has the report name.
    """
    error = errors.InvalidParameter(message, locator=locator)
    error.code, error.status = code, STATUSES[code]
    return error


SPELLING: Mapping[str, str] = {
    "bbox": "subset",
    "time": "subset",
    "datetime": "subset",
    "f": "format",
    "layer": "coverageId",
    "collectionId": "coverageId",
    "scale-factor": "scaleFactor",
    "scale-axes": "scaleAxes",
    "scale-size": "scaleSize",
    "crs": "outputCrs",
}
"""The core's names of parameters as WCS 2.0 spells them."""


def message_of(error: errors.ChronotileError, request: Request) -> str:
    """Return the sentence of an error; past a limit it names the job that does it, if there is one."""
    job = job_document(error, request) if isinstance(error, errors.LimitExceeded) else None
    if job is None:
        return error.message
    return f"{error.message}; as a job: POST {job['href']} {orjson.dumps({'inputs': job['inputs']}).decode()}"


def fault_2(error: errors.ChronotileError, request: Request) -> Response:
    """Return the exception report of WCS 2.0.1 (OGC 09-110r4 §8.5; OWS Common 2.0)."""
    code = _code(error)
    is_of_http = error.status >= 500 or error.status in {413, 415}
    status = error.status if is_of_http else STATUSES.get(code, error.status)
    request.scope[FAULT_STATUS] = status
    locator = SPELLING.get(error.locator or "", error.locator)
    return exception_report(
        message_of(error, request), code=code, locator=locator, status=status, common="2.0", version="2.0.1"
    )


def _code(error: errors.ChronotileError) -> str:
    match error:
        case errors.UnknownCollection() | errors.UnknownLayer():
            return "NoSuchCoverage"
        case errors.OutsideData() | errors.TimeNotAvailable() | errors.MissingTime():
            return "InvalidSubsetting"
        case errors.UnsupportedCrs():
            return "SubsettingCrs-NotSupported" if error.locator == "subsettingCrs" else "OutputCrs-NotSupported"
        case errors.UnsupportedFormat():
            return "InvalidParameterValue"
    return error.code if error.code in STATUSES else "NoApplicableCode"
