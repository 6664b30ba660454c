"""Tilesets of maps and of places as documents (OGC 17-083r4 §7, OGC 20-057 §8 and 9)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox
from chronotile.model.tiles import TileMatrixSet
from chronotile.protocols.ogcapi.block import DocumentContext, Json, Link
from chronotile.protocols.ogcapi.tiles.limits import Limits, finest, limits_document
from chronotile.protocols.ogcapi.tiles.tiling_schemes import JSON, crs_member, scheme_link, scheme_uri

DataType = Literal["map", "vector"]
TILEJSON = "application/vnd.mapbox.tilejson+json"
PLACE = "{tileMatrix}/{tileRow}/{tileCol}"
DECIMALS = 7
"""Of degrees: about a centimetre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a tileset is of, and where it is."""

    title: str
    path: str
    """Of its tilesets, below `/ogcapi`: `/collections/NDVI/map/tiles`."""
    data_type: DataType
    formats: Mapping[str, str]
    """Media types of tiles by the names that `f` takes, the default first."""
    query: Mapping[str, str]
    """Parameters that the templates of tiles carry on, as the request for the metadata has them."""
    layers: Sequence[Json]
    """As tileset metadata list them."""
    members: Json
    """Style, attribution and similar of the whole."""
    links: Sequence[Link] = ()
    """To what it is of."""


def tilesets(origin: Origin, context: DocumentContext, *, limits_in: Callable[[TileMatrixSet], Limits]) -> Json:
    """Return the tilesets of an origin, one for each tile matrix set.

    Args:
        origin: What they are of.
        context: For whom.
        limits_in: Gives the tiles there are in a set.
    """
    return {
        "tilesets": [_item(origin, each, context, limits_in(each)) for each in context.catalogue.tile_matrix_sets],
        "links": [Link(rel="self", href=f"{context.base}{origin.path}", type=JSON, title=origin.title).document()],
    }


def tileset(
    origin: Origin, tile_matrix_set: TileMatrixSet, context: DocumentContext, *, limits: Limits, box: BBox | None
) -> Json:
    """Return the metadata of one.

    Args:
        origin: What it is of.
        tile_matrix_set: Of its tiles.
        context: For whom.
        limits: The tiles there are.
        box: In CRS84; `None` where the set does not reach.
    """
    return {
        **_common(origin, tile_matrix_set, context, limits),
        **({} if box is None else _placed(box, limits, tile_matrix_set)),
        "layers": list(origin.layers),
        "mediaTypes": list(origin.formats.values()),
        **origin.members,
        "links": [each.document() for each in (*_links(origin, tile_matrix_set, context), *origin.links)],
    }


def template(
    origin: Origin, tile_matrix_set: TileMatrixSet, context: DocumentContext, *, place: str, query: Mapping[str, str]
) -> str:
    """Return the address of a tile, `place` being the rest of the path as it is filled in."""
    return f"{_url(origin, tile_matrix_set, context)}/{place}?{urlencode(query)}"


def _common(origin: Origin, tile_matrix_set: TileMatrixSet, context: DocumentContext, limits: Limits) -> Json:
    return {
        "title": f"{origin.title} ({tile_matrix_set.id})",
        "dataType": origin.data_type,
        "crs": crs_member(tile_matrix_set.crs),
        "tileMatrixSetURI": scheme_uri(tile_matrix_set, context),
        "tileMatrixSetId": tile_matrix_set.id,
        "tileMatrixSetLimits": limits_document(limits),
    }


def _item(origin: Origin, tile_matrix_set: TileMatrixSet, context: DocumentContext, limits: Limits) -> Json:
    """With the limits and the templates of tiles, so that clients need no more to request one."""
    links = [link.document() for link in _links(origin, tile_matrix_set, context)]
    return {**_common(origin, tile_matrix_set, context, limits), "links": links}


def _links(origin: Origin, tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Iterator[Link]:
    href = f"{_url(origin, tile_matrix_set, context)}?{urlencode({'f': 'json', **origin.query})}"
    yield Link(rel="self", href=href, type=JSON, title=f"tileset in {tile_matrix_set.id}")
    yield scheme_link(tile_matrix_set, context)
    href = f"{_url(origin, tile_matrix_set, context)}?{urlencode({'f': 'tilejson', **origin.query})}"
    yield Link(rel="alternate", href=href, type=TILEJSON, title="the same as TileJSON")
    for name, media_type in origin.formats.items():
        tile = template(origin, tile_matrix_set, context, place=PLACE, query={"f": name, **origin.query})
        yield Link(rel="item", href=tile, type=media_type, title=f"tile as {name}", is_template=True)


def _url(origin: Origin, tile_matrix_set: TileMatrixSet, context: DocumentContext) -> str:
    return f"{context.base}{origin.path}/{quote(tile_matrix_set.id)}"


def _placed(box: BBox, limits: Limits, tile_matrix_set: TileMatrixSet) -> dict[str, Any]:
    west, south, east, north = (round(edge, DECIMALS) for edge in box)
    crs = CRS84.uri
    matrix = finest(limits, tile_matrix_set)
    centre = {"coordinates": [(west + east) / 2, (south + north) / 2], "crs": crs}
    return {
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": crs},
        "centerPoint": centre if matrix is None else {**centre, "tileMatrix": matrix.id},
    }
