"""Items that programs with the operator's token add, replace, change and remove (transaction extension)."""

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
"""Objects within one another that a patch may have."""
ATTEMPTS = 5
"""How often a patch is made of an item that others change meanwhile."""

Result = TypeVar("Result")


async def post_items(request: Request) -> Response:
    """Add an item, or all of a FeatureCollection, none of which may be there; return what was added."""
    transaction, context = _Transaction(request), stac_context(request, Kvp(()))
    body = await read_body(request)

    def write() -> tuple[tuple[str, ...], bytes]:
        ids, documents = transaction.add(parse_json(body)), StacItems(context)
        items = [documents.document(transaction.find(each)) for each in ids]
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
        if not transaction.replace(_set_id(_object(parse_json(body)), id_), found=None):
            raise unknown_item(transaction.collection, id_)

    await transaction.run(write)
    return Response(status_code=NO_CONTENT)


async def patch_item(request: Request) -> Response:
    """Change members of an item, as a merge patch says (RFC 7396)."""
    transaction, id_ = _Transaction(request), request.path_params["item"]
    body = await read_body(request)

    def write() -> None:
        patch = _object(parse_json(body))
        for _attempt in range(ATTEMPTS):
            found = transaction.find(id_)
            document = _set_id(_merge(orjson.loads(found.document), patch, depth=0), id_)
            if transaction.replace(document, found=found.ref):
                return
        raise ItemChanged(f"item {id_[:MAX_SHOWN]!r} is changed by others at the same time; try again")

    await transaction.run(write)
    return Response(status_code=NO_CONTENT)


async def delete_item(request: Request) -> Response:
    """Remove an item."""
    transaction = _Transaction(request)
    await transaction.run(lambda: transaction.remove(request.path_params["item"]))
    return Response(status_code=NO_CONTENT)


class _Transaction:
    """A change of a collection, for a request that may make it.

    Raises:
        AccessRefused: None may.
        Unauthenticated: The request does not show the token.
        UnknownCollection: There is no such collection.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._writer = require_writer(request)
        self._services = services_of(request)
        self.collection: str = request.path_params["collection"]
        if self.collection not in self._writer.specs():
            raise UnknownCollection(f"collection {self.collection[:MAX_SHOWN]!r} is not known", locator="collectionId")

    async def run(self, work: Callable[[], Result]) -> Result:
        return await run(self._request, ITEM_WRITES, work)

    def find(self, id_: str) -> FoundItem:
        return indexed_item(self.collection, id_, self._services)

    def add(self, document: object) -> tuple[str, ...]:
        return self._writer.add(self.collection, document, self._services.origin.catalogue)

    def replace(self, document: Json, *, found: ItemRef | None) -> bool:
        return self._writer.replace(self.collection, document, self._services.origin.catalogue, found=found)

    def remove(self, id_: str) -> None:
        self._writer.remove(self.collection, id_, self._services.origin.catalogue)


def _object(document: object) -> Json:
    if not isinstance(document, dict):
        raise InvalidParameter("the body must be a JSON object")
    return document


def _set_id(document: Json, id_: str) -> Json:
    """An item as it is to be stored under an id."""
    if document.setdefault("id", id_) != id_:
        raise InvalidParameter(f"the item's id is not {id_[:MAX_SHOWN]!r}, as its address says", locator="id")
    return document


def _merge(target: object, patch: Mapping[str, Any], *, depth: int) -> Json:
    if depth > DEEPEST:
        raise InvalidParameter(f"the patch has more than {DEEPEST} objects within one another")
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


def _change(handler: Endpoint, name: str, summary: str, method: str, **more: Any) -> Operation:  # noqa: ANN401 -- of operations
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
