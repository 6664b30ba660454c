"""Documents of tile matrix sets (OGC 17-083r4 §6.2, OGC 20-057 Annex), and the tiles with data."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from chronotile.core.errors import InvalidParameter, TileOutOfRange
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.space.tiles import TileMatrix, TileMatrixSet, TileRange
from chronotile.core.model.types import Json
from chronotile.pipeline.tile_ranges import check_in_range, shown_matrices, shown_range
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.crs import in_axis_order
from chronotile.protocols.common.query.tile_address import TileAddress
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.maps.viewport import box_to

JSON = "application/json"
REL_SCHEME = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
REL_SCHEMES = "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"
SCALE_SETS: Mapping[str, str] = {
    "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
    "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleCRS84Quad",
}
"""URIs of well-known scale sets by URN."""


def tiling_schemes(context: DocumentContext) -> Json:
    """Return the list of all tile matrix sets."""
    return {
        "tileMatrixSets": [_item(s, context) for s in context.catalogue.tile_matrix_sets],
        "links": [link("self", schemes_url(context), JSON, "tile matrix sets")],
    }


def tiling_scheme(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Json:
    """Return one tile matrix set with its matrices."""
    crs = tile_matrix_set.crs
    scale_set = SCALE_SETS.get(tile_matrix_set.well_known_scale_set or "")
    return {
        "id": tile_matrix_set.id,
        "title": tile_matrix_set.title,
        **omit_empty({"uri": tile_matrix_set.uri}),
        # Axes of the CRS of the corners.
        "orderedAxes": [axis.abbrev for axis in crs.definition.axis_info[:2]],
        "crs": crs_member(crs),
        **omit_empty({"wellKnownScaleSet": scale_set}),
        "tileMatrices": [_matrix(m, crs) for m in tile_matrix_set.matrices],
        "links": [link("self", scheme_url(tile_matrix_set, context), JSON, tile_matrix_set.title)],
    }


def schemes_url(context: DocumentContext) -> str:
    """Return the URL of the list of tile matrix sets."""
    return f"{context.base}/tileMatrixSets"


def scheme_url(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> str:
    """Return the URL of a tile matrix set."""
    return f"{schemes_url(context)}/{quote(tile_matrix_set.id)}"


def crs_member(crs: Crs) -> str | dict[str, Any]:
    """Return a CRS for tileset metadata: its URI, else PROJJSON."""
    return crs.uri or {"wkt": crs.definition.to_json_dict()}


def _item(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Json:
    return {
        "id": tile_matrix_set.id,
        "title": tile_matrix_set.title,
        **omit_empty({"uri": tile_matrix_set.uri}),
        "crs": crs_member(tile_matrix_set.crs),
        "links": [link("self", scheme_url(tile_matrix_set, context), JSON, tile_matrix_set.title)],
    }


def _matrix(matrix: TileMatrix, crs: Crs) -> Json:
    return {
        "id": matrix.id,
        "scaleDenominator": matrix.scale_denominator,
        "cellSize": matrix.cell_size,
        "cornerOfOrigin": "topLeft",
        "pointOfOrigin": list(in_axis_order((matrix.left, matrix.top), crs)),
        "tileWidth": matrix.tile_width,
        "tileHeight": matrix.tile_height,
        "matrixWidth": matrix.matrix_width,
        "matrixHeight": matrix.matrix_height,
    }


# Tiles with data (OGC 17-083r4 §7.1.5): metadata list exactly the tiles that are answered.

TileMatrixSetLimits = dict[str, TileRange]
"""Tiles with data by id of the tile matrix; other matrices have no tiles."""


def limits_of_grids(natives: Sequence[NativeGrid], tile_matrix_set: TileMatrixSet) -> TileMatrixSetLimits:
    """Return the tiles that touch any grid, from the coarsest matrix to the last that shows more than coarser ones."""
    limits = _join((matrix, tiles) for native in natives for matrix, tiles in shown_matrices(native, tile_matrix_set))
    return {matrix.id: limits[matrix.id] for matrix in tile_matrix_set.matrices if matrix.id in limits}


def limits_of_boxes(boxes: Sequence[BBox], tile_matrix_set: TileMatrixSet) -> TileMatrixSetLimits:
    """Return the tiles that touch any box in CRS84, in all matrices."""
    inside = list[BBox]()
    for box in boxes:
        with suppress(InvalidParameter):
            inside.append(box_to(box, CRS84, tile_matrix_set.crs))
    ranges = ((m, tile_matrix_set.tiles_over(m, box)) for box in inside for m in tile_matrix_set.matrices)
    return _join((matrix, tiles) for matrix, tiles in ranges if tiles is not None)


def _join(ranges: Iterable[tuple[TileMatrix, TileRange]]) -> TileMatrixSetLimits:
    limits: TileMatrixSetLimits = {}
    for matrix, tiles in ranges:
        earlier = limits.get(matrix.id)
        limits[matrix.id] = tiles if earlier is None else _both(earlier, tiles)
    return limits


def check_tile_of_grids(address: TileAddress, natives: Sequence[NativeGrid]) -> None:
    """Refuse a tile that touches no grid (OGC 20-057 §7.4, /req/core/tc-error).

    Raises:
        TileOutOfRange: The tile, or the whole matrix, has no data.
    """
    tile_matrix_set, matrix = address.tile_matrix_set, address.matrix
    ranges = [shown_range(native, tile_matrix_set, matrix) for native in natives]
    _check(address, [tiles for tiles in ranges if tiles is not None], lambda: limits_of_grids(natives, tile_matrix_set))


def check_tile_of_boxes(address: TileAddress, boxes: Sequence[BBox]) -> None:
    """Refuse a tile that touches no box in CRS84.

    Raises:
        TileOutOfRange: The tile, or the whole matrix, has no data.
    """
    limits = limits_of_boxes(boxes, address.tile_matrix_set)
    tiles = limits.get(address.matrix.id)
    _check(address, [] if tiles is None else [tiles], lambda: limits)


def _check(address: TileAddress, ranges: Sequence[TileRange], limits: Callable[[], TileMatrixSetLimits]) -> None:
    address.grid()
    if not ranges:
        message = (
            f"no tiles in tile matrix {address.matrix.id[:40]}; tile matrices with tiles: {_matrix_names(limits())}"
        )
        raise TileOutOfRange(message, locator="tile_matrix")
    check_in_range(functools.reduce(_both, ranges), row=address.row, column=address.column)


def limits_document(limits: TileMatrixSetLimits) -> list[dict[str, str | int]]:
    """Return limits as members of tileset metadata."""
    return [
        {
            "tileMatrix": matrix,
            "minTileRow": tiles.row_min,
            "maxTileRow": tiles.row_max,
            "minTileCol": tiles.column_min,
            "maxTileCol": tiles.column_max,
        }
        for matrix, tiles in limits.items()
    ]


def finest(limits: TileMatrixSetLimits, tile_matrix_set: TileMatrixSet) -> TileMatrix | None:
    """Return the finest matrix with tiles, `None` without tiles."""
    return next((matrix for matrix in reversed(tile_matrix_set.matrices) if matrix.id in limits), None)


def _both(one: TileRange, other: TileRange) -> TileRange:
    return TileRange(
        min(one.row_min, other.row_min),
        max(one.row_max, other.row_max),
        min(one.column_min, other.column_min),
        max(one.column_max, other.column_max),
    )


def _matrix_names(limits: TileMatrixSetLimits) -> str:
    names = list(limits)
    return f"{names[0]} to {names[-1]}" if names else "none"
