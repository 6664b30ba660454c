"""Errors as WPS words them (OGC 14-065 Tables 41 to 53 with OWS Common 2.0, OGC 05-007r7 Table 62 with 1.1)."""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.jobs.processes.execute import ASK_FOR_A_JOB
from chronotile.protocols.common.ows import Common, exception_report
from chronotile.protocols.common.processes.jobs import NOT_READY
from chronotile.protocols.wps.params import spoken_version

SPOKEN = "chronotile.wps"
"""ASGI scope key of the start of the request text; it shows which version the client reads."""
NO_CODE, WRONG = "NoApplicableCode", "InvalidParameterValue"
OWS_CODES = {NO_CODE, WRONG, "MissingParameterValue", "OperationNotSupported", "VersionNegotiationFailed"}
OF_PATHS: Mapping[str | None, tuple[str, str]] = {
    "processID": ("NoSuchProcess", "Identifier"),
    "jobID": ("NoSuchJob", "JobID"),
    NOT_READY: ("ResultNotReady", "JobID"),
}
"""Codes and locators of missing resources, by the path parameter of OGC API or by `NOT_READY`."""
SIZE = "SizeExceeded"
REFUSED = {401, 403}
OF_1_0: Mapping[type, str] = {errors.StorageFull: "NotEnoughStorage", errors.ServerBusy: "ServerBusy"}


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the exception report of an error, in the version of the request."""
    version, (code, locator) = spoken_version(request.scope.get(SPOKEN, "")), _code_of(error)
    common: Common = "2.0" if version == "2.0.0" else "1.1"
    if version == "1.0.0":
        code = OF_1_0.get(type(error), "FileSizeExceeded" if code == SIZE else code if code in OWS_CODES else WRONG)
    status = error.status if error.status in REFUSED or error.status >= 500 else 400
    message = error.message.replace(ASK_FOR_A_JOB, "execute it asynchronously")
    report = exception_report(message, code=code, locator=locator, status=status, common=common, version=version)
    report.headers["Cache-Control"] = "no-store"
    return report


def _code_of(error: errors.ChronotileError) -> tuple[str, str | None]:
    """Return the WPS 2.0 code and the locator; faults of inputs and outputs have only their name as locator."""
    if error.locator in OF_PATHS and isinstance(error, errors.UnknownPath):
        return OF_PATHS[error.locator]
    where, _dot, path = (error.locator or "").partition(".")
    name = re.split(r"[.\[]", path)[0] or {"Prefer": "mode"}.get(where, error.locator)
    is_unknown = isinstance(error, errors.UnknownParameter)
    codes = {
        SIZE: isinstance(error, errors.LimitExceeded) and "bytes" in error.limit,
        "NoSuchMode": where == "mode",
        "NoSuchInput": where == "inputs" and is_unknown,
        "NoSuchOutput": where == "outputs" and is_unknown,
        "NoSuchFormat": path.endswith((".mediaType", ".encoding")),
        "DataNotAccessible": path.endswith(".href"),
        "WrongInputData": where == "inputs" and error.status < 500,
        error.code: error.code in OWS_CODES,
        NO_CODE: type(error) is errors.ChronotileError or error.status >= 500 or error.status in REFUSED,
    }
    return next((code for code, holds in codes.items() if holds), WRONG), name
