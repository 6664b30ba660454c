"""Exception reports of OWS Common, for WMTS, WCS and WPS."""

from typing import Literal

from starlette.responses import Response

from chronotile.protocols.common.xml import render_xml

TEMPLATE = "common/templates/ows_exception.xml"
MEDIA_TYPE = "application/xml"
OWS = "http://www.opengis.net/ows"
SCHEMAS = "http://schemas.opengis.net/ows"
Common = Literal["1.1", "2.0"]
_SCHEMA_VERSIONS = {"1.1": "1.1.0", "2.0": "2.0"}


def exception_report(
    message: str, *, code: str, locator: str | None, status: int, common: Common, version: str
) -> Response:
    """Return an exception report (OWS Common 1.1, OGC 06-121r3 §8; 2.0, OGC 06-121r9 §8).

    Args:
        message: Text for the client.
        code: Exception code of the standard.
        locator: The wrong parameter in the spelling of the protocol.
        status: HTTP status.
        common: Version of OWS Common, for namespace and schema.
        version: Version in the report.
    """
    body = render_xml(
        TEMPLATE,
        version=version,
        namespace=f"{OWS}/{common}",
        schema=f"{SCHEMAS}/{_SCHEMA_VERSIONS[common]}/owsExceptionReport.xsd",
        code=code,
        locator=locator,
        message=message,
    )
    return Response(body, status_code=status, media_type=MEDIA_TYPE)
