"""Descriptions of data queries for the OpenAPI documents, with examples that return data."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.geometry.circle import MAX_RADIUS_M
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.endpoint import Endpoint, Faults
from chronotile.protocols.common.extent import DECIMALS, ring_of, wrapped_box
from chronotile.protocols.common.openapi import BINARY, TEXT, enum_of, ref
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Operation, segment
from chronotile.protocols.common.query.parameter import NO_EXAMPLES, F, Parameter, documents
from chronotile.protocols.ogcapi.edr import formats, queries
from chronotile.protocols.ogcapi.edr.data_request import area_fault, edr_fault
from chronotile.protocols.ogcapi.edr.items import TIMELESS
from chronotile.protocols.ogcapi.edr.locations import BETWEEN
from chronotile.protocols.ogcapi.edr.params import area_request, cube_request, radius_request
from chronotile.protocols.ogcapi.edr.routes import (
    get_cells,
    get_item,
    get_items,
    get_location,
    get_locations,
    get_series,
    position_offer,
    position_query,
)
from chronotile.protocols.ogcapi.operation_parts import collection_in_path, describe, has_values


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExampleArea:
    """A small area with data as values of parameters; small, so that examples are quick."""

    point: str
    polygon: str
    box: list[float]
    within: float
    """Radius in km."""


def _example_area(offered: OfferedCollection) -> _ExampleArea:
    grid = offered.main_field.main_variable.grid
    part = grid.middle_part(max(1, min(grid.width, grid.height) // 200))
    (longitude, latitude), ring = grid.middle(), ring_of(part)
    (west, south), (east, north) = ring[0], ring[2]
    within = min(max(1.0, 111 * max(east - west, north - south) / 2), MAX_RADIUS_M / 1000)
    vertices = ",".join(f"{x!r} {y!r}" for x, y in ring)
    return _ExampleArea(
        point=f"POINT({round(longitude, DECIMALS)!r} {round(latitude, DECIMALS)!r})",
        polygon=f"POLYGON(({vertices}))",
        box=list(wrapped_box(part)),
        within=within,
    )


def _examples(offered: Sequence[OfferedCollection]) -> Mapping[str, object]:
    instants = offered[0].main_field.times.instants
    return {
        "datetime": f"{format_instant(instants[-1])}/.." if len(instants) else None,
        "parameter-name": next(iter(offered[0].fields)),
        "crs": CRS84.uri,
    }


def _query(
    parameters: Sequence[Parameter[object]],
    format_names: Sequence[str],
    examples: Mapping[str, object] = NO_EXAMPLES,
    *,
    required: Collection[str] = (),
) -> list[Json]:
    """Return parameters of the query with the defaults of OpenAPI written out: OGC's test suite requires them."""
    f = replace(F, schema=enum_of(format_names))
    documented = documents([f if p is F else p for p in parameters], examples, required=required)
    return [{"required": False, **parameter, "style": "form", "explode": False} for parameter in documented]


def _collections_with_places(examples: Examples) -> list[OfferedCollection]:
    return [offered for offered in examples.value_collections if queries.place_sets_of(offered, examples.catalogue)]


WITH_VALUES = "Id of a collection, or id or alias of a layer, with values"
COLLECTION = collection_in_path(WITH_VALUES, has_values)
COLLECTION_WITH_PLACES = collection_in_path(WITH_VALUES, _collections_with_places)
describe_data = partial(describe, tag="Environmental data retrieval", is_offered=has_values)
describe_features = partial(
    describe_data, faults=edr_fault, answers={formats.MEDIA_TYPES[formats.GEOJSON]: ref("EdrFeatureCollection")}
)
COLLECTION_PATH = "/collections/{collectionId}"


def _answers(query: queries.DataQuery) -> dict[str, Json]:
    schemas = {
        formats.COVERAGE_JSON: ref("EdrCoverageJson"),
        formats.GEOJSON: ref("EdrFeatureCollection"),
        formats.CSV: TEXT,
    }
    additional = [(media_type, name) for media_type, name in formats.OTHER_MEDIA_TYPES.items() if name in query.formats]
    types = [*((formats.MEDIA_TYPES[name], name) for name in query.formats), *additional]
    return {media_type: schemas.get(name, BINARY) for media_type, name in types}


