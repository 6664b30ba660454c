"""`GET /stac/changes` and `GET /stac/collections/{collection}/feed.atom`."""

from email.utils import formatdate
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import CACHE_CHANGING, unanswered_members
from chronotile.http.if_none_match import client_etags
from chronotile.http.modified import is_modified_since
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import DOCUMENTS
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.search.search_items import changes_since, newest_items, not_whole
from chronotile.protocols.catalogue.changes.documents import OF_CHANGES, PATH, changes_document, changes_query
from chronotile.protocols.catalogue.changes.feed import MAX_ENTRIES, feed_of
from chronotile.protocols.common.links import ATOM
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BOX,
    FILE,
    OBJECT,
    TEXT,
    UNANSWERED,
    enum_of,
    list_of,
    nullable_schema,
    object_of,
    omit_empty,
)
from chronotile.protocols.common.operation import Operation, language, routes_of, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG

NOT_KEPT = "no-cache"
"""Cache-Control of a page of changes, to which changes may be added within a second."""


async def get_changes(request: Request) -> Response:
    """Return a page of changes."""
    services, base = services_of(request), base_url(request)
    query = changes_query(Kvp(request.query_params.multi_items()), services.catalogue)

    def find() -> bytes:
        unanswered = not_whole(query.collections, services)
        page = changes_since(query.since, services, collections=query.collections, limit=query.limit)
        document = changes_document(page, query, base=base)
        return orjson.dumps(document | omit_empty({"unanswered": unanswered_members(unanswered)}))

    body = await run(request, DOCUMENTS, find)
    return answer_content(body, "application/json", request, cache_control=NOT_KEPT)


async def get_feed(request: Request) -> Response:
    """Return the newest items of a collection."""
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    name, language, base = request.path_params["collection"], negotiate_language(request, query), base_url(request)
    services, has_viewer = services_of(request), state_of(request).viewer.is_complete

    def make() -> bytes:
        items = newest_items(name, services, limit=MAX_ENTRIES)
        collection = services.catalogue.collection(name)
        return feed_of(collection, items, services, base=base, language=language, has_viewer=has_viewer)

    body = await run(request, DOCUMENTS, make)
    etag = fingerprint(body)
    modified_s = state_of(request).modified.note((services.grant, name, base, language), etag)
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": CACHE_CHANGING,
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if modified_s is not None:
        headers["Last-Modified"] = formatdate(modified_s, usegmt=True)
    # If-Modified-Since counts only without ETags (RFC 9110 §13.2.2).
    has_etags = "if-none-match" in request.headers
    is_modified = is_modified_since(request.headers.get("if-modified-since"), modified_s)
    if etag in client_etags(request) if has_etags else not is_modified:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=ATOM, headers=headers)


_fault = partial(problem_response, spelling={"layer": "collection"})
CHANGE = object_of(
    {"change": enum_of(["added", "replaced", "removed"]), "collection": TEXT, "id": TEXT, "product": TEXT},
    {
        **dict.fromkeys(("datetime", "start_datetime", "end_datetime", "updated"), TEXT),
        "bbox": BOX,
        "links": list_of(OBJECT),
    },
)
CHANGES = object_of(
    {"changes": list_of(CHANGE), "since": TEXT, "next": nullable_schema(ADDRESS)}, {"unanswered": UNANSWERED}
)
describe = partial(Operation, tag="Items", faults=_fault)
operations = (
    describe(
        PATH,
        get_changes,
        "getChanges",
        "Items that were added, replaced or removed, in pages",
        parameters=OF_CHANGES,
        answers={"application/json": CHANGES},
        refusals=("BadRequest", "Gone", "Unavailable"),
    ),
    describe(
        "/stac/collections/{collection}/feed.atom",
        get_feed,
        "getFeed",
        "The newest items of a collection as an Atom feed",
        parameters=[segment("collection", "Id of a collection", example=lambda of: of.collection), language],
        answers={ATOM: FILE},
    ),
)
routes = routes_of(operations)
