"""`/odata/v1`: products, attributes and nodes (docs/reference/odata.md)."""

from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chronotile.core.errors import MAX_SHOWN, UnknownCollection
from chronotile.core.model.items import FoundItem, ItemPage, product_id
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import CACHE_CHANGING, CACHE_STABLE, add_missing_warning, unanswered_members
from chronotile.http.request_bodies import read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOWNLOADS, LOOKUPS, SEARCHES
from chronotile.pipeline.products import Product, describe_item, product_of
from chronotile.pipeline.search.search_items import find_product, listed_collections
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.odata import documents, filter_list, nodes, params, schemas
from chronotile.protocols.catalogue.odata.faults import odata_fault
from chronotile.protocols.catalogue.odata.search import find_by_names, find_products, types_of_attributes
from chronotile.protocols.common.links import product_path
from chronotile.protocols.common.openapi import (
    ADDRESS,
    FILE,
    OBJECT,
    TEXT,
    body,
    in_path,
    list_of,
    object_of,
    omit_empty,
)
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Operation, routes_of, segment
from chronotile.protocols.common.xml import render_xml

EDM_TYPES: Mapping[str, str] = {
    "String": "Edm.String",
    "Double": "Edm.Double",
    "Integer": "Edm.Int64",
    "DateTimeOffset": "Edm.DateTimeOffset",
    "Boolean": "Edm.Boolean",
}
"""Types of attribute values in metadata."""
PLAIN = "text/plain"


async def get_service(request: Request) -> Response:
    """Return the service document."""
    params.options_of(request.query_params.multi_items())
    return _answer(documents.service_document(), request, cache_control=CACHE_STABLE)


async def get_metadata(request: Request) -> Response:
    """Return the metadata document, which describes types and sets (CSDL XML)."""
    body = render_xml("catalogue/odata/templates/metadata.xml", attribute_types=EDM_TYPES.items())
    response = answer_content(body, "application/xml", request, cache_control=CACHE_STABLE)
    response.headers.update(documents.HEADERS)
    return response


async def get_products(request: Request) -> Response:
    """Return a page of products."""
    services, base = services_of(request), base_url(request)
    query = params.product_query(params.options_of(request.query_params.multi_items()))

    def find() -> Response:
        page = find_products(query, services)
        return add_missing_warning(_answer(_list(page, query, services, base=base), request), page.unanswered)

    return await run(request, SEARCHES, find)


async def count_products(request: Request) -> Response:
    """Return the number of matching products as text (OData 4.01 §11.2.6.5)."""
    services = services_of(request)
    query = params.product_query(
        params.options_of([*request.query_params.multi_items(), ("$count", "true"), ("$top", "0")])
    )
    page = await run(request, SEARCHES, partial(find_products, query, services))
    response = Response(
        str(page.matched), media_type=PLAIN, headers={**documents.HEADERS, "Cache-Control": CACHE_CHANGING}
    )
    return add_missing_warning(response, page.unanswered)


async def get_product(request: Request) -> Response:
    """Return one product."""
    options, base = params.options_of(request.query_params.multi_items()), base_url(request)
    expand, select = params.EXPAND.optional(options) or (), params.SELECT.optional(options) or ()
    document = await _product(request, partial(documents.product_document, base=base, select=select, expand=expand))
    return _answer({"@odata.context": documents.context_of(select, expand, is_one=True), **document}, request)


async def get_members(name: str, request: Request) -> Response:
    """Return the attributes or the assets of a product."""
    document = await _product(request, partial(documents.product_document, base=base_url(request), expand=(name,)))
    return _answer({"@odata.context": f"$metadata#Products({document['Id']})/{name}", "value": document[name]}, request)


async def get_value(request: Request) -> Response:
    """Redirect to the download of a product."""
    return _redirect(request, product_path((await _find_product(request)).product))


async def get_root_node(request: Request) -> Response:
    """Return the product as the only root node."""
    return await _nodes(request, nodes.root_node)


async def get_nodes(request: Request) -> Response:
    """Return the children of a node of a product, or redirect to its download."""
    query = nodes.node_query(request.path_params["nodes"])
    if not query.is_value:
        return await _nodes(request, lambda product, base: nodes.nodes_in(product, query.names, base))
    services, item = services_of(request), await _find_product(request)

    def address() -> str:
        return nodes.download_path(product_of(item, services), query.names)

    return _redirect(request, await run(request, DOWNLOADS, address))


