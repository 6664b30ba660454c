"""Answers to requests without a route: hints for unknown paths, and the methods that a path accepts."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from chronotile.core.errors import ChronotileError, UnknownPath
from chronotile.http.error_headers import add_error_headers
from chronotile.http.problems import problem_response
from chronotile.protocols.catalogue.odata.documents import ROOT as ODATA
from chronotile.protocols.catalogue.odata.faults import odata_fault

HINTS = (
    *(
        (root, "DHuS is not offered; items are searched at /opensearch, and by CDSE's OData v4 at /odata/v1")
        for root in ("/dhus", "/apihub", "/search")
    ),
    ("/odata", "OData is served at /odata/v1 (version 4, as in CDSE); the DHuS API is not offered"),
    ("/tiles", "a tile is at /tiles/{layer}/{tileMatrixSet}/{z}/{x}/{y}.png; the sets are at /ogcapi/tileMatrixSets"),
    ("/cog", "it opens files below the places that an operator names in CHRONOTILE_COG_PREFIXES, here none"),
    ("/wfs", "WFS is not offered; OGC API Features has the same features, at /ogcapi/collections"),
    *((root, "each service has its own address: /wms, /wmts, /wcs, /wps, /ogcapi") for root in ("/ows", "/geoserver")),
    ("/csw", "CSW is not offered; OGC API Records has the same records, at /ogcapi/collections/_items/items"),
    ("/opensearch", "the description of the search is at /opensearch"),
    ("/wps", "WPS is at /wps?SERVICE=WPS&REQUEST=GetCapabilities"),
    ("/timeseries", "see /docs for the paths below /timeseries"),
    ("/ogcapi", "see /ogcapi/openapi?f=html for the paths below /ogcapi"),
    ("/wcs", "WCS is at /wcs?SERVICE=WCS&REQUEST=GetCapabilities"),
)
"""Hints for unknown paths, by the beginning of the path."""


async def answer_http_fault(request: Request, error: Exception) -> Response:
    """Answer a request without a route: an unknown path, or a method that the path does not accept."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    path: str = request.scope["path"]
    hint = next((f"; {text}" for root, text in HINTS if path.startswith(root)), "")
    fault: ChronotileError = UnknownPath(f"there is nothing at {path[:200]!r}{hint}")
    headers = dict((error.headers if isinstance(error, HTTPException) else None) or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted({*headers["Allow"].split(", "), *_methods_at(request)}))
    if status != fault.status:
        accepted = headers.get("Allow")
        fault = ChronotileError(f"{request.method} is not accepted here{f'; use {accepted}' if accepted else ''}")
        fault.status = status
    is_odata = path == ODATA or path.startswith(f"{ODATA}/")
    response = add_error_headers((odata_fault if is_odata else problem_response)(fault, request))
    response.headers.update(headers)
    return response


def _methods_at(request: Request) -> set[str]:
    # Methods of all routes of a path; Starlette lists only the methods of the first route.
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in routes for method in getattr(route, "methods", None) or ()}
