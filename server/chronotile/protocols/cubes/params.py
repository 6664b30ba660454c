"""Path and query of a cube tile turned into a request."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.cube import CubeRequest, CubeTile, Res
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, datetime, names_of
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.common.query.tile_address import tile_address

DATETIME = datetime("An instant, interval or list; default: the whole time domain, within the limit")
RES: Parameter[Res] = code("res", "2 is half the resolution, for moving pictures", {"1": 1, "2": 2}, default="1")
CELLS = code(
    "cells",
    "1 for the layer's own cells under the tile, with their places, instead of the tile's pixels",
    {"0": False, "1": True},
    default="0",
)
OF_CUBE: tuple[Parameter[object], ...] = (DATETIME, RES, CELLS, REV)


def cube_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> CubeRequest:
    """Return the cube that `/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc` requests.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_CUBE))
    layer = catalogue.layer(path["layer"])
    address = tile_address(catalogue, tile_matrix_set=path["tms"], matrix=path["z"], row=path["y"], column=path["x"])
    tile = CubeTile(
        tile_matrix_set=address.tile_matrix_set.id,
        matrix=address.matrix.id,
        column=address.column,
        row=address.row,
        grid=address.grid(),
    )
    res = RES.of(query)
    # Half the resolution is of pixels: it is for pictures that move.
    is_of_cells = res == 1 and CELLS.of(query)
    return CubeRequest(layer=layer.id, tile=tile, time=DATETIME.of(query), res=res, is_of_cells=is_of_cells)
