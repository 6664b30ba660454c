"""What this part brings to the tree."""

from chronotile.protocols.ogcapi.block import BuildingBlock

block = BuildingBlock(routes=(), conformance=())
