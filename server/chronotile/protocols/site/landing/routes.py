"""`/`, as a page or a JSON document; `/clients/`, packages that can be installed by their URL."""

from collections.abc import Mapping
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chronotile.core.errors import MAX_SHOWN, UnknownPath
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.document_answers import answer_document
from chronotile.http.endpoint import endpoint
from chronotile.http.negotiation import preferred_type
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.shipped_files import ARCHIVE, CLIENTS, WHEEL
from chronotile.http.work_kinds import FILES
from chronotile.pipeline.services import Services
from chronotile.protocols.common.html_page import content_security_policy, render_page
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.openapi import TEXT, ref
from chronotile.protocols.common.operation import Operation, routes_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.common.query.values import choice
from chronotile.protocols.site.landing.cards import CardQuery, card_query, cards
from chronotile.protocols.site.landing.documents import has_left_out, landing, landing_document

MEDIA_TYPES = {"json": "application/json", "html": "text/html"}
"""The first is for clients that accept any type."""
OF_PACKAGES: Mapping[str, str] = {WHEEL: "application/zip", ARCHIVE: "application/gzip"}
TEMPLATES = "protocols/site/landing/templates"


async def get_landing(request: Request) -> Response:
    """Return the landing page, as HTML or JSON."""
    query = Kvp(request.query_params.multi_items())
    media_type = _media_type(query, request)
    language = negotiate_language(request, query)
    services, base, state = services_of(request), base_url(request), state_of(request)
    has_viewer, wheel = state.viewer.is_complete, state.clients.address(WHEEL, base)
    page_query = card_query(query) if media_type == MEDIA_TYPES["html"] else None
    make = partial(_render, services, base, page_query, language, wheel=wheel, has_viewer=has_viewer)
    key = ("landing", base, language, has_viewer, page_query, has_left_out(services))
    response = await answer_document(request, services, make, key=key, media_type=media_type)
    response.headers.update({"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": language})
    if media_type == MEDIA_TYPES["html"]:
        response.headers["Content-Security-Policy"] = content_security_policy(
            TEMPLATES, images="'self'", has_scripts=has_viewer, has_forms=True
        )
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _media_type(query: Kvp, request: Request) -> str:
    format_ = query.optional("f")
    if format_ is not None:
        return MEDIA_TYPES[choice(format_.lower(), MEDIA_TYPES, locator="f")]
    return preferred_type(request.headers.get("accept", ""), tuple(MEDIA_TYPES.values()))


def _render(
    services: Services, base: str, page_query: CardQuery | None, language: str, *, wheel: str | None, has_viewer: bool
) -> bytes:
    page = landing(services, base=base, language=language, wheel=wheel, has_viewer=has_viewer)
    if page_query is None:
        return orjson.dumps(landing_document(page, services, base=base))
    return render_page(TEMPLATES, page=page, cards=cards(page_query, services, base=base, language=language))


async def redirect_to_clients(_request: Request) -> Response:
    """Redirect to the list; a relative URL is valid under any prefix and behind any proxy."""
    return RedirectResponse(CLIENTS.removeprefix("/"), status_code=308)


async def get_clients(request: Request) -> Response:
    """Return the list of packages as a page, which pip reads too (`--find-links`)."""
    packages, base = state_of(request).clients, base_url(request)
    body = render_page(
        TEMPLATES,
        "clients",
        names=sorted(packages.files),
        wheel=packages.address(WHEEL, base),
        archive=packages.address(ARCHIVE, base),
    )
    response = answer_content(body, "text/html", request, cache_control=CACHE_STABLE)
    response.headers["Content-Security-Policy"] = content_security_policy(TEMPLATES)
    return response


async def get_client(request: Request) -> Response:
    """Return a package."""
    state, name = state_of(request), request.path_params["name"]
    if name not in state.clients.files:
        raise UnknownPath(f"there is no package {name[:MAX_SHOWN]!r}; {CLIENTS} lists all packages")
    path = state.clients.files[name]
    body = await run(request, FILES, path.read_bytes)
    return answer_content(body, OF_PACKAGES[path.suffix], request, cache_control=CACHE_STABLE)


operations = (
    Operation(
        "/",
        get_landing,
        "getLanding",
        "Overview of the service, as JSON or as a page",
        tag="Service",
        faults=problem_response,
        parameters=[format_of(tuple(MEDIA_TYPES))],
        answers={MEDIA_TYPES["json"]: ref("Landing"), MEDIA_TYPES["html"]: TEXT},
        refusals=("BadRequest", "Unavailable"),
    ),
)
routes = [
    *routes_of(operations),
    Route("/clients", endpoint(redirect_to_clients, problem_response)),
    Route(CLIENTS, endpoint(get_clients, problem_response)),
    Route(f"{CLIENTS}{{name}}", endpoint(get_client, problem_response)),
]
