"""`/stac/search`, `/stac/aggregate`, `/stac/aggregations`, and the same for the items of one collection."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.items import ItemSearch, Unanswered
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.cache_headers import add_missing_warning, unanswered_members
from chronotile.http.request_bodies import read_body
from chronotile.http.run import run
from chronotile.http.work_kinds import LOOKUPS, SEARCHES
from chronotile.pipeline.search.search_items import (
    count_by_month,
    counted_collections,
    find_item,
    items_of,
    list_unanswered,
    not_counted,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.stac import params
from chronotile.protocols.catalogue.stac.context import (
    GEOJSON_TYPE,
    IN_COLLECTION,
    IN_ITEM,
    JSON_TYPE,
    StacContext,
    collection_id,
    stac_context,
)
from chronotile.protocols.catalogue.stac.faults import stac_problem
from chronotile.protocols.catalogue.stac.item_pages import PageLinks, PostedPageLinks, page_of
from chronotile.protocols.catalogue.stac.items import StacItems
from chronotile.protocols.catalogue.stac.schemas import COUNTS_SCHEMA, ITEM_SCHEMA
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import REFUSALS, TEXT, body, list_of, omit_empty, ref
from chronotile.protocols.common.operation import Described, Operation
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter

SearchContent = tuple[bytes, tuple[Unanswered, ...]]


async def get_items(request: Request) -> Response:
    """Return a page of items, from all collections or from one."""
    pairs = request.query_params.multi_items()
    query = Kvp(pairs)
    context = stac_context(request, query)
    url, collection = _subject(request, context)
    path = f"{url}/search" if collection is None else f"{url}/items"

    def find() -> Response:
        links = PageLinks(context, path, pairs, collection=collection)
        content, unanswered = page_of(params.search_of_query(query, collection=collection), context, links)
        return add_missing_warning(answer_content(content, GEOJSON_TYPE, request), unanswered)

    return await run(request, SEARCHES, find)


async def post_search(request: Request) -> Response:
    """Return a page of items that a body describes."""
    context, body = stac_context(request, Kvp(())), await read_body(request)

    def find() -> SearchContent:
        return page_of(
            params.search_of_members(params.members_of(body)),
            context,
            PostedPageLinks(context, f"{context.root}/search"),
        )

    content, unanswered = await run(request, SEARCHES, find)
    return add_missing_warning(Response(content, media_type=GEOJSON_TYPE), unanswered)


async def get_item(request: Request) -> Response:
    """Return an item."""
    context = stac_context(request, Kvp(request.query_params.multi_items()))
    collection = collection_id(request.path_params["collection"], context)

    def find() -> bytes:
        item = find_item(collection, request.path_params["item"], context.services)
        return orjson.dumps(StacItems(context).document(item))

    return answer_content(await run(request, LOOKUPS, find), GEOJSON_TYPE, request)


async def get_aggregations(request: Request) -> Response:
    """Return the names and types of available counts."""
    context = stac_context(request, Kvp(request.query_params.multi_items()))
    url, _collection = _subject(request, context)
    return answer_content(orjson.dumps(aggregations_document(url, context)), JSON_TYPE, request)


async def get_aggregate(request: Request) -> Response:
    """Return counts of the items that match a query."""
    query = Kvp(request.query_params.multi_items())
    context = stac_context(request, query)
    url, collection = _subject(request, context)

    def count() -> SearchContent:
        search, names = (
            params.count_search_of_query(query, collection=collection),
            params.AGGREGATIONS.optional(query) or (),
        )
        return aggregate(search, check_names(names), url, context)

    content, unanswered = await run(request, SEARCHES, count)
    return add_missing_warning(answer_content(content, JSON_TYPE, request), unanswered)


async def post_aggregate(request: Request) -> Response:
    """Return counts of the items that a body describes."""
    context, body = stac_context(request, Kvp(())), await read_body(request)
    url, collection = _subject(request, context)

    def count() -> SearchContent:
        search, names = _parse_counts(body, collection)
        return aggregate(search, check_names(names), url, context)

    content, unanswered = await run(request, SEARCHES, count)
    return add_missing_warning(Response(content, media_type=JSON_TYPE), unanswered)


def _parse_counts(body: bytes, collection: str | None) -> tuple[ItemSearch, Sequence[str]]:
    members = params.members_of(body)
    names = members.get("aggregations", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidParameter("aggregations must be a list of names", locator="aggregations")
    scope = {} if collection is None else {"collections": [collection]}
    return ItemSearch(**params.search_arguments({**members, **scope})), names


def _subject(request: Request, context: StacContext) -> tuple[str, str | None]:
    """Return the URL of the collection in the path and its id, or the URL of the catalogue and `None`."""
    name = request.path_params.get("collection")
    if name is None:
        return context.root, None
    collection = collection_id(name, context)
    return context.collection_url(collection), collection


MONTHS = "datetime_frequency"
OFFERED: Sequence[Json] = (
    {"name": "total_count", "data_type": "integer"},
    {"name": "datetime_min", "data_type": "datetime"},
    {"name": "datetime_max", "data_type": "datetime"},
    {"name": MONTHS, "data_type": "frequency_distribution", "frequency_distribution_data_type": "datetime"},
)
NAMES = tuple(str(count["name"]) for count in OFFERED)


def aggregations_document(url: str, context: StacContext) -> Json:
    """Return the names and types of available counts; `url` is the URL of the catalogue or collection."""
    links = [link("self", f"{url}/aggregations", JSON_TYPE), context.root_link]
    return {"type": "AggregationCollection", "aggregations": list(OFFERED), "links": links}


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the requested names of counts, without duplicates.

    Raises:
        InvalidParameter: A count is not offered.
    """
    unknown = next((name for name in names if name not in NAMES), None)
    if unknown is not None:
        message = f"aggregation {unknown[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(NAMES)}"
        raise InvalidParameter(message, locator="aggregations")
    return tuple(dict.fromkeys(names))


