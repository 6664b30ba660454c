"""`/ogcapi`: the tree of all building blocks."""

from collections.abc import Callable

from starlette.routing import BaseRoute

from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.routes import document_routes


def ogcapi_routes(has_viewer: Callable[[], bool]) -> list[BaseRoute]:
    """Return the routes; `has_viewer` says whether there is a viewer to lead to."""
    return [*document_routes(has_viewer), *(route for block in BLOCKS for route in block.routes)]
