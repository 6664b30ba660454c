"""What this part brings to the tree."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.edr.members import collection_links, collection_members
from chronotile.protocols.ogcapi.edr.routes import routes

block = BuildingBlock(
    routes=routes, conformance=(), collection_links=collection_links, collection_members=collection_members
)
