"""Endpoints that add, replace, change and remove items, for clients that may publish (transaction extension)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, ItemChanged, UnknownCollection
from chronotile.core.model.items import FoundItem, ItemRef
from chronotile.core.model.types import Json
from chronotile.http.endpoint import Endpoint
from chronotile.http.item_publishing import parse_json, publishing_problem, require_writer
from chronotile.http.request_bodies import read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import ITEM_WRITES
from chronotile.pipeline.search.search_items import indexed_item, unknown_item
from chronotile.protocols.catalogue.stac.context import GEOJSON_TYPE, IN_COLLECTION, IN_ITEM, stac_context
from chronotile.protocols.catalogue.stac.items import StacItems
from chronotile.protocols.common.links import item_path
from chronotile.protocols.common.openapi import OBJECT, body, scene
from chronotile.protocols.common.operation import WITH_TOKEN, Operation
from chronotile.protocols.common.query.kvp import Kvp

CREATED, NO_CONTENT = 201, 204
DEEPEST = 64
"""Levels of nested objects in a patch."""
ATTEMPTS = 5
"""Attempts to patch an item that other requests change at the same time."""

Result = TypeVar("Result")


async def post_items(request: Request) -> Response:
    """Add one item, or all items of a FeatureCollection if none of their ids exists; return the added items."""
    transaction, context = _Transaction(request), stac_context(request, Kvp(()))
    body = await read_body(request)

    def write() -> tuple[tuple[str, ...], bytes]:
        ids, documents = transaction.add(parse_json(body)), StacItems(context)
        items = [documents.document(transaction.find(id_)) for id_ in ids]
        if len(items) == 1:
            return ids, orjson.dumps(items[0])
        return ids, orjson.dumps({"type": "FeatureCollection", "features": items, "links": [context.root_link]})

    ids, written = await transaction.run(write)
    response = Response(written, status_code=CREATED, media_type=GEOJSON_TYPE)
    if len(ids) == 1:
        response.headers["Location"] = f"{context.base}{item_path(transaction.collection, ids[0])}"
    return response


async def put_item(request: Request) -> Response:
    """Replace an item."""
    transaction, id_ = _Transaction(request), request.path_params["item"]
    body = await read_body(request)

    def write() -> None:
        if not transaction.replace(_set_id(_object(parse_json(body)), id_), expected=None):
            raise unknown_item(transaction.collection, id_)

    await transaction.run(write)
    return Response(status_code=NO_CONTENT)


async def patch_item(request: Request) -> Response:
    """Change members of an item by a merge patch (RFC 7396)."""
    transaction, id_ = _Transaction(request), request.path_params["item"]
    body = await read_body(request)

    def write() -> None:
        patch = _object(parse_json(body))
        for _attempt in range(ATTEMPTS):
            item = transaction.find(id_)
            document = _set_id(_merge(orjson.loads(item.document), patch, depth=0), id_)
            if transaction.replace(document, expected=item.ref):
                return
        raise ItemChanged(f"item {id_[:MAX_SHOWN]!r} was changed by other requests at the same time; try again")

    await transaction.run(write)
    return Response(status_code=NO_CONTENT)


async def delete_item(request: Request) -> Response:
    """Remove an item."""
    transaction = _Transaction(request)
    await transaction.run(lambda: transaction.remove(request.path_params["item"]))
    return Response(status_code=NO_CONTENT)


class _Transaction:
    """Writes to one collection, for a request with the right to publish.

    Raises:
        AccessRefused: Items cannot be written on this server.
        Unauthenticated: The token is missing or wrong.
        UnknownCollection: The collection does not exist.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._writer = require_writer(request)
        self._services = services_of(request)
        self.collection: str = request.path_params["collection"]
        if self.collection not in self._writer.specs():
            raise UnknownCollection(f"there is no collection {self.collection[:MAX_SHOWN]!r}", locator="collectionId")

    async def run(self, work: Callable[[], Result]) -> Result:
        return await run(self._request, ITEM_WRITES, work)

    def find(self, id_: str) -> FoundItem:
        return indexed_item(self.collection, id_, self._services)

    def add(self, document: object) -> tuple[str, ...]:
        return self._writer.add(self.collection, document, self._services.origin.catalogue)

    def replace(self, document: Json, *, expected: ItemRef | None) -> bool:
        return self._writer.replace(self.collection, document, self._services.origin.catalogue, expected=expected)

    def remove(self, id_: str) -> None:
        self._writer.remove(self.collection, id_, self._services.origin.catalogue)


def _object(document: object) -> Json:
    if not isinstance(document, dict):
        raise InvalidParameter("the body must be a JSON object")
    return document


def _set_id(document: Json, id_: str) -> Json:
    """Return an item with the id of its URL."""
    if document.setdefault("id", id_) != id_:
        raise InvalidParameter(f"the item's id must be {id_[:MAX_SHOWN]!r}, as in its URL", locator="id")
    return document


def _merge(target: object, patch: Mapping[str, Any], *, depth: int) -> Json:
    if depth > DEEPEST:
        raise InvalidParameter(f"the patch has more than {DEEPEST} levels of nested objects")
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merge(merged.get(name), value, depth=depth + 1)
        else:
            merged[name] = value
    return merged


SCENE = scene("1.1.0", {"datetime": "2020-06-01T10:50:31Z", "eo:cloud_cover": 12})
REFUSALS = ("BadRequest", "Unauthorized", "Forbidden", "NotFound", "TooLarge", "TooMany", "Unavailable")
WITH_CONFLICT = (*REFUSALS, "Conflict")
ADDED: Json = {"description": "Adds items", "content": {GEOJSON_TYPE: {"schema": OBJECT}}}
describe = partial(Operation, tag="STAC transactions", faults=publishing_problem, refusals=REFUSALS, members=WITH_TOKEN)


def _change(handler: Endpoint, name: str, summary: str, method: str, **more: Any) -> Operation:  # noqa: ANN401 -- options of `Operation`
    return describe(
        "/stac/collections/{collection}/items/{item:names}",
        handler,
        name,
        summary,
        method=method,
        parameters=[IN_COLLECTION, IN_ITEM],
        responses={"204": {"description": summary}},
        **more,
    )


operations = (
    describe(
        "/stac/collections/{collection}/items",
        post_items,
        "postStacItems",
        "Adds items",
        method="POST",
        parameters=[IN_COLLECTION],
        body=body(OBJECT, SCENE),
        refusals=WITH_CONFLICT,
        responses={"201": ADDED},
    ),
    _change(
        put_item,
        "putStacItem",
        "Replaces an item",
        "PUT",
        body=lambda of: body(OBJECT, {**SCENE, "id": of.item or "scene"}),
    ),
    _change(
        patch_item,
        "patchStacItem",
        "Changes members of an item (RFC 7396)",
        "PATCH",
        body=body(OBJECT, {"properties": {"gsd": 10}}),
        refusals=WITH_CONFLICT,
    ),
    _change(delete_item, "deleteStacItem", "Removes an item", "DELETE"),
)
