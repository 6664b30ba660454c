"""Files of coverages as HTTP answers."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.model.payload import TimeUsed
from chronotile.pipeline.coverage.deliver import Conditions, CoverageDelivery
from chronotile.protocols.common.responses.body_response import BodyResponse
from chronotile.protocols.common.responses.compression import is_compressible
from chronotile.protocols.common.responses.ranges import is_made_for_parts
from chronotile.protocols.common.responses.respond import caching, instants_text, known_etags
from chronotile.protocols.ogcapi.maps.response_headers import grid_headers

SHOWN = {
    *("application/prs.coverage+json", "application/vnd.cov+json", "application/json", "application/geo+json"),
    *("text/csv", "image/png"),
}
"""Media types that a browser can show; others it had better save."""


def file_conditions(request: Request) -> Conditions:
    """Return the part of a file that a request needs."""
    return Conditions(known=known_etags(request), with_body=request.method != "HEAD", keep=is_made_for_parts(request))


def respond_with_file(delivery: CoverageDelivery) -> Response:
    """Return the answer that carries a file, or a part of it; 304 where the client holds it already."""
    vary = "Accept, Accept-Encoding" if is_compressible(delivery.media_type) else "Accept"
    headers = {"ETag": f'"{delivery.etag}"', "Vary": vary, **grid_headers(delivery.grid)}
    headers |= caching(delivery.unreadable, is_open=delivery.is_open, left_out=delivery.left_out)
    instants = tuple(reversed(delivery.times.instants))
    if instants:
        headers["Chronotile-Time"] = instants_text(TimeUsed(instants=instants))
    if delivery.unchanged:
        return Response(status_code=304, headers=headers)
    shown = "inline" if delivery.media_type in SHOWN else "attachment"
    headers["Content-Disposition"] = f'{shown}; filename="{delivery.file_name}"'
    in_parts = delivery.is_cached_for_parts
    return BodyResponse(delivery.body, media_type=delivery.media_type, headers=headers, in_parts=in_parts)
