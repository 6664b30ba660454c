"""Tilesets of places: vector tiles of the whole dataset, in which each set of places is a layer."""

from collections.abc import Iterable

from chronotile.catalog.catalogue import Catalogue
from chronotile.encoders.vector.mvt import MEDIA_TYPE
from chronotile.errors import InvalidParameter, UnknownPlace
from chronotile.model.grid import BBox, box_of_all
from chronotile.model.places import PlaceSet, Property
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import text
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.tiles.tilesets import Origin

FORMATS = {"mvt": MEDIA_TYPE}
ALIASES = {"pbf": "mvt", "application/x-protobuf": "mvt", "application/vnd.mapbox-vector-tile": "mvt"}
PATH = "/tiles"
COLLECTIONS_OF_PLACES = text("collections", "Sets of places, each a layer of the tile; default: all")
POLYGONS = 2


def requested_places(query: Kvp, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the sets that `collections` names, else all.

    Raises:
        UnknownPlace: There is none at all.
        InvalidParameter: `collections` names one that is not there, or one twice.
    """
    named = COLLECTIONS_OF_PLACES.given(query)
    if named is None:
        found = tuple(catalogue.places.values())
        if not found:
            raise UnknownPlace("no places are configured, so there are no vector tiles")
        return found
    names = [name.strip() for name in named.split(",")]
    if len(set(names)) < len(names):
        raise InvalidParameter("collections repeats a set of places", locator="collections")
    try:
        return tuple(catalogue.place_set(name) for name in names)
    except UnknownPlace as error:
        raise InvalidParameter(error.message, locator="collections") from error


def places_origin(places: tuple[PlaceSet, ...], query: Kvp, context: DocumentContext) -> Origin:
    """Return what the vector tiles are of."""
    named = COLLECTIONS_OF_PLACES.given(query)
    attribution = "; ".join(dict.fromkeys(each.spec.attribution for each in places if each.spec.attribution))
    return Origin(
        title=", ".join(_title(each, context) for each in places),
        path=PATH,
        data_type="vector",
        formats=FORMATS,
        query={} if named is None else {"collections": named},
        layers=[_layer(each, context) for each in places],
        members={"attribution": attribution} if attribution else {},
    )


def places_box(places: tuple[PlaceSet, ...]) -> BBox:
    """Return the box of all in CRS84."""
    return box_of_all([each.bbox for each in places])


def vector_layers(places: tuple[PlaceSet, ...]) -> list[Json]:
    """Return the layers as TileJSON has them."""
    return [
        {"id": each.id, "fields": {name: _type(column) for name, column in each.columns.items()}} for each in places
    ]


def _layer(places: PlaceSet, context: DocumentContext) -> Json:
    properties = {name: {"title": name, "type": _type(column)} for name, column in places.columns.items()}
    attribution = {"attribution": places.spec.attribution} if places.spec.attribution else {}
    return {
        "id": places.id,
        "title": _title(places, context),
        "dataType": "vector",
        "geometryDimension": POLYGONS,
        **attribution,
        "propertiesSchema": {"type": "object", "properties": properties},
    }


def _type(column: Iterable[Property]) -> str:
    """The JSON type of a column's values."""
    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds and kinds <= {int, float}:
        return "number"
    return "string"


def _title(places: PlaceSet, context: DocumentContext) -> str:
    return text_in(places.spec.title, context.language) or places.id
