"""All building blocks of `/ogcapi`, except its landing page and other common documents."""

from chronotile.protocols.ogcapi.block import BuildingBlock
from chronotile.protocols.ogcapi.coverages.block import block as coverages
from chronotile.protocols.ogcapi.edr.block import block as edr
from chronotile.protocols.ogcapi.features.routes import block as features
from chronotile.protocols.ogcapi.maps.block import block as maps
from chronotile.protocols.ogcapi.processes.routes import block as processes
from chronotile.protocols.ogcapi.records.routes import block as records
from chronotile.protocols.ogcapi.styles.routes import block as styles
from chronotile.protocols.ogcapi.tiles.routes import block as tiles

BLOCKS: tuple[BuildingBlock, ...] = (features, coverages, edr, maps, tiles, styles, processes, records)
