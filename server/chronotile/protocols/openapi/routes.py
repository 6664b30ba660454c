"""`/openapi.json` and `/docs`."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.operations import sections_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.html_page import COMMON, content_security_policy, render_page
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.state import services_of
from chronotile.protocols.openapi.document import openapi_document

MEDIA_TYPE = "application/vnd.oai.openapi+json;version=3.1"
PAGE = "operations"
"""Template and style sheet."""


async def get_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    services, base = services_of(request), base_url(request)
    make = partial(_encode, services, base, _served(request))
    return await respond_with_document(request, services, make, key=("openapi", base), media_type=MEDIA_TYPE)


async def get_page(request: Request) -> Response:
    """Return the document as a page."""
    services, base = services_of(request), base_url(request)
    make = partial(_render, services, base, _served(request))
    response = await respond_with_document(request, services, make, key=("docs", base), media_type="text/html")
    response.headers["Content-Security-Policy"] = content_security_policy(COMMON, styled=PAGE)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _served(request: Request) -> frozenset[str]:
    """The paths that the application answers, as its routes write them."""
    return frozenset(route.path for route in request.app.routes if isinstance(route, Route))


def _encode(services: Services, base: str, served: frozenset[str]) -> bytes:
    return orjson.dumps(_document(services, base, served))


def _render(services: Services, base: str, served: frozenset[str]) -> bytes:
    document = _document(services, base, served)
    title, sections = document["info"]["title"], sections_of(document)
    addresses = {"description": "openapi.json", "version": "3.1", "home": "./", "ogcapi": "ogcapi/openapi?f=html"}
    return render_page(COMMON, PAGE, styled=PAGE, title=title, sections=sections, **addresses)


def _document(services: Services, base: str, served: frozenset[str]) -> Json:
    return openapi_document(services.catalogue, base=base, served=served)


routes = [
    Route("/openapi.json", endpoint(get_document, problem_response)),
    Route("/docs", endpoint(get_page, problem_response)),
]
