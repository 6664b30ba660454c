"""Documents that tell of the catalogue: made once, in a thread, and kept until what is served is another."""

import gzip
from collections.abc import Callable, Hashable

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from chronotile.model.payload import Document
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.protocols.common.respond import SHORT, known_etags
from chronotile.protocols.common.state import in_documents

KEPT_S = 300
"""The newest time moves with the clock alone; clients keep documents as long (`max-age`)."""

GZIP_LEVEL = 5


async def respond_with_document(
    request: Request,
    services: Services,
    make: Callable[[], bytes],
    *,
    key: Hashable,
    media_type: str,
    is_timeless: bool = False,
) -> Response:
    """Return what `make` gives, kept for `KEPT_S`, or where it `is_timeless` until a reload.

    Args:
        request: That asks for it.
        services: What it tells of.
        make: Makes it.
        key: All that it depends on but the catalogue and the time of day.
        media_type: Under which it leaves.
        is_timeless: Whether it does not depend on the time of day.

    Raises:
        ServerBusy: Too much is waiting already.
    """
    seconds = int(services.clock().astype("datetime64[s]").astype(np.int64))
    whole_key = (key, media_type, None if is_timeless else seconds // KEPT_S)
    document = await in_documents(request, _kept, services, whole_key, lambda: _document(make(), media_type))
    return _response(document, request)


def _kept(services: Services, key: Hashable, make: Callable[[], Document]) -> Document:
    return services.documents.get_or_make(key, make)


def _document(body: bytes, media_type: str) -> Document:
    """Without the time at which it was compressed, so that equal documents are equal bytes."""
    gzipped = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Document(body=body, gzipped=gzipped, media_type=media_type, etag=fingerprint(body))


def _response(document: Document, request: Request) -> Response:
    headers = {"ETag": f'"{document.etag}"', "Cache-Control": SHORT, "Vary": "Accept-Encoding"}
    if document.etag in known_etags(request):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(document.body, media_type=document.media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(document.gzipped, media_type=document.media_type, headers=headers)
