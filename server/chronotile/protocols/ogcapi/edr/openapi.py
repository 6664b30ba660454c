"""Data queries in OpenAPI 3.0 (OGC 19-086r6 §9.5), under the operation ids of the standard's own document."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.crs import CRS84
from chronotile.model.geometry.circle import MOST_M
from chronotile.model.time.instants import format_instant
from chronotile.protocols.common.extent import crossing_box, longitude_latitude_box
from chronotile.protocols.common.openapi import (
    BINARY,
    TEXT,
    Json,
    enum_of,
    enum_of_few,
    get,
    in_path,
    ref,
)
from chronotile.protocols.common.query.parameter import NO_EXAMPLES, F, Parameter, documents
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
    OF_DATA,
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
    place = _Place.of(offered[0])
    of_point, of_area = {"coords": place.point}, {"coords": place.polygon}
    of_radius = {**of_point, "within": round(place.within), "within-units": "km"}
    return {
        f"{COLLECTION}/position": _data(POSITION, "GetDataForPoint", offered, examples=of_point),
        f"{COLLECTION}/area": _data(AREA, "GetDataForArea", offered, examples=of_area),
        f"{COLLECTION}/cube": _data(CUBE, "GetDataForCube", offered, examples={"bbox": place.box}),
        f"{COLLECTION}/radius": _data(RADIUS, "GetDataForRadius", offered, examples=of_radius),
    }


def _location_paths(placed: Sequence[Offered], catalogue: Catalogue) -> dict[str, Json]:
    places = sets_of(placed[0], catalogue)[0]
    example = f"{places.id}{BETWEEN}{places.ids[0]}"
    location = in_path("locationId", f"`set{BETWEEN}place`; several with commas", TEXT, example=example)
    return {
        f"{COLLECTION}/locations": _features(LOCATIONS, "ListCollectionDataLocations", placed),
        f"{COLLECTION}/locations/{{locationId}}": _data(
            replace(LOCATIONS, parameters=OF_DATA), "GetCollectionDataForLocation", placed, segments=[location]
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
            parameters=[_collection(offered), item, *_query([F], OF_FEATURES)],
            answers={MEDIA_TYPES[GEOJSON]: ref("EdrFeature")},
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a collection has data, as parameters say it: small, so that examples are quick."""

    point: str
    polygon: str
    box: list[float]
    within: float
    """In km."""

    @classmethod
    def of(cls, offered: Offered) -> "_Place":
        grid = offered.main_field.main_variable.grid
        west, south, east, north = crossing_box(grid) or longitude_latitude_box(offered.main_field)
        if west > east:  # the larger part of what the antimeridian divides
            west, east = (west, 180.0) if 180 - west > east + 180 else (-180.0, east)
        x, y = (west + east) / 2, (south + north) / 2
        part = min(1.0, max(0.01, 3 / min(grid.width, grid.height))) / 2
        width, height = part * (east - west), part * (north - south)
        within = min(max(1.0, 111 * max(width, height)), MOST_M / 1000)
        x, y, left, bottom, right, top = (
            float(f"{each:.6f}") for each in (x, y, x - width, y - height, x + width, y + height)
        )
        corners = ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))
        ring = ",".join(f"{each[0]!r} {each[1]!r}" for each in corners)
        return cls(
            point=f"POINT({x!r} {y!r})", polygon=f"POLYGON(({ring}))", box=[left, bottom, right, top], within=within
        )


def _data(
    query: DataQuery,
    operation: str,
    offered: Sequence[Offered],
    *,
    segments: Sequence[Json] = (),
    examples: Mapping[str, object] = NO_EXAMPLES,
) -> Json:
    """An operation that gives data; parameters with an example that is not of all queries must be there."""
    types = {name: MEDIA_TYPES[name] for name in query.formats}
    schemas = {COVERAGE_JSON: ref("EdrCoverageJson"), GEOJSON: ref("EdrFeatureCollection"), CSV: TEXT}
    answers = {media_type: schemas.get(name, BINARY) for name, media_type in types.items()}
    others = {media_type: name for media_type, name in OTHER_MEDIA_TYPES.items() if name in types}
    answers |= {media_type: schemas.get(name, BINARY) for media_type, name in others.items()}
    query_parameters = _query(query.parameters, query.formats, {**_examples(offered), **examples}, required=examples)
    parameters = [_collection(offered), *segments, *query_parameters]
    return get(operation, query.description, tag=TAG, parameters=parameters, answers=answers)


def _features(query: DataQuery, operation: str, offered: Sequence[Offered]) -> Json:
    parameters = [_collection(offered), *_query(query.parameters, OF_FEATURES, _examples(offered))]
    answers = {MEDIA_TYPES[GEOJSON]: ref("EdrFeatureCollection")}
    return get(operation, f"{query.description}, page by page", tag=TAG, parameters=parameters, answers=answers)


def _examples(offered: Sequence[Offered]) -> Mapping[str, object]:
    instants = offered[0].main_field.times.instants
    return {
        "datetime": f"{format_instant(instants[-1])}/.." if len(instants) else None,
        "parameter-name": next(iter(offered[0].fields)),
        "crs": CRS84.uri,
    }


def _collection(offered: Sequence[Offered]) -> Json:
    names = [each.id for each in offered]
    description = "Id of a collection, or id or alias of a layer, with values"
    return in_path("collectionId", description, enum_of_few(names), example=names[0])


def _query(
    parameters: Sequence[Parameter[object]],
    formats: Sequence[str],
    examples: Mapping[str, object] = NO_EXAMPLES,
    *,
    required: Collection[str] = (),
) -> list[Json]:
    """Parameters of the query, with all that OGC's suite looks for, which knows no defaults."""
    of_formats = replace(F, schema=enum_of(formats))
    documented = documents([of_formats if each is F else each for each in parameters], examples, required=required)
    return [{"required": False, **each, "style": "form", "explode": False} for each in documented]
