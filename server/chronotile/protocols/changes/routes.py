"""`GET /stac/changes` and `GET /stac/collections/{collection}/feed.atom`."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.search.changes import changes_since, newest_items
from chronotile.pipeline.search.search_items import not_whole
from chronotile.pipeline.services import Services
from chronotile.protocols.changes.documents import PATH, changes_document
from chronotile.protocols.changes.feed import MOST_ENTRIES, feed_of
from chronotile.protocols.changes.params import ChangesQuery, changes_query
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.item_links import ATOM
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG
from chronotile.protocols.common.responses.modified import http_date, is_modified_since
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.responses.respond import CURRENT, known_etags, respond_with_content
from chronotile.protocols.common.responses.unanswered import unanswered_members
from chronotile.protocols.common.state import in_documents, services_of, state_of

NOT_KEPT = "no-cache"
"""Of a page of changes: there may be more in a second."""


async def get_changes(request: Request) -> Response:
    """Return a page of changes."""
    services = services_of(request)
    query = changes_query(Kvp(request.query_params.multi_items()), services.catalogue)
    body = await in_documents(request, _changes, query, services, base_url(request))
    return respond_with_content(body, "application/json", request, cache_control=NOT_KEPT)


async def get_feed(request: Request) -> Response:
    """Return the newest items of a collection."""
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    name, language, base = request.path_params["collection"], language_of(request, query), base_url(request)
    has_viewer = state_of(request).viewer.is_complete
    make = partial(_feed, name, services_of(request), base, language, has_viewer=has_viewer)
    body = await in_documents(request, make)
    etag = fingerprint(body)
    modified_s = state_of(request).modified.of((name, base, language), etag)
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": CURRENT,
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if modified_s is not None:
        headers["Last-Modified"] = http_date(modified_s)
    if _is_known(request, etag, modified_s):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=ATOM, headers=headers)


def _is_known(request: Request, etag: str, modified_s: int | None) -> bool:
    """Whether the client holds a document; the time counts only without ETags (RFC 9110 §13.2.2)."""
    if "if-none-match" in request.headers:
        return etag in known_etags(request)
    return not is_modified_since(request.headers.get("if-modified-since"), modified_s)


def _changes(query: ChangesQuery, services: Services, base: str) -> bytes:
    unanswered = not_whole(query.collections, services)
    page = changes_since(query.since, services, collections=query.collections, limit=query.limit)
    document = changes_document(page, query, base=base)
    return orjson.dumps(document | ({"unanswered": unanswered_members(unanswered)} if unanswered else {}))


def _feed(name: str, services: Services, base: str, language: str, *, has_viewer: bool) -> bytes:
    items = newest_items(name, services, limit=MOST_ENTRIES)
    collection = services.catalogue.collection(name)
    return feed_of(collection, items, services, base=base, language=language, has_viewer=has_viewer)


_fault = partial(problem_response, spelling={"layer": "collection"})
routes = [
    Route(PATH, endpoint(get_changes, _fault)),
    Route("/stac/collections/{collection}/feed.atom", endpoint(get_feed, _fault)),
]
