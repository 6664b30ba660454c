"""Documents of tilesets of maps and places (OGC 17-083r4 §7, OGC 20-057 §8 and 9)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.resolve_style import resolve_style
from chronotile.core.errors import InvalidParameter, UnknownPlace, translate_error
from chronotile.core.model.collection import Layer
from chronotile.core.model.places import PlaceSet, Property
from chronotile.core.model.space.boxes import BBox, box_in, box_of_all
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.vector.mvt import MEDIA_TYPE
from chronotile.pipeline.tile_ranges import box_in_set
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of, text
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.maps.background import BACKGROUND
from chronotile.protocols.ogcapi.maps.drawing import COLLECTIONS, COLOURING, DATETIME, MEDIA_TYPES, SUBSET
from chronotile.protocols.ogcapi.tiles.tiling_schemes import (
    JSON,
    REL_SCHEME,
    TileMatrixSetLimits,
    crs_member,
    finest,
    limits_document,
    scheme_url,
)

DataType = Literal["map", "vector"]
TILEJSON = "application/vnd.mapbox.tilejson+json"
PLACE = "{tileMatrix}/{tileRow}/{tileCol}"
DECIMALS = 7
"""Decimals of degrees: about a centimetre."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TilesetOrigin:
    """Layers, path, formats and metadata of the tiles of tilesets."""

    title: str
    path: str
    """Path of its tilesets below `/ogcapi`, such as `/collections/NDVI/map/tiles`."""
    data_type: DataType
    formats: Mapping[str, str]
    """Media types of tiles by value of `f`, the default first."""
    query: Mapping[str, str]
    """Parameters of the metadata request that templates of tiles repeat."""
    layers: Sequence[Json]
    """Layers as members of tileset metadata."""
    members: Json
    """Members for the whole tileset, such as style and attribution."""
    links: Sequence[Json] = ()
    """Links to the data."""


def tilesets(
    origin: TilesetOrigin, context: DocumentContext, *, limits_in: Callable[[TileMatrixSet], TileMatrixSetLimits]
) -> Json:
    """Return the tilesets of an origin, one per tile matrix set.

    Args:
        origin: Data of the tilesets.
        context: Language and URLs of the document.
        limits_in: Returns the tiles with data in a set.
    """
    listed = [
        # With limits and tile templates, so that clients can request tiles without another document.
        {**_common(origin, s, context, limits_in(s)), "links": list(_links(origin, s, context))}
        for s in context.catalogue.tile_matrix_sets
    ]
    return {"tilesets": listed, "links": [link("self", f"{context.base}{origin.path}", JSON, origin.title)]}


def tileset(
    origin: TilesetOrigin,
    tile_matrix_set: TileMatrixSet,
    context: DocumentContext,
    *,
    limits: TileMatrixSetLimits,
    box: BBox | None,
) -> Json:
    """Return the metadata of one tileset.

    Args:
        origin: Data of the tileset.
        tile_matrix_set: Tile matrix set of the tiles.
        context: Language and URLs of the document.
        limits: Tiles with data.
        box: Extent in CRS84; `None` if the set does not meet the data.
    """
    return {
        **_common(origin, tile_matrix_set, context, limits),
        **({} if box is None else _location_members(box, limits, tile_matrix_set)),
        "layers": list(origin.layers),
        "mediaTypes": list(origin.formats.values()),
        **origin.members,
        "links": [*_links(origin, tile_matrix_set, context), *origin.links],
    }


def template(
    origin: TilesetOrigin,
    tile_matrix_set: TileMatrixSet,
    context: DocumentContext,
    *,
    place: str,
    query: Mapping[str, str],
) -> str:
    """Return the URL of a tile; `place` is the rest of the path, literally or as a template."""
    return f"{_url(origin, tile_matrix_set, context)}/{place}?{urlencode(query)}"


