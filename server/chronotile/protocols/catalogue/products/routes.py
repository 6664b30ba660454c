"""`/products`: whole products, lists of their files, and single files."""

import base64
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from chronotile.core.errors import (
    ChronotileError,
    ClientGone,
    NoFiles,
    RangeNotSatisfiable,
    SourceUnavailable,
)
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.byte_ranges import ACCEPT_RANGES, refuse_range, requested_range
from chronotile.http.cache_headers import format_skipped_warning
from chronotile.http.client_addresses import client_of
from chronotile.http.download_slots import DownloadSlots
from chronotile.http.etags import client_etags
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.retry_after import add_error_headers, add_retry_after
from chronotile.http.run import run
from chronotile.http.server_state import ServerState, state_of
from chronotile.http.work_kinds import DOWNLOADS, LOOKUPS
from chronotile.pipeline.products import (
    Delivery,
    Download,
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
from chronotile.protocols.catalogue.products.documents import (
    JSON,
    coverage_url,
    landing_document,
    node_document,
    product_document,
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
    """Return the form that a request for a product, or with `OF_NODE` for a file, has; `checksum` implies the document.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(parameters))
    has_checksum = CHECKSUM.value(query)
    return ProductForm(is_document=has_checksum or FORMAT.value(query) == "json", has_checksum=has_checksum)


# Threads for downloads are taken for one part at a time; requests to other hosts have separate threads.

Result = TypeVar("Result")


class DownloadTurns:
    """Runs the parts of one request's work in threads.

    Args:
        state: State of the application.
        hosts: Hosts that the work sends requests to; each host has a quota of the threads. Empty for local files.
    """

    def __init__(self, state: ServerState, hosts: Collection[str]) -> None:
        here = state.limiters.downloads
        self._limiter = state.elsewhere.get(here.name, here) if hosts else here
        self._hosts = hosts

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run a short function in a thread and return its result.

        Raises:
            ServerBusy: Too many functions are queued already.
        """
        return await self._limiter.run(work, sources=self._hosts)


def product_problem(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error; for an item without files it has the URL of the coverage."""
    response = problem_response(error, request)
    add_retry_after(response, error)
    if isinstance(error, NoFiles) and response.body:
        members = orjson.loads(response.body)
        url = coverage_url(base_url(request), error.collection, error.when)
        response = Response(
            orjson.dumps({**members, "alternative": url}),
            status_code=response.status_code,
            media_type=response.media_type,
        )
    return response


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


log = logging.getLogger(__name__)

AS_FOUND = "public, max-age=0, must-revalidate"
"""Cache-Control of files: they may be replaced at any time, and revalidation with an ETag is cheap."""
HARMLESS = "default-src 'none'; sandbox"
"""Content-Security-Policy of files: they come from others, and browsers may display them."""
_IN_HEADERS = ("sha-256", "sha-512")
"""Digest algorithms that RFC 9530 recommends."""


class DownloadResponse(Response):
    """An answer that is read in parts, each in a thread that is free again while the client receives the part.

    Args:
        download: The file to send.
        turns: Runs the reads in threads.
        slots: Limits concurrent downloads per client; one slot is occupied while the file is sent.
    """

    def __init__(self, download: Download, turns: DownloadTurns, slots: DownloadSlots) -> None:
        super().__init__(media_type=download.media_type, headers=headers_of(download))
        self._download = download
        self._turns = turns
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file or the requested range; an error after the start cuts the connection."""
        request, body = Request(scope, receive), self._download.body
        if body.etag is not None and body.etag in client_etags(request):
            self.status_code = HTTPStatus.NOT_MODIFIED
            for name in ("Content-Length", "Content-Type"):
                del self.headers[name]
            await self._send_head(send)
            return
        try:
            part = None if body.etag is None else requested_range(scope, size=body.size, etag=self.headers["ETag"])
        except RangeNotSatisfiable as error:
            await refuse_range(error, scope)(scope, receive, send)
            return
        if part is not None:
            self.status_code = HTTPStatus.PARTIAL_CONTENT
            self.headers.update(part.headers)
        if scope["method"] == "HEAD":
            await self._send_head(send)
            return
        start, stop = (0, body.size) if part is None else (part.start, part.stop)
        await self._send_part(request, send, start, stop)

    async def _send_part(self, request: Request, send: Send, start: int, stop: int) -> None:
        is_started = False
        try:
            with self._slots.occupy(client_of(request) or ""):
                parts = self._download.body.part(start, stop)
                # An error before the first part is answered by a problem document.
                data = await self._next(parts, request) if start < stop else None
                await self._start(send)
                is_started = True
                while data is not None:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    data = await self._next(parts, request)
                await send({"type": "http.response.body"})
        except ChronotileError as error:
            if is_started:
                log.warning("%s: broken off, %s", request.scope["path"], error.message)
                return
            if isinstance(error, SourceUnavailable):
                log.warning("%s: %s", request.scope["path"], error.message)
            await add_error_headers(product_problem(error, request))(request.scope, request.receive, send)

    async def _next(self, parts: Iterator[bytes], request: Request) -> bytes | None:
        """Return the next bytes, or `None` at the end and after the client has disconnected."""
        data: bytes | None = b""
        while data == b"":
            if await request.is_disconnected():
                return None
            data = await self._turns.run(partial(next, parts, None))
        return data

    async def _send_head(self, send: Send) -> None:
        await self._start(send)
        await send({"type": "http.response.body"})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


def headers_of(download: Download) -> dict[str, str]:
    """Return the headers of an answer with the whole file."""
    body = download.body
    headers = {
        "Content-Length": str(body.size),
        "Content-Encoding": "identity",
        "Content-Disposition": disposition(download.file_name),
        "Content-Security-Policy": HARMLESS,
        "Cache-Control": AS_FOUND,
    }
    if body.etag is not None:
        headers |= {"ETag": f'"{body.etag}"', **ACCEPT_RANGES}
    if body.modified_ns:
        headers["Last-Modified"] = formatdate(body.modified_ns // 10**9, usegmt=True)
    digest = repr_digest(download.checksums)
    return headers | ({"Repr-Digest": digest} if digest else {}) | warning_of(download.left_out)


def warning_of(left_out: Sequence[str]) -> dict[str, str]:
    """Return the Warning header that lists missing assets of a product; empty if none is missing."""
    return {"Warning": format_skipped_warning(left_out)} if left_out else {}


def disposition(name: str) -> str:
    """Return the header Content-Disposition with a file name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    plain = plain.replace("%", "_")  # some browsers decode it
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def repr_digest(checksums: Mapping[str, str]) -> str:
    """Return the value of the header Repr-Digest (RFC 9530 §3); empty without a recommended algorithm."""
    digests = {
        name: base64.b64encode(bytes.fromhex(checksums[name])).decode() for name in _IN_HEADERS if name in checksums
    }
    return ", ".join(f"{name}=:{value}:" for name, value in digests.items())
