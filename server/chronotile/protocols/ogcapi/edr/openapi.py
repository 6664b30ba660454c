"""Data queries in OpenAPI 3.0 (OGC 19-086r6 §9.5), under the operation ids of the standard's own document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.crs import CRS84
from chronotile.model.geometry.lengths import LENGTHS_M
from chronotile.model.time.instants import format_instant
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.common.openapi import (
    BINARY,
    BOX,
    INDEX,
    NUMBER,
    TEXT,
    Json,
    enum_of,
    enum_of_few,
    get,
    in_path,
    ref,
)
from chronotile.protocols.ogcapi.edr.features import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET
from chronotile.protocols.ogcapi.edr.formats import (
    COVERAGE_JSON,
    CSV,
    GEOJSON,
    MEDIA_TYPES,
    OF_FEATURES,
    OTHER_MEDIA_TYPES,
)
from chronotile.protocols.ogcapi.edr.items import TIMELESS
from chronotile.protocols.ogcapi.edr.locations import BETWEEN
from chronotile.protocols.ogcapi.edr.queries import (
    AREA,
    CUBE,
    ITEMS,
    LOCATIONS,
    POSITION,
    RADIUS,
    DataQuery,
    sets_of,
)

TAG = "Environmental data retrieval"
COLLECTION = "/collections/{collectionId}"


def edr_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address; none where no collection has values."""
    offered = [each for each in offered_collections(catalogue) if each.has_values]
    if not offered:
        return {}
    paths = {**_data_paths(offered), **_item_paths(offered)}
    placed = [each for each in offered if sets_of(each, catalogue)]
    return {**paths, **_location_paths(placed, catalogue)} if placed else paths


def _data_paths(offered: Sequence[Offered]) -> dict[str, Json]:
    place, shared = _Place.of(offered[0]), _shared(offered)
    size = {**INDEX, "maximum": 1 << 20}
    of_cube = [
        _query("bbox", "Lower and upper corner, in `crs`; heights are left out", BOX, example=place.box, needed=True),
        _query("resolution-x", "How many columns; otherwise, and for 0, the native ones", size),
        _query("resolution-y", "How many rows; otherwise, and for 0, the native ones", size),
    ]
    of_radius = [
        _coords("POINT", place.point),
        _query("within", "How far from the point, along the ground", NUMBER, example=1, needed=True),
        _query("within-units", "Of `within`", enum_of(tuple(LENGTHS_M)), example="km", needed=True),
    ]
    of_position = [_coords("POINT, or MULTIPOINT for several places", place.point)]
    of_area = [_coords("POLYGON or MULTIPOLYGON", place.polygon)]
    return {
        f"{COLLECTION}/position": _data(POSITION, "GetDataForPoint", [*shared, *of_position]),
        f"{COLLECTION}/area": _data(AREA, "GetDataForArea", [*shared, *of_area]),
        f"{COLLECTION}/cube": _data(CUBE, "GetDataForCube", [*shared, *of_cube]),
        f"{COLLECTION}/radius": _data(RADIUS, "GetDataForRadius", [*shared, *of_radius]),
    }


def _location_paths(placed: Sequence[Offered], catalogue: Catalogue) -> dict[str, Json]:
    places = sets_of(placed[0], catalogue)[0]
    example = f"{places.id}{BETWEEN}{places.ids[0]}"
    location = in_path("locationId", f"`set{BETWEEN}place`; several with commas", TEXT, example=example)
    return {
        f"{COLLECTION}/locations": _features(LOCATIONS, "ListCollectionDataLocations", placed),
        f"{COLLECTION}/locations/{{locationId}}": _data(
            LOCATIONS, "GetCollectionDataForLocation", [location, *_shared(placed)]
        ),
    }


