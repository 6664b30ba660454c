"""`/ogcapi/styles` and `/ogcapi/collections/{collectionId}/styles`: lists, sheets, metadata and legends."""

from collections.abc import Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.pipeline.maps.legend import draw_legend
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.responses.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.protocols.common.state import in_documents, services_of
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.document_context import context_for, in_language
from chronotile.protocols.ogcapi.maps.faults import picture_fault
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.styles.documents import ALIASES, JSON, SHEETS, style_list, style_metadata, style_sheet
from chronotile.protocols.ogcapi.styles.params import OF_DOCUMENTS, parse_legend

Write = Callable[[Mapping[str, str], DocumentContext], Json]


async def get_styles(request: Request) -> Response:
    """Return the styles of a collection or of the dataset."""
    return await _document(request, style_list)


async def get_metadata(request: Request) -> Response:
    """Return what is known of a style."""
    return await _document(request, style_metadata)


async def get_sheet(request: Request) -> Response:
    """Return a style as SLD, or as our own YAML or JSON."""
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_DOCUMENTS))
    name = negotiate_format(query, request.headers.get("accept", ""), SHEETS, aliases=ALIASES)
    catalogue = services_of(request).catalogue
    body = await in_documents(request, style_sheet, request.path_params, name, catalogue)
    response = respond_with_content(body, SHEETS[name], request, cache_control=SHORT)
    response.headers["Vary"] = "Accept"
    return response


async def get_legend(request: Request) -> Response:
    """Return the legend of a style as picture or document."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    legend = parse_legend(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    known = known_etags(request)
    payload = await in_documents(
        request, draw_legend, legend.request, legend.format, services, shape=legend.shape, known=known
    )
    response = respond(payload)
    response.headers["Vary"] = "Accept"
    return response


async def _document(request: Request, write: Write) -> Response:
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_DOCUMENTS))
    negotiate_format(query, request.headers.get("accept", ""), {"json": JSON})
    context = context_for(request, query)
    body = await in_documents(request, lambda: orjson.dumps(write(request.path_params, context)))
    return in_language(respond_with_content(body, JSON, request, cache_control=SHORT), context)


ORIGINS = ("", "/collections/{collectionId}")
"""What has styles, below `/ogcapi`."""

routes = [
    Route("/ogcapi/collections/{collectionId}/legend", endpoint(get_legend, picture_fault)),
    *(
        Route(f"/ogcapi{origin}/styles{rest}", endpoint(handler, picture_fault))
        for origin in ORIGINS
        for rest, handler in (
            ("", get_styles),
            ("/{styleId}", get_sheet),
            ("/{styleId}/metadata", get_metadata),
            ("/{styleId}/legend", get_legend),
        )
    ),
]
