"""`/stac/aggregate` and `/stac/aggregations`, of all collections and of one."""

from collections.abc import Sequence

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import InvalidParameter
from chronotile.model.items import ItemSearch, Unanswered
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.form import body_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.respond import respond_with_content
from chronotile.protocols.common.responses.unanswered import warned
from chronotile.protocols.common.state import in_searches
from chronotile.protocols.stac.aggregations import aggregate, aggregations_document, check_names
from chronotile.protocols.stac.context import JSON_TYPE, StacContext, stac_collection, stac_context
from chronotile.protocols.stac.faults import stac_problem
from chronotile.protocols.stac.params import AGGREGATIONS, counted_members, counted_of_query, members_of

Counted = tuple[ItemSearch, Sequence[str]]
Answer = tuple[bytes, tuple[Unanswered, ...]]


async def get_aggregations(request: Request) -> Response:
    """Return which counts there are."""
    context = stac_context(request, Kvp(request.query_params.multi_items()))
    url, _collection = _subject(request, context)
    return respond_with_content(orjson.dumps(aggregations_document(url, context)), JSON_TYPE, request)


async def get_aggregate(request: Request) -> Response:
    """Return counts of the items that a query finds."""
    query = Kvp(request.query_params.multi_items())
    context = stac_context(request, query)
    url, collection = _subject(request, context)

    def count() -> Answer:
        search, names = counted_of_query(query, collection=collection), AGGREGATIONS.given(query) or ()
        return aggregate(search, check_names(names), url, context)

    content, unanswered = await in_searches(request, count)
    return warned(respond_with_content(content, JSON_TYPE, request), unanswered)


async def post_aggregate(request: Request) -> Response:
    """Return counts of the items that a body describes."""
    context, body = stac_context(request, Kvp(())), await body_of(request)
    url, collection = _subject(request, context)

    def count() -> Answer:
        search, names = _counted_of(body, collection)
        return aggregate(search, check_names(names), url, context)

    content, unanswered = await in_searches(request, count)
    return warned(Response(content, media_type=JSON_TYPE), unanswered)


def _counted_of(body: bytes, collection: str | None) -> Counted:
    members = members_of(body)
    names = members.get("aggregations", [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InvalidParameter("aggregations must be a list of names", locator="aggregations")
    within = {} if collection is None else {"collections": [collection]}
    return ItemSearch(**counted_members({**members, **within})), names


def _subject(request: Request, context: StacContext) -> tuple[str, str | None]:
    """The URL of what is counted, and the id of the collection, if it is one."""
    name = request.path_params.get("collection")
    if name is None:
        return context.root, None
    collection = stac_collection(name, context).id
    return context.collection_url(collection), collection


routes = [
    *(
        Route(f"{path}/{name}", endpoint(handler, stac_problem), methods=[method])
        for path in ("/stac", "/stac/collections/{collection}")
        for name, handler, method in (
            ("aggregations", get_aggregations, "GET"),
            ("aggregate", get_aggregate, "GET"),
            ("aggregate", post_aggregate, "POST"),
        )
    )
]
