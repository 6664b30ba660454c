"""`/ogcapi`: the tree of all building blocks."""

from starlette.routing import BaseRoute

from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.routes import routes as document_routes
from chronotile.protocols.ogcapi.records.block import block as records

routes: list[BaseRoute] = [
    *records.routes,  # first: their paths are among those of any collection
    *document_routes,
    *(route for block in BLOCKS if block is not records for route in block.routes),
]
