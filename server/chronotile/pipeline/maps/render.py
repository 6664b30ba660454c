"""Show me this area at this time: a request to an encoded picture."""

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from chronotile.catalog.resolve import resolve_style
from chronotile.catalog.resolve_times import ResolvedTimes, resolve_picture_times
from chronotile.encoders.picture.geotiff import encode_geotiff, encode_picture_geotiff
from chronotile.encoders.picture.npy import encode_npy
from chronotile.encoders.picture.picture import encode_picture
from chronotile.errors import InvalidParameter, LimitExceeded, TimeNotAvailable, TooManyPieces, UnsupportedFormat
from chronotile.model.cancellation import IsActive, always_active
from chronotile.model.collection import Composite, Layer
from chronotile.model.grid import Grid
from chronotile.model.payload import Payload, TimeUsed
from chronotile.model.raster import Picture, Raster, RgbaPicture
from chronotile.model.request import (
    AS_STYLED,
    VALUE_FORMATS,
    Backdrop,
    Colouring,
    IdentifyRequest,
    LegendRequest,
    MapRequest,
    PictureFormat,
    PictureReducer,
    PlacedFormat,
)
from chronotile.model.style import Style
from chronotile.pipeline.composed import drawn_from, ground_windows
from chronotile.pipeline.maps.expressions import with_expression
from chronotile.pipeline.maps.footprints import footprints_note, footprints_picture
from chronotile.pipeline.maps.memory import larger_side, map_bytes, memory_for_map
from chronotile.pipeline.maps.not_modified import find_payload, without_body
from chronotile.pipeline.maps.rasters import MapTarget, MapValues, of_all_variables, of_one_state, shown_values
from chronotile.pipeline.maps.void_area import void_area
from chronotile.pipeline.one_state import again_if_changed
from chronotile.pipeline.revision import describe_part, fingerprint, pixel_states, revision_of_states
from chronotile.pipeline.services import Services
from chronotile.pipeline.stopwatch import Stopwatch
from chronotile.pipeline.unreadable_dates import IncompleteAnswer, UnreadableDates, etag_without, time_without
from chronotile.readers.reader import PROVISIONAL
from chronotile.styling.overlay import on_backdrop
from chronotile.styling.paint import blank_pixels, composite_picture, paint, paint_band, stack_strips
from chronotile.styling.restyle import with_colouring, with_difference, with_ramp, with_range

DIFFERENCE_STYLE = "difference"
"""The shipped style whose colours differences have; a configuration may have its own of that name."""
REVERSED = "-inv"
"""What ncWMS writes behind a ramp whose colours are the other way round."""
MAX_SIDE_PX = 65_535
"""Of any picture, and JPEG's own: what takes room a row or a column is bounded by no number of pixels."""


def render_map(
    request: MapRequest,
    services: Services,
    *,
    known: Collection[str] = (),
    is_active: IsActive = always_active,
) -> Payload:
    """Read, paint and encode the picture that `request` describes.

    Args:
        request: What to show.
        services: What to show it with.
        known: ETags of answers that the client holds; one that still holds is answered without reading pixels.
        is_active: Whether the client still waits; called while a large picture waits for memory.

    Returns:
        The picture; where the layer has no pixels, a transparent one. Of several times, one that is damaged while its
        source is there is left out, and among `unreadable`.

    Raises:
        LimitExceeded: The picture, or the times it is made of, are more than `limits` allow, or take more memory than
            there is for one answer.
        ServerBusy: Other large answers take the memory.
        ClientGone: The client disconnected.
        SourceUnavailable: A source is away, or none of the times can be read.
        ChronotileError: A name, time or parameter is not accepted.
    """
    return again_if_changed(lambda: _rendered(request, services, known, is_active))


