"""Series of all places of a set: one number per place and instant."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import NOTHING_MISSING
from chronotile.core.model.places import PlaceSet, PlaceValues, PlaceValuesRequest
from chronotile.core.model.request import AreaSeriesRequest
from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import BoolArray, Int64Array
from chronotile.pipeline.encoders.credits import Credits
from chronotile.pipeline.place_shapes import places_revision, shapes_in
from chronotile.pipeline.resolve_series import has_open_times, instants_of, layer_with_values, series_indexes
from chronotile.pipeline.revision import fingerprint, pixel_revision
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.pipeline.services import Services


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceValuesTarget:
    """A request resolved to places, a layer and times."""

    places: PlaceSet
    layer: Layer
    indexes: tuple[int, ...]
    """Ascending indexes into the times of the layer; `(0,)` for a layer without time."""
    numbers: Int64Array
    """Positions of the places in their set."""
    attribution: str | None
    """Authors of the layer and of the places."""
    etag: str
    is_open: bool
    """Whether the times may change soon (`TimeSelection.is_open`)."""


def resolve_place_values(request: PlaceValuesRequest, services: Services) -> PlaceValuesTarget:
    """Return the places, layer and times of a request; reads no pixels.

    Raises:
        LimitExceeded: The answer has more than `max_series_values` values.
        InvalidParameter: The reducer has more than one result, or the layer is a composite.
        ChronotileError: A name or time is invalid.
    """
    places = services.catalogue.place_set(request.places)
    layer = layer_with_values(request.layer, services)
    if request.reducer.kind == "histogram":
        raise InvalidParameter("a histogram has many numbers per place; use /timeseries", locator="reducer")
    indexes = series_indexes(layer, request.time, services)
    last = len(places) if request.limit is None else request.offset + request.limit
    page = range(len(places))[request.offset : last]
    numbers = np.array(page, dtype=np.int64) if request.numbers is None else request.numbers
    allowed, requested = services.catalogue.limits.max_series_values, len(numbers) * len(indexes)
    alternative = "request a shorter interval, or page by page with limit"
    require_at_most("max_series_values", requested, allowed, alternative=alternative, locator="time")
    times = instants_of(layer, indexes)
    attribution = Credits.from_layers([layer, Credits(attribution=places.spec.attribution)]).attribution
    etag = fingerprint(
        "place values",
        places_revision(places),
        attribution,
        pixel_revision(layer, times if len(layer.times) else (), services),
        times.tobytes(),
        (request.reducer, request.weights, request.min_valid),
        page if request.numbers is None else numbers.tobytes(),
    )
    return PlaceValuesTarget(
        places=places,
        layer=layer,
        indexes=indexes,
        numbers=numbers,
        attribution=attribution,
        etag=etag,
        is_open=has_open_times(layer, request.time),
    )


def extract_place_values(
    target: PlaceValuesTarget, request: PlaceValuesRequest, services: Services, *, is_active: IsActive = always_active
) -> PlaceValues:
    """Return the values in the native cells of each place, reduced.

    Raises:
        LimitExceeded: The places have too many cells.
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    layer, numbers = target.layer, target.numbers
    values = np.full((len(numbers), len(target.indexes)), np.nan)
    missing, without_cells = NOTHING_MISSING, 0
    near = find_places_near(target.places, layer)[numbers]
    if near.any():
        series_request = AreaSeriesRequest(
            layer=layer.id,
            areas=target.places.areas_of(numbers[near]),
            time=request.time,
            reducers=(request.reducer,),
            weights=request.weights,
            min_valid=request.min_valid,
            may_be_outside=True,
        )
        series = extract_area_series(series_request, services, is_active=is_active)
        values[near] = [area.reduced[request.reducer.name] for area in series.areas]
        missing = series.missing
        without_cells = sum(area.total == 0 for area in series.areas)
    return PlaceValues(
        places=target.places.id,
        revision=places_revision(target.places),
        layer=layer.id,
        units=layer.main_variable.encoding.units,
        reducer=request.reducer.name,
        attribution=target.attribution,
        times=instants_of(layer, target.indexes),
        ids=tuple(target.places.ids[number] for number in numbers.tolist()),
        values=values,
        missing=missing,
        without_cells=without_cells,
        offset=request.offset,
        total=len(target.places),
    )


def find_places_near(places: PlaceSet, layer: Layer) -> BoolArray:
    """Return a (place,) mask of places whose bounding box meets that of a layer, modulo 360 degrees."""
    return meets_grid(shapes_in(places, CRS84).bounds, layer.main_variable.grid)


def meets_grid(boxes: ArrayLike, grid: NativeGrid) -> BoolArray:
    """Return a (box,) mask of (box, 4) boxes in CRS84 that meet a grid, modulo 360 degrees."""
    west, south, east, north = np.asarray(boxes, dtype=np.float64).T
    box = grid.bbox_in(CRS84)
    meets = [(west + turn < box.xmax) & (east + turn > box.xmin) for turn in (-WHOLE_CIRCLE, 0.0, WHOLE_CIRCLE)]
    near: BoolArray = np.logical_or.reduce(meets) & (south < box.ymax) & (north > box.ymin)
    return near
