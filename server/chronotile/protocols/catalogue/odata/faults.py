"""Error documents of OData (OData JSON Format 4.01 §21.1)."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError, LimitExceeded
from chronotile.protocols.catalogue.odata.documents import HEADERS, MEDIA_TYPE

SPELLING: Mapping[str, str] = {
    "filter": "$filter",
    "sortby": "$orderby",
    "limit": "$top",
    "cursor": "$skiptoken",
    "ids": "$filter",
    "collections": "$filter",
    "bbox": "$filter",
    "datetime": "$filter",
}
"""Names of options in OData, by the names of parameters in errors of the core."""


def odata_fault(error: ChronotileError, request: Request) -> Response:
    """Return the answer with the document of an error; without a body for HEAD."""
    body = b"" if request.method == "HEAD" else orjson.dumps(error_document(error))
    return Response(body, status_code=error.status, media_type=MEDIA_TYPE, headers=HEADERS)


def error_document(error: ChronotileError) -> dict[str, object]:
    """Return the document of an error; an exceeded limit adds its name, its value and the requested value."""
    members: dict[str, object] = {"code": error.code, "message": error.message}
    if error.locator:
        members["target"] = SPELLING.get(error.locator, error.locator)
    if isinstance(error, LimitExceeded):
        members["innererror"] = {
            "limit": error.limit,
            "allowed": error.allowed,
            "asked": error.needed,
            "alternative": error.alternative,
        }
    return {"error": members}