def _data_operation(
    query: queries.DataQuery,
    handler: Endpoint,
    name: str,
    own_examples: Callable[[_ExampleArea], Mapping[str, object]],
    *,
    faults: Faults = edr_fault,
) -> Operation:
    """Return the operation of a data query; its own examples are of required parameters."""

    def parameters(examples: Examples) -> list[Json]:
        required = own_examples(_example_area(examples.value_collections[0]))
        return _query(
            query.parameters, query.formats, {**_examples(examples.value_collections), **required}, required=required
        )

    return describe_data(
        f"{COLLECTION_PATH}/{query.name}",
        handler,
        name,
        query.description,
        faults=faults,
        parameters=[COLLECTION, parameters],
        answers=_answers(query),
    )


def _example_item(examples: Examples) -> str:
    times = examples.value_collections[0].times
    return format_instant(times.instants[-1]) if len(times) else TIMELESS


def _example_location(examples: Examples) -> str:
    places = queries.place_sets_of(_collections_with_places(examples)[0], examples.catalogue)[0]
    return f"{places.id}{BETWEEN}{places.ids[0]}"


operations = (
    _data_operation(
        queries.POSITION,
        partial(get_series, queries.POSITION, position_query, position_offer),
        "GetDataForPoint",
        lambda place: {"coords": place.point},
    ),
    _data_operation(
        queries.AREA,
        partial(get_cells, area_request),
        "GetDataForArea",
        lambda place: {"coords": place.polygon},
        faults=area_fault,
    ),
    _data_operation(
        queries.CUBE, partial(get_cells, cube_request), "GetDataForCube", lambda place: {"bbox": place.box}
    ),
    _data_operation(
        queries.RADIUS,
        partial(get_cells, radius_request),
        "GetDataForRadius",
        lambda place: {"coords": place.point, "within": round(place.within), "within-units": "km"},
        faults=area_fault,
    ),
    describe_features(
        f"{COLLECTION_PATH}/items",
        get_items,
        "ListDataItems",
        f"{queries.ITEMS.description}, page by page",
        parameters=[
            COLLECTION,
            lambda of: _query(queries.ITEMS.parameters, formats.FEATURE_FORMATS, _examples(of.value_collections)),
        ],
    ),
    describe_data(
        f"{COLLECTION_PATH}/items/{{itemId}}",
        get_item,
        "GetDataForItem",
        "The data of one time",
        faults=edr_fault,
        parameters=[
            COLLECTION,
            segment("itemId", f"A time, or `{TIMELESS}` for data without a time", example=_example_item),
            lambda _of: _query([F], formats.FEATURE_FORMATS),
        ],
        answers={formats.MEDIA_TYPES[formats.GEOJSON]: ref("EdrFeature")},
    ),
    describe_features(
        f"{COLLECTION_PATH}/locations",
        get_locations,
        "ListCollectionDataLocations",
        f"{queries.LOCATIONS.description}, page by page",
        parameters=[
            COLLECTION_WITH_PLACES,
            lambda of: _query(
                queries.LOCATIONS.parameters, formats.FEATURE_FORMATS, _examples(_collections_with_places(of))
            ),
        ],
        is_offered=_collections_with_places,
    ),
    describe_data(
        f"{COLLECTION_PATH}/locations/{{locationId:path}}",
        get_location,
        "GetCollectionDataForLocation",
        queries.LOCATIONS.description,
        faults=edr_fault,
        parameters=[
            COLLECTION_WITH_PLACES,
            segment("locationId", f"`set{BETWEEN}place`; several with commas", example=_example_location),
            lambda of: _query(
                queries.DATA_PARAMETERS, queries.LOCATIONS.formats, _examples(_collections_with_places(of))
            ),
        ],
        answers=_answers(queries.LOCATIONS),
        is_offered=_collections_with_places,
    ),
)