def _common(
    origin: TilesetOrigin, tile_matrix_set: TileMatrixSet, context: DocumentContext, limits: TileMatrixSetLimits
) -> Json:
    return {
        "title": f"{origin.title} ({tile_matrix_set.id})",
        "dataType": origin.data_type,
        "crs": crs_member(tile_matrix_set.crs),
        "tileMatrixSetURI": tile_matrix_set.uri or scheme_url(tile_matrix_set, context),
        "tileMatrixSetId": tile_matrix_set.id,
        "tileMatrixSetLimits": limits_document(limits),
    }


def _links(origin: TilesetOrigin, tile_matrix_set: TileMatrixSet, context: DocumentContext) -> Iterator[Json]:
    href = f"{_url(origin, tile_matrix_set, context)}?{urlencode({'f': 'json', **origin.query})}"
    yield link("self", href, JSON, f"tileset in {tile_matrix_set.id}")
    yield link(REL_SCHEME, scheme_url(tile_matrix_set, context), JSON, tile_matrix_set.title)
    href = f"{_url(origin, tile_matrix_set, context)}?{urlencode({'f': 'tilejson', **origin.query})}"
    yield link("alternate", href, TILEJSON, "the same as TileJSON")
    for name, media_type in origin.formats.items():
        tile = template(origin, tile_matrix_set, context, place=PLACE, query={"f": name, **origin.query})
        yield link("item", tile, media_type, f"tile as {name}", is_template=True)


def _url(origin: TilesetOrigin, tile_matrix_set: TileMatrixSet, context: DocumentContext) -> str:
    return f"{context.base}{origin.path}/{quote(tile_matrix_set.id)}"


def _location_members(box: BBox, limits: TileMatrixSetLimits, tile_matrix_set: TileMatrixSet) -> dict[str, Any]:
    west, south, east, north = (round(edge, DECIMALS) for edge in box)
    crs, matrix = CRS84.uri, finest(limits, tile_matrix_set)
    centre = {"coordinates": [(west + east) / 2, (south + north) / 2], "crs": crs}
    return {
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": crs},
        "centerPoint": centre if matrix is None else {**centre, "tileMatrix": matrix.id},
    }


REL_GEODATA = "http://www.opengis.net/def/rel/ogc/1.0/geodata"
IGNORED_WITH_VALUE = names_of((COLLECTIONS, DATETIME, SUBSET, *COLOURING, *BACKGROUND))
"""Parameters that metadata and their tiles share."""


def map_origin(
    path: Mapping[str, str], query: Kvp, layers: tuple[Layer, ...], context: DocumentContext
) -> TilesetOrigin:
    """Return the layers, style, path and formats of the map tiles that a path and query select."""
    top = layers[-1]
    style = resolve_style(top, path.get("styleId", ""))
    title = ", ".join(_title(layer, context) for layer in layers)
    style_url = f"{context.base}/collections/{quote(top.id)}/styles/{quote(style.id)}"
    return TilesetOrigin(
        title=title,
        path=tiles_path(path),
        data_type="map",
        formats=MEDIA_TYPES,
        query={name: value for name in IGNORED_WITH_VALUE if (value := query.optional(name))},
        layers=[_layer(layer, path.get("styleId", ""), context) for layer in layers],
        members={
            **omit_empty({"attribution": top.attribution, "license": top.license}),
            "style": {"id": style.id, "title": style.title, "links": [link("style", style_url, JSON, style.title)]},
        },
        links=[_geodata(layer, context) for layer in layers],
    )


def tiles_path(path: Mapping[str, str]) -> str:
    """Return the path of tilesets of maps, below `/ogcapi`."""
    collection = f"/collections/{quote(path['collectionId'])}" if "collectionId" in path else ""
    style = f"/styles/{quote(path['styleId'])}" if "styleId" in path else ""
    return f"{collection}{style}/map/tiles"