def _rendered(request: MapRequest, services: Services, known: Collection[str], is_active: IsActive) -> Payload:
    """The picture.

    Raises:
        SourceChanged: Files that it is made of were written meanwhile.
    """
    target = resolve_map(request, services)
    payload = without_body(request, target)
    found = find_payload(payload, services, known)
    if found is not None:
        return found
    try:
        body = services.caches.payloads.get_or_make(
            target.etag,
            lambda: of_one_state([target], lambda: _within_memory(request, target, is_active)),
            is_active=is_active,
        )
    except IncompleteAnswer as answer:
        etag = etag_without(target.etag, answer.unreadable, (*answer.left_out, *answer.notes))
        time = time_without(target.time_used, answer.unreadable)
        payload = replace(
            payload, etag=etag, time=time, unreadable=answer.unreadable, left_out=answer.left_out, note=answer.note
        )
        body = answer.body
    return replace(payload, body=body, timing=target.watch.steps)


def resolve_map(request: MapRequest, services: Services) -> MapTarget:
    """Return the layer, style and times that a request means, and refuse what is too large; reads no pixels."""
    watch = Stopwatch()
    with watch.step("resolve"):
        return _resolved(request, services, watch)


def _resolved(request: MapRequest, services: Services, watch: Stopwatch) -> MapTarget:
    layer = services.catalogue.layer(request.layer)
    layer, services = with_expression(layer, request.expression, services)
    style = requested_style(request, layer, services)
    times = resolve_picture_times(layer, request.time, now=services.clock(), fills_gaps=request.fills_gaps)
    base = base_times(request, layer, services)
    used = used_times(times, base, layer)
    _check_format(request, layer)
    _check_size(request.grid, len(times.indexes) + len(used.base), services)
    reducer = _reducer(request, style, max(len(times.indexes), len(used.base)))
    grid = request.grid
    states = pixel_states(layer, used.instants + used.base, services, windows=ground_windows(layer, grid))
    drawn = drawn_from(layer, used.instants + used.base, grid, services)
    etag = fingerprint(
        revision_of_states(layer, states),
        (used.instants, used.base),
        # One that came with the request is seldom the same again, and as large as its sender likes.
        (describe_part(style) if request.own_style is None else repr(style), request.colouring),
        (grid.crs.name, grid.bbox, grid.width, grid.height),
        (request.format, request.background, layer.resampling, reducer),
        drawn,
        (layer.content.range, layer.content.gamma, request.range) if isinstance(layer.content, Composite) else None,
    )
    return MapTarget(
        layer=layer,
        style=style,
        times=times,
        time_used=used,
        base=base,
        reducer=reducer,
        services=services,
        states=replace(states, is_provisional=PROVISIONAL in drawn),
        etag=etag,
        watch=watch,
        found=UnreadableDates(layer, services),
    )


def requested_style(request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services) -> Style:
    """Return the style that a request names, with what it has in place of the style's own ramp, range and colours.

    A ramp that is stretched over the values of the picture waits for them.

    Raises:
        UnknownStyle: The layer has no such style, or there is no such ramp.
        InvalidParameter: The style has classes, which have neither, and no differences; or the layer is a composite,
            which has no ramp and no differences either.
    """
    if request.own_style is not None and layer.is_composite:
        raise InvalidParameter(f"layer {layer.id} is a composite, which takes no colour map", locator="sld")
    style = request.own_style or resolve_style(layer, request.style)
    if request.colouring != AS_STYLED and layer.is_composite:
        raise InvalidParameter(f"layer {layer.id} is a composite, which has no scale of colours", locator="style")
    if request.is_difference and layer.is_composite:
        raise InvalidParameter(
            f"layer {layer.id} is a composite, which has no values and so no difference", locator="difference"
        )
    if request.is_difference:
        style = with_difference(style, services.catalogue.ramp(DIFFERENCE_STYLE))
    style = _ramped(style, request, layer, services)
    return style if request.colouring.is_stretched else with_colouring(style, request.colouring)


def _ramped(
    style: Style, request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services
) -> Style:
    if request.ramp is None and request.range is None:
        return style
    if style.is_categorical:
        locator = "range" if request.ramp is None else "ramp"
        raise InvalidParameter(f"style {style.id} has classes, which take no {locator}", locator=locator)
    if request.ramp is not None:
        if layer.is_composite:
            raise InvalidParameter(f"layer {layer.id} is a composite, which takes a range but no ramp", locator="ramp")
        style = with_ramp(style, _ramp(request.ramp, services))
    return style if request.range is None else with_range(style, request.range)


