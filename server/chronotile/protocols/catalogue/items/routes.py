"""`POST /layers/{layer}/items` and `DELETE /layers/{layer}/items/{item}`, for clients with the right to publish."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.archive.index.write import WrittenItems
from chronotile.core.model.types import Json
from chronotile.http.item_publishing import parse_json, publishing_problem, require_writer
from chronotile.http.request_bodies import read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import ITEM_WRITES
from chronotile.protocols.common.openapi import OBJECT, TEXT, WHOLE, body, in_path, list_of, object_of, scene
from chronotile.protocols.common.operation import WITH_TOKEN, Operation, routes_of, segment

CREATED, OK, NO_CONTENT = 201, 200, 204


async def post_items(request: Request) -> Response:
    """Add the items of the body, or replace items with the same ids."""
    writer = require_writer(request)
    body = await read_body(request)
    name, catalogue = request.path_params["layer"], services_of(request).origin.catalogue

    def write() -> WrittenItems:
        return writer.put(name, parse_json(body), catalogue)

    written = await run(request, ITEM_WRITES, write)
    document = {
        "added": written.put.added,
        "replaced": written.put.replaced,
        "unchanged": written.put.unchanged,
        "ids": written.ids,
    }
    status = CREATED if written.put.added else OK
    return Response(orjson.dumps(document), status_code=status, media_type="application/json")


async def delete_item(request: Request) -> Response:
    """Remove an item."""
    writer, catalogue = require_writer(request), services_of(request).origin.catalogue
    name, id_ = request.path_params["layer"], request.path_params["item"]
    await run(request, ITEM_WRITES, partial(writer.remove, name, id_, catalogue))
    return Response(status_code=NO_CONTENT)


ITEM = scene("1.0.0", {"datetime": "2020-06-01T10:50:31Z", "gsd": 10})
LAYER = segment("layer", "Id of a collection of items, or of one of its layers", example=lambda of: of.layer)
REFUSALS = ("BadRequest", "Unauthorized", "Forbidden", "NotFound", "TooMany", "Unavailable")
WRITTEN = {"application/json": object_of({"added": WHOLE, "replaced": WHOLE, "unchanged": WHOLE, "ids": list_of(TEXT)})}
NEW: Json = {
    "description": "At least one item is new",
    "content": {name: {"schema": schema} for name, schema in WRITTEN.items()},
}
describe = partial(Operation, tag="Items", faults=publishing_problem, members=WITH_TOKEN)
operations = (
    describe(
        "/layers/{layer}/items",
        post_items,
        "postItems",
        "Adds STAC items, or replaces those with the same id",
        method="POST",
        parameters=[LAYER],
        body=body(OBJECT, ITEM),
        answers=WRITTEN,
        refusals=(*REFUSALS, "TooLarge"),
        responses={"201": NEW},
    ),
    describe(
        "/layers/{layer}/items/{item:names}",
        delete_item,
        "deleteItem",
        "Removes an item",
        method="DELETE",
        parameters=[LAYER, in_path("item", "Id of the item", example=ITEM["id"])],
        refusals=REFUSALS,
        responses={"204": {"description": "Removes an item"}},
    ),
)
routes = routes_of(operations)
