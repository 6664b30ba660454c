"""Which tiles there are of what is shown (OGC 17-083r4 §7.1.5): what metadata say is what is answered."""

import functools
from collections.abc import Callable, Sequence

from chronotile.errors import InvalidParameter, TileOutOfRange
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox, NativeGrid
from chronotile.model.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.pipeline.tile_ranges import check_in_range, shown_matrices, shown_range
from chronotile.protocols.common.query.tile_address import TileAddress
from chronotile.protocols.ogcapi.maps.viewport import box_to

Limits = dict[str, TileRange]
"""By the id of a tile matrix; those that are not there have no tile."""


def limits_of_grids(natives: Sequence[NativeGrid], tile_matrix_set: TileMatrixSet) -> Limits:
    """Return the tiles that any of some grids touches, from the coarsest matrix to the last that shows more."""
    limits: Limits = {}
    for native in natives:
        for matrix, held in shown_matrices(native, tile_matrix_set):
            known = limits.get(matrix.id)
            limits[matrix.id] = held if known is None else _both(known, held)
    return {matrix.id: limits[matrix.id] for matrix in tile_matrix_set.matrices if matrix.id in limits}


def limits_of_boxes(boxes: Sequence[BBox], tile_matrix_set: TileMatrixSet) -> Limits:
    """Return the tiles of all matrices that any of some boxes in CRS84 touches."""
    limits: Limits = {}
    for box in boxes:
        try:
            inside = box_to(box, CRS84, tile_matrix_set.crs)
        except InvalidParameter:
            continue
        for matrix in tile_matrix_set.matrices:
            held = tile_matrix_set.tiles_over(matrix, inside)
            if held is not None:
                known = limits.get(matrix.id)
                limits[matrix.id] = held if known is None else _both(known, held)
    return limits


def check_tile_of_grids(address: TileAddress, natives: Sequence[NativeGrid]) -> None:
    """Refuse a tile that there is not of some grids (OGC 20-057 §7.4, /req/core/tc-error).

    Raises:
        TileOutOfRange: The matrix has no such tile, or none at all.
    """
    tile_matrix_set, matrix = address.tile_matrix_set, address.matrix
    found = [shown_range(native, tile_matrix_set, matrix) for native in natives]
    _check(address, [held for held in found if held is not None], lambda: limits_of_grids(natives, tile_matrix_set))


def check_tile_of_boxes(address: TileAddress, boxes: Sequence[BBox]) -> None:
    """Refuse a tile that there is not of some boxes in CRS84.

    Raises:
        TileOutOfRange: The matrix has no such tile, or none at all.
    """
    limits = limits_of_boxes(boxes, address.tile_matrix_set)
    held = limits.get(address.matrix.id)
    _check(address, [] if held is None else [held], lambda: limits)


def _check(address: TileAddress, held: Sequence[TileRange], limits: Callable[[], Limits]) -> None:
    address.grid()
    if not held:
        raise TileOutOfRange(
            f"no tiles in tile matrix {address.matrix.id[:40]}; there are in {_listed(limits())}",
            locator="tile_matrix",
        )
    check_in_range(functools.reduce(_both, held), row=address.row, column=address.column)


def limits_document(limits: Limits) -> list[dict[str, str | int]]:
    """Return limits as tileset metadata have them."""
    return [
        {
            "tileMatrix": matrix,
            "minTileRow": held.row_min,
            "maxTileRow": held.row_max,
            "minTileCol": held.column_min,
            "maxTileCol": held.column_max,
        }
        for matrix, held in limits.items()
    ]


def finest(limits: Limits, tile_matrix_set: TileMatrixSet) -> TileMatrix | None:
    """Return the last matrix in which there are tiles."""
    return next((matrix for matrix in reversed(tile_matrix_set.matrices) if matrix.id in limits), None)


def _both(one: TileRange, other: TileRange) -> TileRange:
    return TileRange(
        min(one.row_min, other.row_min),
        max(one.row_max, other.row_max),
        min(one.column_min, other.column_min),
        max(one.column_max, other.column_max),
    )


def _listed(limits: Limits) -> str:
    names = list(limits)
    return f"{names[0]} to {names[-1]}" if names else "none"
