"""Documents of the catalogue: made once, in a thread, and cached until a reload."""

import gzip
from collections.abc import Callable, Hashable

from starlette.requests import Request
from starlette.responses import Response

from chronotile.model.payload import Document
from chronotile.model.time.instants import DAY
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.protocols.common.responses.respond import CURRENT, known_etags
from chronotile.protocols.common.state import in_documents

GZIP_LEVEL = 5


async def respond_with_document(
    request: Request,
    services: Services,
    make: Callable[[], bytes],
    *,
    key: Hashable,
    media_type: str,
    cache_control: str = CURRENT,
) -> Response:
    """Return what `make` gives, cached until the day ends, another time is the newest of a layer, or a reload.

    Args:
        request: The request.
        services: What it describes.
        make: Makes it.
        key: All that it depends on but the catalogue and the time of day.
        media_type: Under which it leaves.
        cache_control: How long clients may keep it: `CURRENT` unless it depends neither on layers nor on times.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    whole_key = (key, media_type)
    document = await in_documents(request, _cached, services, whole_key, lambda: _document(make(), media_type))
    return _response(document, request, cache_control)


def _cached(services: Services, key: Hashable, make: Callable[[], Document]) -> Document:
    today = services.clock().astype("datetime64[D]").item()  # by which documents say which data are still updated
    return services.documents.get_or_make((key, today, _newest_of_moving(services)), make)


def _newest_of_moving(services: Services) -> tuple[int | None, ...]:
    """The newest times of layers with times to come, by index: what moves with the clock within a day."""
    latest = services.clock() + DAY
    domains = (layer.times for layer in services.catalogue.layers)
    return tuple(domain.at_or_before(latest) for domain in domains if len(domain) and domain.instants[-1] > latest)


def _document(body: bytes, media_type: str) -> Document:
    """Without the time at which it was compressed, so that equal documents are equal bytes."""
    gzipped = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Document(body=body, gzipped=gzipped, media_type=media_type, etag=fingerprint(body))


def _response(document: Document, request: Request, cache_control: str) -> Response:
    headers = {"ETag": f'"{document.etag}"', "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if document.etag in known_etags(request):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(document.body, media_type=document.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(document.gzipped, media_type=document.media_type, headers=headers)
