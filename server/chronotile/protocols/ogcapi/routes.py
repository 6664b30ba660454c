"""`/ogcapi`: the tree of all building blocks."""

from starlette.routing import BaseRoute

from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.routes import routes as document_routes

routes: list[BaseRoute] = [*document_routes, *(route for block in BLOCKS for route in block.routes)]
