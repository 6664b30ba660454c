"""Errors of WCS: the codes of its standards, and the messages that all versions share."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import orjson
from starlette.requests import Request

from chronotile.core import errors
from chronotile.http.job_offers import job_document

STATUSES: Mapping[str, int] = {
    # OGC 09-110r4 §8, 11-053r1 (CRS), 12-039 (scaling), 12-040 (range subsetting), 12-049 (interpolation).
    **dict.fromkeys(("emptyCoverageIdList", "NoSuchCoverage", "InvalidAxisLabel", "InvalidSubsetting"), 404),
    **dict.fromkeys(("SubsettingCrs-NotSupported", "OutputCrs-NotSupported", "InvalidScaleFactor"), 404),
    **dict.fromkeys(("InvalidExtent", "ScaleAxisUndefined", "NoSuchField", "IllegalFieldSequence"), 404),
    "InterpolationMethodNotSupported": 404,
    # OGC 09-148r1 (POST); OWS Common 2.0, OGC 06-121r9 §8.6.
    **dict.fromkeys(("InvalidEncodingSyntax", "MissingParameterValue", "InvalidParameterValue"), 400),
    **dict.fromkeys(("VersionNegotiationFailed", "InvalidUpdateSequence"), 400),
    "OperationNotSupported": 501,
}
"""HTTP status by code."""


def refusal(code: str, message: str, *, locator: str) -> errors.InvalidParameter:
    """Return an error with a code of the standards.

    Args:
        code: A key of `STATUSES`.
        message: The sentence for the client.
        locator: The parameter, or the value that the standard requires as locator.
    """
    error = errors.InvalidParameter(message, locator=locator)
    error.code, error.status = code, STATUSES[code]
    return error


@contextmanager
def refusing(code: str, *, locator: str) -> Iterator[None]:
    """Replace the code of errors that the block raises with a code of the standards.

    Raises:
        InvalidParameter: The error, with the code.
    """
    try:
        yield
    except errors.InvalidParameter as error:
        raise refusal(code, error.message, locator=locator[: errors.MAX_SHOWN]) from error


def message_of(error: errors.ChronotileError, request: Request) -> str:
    """Return the message of an error; if a limit was exceeded, it includes the job that can do the work."""
    job = job_document(error, request) if isinstance(error, errors.LimitExceeded) else None
    if job is None:
        return error.message
    return f"{error.message}; as a job: POST {job['href']} {orjson.dumps({'inputs': job['inputs']}).decode()}"
