"""`/products`: whole products, lists of their files, and single files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chronotile.core.errors import ClientGone
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.client_addresses import client_of
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import DOWNLOADS, LOOKUPS
from chronotile.pipeline.products import (
    Delivery,
    Method,
    Product,
    ProductNode,
    SignedAddress,
    available_checksums,
    deliver_node,
    deliver_product,
    find_checksums,
    find_node,
    hosts_of,
    list_assets,
    list_folder,
    product_by_id,
    product_of_item,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.products.documents import JSON, landing_document, node_document, product_document
from chronotile.protocols.catalogue.products.downloads import (
    DownloadResponse,
    DownloadTurns,
    product_problem,
    warning_of,
)
from chronotile.protocols.common.openapi import FILE, OBJECT, TEXT, in_path, ref
from chronotile.protocols.common.operation import Operation, routes_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, choice, names_of, truth

FORMAT = choice("f", "`json`: the list of files, instead of the files", ("json", "file"), default="file")
CHECKSUM = truth("checksum", "With `f=json`: compute the SHA-256 of the file if it is not stored")
OF_PRODUCT = (FORMAT,)
OF_NODE = (FORMAT, CHECKSUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductForm:
    """The requested form of a product or file: its document or bytes, and whether a missing checksum is computed."""

    is_document: bool
    has_checksum: bool


def product_query(request: Request, parameters: Sequence[Parameter[object]] = OF_PRODUCT) -> ProductForm:
    """Return the requested form of a product, or with `OF_NODE` of a file; `checksum` implies the document.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(parameters))
    has_checksum = CHECKSUM.value(query)
    return ProductForm(is_document=has_checksum or FORMAT.value(query) == "json", has_checksum=has_checksum)


FOUND = 302
ANEW = "no-store"
"""Cache-Control of a redirect to a signed URL, which expires after minutes."""


async def get_landing(request: Request) -> Response:
    """Return the landing page with the URL templates of products."""
    return answer_content(orjson.dumps(landing_document(base_url(request))), JSON, request)


async def get_product(request: Request) -> Response:
    """Return a product by its id."""
    return await _answer_product(request, await _find_product(request))


async def get_product_of_item(request: Request) -> Response:
    """Return the product of an item of a collection."""
    collection, item = request.path_params["collection"], request.path_params["item"]
    find = partial(product_of_item, collection, item, services_of(request))
    return await _answer_product(request, await run(request, LOOKUPS, find))


async def get_nodes(request: Request) -> Response:
    """Return the list of a product's files."""
    product_query(request)
    return await _answer_list(request, await _find_product(request))


async def get_node(request: Request) -> Response:
    """Return a file of a product, or its document."""
    query, services = product_query(request, OF_NODE), services_of(request)
    product, path = await _find_product(request), request.path_params["path"]
    turns = DownloadTurns(state_of(request), hosts_of(product, path))
    if query.is_document:
        return await _answer_node(request, product, path, turns, with_checksum=query.has_checksum)
    deliver = partial(deliver_node, product, path, services, method=_method(request))
    return _answer_delivery(request, await turns.run(deliver), turns)


async def _find_product(request: Request) -> Product:
    find = partial(product_by_id, request.path_params["product"], services_of(request))
    return await run(request, LOOKUPS, find)


async def _answer_product(request: Request, product: Product) -> Response:
    if product_query(request).is_document:
        return await _answer_list(request, product)
    turns = DownloadTurns(state_of(request), hosts_of(product, None))
    delivery = await turns.run(partial(deliver_product, product, services_of(request), method=_method(request)))
    return _answer_delivery(request, delivery, turns)


async def _answer_list(request: Request, product: Product) -> Response:
    services, base = services_of(request), base_url(request)

    def make() -> bytes:
        assets = list_assets(product)
        checksums = [{} if node is None else available_checksums(node, services) for _asset, node in assets]
        return orjson.dumps(product_document(product, assets, checksums, base))

    return answer_content(await run(request, DOWNLOADS, make), JSON, request)


