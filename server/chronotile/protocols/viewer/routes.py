"""`/viewer/`: the viewer's files, sent as they are."""

from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.problem import problem_response
from chronotile.protocols.common.respond import known_etags
from chronotile.protocols.common.state import in_thread, state_of
from chronotile.protocols.viewer.files import ViewerFile, is_complete, read_viewer_file

POLICY = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self'"
"""Leaflet sets styles of its elements, hence `unsafe-inline`."""

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


def viewer_routes(folder: Path | None) -> Sequence[BaseRoute]:
    """Return the routes over the folder that holds the viewer's files, if there is one."""

    async def get_file(request: Request) -> Response:
        path = request.path_params["path"]
        if folder is None or (path == "" and not is_complete(folder)):
            return _not_built()
        file = await in_thread(state_of(request).gates.documents, read_viewer_file, folder, path)
        return _answer(file, request)

    async def redirect(request: Request) -> Response:
        """Relative, so that it holds under any prefix and behind any proxy."""
        query = request.scope["query_string"].decode("latin-1")
        return RedirectResponse(f"viewer/?{query}" if query else "viewer/", status_code=308)

    return [
        Route("/viewer", endpoint(redirect, problem_response)),
        Route("/viewer/{path:path}", endpoint(get_file, problem_response)),
    ]


def _answer(file: ViewerFile, request: Request) -> Response:
    headers = {"ETag": f'"{file.etag}"', "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    if file.etag in known_etags(request):
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.media_type, headers=headers)


def _not_built() -> Response:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
    return Response(MISSING, status_code=404, media_type="text/html", headers=headers)
