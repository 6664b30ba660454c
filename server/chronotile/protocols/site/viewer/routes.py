"""`/viewer/`: built files of the viewer, and its configuration."""

import gzip
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.logo import Logo, read_logo
from chronotile.catalog.viewer_section import BaseMap, ViewerInfo
from chronotile.core.errors import SourceUnavailable, UnknownLayer, UnknownPath
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.cache_headers import CACHE_IMMUTABLE
from chronotile.http.endpoint import endpoint
from chronotile.http.if_none_match import client_etags
from chronotile.http.negotiation import accepts_gzip
from chronotile.http.principal import SESSION_EXPIRED
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.shipped_files import INDEX
from chronotile.http.work_kinds import FILES
from chronotile.pipeline.revision import fingerprint
from chronotile.protocols.common.localised_text import negotiate_language, text_in
from chronotile.protocols.common.openapi import ref
from chronotile.protocols.common.operation import Operation, language, routes_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.readers.file_states import FileState, fingerprint_of

EMBEDDED = "embed"
"""Parameter of the page that allows other pages to embed it."""
LANGUAGE = "language"
"""Parameter of the page with its language."""
MISSING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The viewer is not built</title>
<h1>The viewer is not built</h1>
<p>Its scripts are missing. With Node 20 and npm installed, run <code>make viewer</code> in the folder of the source
code, then load this page again. The services of this server work without it.</p>
<p><a href="../">Overview of this server</a></p>
</html>
"""


async def get_file(request: Request) -> Response:
    """Return a file of the viewer; without a built viewer, a page with the command that builds it."""
    state, path = state_of(request), request.path_params["path"]
    folder = state.viewer.path
    if folder is None or (path == "" and not state.viewer.is_complete):
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
        return Response(MISSING, status_code=404, media_type="text/html", headers=headers)
    return await run(request, FILES, partial(_file, request, folder, path))


async def redirect(request: Request) -> Response:
    """Redirect to the page; a relative URL is valid under any prefix and behind any proxy."""
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"viewer/?{query}" if query else "viewer/", status_code=308)


async def get_config(request: Request) -> Response:
    """Return the configuration of the viewer."""
    query = Kvp(request.query_params.multi_items())
    query.check_names(("lang",))
    language = negotiate_language(request, query)
    catalogue = services_of(request).catalogue
    logo = await run(request, FILES, partial(_logo_address, catalogue.service.logo))
    body = orjson.dumps({**viewer_document(catalogue, language), **logo, **_sign_in(request)})
    response = answer_content(body, "application/json", request)
    response.headers.update({"Cache-Control": "no-cache", "Content-Language": language, "Vary": "Accept-Language"})
    return response


def _logo_address(path: Path | None) -> dict[str, str | None]:
    """Return the address of the logo: `None` if its file cannot be shown; empty if none is configured."""
    if path is None:
        return {}
    try:
        return {"logo": f"viewer/logo.{read_logo(path).format}"}
    except UnknownPath:
        return {"logo": None}


def _sign_in(request: Request) -> dict[str, str]:
    """Return whether users can sign in, or must again because their session expired; empty if they cannot."""
    access = services_of(request).catalogue.access
    if access is None or access.client is None or KEY_PATH in request.scope:
        return {}
    return {"sign_in": "expired" if SESSION_EXPIRED in request.scope else "offered"}


def _file(request: Request, folder: Path, path: str) -> Response:
    file = read_viewer_file(folder, path)
    policy = _content_security_policy(
        services_of(request).catalogue.service.viewer, is_embedded=request.query_params.get(EMBEDDED) == "1"
    )
    headers = {
        "ETag": f'"{file.etag}"',
        "Cache-Control": CACHE_IMMUTABLE if file.is_immutable else "no-cache",
        "Content-Security-Policy": policy,
        "Vary": "Accept-Encoding",
    }
    if path == "":
        headers |= {"Vary": "Accept-Encoding, Accept-Language", **_preload_links(request, folder, file.version)}
    if file.etag in client_etags(request):
        return Response(status_code=304, headers=headers)
    gzipped = file.gzipped if accepts_gzip(request.headers.get("accept-encoding", "")) else None
    if gzipped is None:
        return Response(file.body, media_type=file.media_type, headers=headers)
    return Response(gzipped, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})


def _preload_links(request: Request, folder: Path, version: str) -> dict[str, str]:
    """Return links to the first requests of the page's scripts, which browsers send early (RFC 8288; HTML, "preload").

    Empty if the page is requested in a language other than the browser's: scripts then send another Accept-Language,
    so a preloaded answer would not fit.
    """
    browser_language = _primary(request.headers.get("accept-language", ""))
    page_language = _primary(next(iter(request.query_params.getlist(LANGUAGE)), browser_language))
    if browser_language != page_language or page_language not in {path.stem for path in folder.glob("i18n/*.json")}:
        return {}
    paths = [f"{VERSIONED}/{version}/i18n/{page_language}.json", "config.json", "../layers"]
    return {"Link": ", ".join(f"<{path}>; rel=preload; as=fetch; crossorigin; nopush" for path in paths)}


def _primary(languages: str) -> str:
    # `nl` of `nl-BE,nl;q=0.9`: the primary subtag of the first language range (RFC 4647).
    return re.split("[-,;]", languages, maxsplit=1)[0].strip().lower()


def _content_security_policy(viewer: ViewerInfo, *, is_embedded: bool) -> str:
    """Return the policy (CSP Level 3): only files and answers of this server, and pictures from hosts of base maps.

    It forbids scripts and styles in the page, and text made into scripts. Leaflet sets styles of elements through the
    object model, which no policy forbids.

    Args:
        viewer: Its base maps and geocoder define the hosts.
        is_embedded: Whether other sites may show the page in a frame.
    """
    directives = {
        "default-src": "'self'",
        "img-src": " ".join(["'self'", "data:", "blob:", *_hosts(base_map.href for base_map in viewer.maps)]),
        "connect-src": " ".join(["'self'", *_hosts([] if viewer.geocoder is None else [viewer.geocoder.href])]),
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "*" if is_embedded else "'self'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def _hosts(addresses: Iterable[str]) -> list[str]:
    parts = [urlsplit(address) for address in addresses]
    return list(dict.fromkeys(f"{url.scheme}://{url.netloc}" for url in parts if url.netloc))


async def get_map(request: Request) -> Response:
    """Return a configured `.pmtiles` file, or the requested range of it."""
    name = request.path_params["map"]
    maps = services_of(request).catalogue.service.viewer.maps
    path = next((base_map.href for base_map in maps if base_map.id == name and base_map.kind == "pmtiles"), None)
    if path is None or not await run(request, FILES, Path(path).is_file):
        raise UnknownPath(f"the viewer has no map {name[:80]!r}")
    return FileResponse(path, media_type="application/vnd.pmtiles", headers={"Cache-Control": "no-cache"})


async def get_logo(request: Request) -> Response:
    """Return the configured logo."""
    logo = await run(request, FILES, partial(_logo, services_of(request).catalogue.service.logo))
    if request.path_params["format"] != logo.format:
        raise UnknownPath(f"the logo is {logo.format}")
    return answer_content(logo.body, logo.media_type, request, cache_control="no-cache")


def _logo(path: Path | None) -> Logo:
    if path is None:
        raise UnknownPath("the viewer has no logo")
    return read_logo(path)


operations = (
    Operation(
        "/viewer/config.json",
        get_config,
        "getViewerConfig",
        "The configuration of the viewer",
        tag="Service",
        faults=problem_response,
        parameters=[language],
        answers={"application/json": ref("ViewerConfig")},
        refusals=("BadRequest",),
    ),
)
routes = [
    Route("/viewer", endpoint(redirect, problem_response)),
    *routes_of(operations),
    Route("/viewer/maps/{map}.pmtiles", endpoint(get_map, problem_response)),
    Route("/viewer/logo.{format}", endpoint(get_logo, problem_response)),
    Route("/viewer/{path:path}", endpoint(get_file, problem_response)),
]


def viewer_document(catalogue: Catalogue, language: str) -> dict[str, Any]:
    """Return title, languages, default layer, base maps and geocoder of the viewer, in one language."""
    service = catalogue.service
    return {
        "title": text_in(service.title, language),
        "languages": list(service.languages),
        "default_layer": _default_layer(catalogue),
        "default_base_map": service.viewer.default_base_map,
        "base_maps": [_base_map(base_map, language) for base_map in service.viewer.base_maps],
        "overlays": [_base_map(base_map, language) for base_map in service.viewer.overlays],
        "geocoder": None if service.viewer.geocoder is None else service.viewer.geocoder.model_dump(),
    }


def _base_map(base_map: BaseMap, language: str) -> dict[str, Any]:
    href = f"viewer/maps/{base_map.id}.pmtiles" if base_map.kind == "pmtiles" else base_map.href
    return {**base_map.model_dump(), "title": text_in(base_map.title, language), "href": href}


def _default_layer(catalogue: Catalogue) -> str | None:
    """Return the configured name of the default layer; `None` without one, or if it is not served now."""
    name = catalogue.service.viewer.default_layer
    if name is None:
        return None
    try:
        catalogue.layer(name)
    except (UnknownLayer, SourceUnavailable):
        return None
    return name


MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
PACKED = {"image/x-icon", "image/jpeg", "image/png", "image/webp", "font/woff2"}
"""Media types of compressed files."""
VERSIONED = "v"
"""First part of paths that name the version of the files: `v/0123456789ab/main.js`."""
VERSION_LETTERS = 12
DIGEST = "digest.json"
"""File with the digest of all files in its folder and below: thousands, which are not inspected one by one."""
MAX_DEPTH = 4
MAX_FILES = 1024
"""Files in memory; the viewer has fewer."""
GZIP_LEVEL = 9
"""Each file is compressed once; level 9 saves 6 % more than level 6."""
ShippedState = tuple[str, FileState]
"""Path and fingerprint of a file."""
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_REFERENCE = re.compile(rb'(\s(?:href|src)=")([A-Za-z0-9_][A-Za-z0-9_./-]*\.(?:css|js|svg)(?:#[\w-]+)?")')
"""A reference to a file of the viewer in its page: the attribute and its value."""


@dataclass(frozen=True, slots=True)
class ViewerFile:
    """A file as an answer has it."""

    body: bytes
    media_type: str
    etag: str
    is_immutable: bool = False
    """Whether the path names the current version, so the answer never changes."""
    version: str = ""
    """Version of the files to which the page refers; empty for other files."""

    @property
    def gzipped(self) -> bytes | None:
        """The compressed body, computed once in up to 0.1 s; `None` for a compressed media type."""
        return None if self.media_type in PACKED else _gzip(self.body)


def read_viewer_file(folder: Path, path: str) -> ViewerFile:
    """Return a file of the viewer.

    An empty path returns the page, which refers to all other files by version. A page of another version, opened before
    the files were replaced, gets the current files; their answers must not be cached under that version.

    Raises:
        UnknownPath: The file does not exist, or its media type is not one that pages load.
    """
    if path in {"", INDEX}:
        return _page(folder)
    names = path.split("/")
    if names[0] != VERSIONED or len(names) < 3:
        return _read_shipped(folder, names)
    file = _read_shipped(folder, names[2:])
    return replace(file, is_immutable=names[1] == viewer_version(folder))


def viewer_version(folder: Path) -> str:
    """Return a short name of the current version of all files."""
    return _version(folder, tuple(sorted(_states(folder))))


def _states(folder: Path) -> Iterator[ShippedState]:
    """Yield path and fingerprint of each file; texts instead of `Path`, as each page causes dozens of calls."""
    for parent, folders, names in os.walk(folder, followlinks=True):
        if DIGEST in names:
            folders.clear()
        for name in names:
            if os.path.splitext(name)[1] in MEDIA_TYPES:  # noqa: PTH122 -- as above
                path = os.path.join(parent, name)  # noqa: PTH118 -- as above
                yield path, fingerprint_of(os.stat(path))  # noqa: PTH116 -- as above


@lru_cache(maxsize=4)
def _version(folder: Path, states: tuple[ShippedState, ...]) -> str:
    files = [(Path(path), _read(Path(path), state).etag) for path, state in states]
    return fingerprint([(path.parts[len(folder.parts) :], etag) for path, etag in files])[:VERSION_LETTERS]


def _page(folder: Path) -> ViewerFile:
    file = folder / INDEX
    if not file.is_file():
        raise UnknownPath("the viewer has no page")
    return _add_version(_read_now(file).body, viewer_version(folder))


@lru_cache(maxsize=4)
def _add_version(page: bytes, version: str) -> ViewerFile:
    folder = f"{VERSIONED}/{version}/".encode()
    return replace(_viewer_file(_REFERENCE.sub(rb"\1" + folder + rb"\2", page), ".html"), version=version)


def _read_shipped(folder: Path, names: list[str]) -> ViewerFile:
    is_name = all(map(_SEGMENT.fullmatch, names)) and len(names) <= MAX_DEPTH
    file = folder.joinpath(*names) if is_name else None
    if file is None or file.suffix not in MEDIA_TYPES or not file.is_file():
        raise UnknownPath(f"the viewer has no file {'/'.join(names)[:80]!r}")
    return _read_now(file)


def _read_now(file: Path) -> ViewerFile:
    return _read(file, fingerprint_of(file.stat()))


@lru_cache(maxsize=MAX_FILES)
def _read(file: Path, _state: FileState) -> ViewerFile:
    # The fingerprint is part of the cache key, so a changed file is read again.
    return _viewer_file(file.read_bytes(), file.suffix)


def _viewer_file(body: bytes, suffix: str) -> ViewerFile:
    return ViewerFile(body, MEDIA_TYPES[suffix], fingerprint(body))


@lru_cache(maxsize=MAX_FILES)
def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)
