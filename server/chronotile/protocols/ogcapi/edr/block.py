"""What this part brings to the tree."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.edr.routes import routes

block = BuildingBlock(routes=routes, conformance=())