def aggregate(search: ItemSearch, names: Sequence[str], url: str, context: StacContext) -> SearchContent:
    """Return counts of the items that match a search as JSON, and the collections whose items are not counted.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer.
    """
    services = context.services
    unanswered = (*not_counted(search, services), *list_unanswered(search, services))
    values = _Values(search, services)
    values_by_name: Mapping[str, Callable[[], Json]] = {
        "total_count": values.total,
        "datetime_min": partial(values.edge, is_descending=False),
        "datetime_max": partial(values.edge, is_descending=True),
        MONTHS: values.months,
    }
    document: Json = {
        "type": "AggregationCollection",
        "aggregations": [
            {**count, **values_by_name[str(count["name"])]()} for count in OFFERED if count["name"] in names
        ],
        "links": [link("self", f"{url}/aggregate", JSON_TYPE), context.root_link],
    }
    return orjson.dumps(document | omit_empty({"unanswered": unanswered_members(unanswered)})), unanswered


class _Values:
    def __init__(self, search: ItemSearch, services: Services) -> None:
        self._search = search
        self._services = services
        self._months: Sequence[tuple[str, int]] | None = None

    def total(self) -> Json:
        return {"value": sum(count for _month, count in self._count_months())}

    def months(self) -> Json:
        buckets = [{"key": key, "data_type": "datetime", "frequency": count} for key, count in self._count_months()]
        return {"buckets": buckets, "overflow": 0, "interval": "month"}

    def _count_months(self) -> Sequence[tuple[str, int]]:
        if self._months is None:
            counts = count_by_month(self._search, self._services)
            self._months = [(format_instant(month), count) for month, count in counts]
        return self._months

    def edge(self, *, is_descending: bool) -> Json:
        """Return the time of the first or last item, null if no item matches."""
        search = replace(self._search, sort=(("datetime", is_descending),), limit=1)
        items = items_of(self._services).search(search, among=counted_collections(self._services)).items
        properties = orjson.loads(items[0].document)["properties"] if items else {}
        return {"value": properties.get("datetime") or properties.get("start_datetime")}


REFUSALS_OF_POSTS = (*REFUSALS, "TooLarge")
describe = partial(Operation, tag="STAC", faults=stac_problem)
items = partial(describe, answers={GEOJSON_TYPE: ref("ItemPage")})


def _counting(
    root: str, of: str, inside: Sequence[Described], query: Sequence[Parameter[object]]
) -> Iterator[Operation]:
    counts = partial(describe, answers={JSON_TYPE: COUNTS_SCHEMA})
    yield counts(
        f"{root}/aggregations", get_aggregations, f"getStacAggregations{of}", "Available counts", parameters=inside
    )
    yield counts(
        f"{root}/aggregate",
        get_aggregate,
        f"getStacAggregate{of}",
        "Counts of items",
        parameters=[*inside, *query],
        examples={"aggregations": ",".join(NAMES)},
    )
    members = {"aggregations": list_of(TEXT), **params.OF_BODY}
    yield counts(
        f"{root}/aggregate",
        post_aggregate,
        f"postStacAggregate{of}",
        "Counts of items",
        method="POST",
        parameters=inside,
        body=body({"type": "object", "properties": members}, {"aggregations": list(NAMES)}),
        refusals=REFUSALS_OF_POSTS,
    )


operations = (
    items(
        "/stac/search", get_items, "getStacSearch", "Items of any collections, in pages", parameters=params.OF_SEARCH
    ),
    items(
        "/stac/search",
        post_search,
        "postStacSearch",
        "Items that a body describes",
        method="POST",
        body=lambda of: body(
            {"type": "object", "properties": params.OF_BODY}, {"collections": [of.collection], "limit": 2}
        ),
        refusals=REFUSALS_OF_POSTS,
    ),
    items(
        "/stac/collections/{collection}/items",
        get_items,
        "getStacItems",
        "Items of a collection",
        parameters=[IN_COLLECTION, *params.OF_ITEMS],
    ),
    describe(
        "/stac/collections/{collection}/items/{item:names}",
        get_item,
        "getStacItem",
        "An item",
        parameters=[IN_COLLECTION, IN_ITEM],
        answers={GEOJSON_TYPE: ITEM_SCHEMA},
    ),
    *_counting("/stac", "", [], params.OF_COUNTS),
    *_counting("/stac/collections/{collection}", "OfCollection", [IN_COLLECTION], params.OF_COUNTS_WITHIN),
)
