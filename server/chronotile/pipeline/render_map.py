"""Show me this area at this time: a request to an encoded picture."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve import resolve_style
from chronotile.catalog.resolve_times import ResolvedTimes, resolve_picture_times
from chronotile.encoders.geotiff import encode_geotiff
from chronotile.encoders.npy import encode_npy
from chronotile.encoders.picture import encode_picture
from chronotile.errors import InvalidParameter, LimitExceeded, UnsupportedFormat
from chronotile.model.collection import Composite, Layer
from chronotile.model.grid import Grid
from chronotile.model.payload import Payload, TimeUsed
from chronotile.model.raster import Picture, Raster, RgbaPicture
from chronotile.model.request import (
    PICTURE_FORMATS,
    VALUE_FORMATS,
    IdentifyRequest,
    LegendRequest,
    MapRequest,
    PictureReducer,
)
from chronotile.model.source import VariableInfo
from chronotile.model.style import Style
from chronotile.model.time import Instant
from chronotile.pipeline.expressions import with_expression
from chronotile.pipeline.revision import described, fingerprint, pixel_revision, time_index
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.stopwatch import Stopwatch
from chronotile.readers.warp import WarpPlan, plan_warp
from chronotile.stats.over_time import over_time
from chronotile.styling.paint import paint, paint_composite
from chronotile.styling.restyle import with_ramp, with_range


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTarget:
    """A request resolved to what exists."""

    layer: Layer
    style: Style
    times: ResolvedTimes
    time_used: TimeUsed
    reducer: PictureReducer
    services: Services
    """That can read the layer, if it shows an expression."""
    etag: str
    watch: Stopwatch
    """Of the request that was resolved."""


def render_map(request: MapRequest, services: Services, *, known: Collection[str] = ()) -> Payload:
    """Read, paint and encode the picture that `request` asks for.

    Args:
        request: What to show.
        services: What to show it with.
        known: ETags of answers that the client holds; one that still holds is answered without reading pixels.

    Returns:
        The picture; where the layer has no pixels, a transparent one.

    Raises:
        LimitExceeded: The picture, or the times it is made of, are more than `limits` allow.
        SourceUnavailable: A source is gone or damaged.
        ChronotileError: A name, time or parameter is not accepted.
    """
    target = resolve_map(request, services)
    if target.etag in known:
        return Payload(body=b"", media_type=request.format, etag=target.etag, time=target.time_used, unchanged=True)
    body = services.caches.payloads.get_or_make(target.etag, lambda: _encoded(request, target))
    return Payload(
        body=body, media_type=request.format, etag=target.etag, time=target.time_used, timing=target.watch.steps
    )


def resolve_map(request: MapRequest, services: Services) -> MapTarget:
    """Return the layer, style and times a request means, and refuse what is too large; reads no pixels."""
    watch = Stopwatch()
    with watch.step("resolve"):
        return _resolved(request, services, watch)


def _resolved(request: MapRequest, services: Services, watch: Stopwatch) -> MapTarget:
    layer = services.catalogue.layer(request.layer)
    layer, services = with_expression(layer, request.expression, services)
    style = requested_style(request, layer, services)
    times = resolve_picture_times(layer, request.time, now=services.clock())
    _check_format(request, layer)
    _check_size(request, times, services)
    reducer = _reducer(request, style, times)
    used = times.used(layer.times)
    grid = request.grid
    etag = fingerprint(
        pixel_revision(layer, used.instants, services),
        used.instants,
        described(style),
        (grid.crs.name, grid.bbox, grid.width, grid.height),
        (request.format, request.background, layer.resampling, reducer),
        (layer.content.range, layer.content.gamma, request.range) if isinstance(layer.content, Composite) else None,
    )
    return MapTarget(
        layer=layer,
        style=style,
        times=times,
        time_used=used,
        reducer=reducer,
        services=services,
        etag=etag,
        watch=watch,
    )


def requested_style(request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services) -> Style:
    """Return the style that a request names, with the ramp and range it has in place of the style's own.

    Raises:
        UnknownStyle: The layer has no such style, or there is no such ramp.
        InvalidParameter: The style has classes, which have neither; or the layer is a composite, which has no ramp.
    """
    style = resolve_style(layer, request.style)
    if request.ramp is None and request.range is None:
        return style
    if style.is_categorical:
        locator = "range" if request.ramp is None else "ramp"
        raise InvalidParameter(f"style {style.id} has classes, which take no {locator}", locator=locator)
    if request.ramp is not None:
        if layer.is_composite:
            raise InvalidParameter(f"layer {layer.id} is a composite, which takes a range but no ramp", locator="ramp")
        style = with_ramp(style, services.catalogue.ramp(request.ramp))
    return style if request.range is None else with_range(style, request.range)


def _reducer(request: MapRequest, style: Style, times: ResolvedTimes) -> PictureReducer:
    """What is asked for; of one time all are alike."""
    if request.reducer in {"mean", "median"} and style.is_categorical:
        raise InvalidParameter(
            f"style {style.id} has classes, of which there is no {request.reducer}; use latest or earliest",
            locator="reducer",
        )
    return request.reducer if len(times.indexes) > 1 else "latest"


def _encoded(request: MapRequest, target: MapTarget) -> bytes:
    if request.format in PICTURE_FORMATS:
        picture = _drawn(request, target)
        with target.watch.step("encode"):
            return encode_picture(picture, request.format, background=request.background)
    raster = _read(request.grid, target, target.layer.main_variable) or _nothing(request.grid, target.layer)
    with target.watch.step("encode"):
        return encode_npy(raster) if request.format == "application/x-npy" else encode_geotiff(raster, request.grid)


def _drawn(request: MapRequest, target: MapTarget) -> Picture:
    layer = target.layer
    rasters = [_read(request.grid, target, variable) for variable in layer.variables]
    present = [raster for raster in rasters if raster is not None]
    if len(present) < len(rasters):
        return RgbaPicture(np.zeros((request.grid.height, request.grid.width, 4), dtype=np.uint8))
    with target.watch.step("paint"):
        if isinstance(layer.content, Composite):
            red, green, blue = present
            content = replace(layer.content, range=request.range or layer.content.range)
            return paint_composite((red, green, blue), content)
        return paint(present[0], target.style)


def _nothing(grid: Grid, layer: Layer) -> Raster:
    """A raster without a pixel of the layer."""
    absent = np.zeros((grid.height, grid.width), dtype=bool)
    return Raster(absent.astype(np.uint8), layer.main_variable.encoding, absent)


def _check_format(request: MapRequest, layer: Layer) -> None:
    if layer.is_composite and request.format in VALUE_FORMATS:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise UnsupportedFormat(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="format"
        )


def _check_size(request: MapRequest, times: ResolvedTimes, services: Services) -> None:
    limits = services.catalogue.limits
    pixels = request.grid.width * request.grid.height
    if pixels > limits.max_pixels:
        raise LimitExceeded(
            "max_pixels", allowed=limits.max_pixels, asked=pixels, alternative="ask for a smaller picture, or for tiles"
        )
    if pixels * len(times.indexes) > limits.max_cube_values:
        raise LimitExceeded(
            "max_cube_values",
            allowed=limits.max_cube_values,
            asked=pixels * len(times.indexes),
            alternative="ask for a shorter interval or a smaller picture",
            locator="time",
        )


def _read(grid: Grid, target: MapTarget, variable: VariableInfo) -> Raster | None:
    """The variable over the resolved times, reduced; `None` where it shares no pixel with the grid."""
    plan = _plan(grid, target, variable)
    if plan is None:
        return None
    instants = target.time_used.instants or (None,)
    if len(instants) == 1:
        return _read_at(instants[0], plan, target, variable)
    if target.reducer == "earliest":
        instants = instants[::-1]
    return over_time((_read_at(instant, plan, target, variable) for instant in instants), target.reducer)


def _plan(grid: Grid, target: MapTarget, variable: VariableInfo) -> WarpPlan | None:
    resampling = target.layer.resampling
    with target.watch.step("warp"):
        return target.services.caches.plans.get_or_make(
            (variable.levels, grid, resampling), lambda: plan_warp(variable.levels, grid, resampling=resampling)
        )


def _read_at(instant: Instant | None, plan: WarpPlan, target: MapTarget, variable: VariableInfo) -> Raster:
    index = 0 if instant is None else time_index(variable.times.instants, instant)
    with target.watch.step("read"), reading(target.layer):
        pixels = plan.read(target.services.reader(target.layer), variable, index)
    with target.watch.step("warp"):
        return plan.warp(pixels, variable.encoding)
