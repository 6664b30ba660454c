"""`/openapi.json` and `/docs`."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.operations_page import (
    OperationsPage,
    PageLink,
    operations_page,
    with_operations_policy,
)
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.state import services_of, state_of
from chronotile.protocols.openapi.document import openapi_document

MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.1"
DOCUMENT = "openapi.json"


async def get_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    services, base = services_of(request), base_url(request)
    make = partial(_encode, services, base, _served(request))
    return await respond_with_document(request, services, make, key=("openapi", base), media_type=MEDIA_TYPE)


async def get_page(request: Request) -> Response:
    """Return the document as a page."""
    services, base, has_viewer = services_of(request), base_url(request), state_of(request).viewer.is_complete
    make = partial(_render, services, base, _served(request), has_viewer=has_viewer)
    key = ("docs", base, has_viewer)
    response = await respond_with_document(request, services, make, key=key, media_type="text/html")
    return with_operations_policy(response, has_forms=has_viewer)


def _served(request: Request) -> frozenset[str]:
    """The paths that the application answers, as its routes write them."""
    return frozenset(route.path_format for route in request.app.routes if isinstance(route, Route))


def _encode(services: Services, base: str, served: frozenset[str]) -> bytes:
    return orjson.dumps(_document(services, base, served))


def _render(services: Services, base: str, served: frozenset[str], *, has_viewer: bool) -> bytes:
    document = _document(services, base, served)
    page = OperationsPage(
        title=document["info"]["title"],
        version="3.1",
        description=DOCUMENT,
        server="./",
        viewer="viewer" if has_viewer else None,
        related=(
            PageLink(title="Start", href="./"),
            PageLink(title="The same as OpenAPI 3.1", href=DOCUMENT),
            PageLink(title="API reference of OGC API", href="ogcapi/openapi?f=html"),
        ),
    )
    return operations_page(document, page)


def _document(services: Services, base: str, served: frozenset[str]) -> Json:
    return openapi_document(services.catalogue, base=base, served=served)


routes = [
    Route(f"/{DOCUMENT}", endpoint(get_document, problem_response)),
    Route("/docs", endpoint(get_page, problem_response)),
]
