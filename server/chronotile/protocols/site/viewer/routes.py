"""`/viewer/`: the viewer's built files, and what the configuration has for it."""

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
from chronotile.catalog.viewer_section import BaseMap, ViewerInfo
from chronotile.core.errors import SourceUnavailable, UnknownLayer, UnknownPath
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import KEY_PATH
from chronotile.http.cache_headers import CACHE_IMMUTABLE
from chronotile.http.endpoint import endpoint
from chronotile.http.etags import client_etags
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
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.readers.hrefs import FileState, fingerprint_of

EMBEDDED = "embed"
"""The parameter of the page by which it is made to be shown in others."""
LANGUAGE = "language"
"""The parameter of the page that names its language."""
MISSING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The viewer is not built</title>
<h1>The viewer is not built</h1>
<p>Its scripts are missing. With Node 20 and npm installed, run <code>make viewer</code> in the folder of the source
code, then load this page again. The services of this server work without it.</p>
<p><a href="../">What this server has</a></p>
</html>
"""


async def get_file(request: Request) -> Response:
    """Return a file of the viewer, or why there is none."""
    state, path = state_of(request), request.path_params["path"]
    folder = state.viewer.path
    if folder is None or (path == "" and not state.viewer.is_complete):
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'"}
        return Response(MISSING, status_code=404, media_type="text/html", headers=headers)
    return await run(request, FILES, partial(_file, request, folder, path))


async def redirect(request: Request) -> Response:
    """Redirect to the page, by a relative address, which holds under any prefix and behind any proxy."""
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"viewer/?{query}" if query else "viewer/", status_code=308)


async def get_config(request: Request) -> Response:
    """Return what the configuration has for the viewer."""
    query = Kvp(request.query_params.multi_items())
    query.check_names(("lang",))
    language = negotiate_language(request, query)
    body = orjson.dumps({**viewer_document(services_of(request).catalogue, language), **_sign_in(request)})
    response = answer_content(body, "application/json", request)
    response.headers.update({"Cache-Control": "no-cache", "Content-Language": language, "Vary": "Accept-Language"})
    return response


def _sign_in(request: Request) -> dict[str, str]:
    """That users can sign in, or that the session of this one has to be renewed; nothing where they cannot."""
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
        headers |= {"Vary": "Accept-Encoding, Accept-Language", **_first_questions(request, folder, file.version)}
    if file.etag in client_etags(request):
        return Response(status_code=304, headers=headers)
    gzipped = file.gzipped if accepts_gzip(request.headers.get("accept-encoding", "")) else None
    if gzipped is None:
        return Response(file.body, media_type=file.media_type, headers=headers)
    return Response(gzipped, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})


def _first_questions(request: Request, folder: Path, version: str) -> dict[str, str]:
    """What the page's scripts ask first, so that browsers ask it while those come (RFC 8288; HTML, "preload").

    Nothing for a link in another language than the browser's own: an answer to a request without the scripts'
    Accept-Language is not theirs.
    """
    own = _primary(request.headers.get("accept-language", ""))
    asked = _primary(next(iter(request.query_params.getlist(LANGUAGE)), own))
    if own != asked or own not in {path.stem for path in folder.glob("i18n/*.json")}:
        return {}
    paths = [f"{VERSIONED}/{version}/i18n/{own}.json", "config.json", "../layers"]
    return {"Link": ", ".join(f"<{path}>; rel=preload; as=fetch; crossorigin; nopush" for path in paths)}


def _primary(languages: str) -> str:
    # `nl` of `nl-BE,nl;q=0.9`: the first part of the first language range (RFC 4647).
    return re.split("[-,;]", languages, maxsplit=1)[0].strip().lower()


def _content_security_policy(viewer: ViewerInfo, *, is_embedded: bool) -> str:
    """The policy (CSP Level 3): files and answers of this server alone, and pictures of the hosts of base maps.

    Neither scripts nor styles in the page, nor text made into scripts. Leaflet sets styles of elements
    through the object model, which no policy forbids.

    Args:
        viewer: Whose base maps are shown, and whose geocoder is asked.
        is_embedded: Whether pages elsewhere may show this one in a frame.
    """
    directives = {
        "default-src": "'self'",
        "img-src": " ".join(["'self'", "data:", "blob:", *_hosts(each.href for each in viewer.maps)]),
        "connect-src": " ".join(["'self'", *_hosts([] if viewer.geocoder is None else [viewer.geocoder.href])]),
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "*" if is_embedded else "'self'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def _hosts(addresses: Iterable[str]) -> list[str]:
    parts = [urlsplit(each) for each in addresses]
    return list(dict.fromkeys(f"{each.scheme}://{each.netloc}" for each in parts if each.netloc))


async def get_map(request: Request) -> Response:
    """Return a `.pmtiles` file of the configuration, or the part of it that is requested."""
    name = request.path_params["map"]
    maps = services_of(request).catalogue.service.viewer.maps
    found = next((each.href for each in maps if each.id == name and each.kind == "pmtiles"), None)
    if found is None or not await run(request, FILES, Path(found).is_file):
        raise UnknownPath(f"the viewer has no map {name[:80]!r}")
    return FileResponse(found, media_type="application/vnd.pmtiles", headers={"Cache-Control": "no-cache"})


routes = [
    Route("/viewer", endpoint(redirect, problem_response)),
    Route("/viewer/config.json", endpoint(get_config, problem_response)),
    Route("/viewer/maps/{map}.pmtiles", endpoint(get_map, problem_response)),
    Route("/viewer/{path:path}", endpoint(get_file, problem_response)),
]


def viewer_document(catalogue: Catalogue, language: str) -> dict[str, Any]:
    """Return title, languages, the layer to begin with, and base maps, in one language."""
    service = catalogue.service
    return {
        "title": text_in(service.title, language),
        "languages": list(service.languages),
        "default_layer": _default_layer(catalogue),
        "default_base_map": service.viewer.default_base_map,
        "base_maps": [_base_map(each, language) for each in service.viewer.base_maps],
        "overlays": [_base_map(each, language) for each in service.viewer.overlays],
        "geocoder": None if service.viewer.geocoder is None else service.viewer.geocoder.model_dump(),
    }


def _base_map(each: BaseMap, language: str) -> dict[str, Any]:
    href = f"viewer/maps/{each.id}.pmtiles" if each.kind == "pmtiles" else each.href
    return {**each.model_dump(), "title": text_in(each.title, language), "href": href}


def _default_layer(catalogue: Catalogue) -> str | None:
    """The one that is configured, under that name; `None` where none is, or it is not served now."""
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
"""Kinds that compression makes no smaller."""
VERSIONED = "v"
"""Below which the files stand once more, by version: `v/0123456789ab/main.js`."""
VERSION_LETTERS = 12
DIGEST = "digest.json"
"""A file that tells all in its folder and below from those of another build: thousands, few of which are requested."""
MAX_DEPTH = 4
MAX_FILES = 1024
"""Files in memory; more than there are."""
GZIP_LEVEL = 9
"""Once a file: 6 % fewer bytes than level 6."""
ShippedState = tuple[str, FileState]
"""A path, when it was written, in nanoseconds, and its size."""
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_REFERENCE = re.compile(rb'(\s(?:href|src)=")([A-Za-z0-9_][A-Za-z0-9_./-]*\.(?:css|js|svg)(?:#[\w-]+)?")')
"""A reference to a file of the viewer, in its page: the attribute and its value."""


@dataclass(frozen=True, slots=True)
class ViewerFile:
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str
    is_immutable: bool = False
    """Whether it is requested by its version, under which there will never be another."""
    version: str = ""
    """Of the files that it refers to, of the page."""

    @property
    def gzipped(self) -> bytes | None:
        """The body compressed, which takes up to a tenth of a second once; `None` of a kind that is compressed."""
        return None if self.media_type in PACKED else _gzipped(self.body)


def read_viewer_file(folder: Path, path: str) -> ViewerFile:
    """Return a file of the viewer.

    Nothing at the end of a path means its page, which refers to all else by version. A page of another version, opened
    before the files became these, gets those of now, which must not be cached under its name.

    Raises:
        UnknownPath: There is none, or it is of a kind that pages do not load.
    """
    if path in {"", INDEX}:
        return _page(folder)
    names = path.split("/")
    if names[0] != VERSIONED or len(names) < 3:
        return _shipped(folder, names)
    found = _shipped(folder, names[2:])
    return replace(found, is_immutable=names[1] == viewer_version(folder))


def viewer_version(folder: Path) -> str:
    """Return a short name for the state of all files together."""
    return _version(folder, tuple(sorted(_states(folder))))


def _states(folder: Path) -> Iterator[ShippedState]:
    """By which it is known whether files changed; each page requests dozens of files, so paths are text."""
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
    return _versioned(_read_now(file).body, viewer_version(folder))


@lru_cache(maxsize=4)
def _versioned(page: bytes, version: str) -> ViewerFile:
    folder = f"{VERSIONED}/{version}/".encode()
    return replace(_sent(_REFERENCE.sub(rb"\1" + folder + rb"\2", page), ".html"), version=version)


def _shipped(folder: Path, names: list[str]) -> ViewerFile:
    is_name = all(map(_SEGMENT.fullmatch, names)) and len(names) <= MAX_DEPTH
    file = folder.joinpath(*names) if is_name else None
    if file is None or file.suffix not in MEDIA_TYPES or not file.is_file():
        raise UnknownPath(f"the viewer has no file {'/'.join(names)[:80]!r}")
    return _read_now(file)


def _read_now(file: Path) -> ViewerFile:
    return _read(file, fingerprint_of(file.stat()))


@lru_cache(maxsize=MAX_FILES)
def _read(file: Path, _state: FileState) -> ViewerFile:
    # Cached until the file changes.
    return _sent(file.read_bytes(), file.suffix)


def _sent(body: bytes, suffix: str) -> ViewerFile:
    return ViewerFile(body, MEDIA_TYPES[suffix], fingerprint(body))


@lru_cache(maxsize=MAX_FILES)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)