def _ramp(name: str, services: Services) -> Style:
    """The ramp of that name, the other way round where the name ends as ncWMS writes that."""
    catalogue = services.catalogue
    plain = name.removesuffix(REVERSED)
    if name == plain or name in catalogue.styles:
        return catalogue.ramp(name)
    return with_colouring(catalogue.ramp(plain), Colouring(is_reversed=True))


def base_times(request: MapRequest | IdentifyRequest, layer: Layer, services: Services) -> ResolvedTimes | None:
    """Return the times whose values are taken away, or `None` where no difference is requested.

    Raises:
        TimeNotAvailable: The layer has no such time.
    """
    if request.difference is None:
        return None
    try:
        now = services.clock()
        return resolve_picture_times(layer, request.difference, now=now, fills_gaps=request.fills_gaps)
    except TimeNotAvailable as error:
        raise TimeNotAvailable(error.message, locator="difference", nearest=error.nearest) from error


def used_times(times: ResolvedTimes, base: ResolvedTimes | None, layer: Layer) -> TimeUsed:
    """Return the shown instants, and those of `base`, whose values are subtracted."""
    used = times.used(layer.times)
    if base is None:
        return used
    taken_away = base.used(layer.times)
    return replace(
        used,
        base=taken_away.instants,
        base_substitution=taken_away.substitution,
        is_open=used.is_open or taken_away.is_open,
    )


def _reducer(request: MapRequest, style: Style, times: int) -> PictureReducer:
    """The request; of one time all are alike."""
    if request.reducer in {"mean", "median"} and style.is_categorical:
        raise InvalidParameter(
            f"style {style.id} has classes, which have no {request.reducer}; use latest or earliest",
            locator="reducer",
        )
    return request.reducer if times > 1 else "latest"


def _within_memory(request: MapRequest, target: MapTarget, is_active: IsActive) -> bytes:
    with memory_for_map(request.grid, map_bytes(request, target), target.services.memory, is_active):
        return _encoded(request, target)


def _encoded(request: MapRequest, target: MapTarget) -> bytes:
    match request.format:
        case "image/tiff" | "application/x-npy" as value_format:
            values, units = _values_for_files(request.grid, target), target.layer.main_variable.encoding.units
            with target.watch.step("encode"):
                is_tiff = value_format == "image/tiff"
                return encode_geotiff(values, request.grid, units=units) if is_tiff else encode_npy(values)
        case picture_format:
            picture = draw_picture(request, target)
            with target.watch.step("encode"):
                return encode_on_background(picture, picture_format, request.grid, request.background)


def encode_on_background(
    picture: Picture,
    format: PictureFormat | PlacedFormat,
    grid: Grid,
    background: tuple[int, int, int] | Backdrop | None,
) -> bytes:
    """Return a picture of `grid` in a format."""
    if isinstance(background, Backdrop):
        is_void = void_area(grid) if background.void != background.colour else None
        picture, background = on_backdrop(picture, background, is_void), None
    if format == "image/geotiff":
        return encode_picture_geotiff(picture, grid, background)
    return encode_picture(picture, format, background=background)


def draw_picture(request: MapRequest, target: MapTarget) -> Picture:
    """Return the picture of a resolved request, transparent where the layer has no pixels.

    Of a mosaic that would open too many items it has their outlines, which the answer tells.

    Raises:
        TooManyPieces: In place of those, where the collection is configured so.
    """
    try:
        return _drawn(request, target)
    except TooManyPieces as error:
        if not error.may_be_outlined:
            raise
        target.found.note = footprints_note(error)
        return footprints_picture(error, request.grid)


def _drawn(request: MapRequest, target: MapTarget) -> Picture:
    if isinstance(target.layer.content, Composite):
        return _drawn_composite(request, target, target.layer.content)
    values = shown_values(request.grid, target)
    if values is None:
        return _blank(request.grid)
    style = _painted(request, target, values)

    def painted(rows: slice) -> Picture:
        raster = values.of_rows(rows)
        with target.watch.step("paint"):
            return paint(raster, style)

    return stack_strips(((rows, painted(rows)) for rows in values.strips), request.grid.height)


