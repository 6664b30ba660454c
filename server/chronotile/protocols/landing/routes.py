"""`/`: a page for people, a document for programs."""

from collections.abc import Callable, Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.protocols.common.accept import preferred_type
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.kvp import Kvp, choice
from chronotile.protocols.common.problem import problem_response
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.respond import respond_with_content
from chronotile.protocols.common.state import in_thread, services_of, state_of
from chronotile.protocols.common.texts import language_of
from chronotile.protocols.landing.documents import landing, landing_document
from chronotile.protocols.landing.page import content_security_policy, render_page

MEDIA_TYPES = {"json": "application/json", "html": "text/html"}
"""The first is for those who take anything."""


def landing_routes(has_viewer: Callable[[], bool]) -> Sequence[BaseRoute]:
    """Return the route; `has_viewer` says whether there is a viewer to lead to."""

    async def get_landing(request: Request) -> Response:
        query = Kvp(request.query_params.multi_items())
        media_type = _media_type(query, request)
        language = language_of(request, query)
        gate = state_of(request).gates.documents
        body = await in_thread(gate, _render, request, media_type, language, has_viewer=has_viewer())
        response = respond_with_content(body, media_type, request)
        response.headers.update({"Vary": "Accept, Accept-Language", "Content-Language": language})
        if media_type == MEDIA_TYPES["html"]:
            response.headers["Content-Security-Policy"] = content_security_policy()
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return [Route("/", endpoint(get_landing, problem_response))]


def _media_type(query: Kvp, request: Request) -> str:
    named = query.optional("f")
    if named is not None:
        return MEDIA_TYPES[choice(named.lower(), MEDIA_TYPES, locator="f")]
    return preferred_type(request.headers.get("accept", ""), tuple(MEDIA_TYPES.values()))


def _render(request: Request, media_type: str, language: str, *, has_viewer: bool) -> bytes:
    base = base_url(request)
    page = landing(services_of(request), base=base, language=language, has_viewer=has_viewer)
    if media_type == MEDIA_TYPES["html"]:
        return render_page(page)
    return orjson.dumps(landing_document(page, base))
