"""`/viewer/`: the viewer's files, sent as they are, and what the configuration has for it."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chronotile.catalog.catalogue import BaseMap
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.query.accept import takes_gzip
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.responses.respond import IMMUTABLE, known_etags, respond_with_content
from chronotile.protocols.common.state import in_thread, services_of, state_of
from chronotile.protocols.viewer.documents import viewer_document
from chronotile.protocols.viewer.files import read_viewer_file

EMBEDDED = "embed"
"""The parameter of the page by which it is made to be shown in others."""
MISSING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The viewer is not built</title>
<h1>The viewer is not built</h1>
<p>Its libraries are missing. With Node 20 and npm installed, run <code>make viewer</code> in the folder of the source
code, then load this page again. The services of this server work without it.</p>
<p><a href="../">What this server has</a></p>
</html>
"""


async def get_file(request: Request) -> Response:
    """Return a file of the viewer, or why there is none."""
    state, path = state_of(request), request.path_params["path"]
    folder = state.viewer.path
    if folder is None or (path == "" and not state.viewer.is_complete):
        return _not_built()
    return await in_thread(state.limiters.files, _file, request, folder, path)


async def redirect(request: Request) -> Response:
    """Redirect to the page, by a relative address, which holds under any prefix and behind any proxy."""
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"viewer/?{query}" if query else "viewer/", status_code=308)


async def get_config(request: Request) -> Response:
    """Return what the configuration has for the viewer."""
    query = Kvp(request.query_params.multi_items())
    query.check_names(("lang",))
    language = language_of(request, query)
    body = orjson.dumps(viewer_document(services_of(request).catalogue, language))
    response = respond_with_content(body, "application/json", request)
    response.headers.update({"Cache-Control": "no-cache", "Content-Language": language, "Vary": "Accept-Language"})
    return response


def _file(request: Request, folder: Path, path: str) -> Response:
    file = read_viewer_file(folder, path)
    base_maps = services_of(request).catalogue.service.viewer.base_maps
    policy = _content_security_policy(base_maps, is_embedded=request.query_params.get(EMBEDDED) == "1")
    headers = {
        "ETag": f'"{file.etag}"',
        "Cache-Control": IMMUTABLE if file.is_immutable else "no-cache",
        "Content-Security-Policy": policy,
        "Vary": "Accept-Encoding",
    }
    if file.etag in known_etags(request):
        return Response(status_code=304, headers=headers)
    gzipped = file.gzipped if takes_gzip(request.headers.get("accept-encoding", "")) else None
    if gzipped is None:
        return Response(file.body, media_type=file.media_type, headers=headers)
    return Response(gzipped, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})


def _not_built() -> Response:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
    return Response(MISSING, status_code=404, media_type="text/html", headers=headers)


def _content_security_policy(base_maps: Iterable[BaseMap], *, is_embedded: bool) -> str:
    """The policy (CSP Level 3): files and answers of this server alone, and pictures of the hosts of base maps.

    Neither scripts nor styles in the page, nor text made into scripts. Leaflet and uPlot set styles of elements
    through the object model, which no policy forbids.

    Args:
        base_maps: Whose tiles are shown.
        is_embedded: Whether pages elsewhere may show this one in a frame.
    """
    addresses = [urlsplit(each.href) for each in base_maps]
    hosts = dict.fromkeys(f"{each.scheme}://{each.netloc}" for each in addresses if each.netloc)
    directives = {
        "default-src": "'self'",
        "img-src": " ".join(["'self'", "data:", "blob:", *hosts]),
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "*" if is_embedded else "'self'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


routes = [
    Route("/viewer", endpoint(redirect, problem_response)),
    Route("/viewer/config.json", endpoint(get_config, problem_response)),
    Route("/viewer/{path:path}", endpoint(get_file, problem_response)),
]
