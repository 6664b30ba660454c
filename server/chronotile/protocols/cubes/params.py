"""Path and query of a cube tile turned into a request."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.cube import CubeRequest, CubeTile, Res
from chronotile.protocols.common.query.kvp import Kvp, choice, datetime_of
from chronotile.protocols.common.query.tile_address import tile_address

PARAMETERS = ("datetime", "res", "cells", "rev")
RES: Mapping[str, Res] = {"1": 1, "2": 2}
CELLS: Mapping[str, bool] = {"0": False, "1": True}


def cube_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> CubeRequest:
    """Return the cube that `/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc` asks for.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_spelling(PARAMETERS)
    layer = catalogue.layer(path["layer"])
    address = tile_address(catalogue, tile_matrix_set=path["tms"], matrix=path["z"], row=path["y"], column=path["x"])
    res = RES[choice(query.optional("res") or "1", RES, locator="res")]
    return CubeRequest(
        layer=layer.id,
        tile=CubeTile(
            tile_matrix_set=address.tile_matrix_set.id,
            matrix=address.matrix.id,
            column=address.column,
            row=address.row,
            grid=address.grid(),
        ),
        time=datetime_of(query),
        res=res,
        # Half the resolution is of pixels: it is for pictures that move.
        is_of_cells=res == 1 and CELLS[choice(query.optional("cells") or "0", CELLS, locator="cells")],
    )