def _item_paths(offered: Sequence[Offered]) -> dict[str, Json]:
    times = offered[0].times
    example = format_instant(times.instants[-1]) if len(times) else TIMELESS
    item = in_path("itemId", f"A time, or `{TIMELESS}` where data have none", TEXT, example=example)
    return {
        f"{COLLECTION}/items": _features(ITEMS, "ListDataItems", offered),
        f"{COLLECTION}/items/{{itemId}}": get(
            "GetDataForItem",
            "One of the times",
            tag=TAG,
            parameters=[_collection(offered), item, _format(OF_FEATURES)],
            answers={MEDIA_TYPES[GEOJSON]: ref("EdrFeature")},
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a collection has data, as parameters say it: small, so that examples are quick."""

    point: str
    polygon: str
    box: list[float]

    @classmethod
    def of(cls, offered: Offered) -> "_Place":
        west, south, east, north = longitude_latitude_box(offered.main_field)
        x, y = (west + east) / 2, (south + north) / 2
        right, top = x + (east - west) / 100, y + (north - south) / 100
        x, y, right, top = (float(f"{each:.6f}") for each in (x, y, right, top))
        corners = ((x, y), (right, y), (right, top), (x, top), (x, y))
        ring = ",".join(f"{each[0]!r} {each[1]!r}" for each in corners)
        return cls(point=f"POINT({x!r} {y!r})", polygon=f"POLYGON(({ring}))", box=[x, y, right, top])


def _data(query: DataQuery, operation: str, parameters: Sequence[Json]) -> Json:
    types = {name: MEDIA_TYPES[name] for name in query.formats}
    schemas = {COVERAGE_JSON: ref("EdrCoverageJson"), GEOJSON: ref("EdrFeatureCollection"), CSV: TEXT}
    answers = {media_type: schemas.get(name, BINARY) for name, media_type in types.items()}
    others = {media_type: name for media_type, name in OTHER_MEDIA_TYPES.items() if name in types}
    answers |= {media_type: schemas.get(name, BINARY) for media_type, name in others.items()}
    return get(operation, query.description, tag=TAG, parameters=[*parameters, _format(query.formats)], answers=answers)


def _features(query: DataQuery, operation: str, offered: Sequence[Offered]) -> Json:
    parameters = [
        *_shared(offered),
        _query("bbox", "West, south, east, north in CRS84: features that reach into it", BOX),
        _query(
            "limit",
            f"The most features of one answer; {MAX_LIMIT} stands for all that is more",
            {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
        ),
        _query(
            "offset",
            "How many features come before the first; links of `next` have it",
            {**INDEX, "maximum": MAX_OFFSET, "default": 0},
        ),
        _format(OF_FEATURES),
    ]
    answers = {MEDIA_TYPES[GEOJSON]: ref("EdrFeatureCollection")}
    return get(operation, f"{query.description}, page by page", tag=TAG, parameters=parameters, answers=answers)


def _shared(offered: Sequence[Offered]) -> list[Json]:
    first = offered[0]
    instants = first.main_field.times.instants
    return [
        _collection(offered),
        _query(
            "datetime",
            "An instant or an interval, either end of which may be open (`..`), or several with commas; otherwise all",
            TEXT,
            example=f"{format_instant(instants[-1])}/.." if len(instants) else None,
        ),
        _query("parameter-name", "Several with commas; otherwise all", TEXT, example=next(iter(first.fields))),
        _query(
            "crs",
            "Of `coords` or `bbox`, in its axis order, and of the answer; otherwise places are in CRS84 and cells are "
            "native ones",
            TEXT,
            example=CRS84.uri,
        ),
        _query("z", "Levels; none of the data has any, and so any are accepted", TEXT),
    ]


def _collection(offered: Sequence[Offered]) -> Json:
    names = [each.id for each in offered]
    description = "Id of a collection, or id or alias of a layer, with values"
    return in_path("collectionId", description, enum_of_few(names), example=names[0])


def _coords(kind: str, example: str) -> Json:
    return _query("coords", f"Well-known text of a {kind}, in `crs`", TEXT, example=example, needed=True)


def _format(names: Sequence[str]) -> Json:
    return _query("f", "The format, in place of what the Accept header asks for", enum_of(names))


def _query(name: str, description: str, schema: Json, *, example: object = None, needed: bool = False) -> Json:
    """A parameter of the query, with all that OGC's suite looks for, which knows no defaults."""
    given = {} if example is None else {"example": example}
    where = {"name": name, "in": "query", "required": needed, "style": "form", "explode": False}
    return {**where, "description": description, "schema": schema, **given}
