"""What happened at this place: the values of one native cell along time."""

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.errors import InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, transformer
from chronotile.model.raster import REASON_NODATA, BoolArray, Encoding, Pixels
from chronotile.model.request import Point, SeriesRequest
from chronotile.model.series import Series
from chronotile.model.time import InstantArray
from chronotile.pipeline.services import Services


def extract_series(request: SeriesRequest, services: Services) -> Series:
    """Return the values of the native cell that holds the point, in full precision.

    Raises:
        InvalidParameter: The point lies outside the layer, or the layer is a composite.
        LimitExceeded: The series is longer than `max_series_values`.
        SourceUnavailable: The source is gone or damaged.
        ChronotileError: A name or time is not accepted.
    """
    layer = services.catalogue.layer(request.layer)
    if layer.is_composite:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise InvalidParameter(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="layer"
        )
    times = resolve_series_times(layer, request.time, now=services.clock())
    _check_length(len(times.indexes), services)
    pixels = _read(layer, times.indexes, _cell(layer, request.point), services)
    encoding = layer.main_variable.encoding
    valid = encoding.valid(pixels.numbers)
    if pixels.valid is not None:
        valid &= pixels.valid
    longitude, latitude = _longitude_latitude(request.point)
    return Series(
        layer=layer.id,
        units=encoding.units,
        longitude=longitude,
        latitude=latitude,
        times=_instants(layer, times.indexes),
        values=np.where(valid, encoding.values(pixels.numbers), np.nan),
        reasons=_reasons(pixels, valid, encoding),
    )


def _check_length(count: int, services: Services) -> None:
    allowed = services.catalogue.limits.max_series_values
    if count > allowed:
        raise LimitExceeded(
            "max_series_values", allowed=allowed, asked=count, alternative="ask for a shorter interval", locator="time"
        )


def _cell(layer: Layer, point: Point) -> tuple[int, int]:
    grid = layer.main_variable.grid
    x, y = (point.x, point.y)
    if point.crs != grid.crs:
        x, y = transformer(point.crs, grid.crs).transform(x, y)
    cell = grid.cell_at(x, y)
    if cell is None:
        west, south, east, north = grid.bbox_in(CRS84)
        raise InvalidParameter(
            f"the point lies outside layer {layer.id}, which reaches from {west:.6g} to {east:.6g} in longitude and "
            f"from {south:.6g} to {north:.6g} in latitude{_swapped_hint(point, layer)}",
            locator="point",
        )
    return cell


def _swapped_hint(point: Point, layer: Layer) -> str:
    """Latitude given as longitude is the commonest mistake; say so where the swapped point lies inside."""
    west, south, east, north = layer.main_variable.grid.bbox_in(CRS84)
    if point.crs.is_geographic and west <= point.y <= east and south <= point.x <= north:
        return "; longitude and latitude seem to be swapped"
    return ""


def _longitude_latitude(point: Point) -> tuple[float, float]:
    if point.crs == CRS84:
        return point.x, point.y
    longitude, latitude = transformer(point.crs, CRS84).transform(point.x, point.y)
    return float(longitude), float(latitude)


def _read(layer: Layer, indexes: tuple[int, ...], cell: tuple[int, int], services: Services) -> Pixels:
    if not indexes:
        return Pixels(np.array([], dtype=layer.main_variable.encoding.dtype))
    try:
        return services.reader(layer).read_cell(layer.main_variable.name, indexes=indexes, row=cell[0], column=cell[1])
    except SourceUnavailable as error:
        raise SourceUnavailable(f"layer {layer.id} cannot be read now: {error.message}") from error


def _instants(layer: Layer, indexes: tuple[int, ...]) -> InstantArray:
    """(time,): those of the indexes; none of a layer without time, whose series is one value long all the same."""
    return layer.times.instants[list(indexes)] if len(layer.times) else layer.times.instants


def _reasons(pixels: Pixels, valid: BoolArray, encoding: Encoding) -> tuple[str | None, ...]:
    """A cell that the source's own mask takes away is nodata whatever its number."""
    reasons = encoding.reasons(pixels.numbers, valid)
    if pixels.valid is None:
        return tuple(reasons)
    return tuple(
        reason if present else REASON_NODATA for reason, present in zip(reasons, pixels.valid.tolist(), strict=True)
    )
