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
    # OGC 09-110r4 tables 19, 21 and 25.
    "emptyCoverageIdList": 404,
    "NoSuchCoverage": 404,
    "InvalidAxisLabel": 404,
    "InvalidSubsetting": 404,
    # OGC 11-053r1 (CRS), 12-039 (scaling), 12-040 (range subsetting), 12-049 (interpolation).
    "SubsettingCrs-NotSupported": 404,
    "OutputCrs-NotSupported": 404,
    "InvalidCoverageType": 404,
    "InvalidScaleFactor": 404,
    "InvalidExtent": 404,
    "ScaleAxisUndefined": 404,
    "NoSuchField": 404,
    "IllegalFieldSequence": 404,
    "InterpolationMethodNotSupported": 404,
    # OGC 09-148r1 (POST).
    "InvalidEncodingSyntax": 400,
    # OWS Common 2.0, OGC 06-121r9 §8.6.
    "OperationNotSupported": 501,
    "MissingParameterValue": 400,
    "InvalidParameterValue": 400,
    "VersionNegotiationFailed": 400,
    "InvalidUpdateSequence": 400,
    "OptionNotSupported": 501,
    "NoApplicableCode": 500,
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
    code, status = _code(error), error.status
    if code in STATUSES and status < 500 and status not in {413, 415}:
        status = STATUSES[code] if code != "NoApplicableCode" else status
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
