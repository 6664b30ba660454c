"""`/odata/v1`: products, as catalogues of the Copernicus Space Component list them (docs/reference/odata.md)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chronotile.errors import MAX_SHOWN, UnknownCollection
from chronotile.model.items import FoundItem, Unanswered
from chronotile.pipeline.products.product import Product, product_of
from chronotile.pipeline.search.find import find_product
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.served_index import listed_collections
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.product_links import product_path
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.form import body_of
from chronotile.protocols.common.responses.respond import CURRENT, SHORT, respond_with_content
from chronotile.protocols.common.responses.unanswered import unanswered_members, warned
from chronotile.protocols.common.responses.xml import render_xml
from chronotile.protocols.common.state import in_lookups, in_searches, in_thread, services_of, state_of
from chronotile.protocols.odata.documents import (
    HEADERS,
    MEDIA_TYPE,
    ROOT,
    context_of,
    product_document,
    service_document,
)
from chronotile.protocols.odata.faults import odata_fault
from chronotile.protocols.odata.filter_list import MOST_BYTES, listed_products
from chronotile.protocols.odata.nodes import download_path, node_query, nodes_in, root_node
from chronotile.protocols.odata.params import (
    EXPAND,
    NEXT_LINK,
    SELECT,
    ProductQuery,
    options_of,
    product_id_of,
    product_query,
)
from chronotile.protocols.odata.search import find_by_names, find_products, types_of_attributes

EDM_TYPES: Mapping[str, str] = {
    "String": "Edm.String",
    "Double": "Edm.Double",
    "Integer": "Edm.Int64",
    "DateTimeOffset": "Edm.DateTimeOffset",
    "Boolean": "Edm.Boolean",
}
"""Of the values of attributes."""
TEXT = "text/plain"


async def get_service(request: Request) -> Response:
    """Return the service document."""
    options_of(request.query_params.multi_items())
    return _answer(service_document(), request, cache_control=SHORT)


async def get_metadata(request: Request) -> Response:
    """Return the description of types and sets (CSDL XML)."""
    body = render_xml("odata/templates/metadata.xml", attribute_types=EDM_TYPES.items())
    response = respond_with_content(body, "application/xml", request, cache_control=SHORT)
    response.headers.update(HEADERS)
    return response


async def get_products(request: Request) -> Response:
    """Return a page of products."""
    services, base = services_of(request), base_url(request)
    query = product_query(options_of(request.query_params.multi_items()))

    def find() -> Response:
        page = find_products(query, services)
        document = _list([*page.items], query, services, base=base)
        if query.is_counted:
            document["@odata.count"] = page.matched
        document |= _unanswered(page.unanswered)
        document["value"] = document.pop("value")  # after what is said of them
        if page.next is not None:
            document[NEXT_LINK] = f"{base}{ROOT}/Products?{query.next_query(page.next, len(page.items))}"
        return warned(_answer(document, request), page.unanswered)

    return await in_searches(request, find)


async def count_products(request: Request) -> Response:
    """Return how many products match, as text (OData 4.01 §11.2.6.5)."""
    services = services_of(request)
    query = product_query(options_of([*request.query_params.multi_items(), ("$count", "true"), ("$top", "0")]))
    page = await in_searches(request, partial(find_products, query, services))
    response = Response(str(page.matched), media_type=TEXT, headers={**HEADERS, "Cache-Control": CURRENT})
    return warned(response, page.unanswered)


async def get_product(request: Request) -> Response:
    """Return one product."""
    options, base = options_of(request.query_params.multi_items()), base_url(request)
    expand, select = EXPAND.given(options) or (), SELECT.given(options) or ()
    found = await _found(request)
    item = _shown(found, services_of(request))
    document = product_document(item, found.product, base=base, select=select, expand=expand)
    return _answer({"@odata.context": context_of(select, expand, is_one=True), **document}, request)


async def get_members(name: str, request: Request) -> Response:
    """Return the attributes or the assets of a product."""
    found = await _found(request)
    item = _shown(found, services_of(request))
    document = product_document(item, found.product, base=base_url(request), expand=(name,))
    return _answer({"@odata.context": f"$metadata#Products({found.product})/{name}", "value": document[name]}, request)


async def get_value(request: Request) -> Response:
    """Lead to the download of a product."""
    found = await _found(request)
    return _redirect(request, product_path(found.product))


async def get_root_node(request: Request) -> Response:
    """Return the product as the only node at the top."""
    return await _nodes(request, root_node)


async def get_nodes(request: Request) -> Response:
    """Return what lies in a node of a product, or lead to its download."""
    query = node_query(request.path_params["nodes"])
    if not query.is_value:
        return await _nodes(request, lambda product, base: nodes_in(product, query.names, base))
    services, found = services_of(request), await _found(request)

    def address() -> str:
        return download_path(product_of(found, services), query.names)

    return _redirect(request, await in_thread(state_of(request).limiters.downloads, address))


async def _nodes(request: Request, make: Callable[[Product, str], list[Json]]) -> Response:
    services, base, found = services_of(request), base_url(request), await _found(request)
    result = await in_thread(state_of(request).limiters.downloads, lambda: make(product_of(found, services), base))
    return _answer({"result": result}, request)


async def post_list(request: Request) -> Response:
    """Return the products that the body names (`OData.CSC.FilterList`)."""
    services, base = services_of(request), base_url(request)
    options = options_of(request.query_params.multi_items())
    query = ProductQuery(expand=EXPAND.given(options) or (), select=SELECT.given(options) or ())
    body = await body_of(request, at_most=MOST_BYTES)

    def find() -> Response:
        names, products = listed_products(body)
        page = find_by_names(names, products, services)
        document = _list([*page.items], query, services, base=base) | _unanswered(page.unanswered)
        document["value"] = document.pop("value")
        return warned(_answer(document, request), page.unanswered)

    return await in_searches(request, find)


async def get_attributes(request: Request) -> Response:
    """Return which attributes the products of each collection have."""
    services = services_of(request)

    def find() -> Json:
        return {each.id: _typed(types_of_attributes(each.id, services)) for each in services.catalogue.collections}

    return _answer(await in_searches(request, find), request)


async def get_attributes_of(request: Request) -> Response:
    """Return which attributes the products of a collection have."""
    services, name = services_of(request), request.path_params["collection"].strip("'")
    if name not in listed_collections(services):
        raise UnknownCollection(f"there is no collection {name[:MAX_SHOWN]!r}")
    types = await in_searches(request, partial(types_of_attributes, name, services))
    return _answer(_typed(types), request)


async def _found(request: Request) -> FoundItem:
    services = services_of(request)
    product: UUID = product_id_of(request.path_params["id"])
    return await in_lookups(request, partial(find_product, product, services))


def _list(items: list[FoundItem], query: ProductQuery, services: Services, *, base: str) -> Json:
    document = partial(product_document, base=base, select=query.select, expand=query.expand)
    return {
        "@odata.context": context_of(query.select, query.expand),
        # Each by itself: all at once would hold the interpreter's lock, and memory, for long.
        "value": [orjson.Fragment(orjson.dumps(document(_shown(found, services), found.product))) for found in items],
    }


def _shown(found: FoundItem, services: Services) -> Json:
    return public_item(found, services.source_hrefs.get(found.collection))


def _unanswered(unanswered: Sequence[Unanswered]) -> Json:
    return {"@chronotile.unanswered": unanswered_members(unanswered)} if unanswered else {}


def _typed(types: Mapping[str, str]) -> list[Json]:
    return [{"Name": name, "ValueType": types[name]} for name in sorted(types)]


def _answer(document: object, request: Request, *, cache_control: str = CURRENT) -> Response:
    response = respond_with_content(orjson.dumps(document), MEDIA_TYPE, request, cache_control=cache_control)
    response.headers.update(HEADERS)
    return response


def _redirect(request: Request, path: str) -> Response:
    headers = {**HEADERS, "Cache-Control": CURRENT}
    return RedirectResponse(f"{base_url(request)}{path}", status_code=302, headers=headers)


routes = [
    Route(ROOT, endpoint(get_service, odata_fault)),
    Route(f"{ROOT}/$metadata", endpoint(get_metadata, odata_fault)),
    Route(f"{ROOT}/Products", endpoint(get_products, odata_fault)),
    Route(f"{ROOT}/Products/$count", endpoint(count_products, odata_fault)),
    Route(f"{ROOT}/Products/OData.CSC.FilterList", endpoint(post_list, odata_fault), methods=["POST"]),
    Route(f"{ROOT}/Products({{id}})", endpoint(get_product, odata_fault)),
    Route(f"{ROOT}/Products({{id}})/$value", endpoint(get_value, odata_fault)),
    Route(f"{ROOT}/Products({{id}})/Attributes", endpoint(partial(get_members, "Attributes"), odata_fault)),
    Route(f"{ROOT}/Products({{id}})/Assets", endpoint(partial(get_members, "Assets"), odata_fault)),
    Route(f"{ROOT}/Products({{id}})/Nodes", endpoint(get_root_node, odata_fault)),
    Route(f"{ROOT}/Products({{id}})/{{nodes:names}}", endpoint(get_nodes, odata_fault)),
    Route(f"{ROOT}/Attributes", endpoint(get_attributes, odata_fault)),
    Route(f"{ROOT}/Attributes({{collection}})", endpoint(get_attributes_of, odata_fault)),
]
