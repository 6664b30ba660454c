"""Documents of tilesets, of maps and of places."""

from collections.abc import Mapping
from functools import partial

from chronotile.model.collection import Layer
from chronotile.model.grid import BBox
from chronotile.model.tiles import TileMatrixSet
from chronotile.model.time.instants import TimeSelection
from chronotile.pipeline.services import Services
from chronotile.pipeline.tile_ranges import native_matrix
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.query.picture import settled
from chronotile.protocols.common.tilejson import tilejson
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.tiles.limits import limits_of_boxes, limits_of_grids
from chronotile.protocols.ogcapi.tiles.map_tilesets import layers_box, map_origin
from chronotile.protocols.ogcapi.tiles.params import OF_PLACE_TILE, OF_TILE, tile_drawing
from chronotile.protocols.ogcapi.tiles.place_tilesets import places_box, places_origin, requested_places, vector_layers
from chronotile.protocols.ogcapi.tiles.tilesets import Origin, template, tileset, tilesets

XYZ = "{z}/{y}/{x}"
"""What a TileJSON fills in, in the order of OGC API."""


def map_tilesets(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the tilesets of a map, one for each tile matrix set.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    origin, layers, _time = _map(path, query, context)
    return tilesets(origin, context, limits_in=partial(limits_of_grids, [layer.main_variable.grid for layer in layers]))


def map_tileset(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the metadata of one of them.

    Raises:
        ChronotileError: As `map_tilesets`; or the tile matrix set is not offered.
    """
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    origin, layers, _time = _map(path, query, context)
    limits = limits_of_grids([layer.main_variable.grid for layer in layers], tile_matrix_set)
    return tileset(origin, tile_matrix_set, context, limits=limits, box=layers_box(layers, tile_matrix_set))


def map_tilejson(path: Mapping[str, str], query: Kvp, context: DocumentContext, services: Services) -> Json:
    """Return the TileJSON of one of them; the template of a single layer names the instant and the revision it is of.

    Raises:
        ChronotileError: As `map_tileset`; or there is nothing at the requested time.
    """
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    origin, layers, time = _map(path, query, context)
    named = settled(layers[0], query, time, services) if len(layers) == 1 else {}
    replaced = {"subset"} if "datetime" in named else set()
    carried = {name: text for name, text in origin.query.items() if name not in replaced} | named
    return tilejson(
        name=origin.title,
        tiles=template(origin, tile_matrix_set, context, place=XYZ, query={"f": "png", **carried}),
        tile_matrix_set=tile_matrix_set,
        finest=max(native_matrix(layer.main_variable.grid, tile_matrix_set) for layer in layers),
        attribution="; ".join(dict.fromkeys(layer.attribution for layer in layers if layer.attribution)),
        box=layers_box(layers, tile_matrix_set),
    )


def place_tilesets(_path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the tilesets of places; none where there are no places.

    Raises:
        InvalidParameter: `collections` names a set that is not there.
    """
    query.check_names(names_of(OF_PLACE_TILE))
    places = requested_places(query, context.catalogue) if context.catalogue.places or "collections" in query else ()
    limits_in = partial(limits_of_boxes, [each.bbox for each in places])
    found = tilesets(places_origin(places, query, context), context, limits_in=limits_in)
    return found if places else {**found, "tilesets": []}


def place_tileset(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the metadata of one of them.

    Raises:
        ChronotileError: There are no places, a name is unknown, or a parameter is not accepted.
    """
    tile_matrix_set, origin, box = _places(path, query, context)
    places = requested_places(query, context.catalogue)
    limits = limits_of_boxes([each.bbox for each in places], tile_matrix_set)
    return tileset(origin, tile_matrix_set, context, limits=limits, box=box if limits else None)


def place_tilejson(path: Mapping[str, str], query: Kvp, context: DocumentContext, _services: Services) -> Json:
    """Return the TileJSON of one of them.

    Raises:
        ChronotileError: As `place_tileset`.
    """
    tile_matrix_set, origin, box = _places(path, query, context)
    document = tilejson(
        name=origin.title,
        tiles=template(origin, tile_matrix_set, context, place=XYZ, query={"f": "mvt", **origin.query}),
        tile_matrix_set=tile_matrix_set,
        finest=len(tile_matrix_set.matrices) - 1,
        attribution=origin.members.get("attribution", ""),
        box=box,
    )
    return {**document, "vector_layers": vector_layers(requested_places(query, context.catalogue))}


def _map(
    path: Mapping[str, str], query: Kvp, context: DocumentContext
) -> tuple[Origin, tuple[Layer, ...], TimeSelection]:
    """All parameters of a tile are parsed, so that a template is one that works."""
    query.check_names(names_of(OF_TILE))
    drawing = tile_drawing(path, query.replacing("f", "png"), "", context.catalogue)
    return map_origin(path, query, drawing.layers, context), drawing.layers, drawing.time


def _places(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> tuple[TileMatrixSet, Origin, BBox]:
    query.check_names(names_of(OF_PLACE_TILE))
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    places = requested_places(query, context.catalogue)
    return tile_matrix_set, places_origin(places, query, context), places_box(places)