def painted_style(request: MapRequest, target: MapTarget) -> Style:
    """Return the style of a resolved request as its picture has it, stretched over its values where requested.

    Raises:
        SourceUnavailable: The source is gone or damaged.
        InvalidParameter: The style cannot be stretched.
    """
    values = shown_values(request.grid, target)
    return target.style if values is None else _painted(request, target, values)


def _drawn_composite(request: MapRequest, target: MapTarget, content: Composite) -> Picture:
    grid, composite = request.grid, replace(content, range=request.range or content.range)

    def painted(bands: Iterator[MapValues]) -> Picture:
        pixels = blank_pixels(grid.height, grid.width)
        for band, values in enumerate(bands):
            for rows in values.strips:
                raster = values.of_rows(rows)
                with target.watch.step("paint"):
                    paint_band(pixels[rows], band, raster, composite)
        return composite_picture(pixels)

    return of_all_variables(grid, target, content.variables, painted) or _blank(grid)


def _painted(request: MapRequest, target: MapTarget, values: MapValues) -> Style:
    if not request.colouring.is_stretched:
        return target.style
    stretched = _stretched(target.style, values, is_difference=request.is_difference)
    return with_colouring(stretched, request.colouring)


def _stretched(style: Style, values: MapValues, *, is_difference: bool) -> Style:
    """The style over the values of a picture, of differences as far to either side; as it is where all are one."""
    ends = [end for rows in values.strips for end in _ends(values.of_rows(rows))]
    if not ends or style.is_categorical:
        return style
    low, high = min(ends), max(ends)
    if is_difference:
        high = max(-low, high)
        low = -high
    return with_range(style, (low, high)) if low < high else style


def _ends(raster: Raster) -> tuple[float, ...]:
    """The least and greatest of its values, if it has any."""
    values = raster.values()
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else ()


def _values_for_files(grid: Grid, target: MapTarget) -> NDArray[np.float32]:
    """(y, x), NaN where the layer has no pixel."""
    found = np.full((grid.height, grid.width), np.nan, dtype=np.float32)
    values = shown_values(grid, target)
    if values is None:
        return found
    for rows in values.strips:
        raster = values.of_rows(rows)
        with target.watch.step("encode"):
            found[rows] = raster.values_for_files()
    return found


def _blank(grid: Grid) -> RgbaPicture:
    return RgbaPicture(np.zeros((grid.height, grid.width, 4), dtype=np.uint8))


def _check_format(request: MapRequest, layer: Layer) -> None:
    if layer.is_composite and request.format in VALUE_FORMATS:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise UnsupportedFormat(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="format"
        )


def require_sides(grid: Grid, most: int, *, alternative: str) -> None:
    """Refuse a picture that is wider or higher than `most` pixels.

    Raises:
        LimitExceeded: It is wider or higher; `alternative` describes the request to send instead.
    """
    requested = max(grid.width, grid.height)
    if requested > most:
        raise LimitExceeded(
            "pixels per side", allowed=most, needed=requested, alternative=alternative, locator=larger_side(grid)
        )


def _check_size(grid: Grid, times: int, services: Services) -> None:
    limits = services.catalogue.limits
    require_sides(grid, MAX_SIDE_PX, alternative="request a smaller picture, or use tiles")
    pixels = grid.width * grid.height
    if pixels > limits.max_pixels:
        raise LimitExceeded(
            "max_pixels",
            allowed=limits.max_pixels,
            needed=pixels,
            alternative="request a smaller picture, or use tiles",
            locator=larger_side(grid),
        )
    if times > 1 and pixels * times > limits.max_cube_values:
        raise LimitExceeded(
            "max_cube_values",
            allowed=limits.max_cube_values,
            needed=pixels * times,
            alternative="of maps it limits pixels times dates: request a shorter interval or a smaller picture",
            locator="time",
        )
