"""`/ogcapi`: the tree of all building blocks."""

from starlette.routing import BaseRoute

from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.block import block as documents

routes: list[BaseRoute] = [*documents.routes, *(route for block in BLOCKS for route in block.routes)]
