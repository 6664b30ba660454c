"""For whom a document is made, as its request says."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.state import services_of
from chronotile.protocols.ogcapi.block import DocumentContext


def context_for(request: Request, query: Kvp) -> DocumentContext:
    """Return what documents for a request are made of.

    Raises:
        InvalidParameter: `lang` is not one of the service's languages.
    """
    return DocumentContext(
        catalogue=services_of(request).catalogue, root=base_url(request), language=language_of(request, query)
    )


def in_language(response: Response, context: DocumentContext) -> Response:
    """Return the answer with a document, with its language and the request headers that it depends on."""
    response.headers.update({"Content-Language": context.language, "Vary": "Accept, Accept-Language"})
    return response