async def _nodes(request: Request, make: Callable[[Product, str], list[Json]]) -> Response:
    services, base, item = services_of(request), base_url(request), await _find_product(request)
    result = await run(request, DOWNLOADS, lambda: make(product_of(item, services), base))
    return _answer({"result": result}, request)


async def post_list(request: Request) -> Response:
    """Return the products that a body lists (`OData.CSC.FilterList`)."""
    services, base = services_of(request), base_url(request)
    options = params.options_of(request.query_params.multi_items())
    query = params.ODataQuery(
        expand=params.EXPAND.optional(options) or (), select=params.SELECT.optional(options) or ()
    )
    body = await read_body(request, at_most=filter_list.MAX_BYTES)

    def find() -> Response:
        names, products = filter_list.listed_products(body)
        page = find_by_names(names, products, services)
        return add_missing_warning(_answer(_list(page, query, services, base=base), request), page.unanswered)

    return await run(request, SEARCHES, find)


async def get_attributes(request: Request) -> Response:
    """Return the names and types of the attributes of products, by collection."""
    services = services_of(request)

    def find() -> Json:
        collections = services.catalogue.collections
        return {c.id: _type_documents(types_of_attributes(c.id, services)) for c in collections}

    return _answer(await run(request, SEARCHES, find), request)


async def get_attributes_of(request: Request) -> Response:
    """Return the names and types of the attributes of a collection's products."""
    services, name = services_of(request), request.path_params["collection"].strip("'")
    if name not in listed_collections(services):
        raise UnknownCollection(f"there is no collection {name[:MAX_SHOWN]!r}")
    types = await run(request, SEARCHES, partial(types_of_attributes, name, services))
    return _answer(_type_documents(types), request)


async def _product(request: Request, document_of: Callable[[Json, UUID], Json]) -> Json:
    item, services = await _find_product(request), services_of(request)
    return document_of(await run(request, LOOKUPS, partial(describe_item, item, services)), item.product)


async def _find_product(request: Request) -> FoundItem:
    product = params.product_id_of(request.path_params["id"])
    return await run(request, LOOKUPS, partial(find_product, product, services_of(request)))


def _list(page: ItemPage, query: params.ODataQuery, services: Services, *, base: str) -> Json:
    product = partial(documents.product_document, base=base, select=query.select, expand=query.expand)
    document: Json = {"@odata.context": documents.context_of(query.select, query.expand)}
    if query.is_counted:
        document["@odata.count"] = page.matched
    document |= omit_empty({"@chronotile.unanswered": unanswered_members(page.unanswered)})
    # Encoding all in one call would block the interpreter and need more memory.
    products = (product(describe_item(item, services), item.product) for item in page.items)
    document["value"] = [orjson.Fragment(orjson.dumps(entry)) for entry in products]
    if page.next is not None:
        document[params.NEXT_LINK] = f"{base}{documents.ROOT}/Products?{query.next_query(page.next, len(page.items))}"
    return document


def _type_documents(types: Mapping[str, str]) -> list[Json]:
    return [{"Name": name, "ValueType": types[name]} for name in sorted(types)]


def _answer(document: object, request: Request, *, cache_control: str = CACHE_CHANGING) -> Response:
    response = answer_content(orjson.dumps(document), documents.MEDIA_TYPE, request, cache_control=cache_control)
    response.headers.update(documents.HEADERS)
    return response


def _redirect(request: Request, path: str) -> Response:
    headers = {**documents.HEADERS, "Cache-Control": CACHE_CHANGING}
    return RedirectResponse(f"{base_url(request)}{path}", status_code=302, headers=headers)


REFUSALS = {
    "400": "An option or a value is not accepted",
    "404": "No product, node or collection has this id or name",
    "406": "The format is not offered",
    "503": "The index or a source cannot be read now; try again after `Retry-After` seconds",
}
FAULTS = {
    status: {"description": words, "content": {documents.MEDIA_TYPE: {"schema": schemas.FAULT_SCHEMA}}}
    for status, words in REFUSALS.items()
}
REDIRECT: Json = {"302": {"description": "The address of the download", "headers": {"Location": {"schema": ADDRESS}}}}
EXAMPLES_OF_LIST = {"$filter": "ContentDate/Start gt 2020-01-01T00:00:00.000Z", "$orderby": "ContentDate/Start desc"}


