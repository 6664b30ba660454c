"""Path and query of a tile turned into a map request."""

from collections.abc import Mapping
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.request import LegendRequest, MapRequest, PictureFormat, ValueFormat
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import datetime, names_of
from chronotile.protocols.common.query.picture import (
    DIFFERENCE,
    EXPRESSION,
    LOGARITHMIC,
    RAMP,
    RANGE,
    REDUCER,
    REV,
    REVERSED,
    STYLE,
    by_extension,
    legend_request,
    map_request,
)
from chronotile.protocols.common.query.tile_address import tile_grid_of

FORMATS: Mapping[str, PictureFormat | ValueFormat] = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff",
    "npy": "application/x-npy",
}
DATETIME = datetime("An instant, interval or list; default: the layer's default")
OF_TEMPLATE = (STYLE, RANGE, RAMP, REVERSED, LOGARITHMIC, REDUCER, EXPRESSION, DIFFERENCE)
"""Those of a TileJSON that its tiles have, too, in the order of their address."""
OF_TILEJSON = (DATETIME, *OF_TEMPLATE)
OF_TILE = (*OF_TILEJSON, REV)
"""TileJSON and legends ignore those that they have no use for, as one query often goes to all."""


def tile_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue, *, scale: int = 1) -> MapRequest:
    """Return the map that `/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}` requests.

    Args:
        path: Its parts.
        query: Its parameters.
        catalogue: What is served.
        scale: Pixels of a side per pixel of the tile matrix, for screens of high resolution.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_TILE))
    layer = catalogue.layer(path["layer"])
    grid = tile_grid_of(path, catalogue)
    picture_format = by_extension(path["extension"], FORMATS)
    scaled = replace(grid, width=grid.width * scale, height=grid.height * scale)
    shown = map_request(layer, scaled, query, time=DATETIME.of(query))
    return replace(shown, format=picture_format)


def style_request(path: Mapping[str, str], query: Kvp) -> LegendRequest:
    """Return the colours of the path's layer that a query requests.

    Raises:
        InvalidParameter: A parameter is not accepted, or a name is misspelt.
    """
    query.check_names(names_of(OF_TILE))
    return legend_request(path["layer"], query)
