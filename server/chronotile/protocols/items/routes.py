"""`POST /layers/{layer}/items` and `DELETE /layers/{layer}/items/{item}`, for requests with the token."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.archive.index.write import WrittenItems
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.item_writing import parsed, writer_of, written_problem
from chronotile.protocols.common.query.form import body_of
from chronotile.protocols.common.state import in_thread, services_of, state_of

CREATED, OK, NO_CONTENT = 201, 200, 204


async def post_items(request: Request) -> Response:
    """Add the items of the body, or replace those of the same id."""
    writer = writer_of(request)
    body = await body_of(request)
    name, catalogue = request.path_params["layer"], services_of(request).catalogue

    def write() -> WrittenItems:
        return writer.put(name, parsed(body), catalogue)

    written = await in_thread(state_of(request).limiters.documents, write)
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
    writer, catalogue = writer_of(request), services_of(request).catalogue
    name, id_ = request.path_params["layer"], request.path_params["item"]
    await in_thread(state_of(request).limiters.documents, writer.remove, name, id_, catalogue)
    return Response(status_code=NO_CONTENT)


routes = [
    Route("/layers/{layer}/items", endpoint(post_items, written_problem), methods=["POST"]),
    Route("/layers/{layer}/items/{item:names}", endpoint(delete_item, written_problem), methods=["DELETE"]),
]