def layers_box(layers: tuple[Layer, ...], tile_matrix_set: TileMatrixSet) -> BBox | None:
    """Return the box in CRS84 of layers inside a set, `None` if the set meets no layer."""
    layer_boxes = [box_in_set(layer.main_variable.grid, tile_matrix_set) for layer in layers]
    boxes = [box_in(box, tile_matrix_set.crs, CRS84) for box in layer_boxes if box is not None]
    return box_of_all(boxes) if boxes else None


def _layer(layer: Layer, style: str, context: DocumentContext) -> Json:
    resolved_style = resolve_style(layer, style)
    return {
        "id": layer.id,
        "title": _title(layer, context),
        "dataType": "map",
        **omit_empty({"attribution": layer.attribution, "license": layer.license}),
        "style": {"id": resolved_style.id, "title": resolved_style.title},
        "links": [_geodata(layer, context)],
    }


def _geodata(layer: Layer, context: DocumentContext) -> Json:
    return link(REL_GEODATA, f"{context.base}/collections/{quote(layer.id)}", JSON, _title(layer, context))


def _title(layer: Layer, context: DocumentContext) -> str:
    return text_in(layer.title, context.language) or layer.id


FORMATS = {"mvt": MEDIA_TYPE}
ALIASES = {"pbf": "mvt", "application/x-protobuf": "mvt", "application/vnd.mapbox-vector-tile": "mvt"}
PATH = "/tiles"
COLLECTIONS_OF_PLACES = text("collections", "Sets of places, each a layer of the tile; default: all")
POLYGONS = 2


def requested_places(query: Kvp, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the place sets that `collections` names, by default all.

    Raises:
        UnknownPlace: The server has no place sets.
        InvalidParameter: `collections` names an unknown set, or a set twice.
    """
    set_names = COLLECTIONS_OF_PLACES.optional(query)
    if set_names is None:
        places = tuple(catalogue.places.values())
        if not places:
            raise UnknownPlace("no places are configured, so there are no vector tiles")
        return places
    names = [name.strip() for name in set_names.split(",")]
    if len(set(names)) < len(names):
        raise InvalidParameter("collections repeats a set of places", locator="collections")
    with translate_error(UnknownPlace, InvalidParameter, locator="collections"):
        return tuple(catalogue.place_set(name) for name in names)


def places_origin(places: tuple[PlaceSet, ...], query: Kvp, context: DocumentContext) -> TilesetOrigin:
    """Return the origin of vector tiles."""
    set_names = COLLECTIONS_OF_PLACES.optional(query)
    attribution = "; ".join(dict.fromkeys(p.spec.attribution for p in places if p.spec.attribution))
    return TilesetOrigin(
        title=", ".join(_places_title(p, context) for p in places),
        path=PATH,
        data_type="vector",
        formats=FORMATS,
        query={} if set_names is None else {"collections": set_names},
        layers=[_place_layer(p, context) for p in places],
        members=omit_empty({"attribution": attribution}),
    )


def places_box(places: tuple[PlaceSet, ...]) -> BBox:
    """Return the box around all place sets in CRS84."""
    return box_of_all([p.bbox for p in places])


def vector_layers(places: tuple[PlaceSet, ...]) -> list[Json]:
    """Return the layers for TileJSON."""
    return [{"id": p.id, "fields": {name: _type(column) for name, column in p.columns.items()}} for p in places]


def _place_layer(places: PlaceSet, context: DocumentContext) -> Json:
    properties = {name: {"title": name, "type": _type(column)} for name, column in places.columns.items()}
    return {
        "id": places.id,
        "title": _places_title(places, context),
        "dataType": "vector",
        "geometryDimension": POLYGONS,
        **omit_empty({"attribution": places.spec.attribution}),
        "propertiesSchema": {"type": "object", "properties": properties},
    }


def _type(column: Iterable[Property]) -> str:
    """Return the JSON type of the values in a column."""
    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds and kinds <= {int, float}:
        return "number"
    return "string"


def _places_title(places: PlaceSet, context: DocumentContext) -> str:
    return text_in(places.spec.title, context.language) or places.id
