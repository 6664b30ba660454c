"""`/clients/`: the packages of clients, to install by their address."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chronotile.errors import MAX_SHOWN, UnknownPath
from chronotile.protocols.common.client_packages import ARCHIVE, PATH, WHEEL
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.responses.html_page import content_security_policy, render_page
from chronotile.protocols.common.responses.respond import SHORT, respond_with_content
from chronotile.protocols.common.state import in_thread, state_of

TEMPLATES = "protocols/landing/templates"
MEDIA_TYPES: Mapping[str, str] = {WHEEL: "application/zip", ARCHIVE: "application/gzip"}


async def redirect(_request: Request) -> Response:
    """Redirect to the list, by a relative address, which holds under any prefix and behind any proxy."""
    return RedirectResponse(PATH.removeprefix("/"), status_code=308)


async def get_list(request: Request) -> Response:
    """Return the list as a page that pip reads, too (`--find-links`)."""
    packages, base = state_of(request).clients, base_url(request)
    body = render_page(
        TEMPLATES,
        "clients",
        names=sorted(packages.files),
        wheel=packages.address(WHEEL, base),
        archive=packages.address(ARCHIVE, base),
    )
    response = respond_with_content(body, "text/html", request, cache_control=SHORT)
    response.headers["Content-Security-Policy"] = content_security_policy(TEMPLATES)
    return response


async def get_package(request: Request) -> Response:
    """Return a package."""
    state, name = state_of(request), request.path_params["name"]
    if name not in state.clients.files:
        raise UnknownPath(f"there is no package {name[:MAX_SHOWN]!r}; {PATH} lists those that there are")
    path = state.clients.files[name]
    body = await in_thread(state.limiters.files, path.read_bytes)
    return respond_with_content(body, MEDIA_TYPES[path.suffix], request, cache_control=SHORT)