async def _answer_node(
    request: Request, product: Product, path: str, turns: DownloadTurns, *, with_checksum: bool
) -> Response:
    services, base = services_of(request), base_url(request)
    node = await turns.run(partial(find_node, product, path))
    checksums = available_checksums(node, services)
    if with_checksum:
        checksums = await _checksums(request, node, services, turns)

    def make() -> bytes:
        children = list_folder(product, node)
        document = node_document(product.id, node, children=children, checksums=checksums, base=base)
        return orjson.dumps(document)

    return answer_content(await turns.run(make), JSON, request)


async def _checksums(
    request: Request, node: ProductNode, services: Services, turns: DownloadTurns
) -> Mapping[str, str]:
    """Return all checksums of a file; reading it for them counts as a download."""
    finding: Iterator[Mapping[str, str] | None] = find_checksums(node, services)
    checksums: Mapping[str, str] | None = None
    with state_of(request).downloads.occupy(client_of(request) or ""):
        while checksums is None:
            if await request.is_disconnected():
                raise ClientGone("the client disconnected")
            checksums = await turns.run(partial(next, finding))
    return checksums


def _answer_delivery(request: Request, delivery: Delivery, turns: DownloadTurns) -> Response:
    if isinstance(delivery, SignedAddress):
        headers = {"Cache-Control": ANEW, **warning_of(delivery.left_out)}
        return RedirectResponse(delivery.url, status_code=FOUND, headers=headers)
    return DownloadResponse(delivery, turns, state_of(request).downloads)


def _method(request: Request) -> Method:
    return "HEAD" if request.method == "HEAD" else "GET"


PRODUCT = in_path("product", "Id of the product: a UUID made of the ids of collection and item")
FILES = {"application/octet-stream": FILE, "application/zip": FILE, JSON: ref("Product")}
OF_FILE: Json = {
    "206": {"description": "The requested range", "content": {"application/octet-stream": {"schema": FILE}}},
    "302": {
        "description": "The file is in a bucket: a signed address, for five minutes",
        "headers": {"Location": {"schema": TEXT}},
    },
    "416": {"description": "The file has no such range"},
}
WHOLE = "The file of a product, or a ZIP of all its files; ranges of bytes are supported"
describe = partial(
    Operation, tag="Products", faults=product_problem, refusals=("BadRequest", "NotFound", "TooMany", "Unavailable")
)
operations = (
    describe("/products", get_landing, "getProducts", "How products are addressed", answers={JSON: OBJECT}),
    describe(
        "/products/{product:uuid}",
        get_product,
        "getProduct",
        WHOLE,
        parameters=[PRODUCT, *OF_PRODUCT],
        answers=FILES,
        responses=OF_FILE,
    ),
    describe(
        "/products/{product:uuid}/nodes",
        get_nodes,
        "getProductNodes",
        "The files of a product",
        parameters=[PRODUCT, *OF_PRODUCT],
        answers={JSON: ref("Product")},
    ),
    describe(
        "/products/{product:uuid}/nodes/{path:names}",
        get_node,
        "getProductNode",
        "A file of a product, or a ZIP of one of its folders; ranges of bytes are supported",
        parameters=[
            PRODUCT,
            in_path("path", "Name of an asset; if that is a folder, followed by the path of a file in it"),
            *OF_NODE,
        ],
        answers={**FILES, JSON: ref("ProductNode")},
        responses=OF_FILE,
    ),
    describe(
        "/products/{collection}/{item:names}",
        get_product_of_item,
        "getProductOfItem",
        WHOLE,
        parameters=[in_path("collection", "Id of a collection"), in_path("item", "Id of an item"), *OF_PRODUCT],
        answers=FILES,
        responses=OF_FILE,
    ),
)
routes = routes_of(operations)
