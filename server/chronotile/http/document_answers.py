"""Answers with documents of the catalogue, such as capabilities; they are made and compressed once, then cached."""

import gzip
from collections.abc import Callable, Hashable

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.items import Unanswered
from chronotile.core.model.payload import CachedDocument
from chronotile.core.model.time.instants import DAY
from chronotile.http.cache_headers import CACHE_CHANGING, CACHE_INCOMPLETE, format_unanswered_warning
from chronotile.http.if_none_match import client_etags
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services

GZIP_LEVEL = 5


async def answer_document(
    request: Request,
    services: Services,
    make: Callable[[], bytes],
    *,
    key: Hashable,
    media_type: str,
    cache_control: str = CACHE_CHANGING,
) -> Response:
    """Return the answer with the document that `make` returns, from the cache if possible.

    A document is made again after a reload, on the next day, and when a forecast time of any layer becomes the present.

    Args:
        request: The request.
        services: The services that the document describes; each has a separate cache.
        make: Called in a thread if the document is not in the cache.
        key: Everything that the document depends on, except the catalogue, the client's grant and the day.
        media_type: The media type of the answer.
        cache_control: `CACHE_CHANGING` unless the document depends neither on layers nor on times.

    Raises:
        ServerBusy: Too many requests are waiting.
    """

    def make_document() -> CachedDocument:
        body = make()
        # mtime=0: equal documents are compressed to equal bytes.
        gzipped = gzip.compress(body, GZIP_LEVEL, mtime=0)
        return CachedDocument(body=body, gzipped=gzipped, etag=fingerprint(body))

    def find_or_make_document() -> CachedDocument:
        today = services.clock().astype("datetime64[D]").item()  # documents list which data are still updated
        return services.documents.get_or_make(
            (services.grant, key, media_type, today, _newest_past_times(services)), make_document
        )

    document = await run(request, DOCUMENTS, find_or_make_document)
    headers = {"ETag": f'"{document.etag}"', "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if cache_control == CACHE_CHANGING and services.catalogue.wholly_unavailable:
        missing = [Unanswered(collection=name, reason="") for name in sorted(services.catalogue.wholly_unavailable)]
        headers |= {"Warning": format_unanswered_warning(missing), "Cache-Control": CACHE_INCOMPLETE}
    if document.etag in client_etags(request):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(document.body, media_type=media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(document.gzipped, media_type=media_type, headers=headers)


def _newest_past_times(services: Services) -> tuple[int | None, ...]:
    """Return the index of the newest time up to now of each layer that has future times: it changes within a day."""
    latest = services.clock() + DAY
    domains = (layer.times for layer in services.catalogue.layers)
    return tuple(domain.at_or_before(latest) for domain in domains if len(domain) and domain.instants[-1] > latest)
