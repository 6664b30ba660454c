"""What coverages bring to the tree (OGC 19-087, draft)."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.coverages.routes import routes

block = BuildingBlock(
    routes=routes,
    conformance=(),
)