def _example_id(examples: Examples) -> str | None:
    return None if examples.item is None else str(product_id(examples.collection, examples.item))


ANY_ID = in_path("id", "Id of the product, bare or in quotes")
ID = segment("id", "Id of the product, bare or in quotes", example=_example_id)
describe = partial(Operation, tag="OData", faults=odata_fault, refusals=(), responses=FAULTS)
download = partial(describe, responses={**FAULTS, **REDIRECT})
operations = (
    describe(documents.ROOT, get_service, "getOData", "The entity sets", answers={documents.MEDIA_TYPE: OBJECT}),
    describe(
        f"{documents.ROOT}/$metadata",
        get_metadata,
        "getODataMetadata",
        "The types of all documents",
        answers={"application/xml": TEXT},
    ),
    describe(
        f"{documents.ROOT}/Products",
        get_products,
        "getODataProducts",
        "A page of products",
        parameters=params.OPTIONS,
        examples=EXAMPLES_OF_LIST,
        answers={documents.MEDIA_TYPE: schemas.LISTED_SCHEMA},
    ),
    describe(
        f"{documents.ROOT}/Products/$count",
        count_products,
        "countODataProducts",
        "How many products match",
        parameters=params.OPTIONS[:1],
        examples=EXAMPLES_OF_LIST,
        answers={PLAIN: TEXT},
    ),
    describe(
        f"{documents.ROOT}/Products/OData.CSC.FilterList",
        post_list,
        "postODataList",
        "The products with some names or ids",
        method="POST",
        parameters=params.OF_ONE,
        body=body(OBJECT, filter_list.EXAMPLE),
        answers={documents.MEDIA_TYPE: schemas.LISTED_SCHEMA},
    ),
    describe(
        f"{documents.ROOT}/Products({{id}})",
        get_product,
        "getODataProduct",
        "One product",
        parameters=[ID, *params.OF_ONE],
        answers={documents.MEDIA_TYPE: schemas.PRODUCT_SCHEMA},
    ),
    *(
        describe(
            f"{documents.ROOT}/Products({{id}})/{name}",
            partial(get_members, name),
            f"getODataProduct{name}",
            f"The {name.lower()} of a product",
            parameters=[ID],
            answers={documents.MEDIA_TYPE: object_of({"@odata.context": TEXT, "value": list_of(schema)})},
        )
        for name, schema in (("Attributes", schemas.ATTRIBUTE_SCHEMA), ("Assets", schemas.ASSET_SCHEMA))
    ),
    download(
        f"{documents.ROOT}/Products({{id}})/$value",
        get_value,
        "getODataProductValue",
        "The download of a product",
        parameters=[ANY_ID],
        answers={documents.CONTENT_TYPE: FILE},
    ),
    describe(
        f"{documents.ROOT}/Products({{id}})/Nodes",
        get_root_node,
        "getODataProductNodes",
        "The product as a node",
        parameters=[ANY_ID],
        answers={documents.MEDIA_TYPE: schemas.NODES_SCHEMA},
    ),
    download(
        f"{documents.ROOT}/Products({{id}})/{{nodes:names}}",
        get_nodes,
        "getODataNode",
        "The children of a node of a product, or its download",
        parameters=[ID, in_path("nodes", "`Nodes(name)/…/Nodes`, or `Nodes(name)/…/$value`")],
        answers={documents.MEDIA_TYPE: schemas.NODES_SCHEMA, documents.CONTENT_TYPE: FILE},
    ),
    describe(
        f"{documents.ROOT}/Attributes",
        get_attributes,
        "getODataAttributes",
        "The attributes of all collections",
        answers={documents.MEDIA_TYPE: OBJECT},
    ),
    describe(
        f"{documents.ROOT}/Attributes({{collection}})",
        get_attributes_of,
        "getODataAttributesOf",
        "The attributes of a collection",
        parameters=[segment("collection", "Id of a collection", example=lambda of: of.collection)],
        answers={documents.MEDIA_TYPE: schemas.TYPED_SCHEMA},
    ),
)
routes = routes_of(operations)
