"""Tile matrix sets as documents (OGC 17-083r4 §6.2, OGC 20-057 Annex)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from chronotile.model.crs import Crs
from chronotile.model.tiles import TileMatrix, TileMatrixSet
from chronotile.protocols.common.query.axis_order import in_axis_order
from chronotile.protocols.ogcapi.block import DocumentContext, Json, Link

JSON = "application/json"
REL_SCHEME = "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
REL_SCHEMES = "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes"
SCALE_SETS: Mapping[str, str] = {
    "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible",
    "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad": "http://www.opengis.net/def/wkss/OGC/1.0/GoogleCRS84Quad",
}
"""URIs of well-known scale sets by their URNs."""


def tiling_schemes(context: DocumentContext) -> Json:
    """Return all tile matrix sets in short."""
    return {
        "tileMatrixSets": [_item(each, context) for each in context.catalogue.tile_matrix_sets],
        "links": [_self(schemes_url(context), "tile matrix sets").document()],
    }


def tiling_scheme(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Json:
    """Return one whole."""
    crs = tile_matrix_set.crs
    scale_set = SCALE_SETS.get(tile_matrix_set.well_known_scale_set or "")
    return {
        "id": tile_matrix_set.id,
        "title": tile_matrix_set.title,
        **({} if tile_matrix_set.uri is None else {"uri": tile_matrix_set.uri}),
        "orderedAxes": _axes(crs),
        "crs": crs_member(crs),
        **({} if scale_set is None else {"wellKnownScaleSet": scale_set}),
        "tileMatrices": [_matrix(each, crs) for each in tile_matrix_set.matrices],
        "links": [_self(scheme_url(tile_matrix_set, context), tile_matrix_set.title).document()],
    }


def schemes_url(context: DocumentContext) -> str:
    """Return where all are."""
    return f"{context.base}/tileMatrixSets"


def scheme_url(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> str:
    """Return where one is."""
    return f"{schemes_url(context)}/{quote(tile_matrix_set.id)}"


def scheme_link(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Link:
    """Return the link of a tileset to its tile matrix set."""
    href = scheme_url(tile_matrix_set, context)
    return Link(rel=REL_SCHEME, href=href, type=JSON, title=tile_matrix_set.title)


def scheme_uri(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> str:
    """Return what a set is known by: where it is registered, else where it is here."""
    return tile_matrix_set.uri or scheme_url(tile_matrix_set, context)


def crs_member(crs: Crs) -> str | dict[str, Any]:
    """Return a CRS as tileset metadata have it: its URI, else PROJJSON."""
    return crs.uri or {"wkt": crs.definition.to_json_dict()}


def _item(tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Json:
    return {
        "id": tile_matrix_set.id,
        "title": tile_matrix_set.title,
        **({} if tile_matrix_set.uri is None else {"uri": tile_matrix_set.uri}),
        "crs": crs_member(tile_matrix_set.crs),
        "links": [_self(scheme_url(tile_matrix_set, context), tile_matrix_set.title).document()],
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


def _axes(crs: Crs) -> list[str]:
    """Names of the axes in their order: those of the CRS, whose coordinates corners have."""
    return [axis.abbrev for axis in crs.definition.axis_info[:2]]


def _self(href: str, title: str) -> Link:
    return Link(rel="self", href=href, type=JSON, title=title)
