"""`/products`: whole products, their files, and lists of these."""

from collections.abc import Iterator, Mapping
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from chronotile.errors import ClientGone
from chronotile.pipeline.products.deliver import (
    Delivery,
    FoundNode,
    Method,
    SignedAddress,
    deliver_node,
    deliver_product,
    find_checksums,
    find_node,
    hosts_of,
    known_checksums,
    list_assets,
    list_folder,
)
from chronotile.pipeline.products.product import Product, product_by_id, product_of_item
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.job_access import client_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.responses.respond import respond_with_content
from chronotile.protocols.common.state import in_lookups, in_thread, services_of, state_of
from chronotile.protocols.products.documents import JSON, landing_document, node_document, product_document
from chronotile.protocols.products.faults import product_problem
from chronotile.protocols.products.params import node_query, product_query
from chronotile.protocols.products.response import DownloadResponse
from chronotile.protocols.products.turns import Turns

FOUND = 302
ANEW = "no-store"
"""Of what leads to a signed address, which is good for minutes."""


async def get_landing(request: Request) -> Response:
    """Return how products are addressed."""
    return respond_with_content(orjson.dumps(landing_document(base_url(request))), JSON, request)


async def get_product(request: Request) -> Response:
    """Return a product by its id."""
    return await _whole(request, await _by_id(request))


async def get_product_of_item(request: Request) -> Response:
    """Return the product that an item of a collection is."""
    collection, item = request.path_params["collection"], request.path_params["item"]
    find = partial(product_of_item, collection, item, services_of(request))
    return await _whole(request, await in_lookups(request, find))


async def get_nodes(request: Request) -> Response:
    """Return the list of a product's files."""
    product_query(request)
    return await _listed(request, await _by_id(request))


async def get_node(request: Request) -> Response:
    """Return a file of a product, or what is known of it."""
    query, services = node_query(request), services_of(request)
    product, path = await _by_id(request), request.path_params["path"]
    turns = Turns(state_of(request), hosts_of(product, path))
    if query.is_document:
        return await _described(request, product, path, turns, with_checksum=query.has_checksum)
    return _sent(
        request, await turns.run(partial(deliver_node, product, path, services, method=_method(request))), turns
    )


async def _by_id(request: Request) -> Product:
    find = partial(product_by_id, request.path_params["product"], services_of(request))
    return await in_lookups(request, find)


async def _whole(request: Request, product: Product) -> Response:
    if product_query(request).is_document:
        return await _listed(request, product)
    turns = Turns(state_of(request), hosts_of(product, None))
    delivery = await turns.run(partial(deliver_product, product, services_of(request), method=_method(request)))
    return _sent(request, delivery, turns)


async def _listed(request: Request, product: Product) -> Response:
    services, base = services_of(request), base_url(request)

    def make() -> bytes:
        assets = list_assets(product)
        known = [{} if found is None else known_checksums(found, services) for _asset, found in assets]
        return orjson.dumps(product_document(product, assets, known, base))

    limiter = state_of(request).limiters.downloads
    return respond_with_content(await in_thread(limiter, make), JSON, request)


async def _described(request: Request, product: Product, path: str, turns: Turns, *, with_checksum: bool) -> Response:
    services, base = services_of(request), base_url(request)
    found = await turns.run(partial(find_node, product, path))
    checksums = known_checksums(found, services)
    if with_checksum:
        checksums = await _checksums(request, found, services, turns)

    def make() -> bytes:
        children = list_folder(product, found)
        document = node_document(product.id, found, children=children, checksums=checksums, base=base)
        return orjson.dumps(document)

    return respond_with_content(await turns.run(make), JSON, request)


async def _checksums(request: Request, found: FoundNode, services: Services, turns: Turns) -> Mapping[str, str]:
    """All checksums of a file, which may have to be read to its end: it counts as a download."""
    finding: Iterator[Mapping[str, str] | None] = find_checksums(found, services)
    checksums: Mapping[str, str] | None = None
    with state_of(request).downloads.one(client_of(request) or ""):
        while checksums is None:
            if await request.is_disconnected():
                raise ClientGone("the client disconnected")
            checksums = await turns.run(partial(next, finding))
    return checksums


def _sent(request: Request, delivery: Delivery, turns: Turns) -> Response:
    if isinstance(delivery, SignedAddress):
        return RedirectResponse(delivery.url, status_code=FOUND, headers={"Cache-Control": ANEW})
    return DownloadResponse(delivery, turns, state_of(request).downloads)


def _method(request: Request) -> Method:
    return "HEAD" if request.method == "HEAD" else "GET"


routes = [
    Route("/products", endpoint(get_landing, product_problem)),
    Route("/products/{product:uuid}", endpoint(get_product, product_problem)),
    Route("/products/{product:uuid}/nodes", endpoint(get_nodes, product_problem)),
    Route("/products/{product:uuid}/nodes/{path:names}", endpoint(get_node, product_problem)),
    Route("/products/{collection}/{item:names}", endpoint(get_product_of_item, product_problem)),
]
