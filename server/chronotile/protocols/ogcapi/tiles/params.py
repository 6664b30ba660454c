"""Path and query of tiles and tilesets, parsed into requests of the core (OGC 20-057)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.places import PlaceTileRequest
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.grid import Grid
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.immutable_answers import REV
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F, names_of, text, whole
from chronotile.protocols.common.query.tile_address import TileAddress, tile_address
from chronotile.protocols.ogcapi.maps.drawing import OF_DRAWING, Drawing, drawing_of
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.tiles.tilesets import (
    ALIASES,
    COLLECTIONS_OF_PLACES,
    FORMATS,
    TILEJSON,
    requested_places,
)
from chronotile.protocols.ogcapi.tiles.tiling_schemes import JSON, check_tile_of_boxes, check_tile_of_grids

CRS = text("crs", "That of the tile matrix set, if at all")
WIDTH = whole("width", "Columns of the picture; default: those of the tile matrix", least=1)
HEIGHT = whole("height", "Rows of the picture; default: as many as keep the tile's shape", least=1)
OF_TILE = (*OF_DRAWING, CRS, WIDTH, HEIGHT, REV)
OF_PLACE_TILE = (COLLECTIONS_OF_PLACES, F, LANG, REV)
DOCUMENT_FORMATS: Mapping[str, str] = {"json": JSON}
METADATA: Mapping[str, str] = {"json": JSON, "tilejson": TILEJSON}


@dataclass(frozen=True, slots=True, kw_only=True)
class TileQuery:
    """A request for a tile of a map.

    `requests` checks whether the tile exists; call it in a thread, because PROJ needs some milliseconds for that.
    """

    drawing: Drawing
    address: TileAddress
    width: int | None
    """Columns of the picture, if they differ from the tile matrix."""
    height: int | None
    revision: str | None
    """Revision of the layer in the URL."""

    def grid(self) -> Grid:
        """Return the pixels of the picture (OGC 20-058 /req/tiles-parameters: scaling).

        Raises:
            TileOutOfRange: The tile does not exist.
        """
        grid = self.address.grid()
        width = self.width or round((self.height or grid.height) * grid.width / grid.height)
        height = self.height or round(width * grid.height / grid.width)
        return replace(grid, width=max(1, width), height=max(1, height))

    def requests(self) -> tuple[MapRequest, ...]:
        """Return the requests of the tile's layers.

        Raises:
            TileOutOfRange: The tile does not exist.
        """
        check_tile_of_grids(self.address, [layer.main_variable.grid for layer in self.drawing.layers])
        return self.drawing.requests(self.grid())


def parse_tile(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> TileQuery:
    """Return the tile that `…/map/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}` requests.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.check_names(names_of(OF_TILE))
    address = _address(path, catalogue)
    drawing = tile_drawing(path, query, accept, catalogue)
    name = CRS.optional(query)  # OGC 20-057 describes it, although tiles are always in the CRS of their set
    if name is not None and named_crs(name, drawing.layers[0], catalogue) != address.tile_matrix_set.crs:
        raise InvalidParameter(f"tiles of this set are in {address.tile_matrix_set.crs.name[:60]}", locator="crs")
    return TileQuery(
        drawing=drawing,
        address=address,
        width=WIDTH.optional(query),
        height=HEIGHT.optional(query),
        revision=REV.optional(query),
    )


def tile_drawing(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> Drawing:
    """Return the drawing of a tile, or of all tiles of a tileset.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    drawing, subset = drawing_of(path, query, accept, catalogue)
    if subset.trim is not None:
        raise InvalidParameter("subset of a tile takes the axis time alone", locator="subset")
    return drawing


def parse_place_tile(
    path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue
) -> tuple[tuple[PlaceTileRequest, ...], str | None]:
    """Return the tile of `/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}`, and the revision in its URL.

    Raises:
        ChronotileError: A name is unknown, the tile does not exist, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_PLACE_TILE))
    negotiate_format(query, accept, FORMATS, aliases=ALIASES)
    address = _address(path, catalogue)
    places = requested_places(query, catalogue)
    check_tile_of_boxes(address, [p.bbox for p in places])
    return tuple(PlaceTileRequest(places=p.id, grid=address.grid()) for p in places), REV.optional(query)


def _address(path: Mapping[str, str], catalogue: Catalogue) -> TileAddress:
    row, column = path["tileRow"], path["tileCol"]
    return tile_address(
        catalogue, tile_matrix_set=path["tileMatrixSetId"], matrix=path["tileMatrix"], row=row, column=column
    )
