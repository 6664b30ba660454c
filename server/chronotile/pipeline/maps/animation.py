"""Show me this area through time: a request to a time-lapse."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times, time_not_available
from chronotile.core.errors import REPLACE_FILES, DateUnreadable, InvalidParameter, require_at_most
from chronotile.core.extras import has_extra, require_extra
from chronotile.core.model.animation import AnimationRequest, Film, Frame
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.payload import PixelStates, TimeUsed, join_missing
from chronotile.core.model.raster import Picture
from chronotile.core.model.request import IsActive, MapRequest, always_active, require_active
from chronotile.core.model.style import Style
from chronotile.core.model.time.instants import ABSENT, DAY, Period, TimePart, TimeSelection, TimeSpan, format_day
from chronotile.core.model.types import Instant
from chronotile.core.stats.period_means import periods_of
from chronotile.pipeline.answer import FilePayload, mark_missing, times_without
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.encoders.animation.animation import encode_animation
from chronotile.pipeline.encoders.animation.mp4 import LARGE_PIXELS
from chronotile.pipeline.encoders.file_parts import (
    IN_MEMORY_BYTES,
    TEMPORARY,
    Body,
    FileParts,
    Scratch,
    Whole,
    translate_storage_errors,
)
from chronotile.pipeline.encoders.picture.picture import WHITE, on_background
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.maps.legend import layer_title, style_details
from chronotile.pipeline.maps.rasters import RGBA_BYTES, drawing_bytes, drawing_seconds
from chronotile.pipeline.maps.render import draw_picture
from chronotile.pipeline.maps.resolve import (
    MapTarget,
    requested_style,
    require_sides,
    resolve_map,
    shown_units,
    with_expression,
)
from chronotile.pipeline.maps.times import anomaly_title
from chronotile.pipeline.mosaics import native_windows
from chronotile.pipeline.resolve_series import instants_of, selection_of
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.cards import Lettering, lay_cards

YEAR = 12
"""Months."""
NOTHING = np.timedelta64(0, "ns")
LAST = np.timedelta64(-1, "ns")
"""From the end of a period, which does not belong to it, to what does."""


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """What a frame shows."""

    indexes: tuple[int, ...]
    """Into the layer's times, ascending."""
    text: str
    """For people: `2020-06-01`, `2020-06-20 10:50`, `2020-06`, `2020-06-01 to 2020-06-10`."""
    period: TimeSpan | None = None
    """Of a step that is a period."""


def frame_times(layer: Layer, time: TimeSelection, step: int | Period, *, now: Instant) -> tuple[FrameTimes, ...]:
    """Return the times of each frame, at least one frame.

    Args:
        layer: The layer of the times.
        time: The requested times; default: all.
        step: A number N: every Nth time is a frame, beginning with the first. A period: all times in one are a frame.
            Periods are those of the calendar (`stats.period_means.period_starts`); one without times is not a frame.
        now: The current time.

    Raises:
        InvalidParameter: The layer has no times.
        TimeNotAvailable: It has none of those requested.
    """
    if len(layer.times) == 0:
        raise InvalidParameter(f"layer {layer.id} has no times; request a map of it", locator="layer")
    indexes = resolve_series_times(layer, time, now=now).indexes
    if not indexes:
        raise time_not_available(layer, time)
    if isinstance(step, Period):
        periods = periods_of(instants_of(layer, indexes), step)
        groups = np.split(np.array(indexes), periods.bounds[1:])
        return tuple(
            FrameTimes(tuple(group.tolist()), _period_text(start, step), TimeSpan(start, _end(start, step)))
            for start, group in zip(periods.starts, groups, strict=True)
        )
    write = format_day if layer.times.has_day_precision else _minute_text
    return tuple(FrameTimes((index,), write(layer.times.instants[index])) for index in indexes[::step])


def _end(start: Instant, period: Period) -> Instant:
    """Exclusive; the last of a year that is cut short ends with the year."""
    end = period.step(start, 1)
    if period.months or period.is_dekad:
        return end
    return min(end, np.datetime64(start.astype("datetime64[Y]") + np.timedelta64(1, "Y"), "ns"))


def _period_text(start: Instant, period: Period) -> str:
    """As short as possible."""
    last = _end(start, period) + LAST
    if period.months:
        unit = "Y" if period.months % YEAR == 0 else "M"
        texts = [str(each.astype(f"datetime64[{unit}]")) for each in (start, last)]
    elif period.is_dekad or period.fixed % DAY == NOTHING:
        texts = [format_day(start), format_day(last)]
    else:
        texts = [_minute_text(start)]
    return " to ".join(dict.fromkeys(texts))


def _minute_text(instant: Instant) -> str:
    day, clock = str(instant.astype("datetime64[m]")).split("T")
    return f"{day} {clock}"


FILE_VERSION = "1"
"""Part of every ETag: raise it when the same frames give other bytes."""
FRAME_PIXEL_S = 60e-9
"""Processor time to letter and encode a pixel of a frame."""
SAMPLED_FRAMES = 16
FEWER_FRAMES = "request a shorter datetime, or use fewer of its times with step, such as step=2 or step=P1M"
MAX_FRAMES = 1000
MAX_SIDE_PX = 4096
"""What decoders of H.264 in devices take."""
SMALLER_FILM = "request a smaller picture, or use GIF, which takes least"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationPayload(FilePayload):
    """An animation as a file. Its times are those of all frames."""

    frames: int
    """Number of frames."""
    requested_frames: int
    """Number of frames for all requested times; larger than `frames` if only the newest were requested."""
    frame_states: tuple[tuple[TimeUsed, PixelStates], ...]
    """Times and fingerprints of each frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shot:
    """A frame resolved to what exists."""

    text: str
    """Its times, for people."""
    request: MapRequest
    target: MapTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """A time-lapse resolved to what exists."""

    shots: tuple[_Shot, ...]
    lettering: Lettering
    payload: AnimationPayload
    """Without its body."""


def usual_format() -> AnimationFormat:
    """Return the format that links lead to: MP4, which has the fewest bytes, where its library is installed."""
    return AnimationFormat.MP4 if has_extra("video") else AnimationFormat.GIF


def find_animation(
    request: AnimationRequest, services: Services, *, client_etags: Collection[str] = (), with_body: bool = True
) -> AnimationPayload | None:
    """Return what can be answered at once, `None` where `render_animation` has frames to make; reads no pixels.

    Args:
        request: What to show.
        services: What to show it with.
        client_etags: ETags of answers that the client has.
        with_body: Otherwise it is empty: for who wants to know what it would be.

    Raises:
        ChronotileError: As `render_animation`, of what is known before frames are made.
    """
    return _find_animation(_resolved(request, services), services, client_etags=client_etags, with_body=with_body)


def render_animation(  # noqa: PLR0913 -- what is shown, and how it is made, each by its name
    request: AnimationRequest,
    services: Services,
    *,
    client_etags: Collection[str] = (),
    pictures: Iterable[Picture | None] | None = None,
    scratch: Scratch = TEMPORARY,
    most_bytes: int | None = None,
    is_active: IsActive = always_active,
) -> AnimationPayload:
    """Read, paint, letter and encode the frames that `request` describes, one after the other, on white.

    Args:
        request: What to show.
        services: What to show it with.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.
        pictures: Of all frames, where `draw_frames` gave them before; else they are drawn. `None` is left out.
        scratch: Where the file is written.
        most_bytes: The most that it may have; by default what requests may.
        is_active: Whether the client still waits; called before each frame.

    Raises:
        LimitExceeded: The frames are too many or too large, their pixels together with the times they are made of are
            more than `max_animation_pixels`, they take more memory than there is for one answer, or the file is larger
            than may be.
        ServerBusy: Other large answers take the memory.
        StorageFull: There is no room to write it.
        SourceUnavailable: A source is away, or no frame can be read.
        ClientGone: The client disconnected.
        ChronotileError: A name, time or parameter is not accepted, or the layer has no times.
    """
    resolved = _resolved(request, services)
    found = _find_animation(resolved, services, client_etags=client_etags, with_body=True)
    if found is not None:
        return found
    shown, shots, payload = request.shown, resolved.shots, resolved.payload
    require_seconds(_seconds(shots), services, alternative=FEWER_FRAMES, locator="step")
    film = Film(width=shown.grid.width, height=shown.grid.height, fps=request.fps, count=len(shots))
    pixels = shown.grid.width * shown.grid.height
    held = request.format.small_frame_bytes if pixels <= LARGE_PIXELS else request.format.frame_bytes
    size = pixels * (RGBA_BYTES + held)
    if pictures is None:
        pictures = _drawn(shots, is_active)
        size += _drawing_bytes(shots)
    with _memory(size, services, is_active), translate_storage_errors():
        frames = _frames(pictures, resolved.lettering)
        body = encode_animation(frames, film, request.format, scratch=scratch, most_bytes=most_bytes)
    missing = join_missing(shot.target.unreadable.missing for shot in shots)
    if missing:
        time = times_without(payload.time, missing.unreadable_times)
        return mark_missing(replace(payload, body=body, time=time), missing)
    return replace(payload, body=_cache_if_small(body, payload.etag, services))


def estimate_animation(request: AnimationRequest, services: Services) -> float:
    """Return the processor time of `render_animation`; reads no pixels.

    Raises:
        ChronotileError: As `render_animation`, of what is known before frames are made.
    """
    return _seconds(_resolved(request, services).shots)


def _seconds(shots: Sequence[_Shot]) -> float:
    """The processor time of all frames, of which some are estimated."""
    some = shots[:: max(1, len(shots) // SAMPLED_FRAMES)]
    grid = some[0].request.grid
    drawing_s = sum(drawing_seconds(grid, shot.target) for shot in some) / len(some)
    return len(shots) * (drawing_s + grid.width * grid.height * FRAME_PIXEL_S)


def draw_frames(
    request: AnimationRequest, services: Services, own: range, *, is_active: IsActive = always_active
) -> Iterator[Picture | None]:
    """Give pictures of some of the frames, on white, with nothing written on them; `None` of what cannot be read.

    Memory is taken for all of them together, until the last was given.

    Args:
        request: What to show.
        services: What to show it with.
        own: Which of all frames.
        is_active: Whether the client still waits; called before each frame.

    Raises:
        ChronotileError: As `render_animation`.
    """
    shown = request.shown
    layer, _reading = with_expression(services.catalogue.layer(shown.layer), shown.expression, services)
    frames = frame_times(layer, shown.time, request.step, now=services.clock())
    shots = tuple(_shot(shown, layer, frames[number], services) for number in own)
    with _memory(_drawing_bytes(shots), services, is_active):
        yield from _drawn(shots, is_active)


def _resolved(request: AnimationRequest, services: Services) -> _Resolved:
    if request.format == AnimationFormat.MP4:
        require_extra("video", "MP4", locator="format")
    shown = request.shown
    layer, reading = with_expression(services.catalogue.layer(shown.layer), shown.expression, services)
    style = requested_style(shown, layer, reading)
    requested_frames = frame_times(layer, shown.time, request.step, now=services.clock())
    frames = requested_frames if request.newest is None else requested_frames[-request.newest :]
    _check_size(request, frames, services)
    shots = tuple(_shot(shown, layer, frame, services) for frame in frames)
    if shown.anomaly is not None:
        used = [shot.target.time_used for shot in shots]
        _check_pixels(request, sum(len(each.instants + each.base) for each in used), services)
    lettering = _lettering(request, layer, style, shots)
    states = [shot.target.etag for shot in shots]
    payload = AnimationPayload(
        media_type=request.format,
        etag=fingerprint("animation", FILE_VERSION, states, lettering, request.fps, request.format),
        file_name=_file_name(layer, shots, request.format),
        time=_time_used(shots),
        frames=len(shots),
        requested_frames=len(requested_frames),
        body=Whole(b""),
        frame_states=tuple((shot.target.time_used, shot.target.states) for shot in shots),
    )
    return _Resolved(shots=shots, lettering=lettering, payload=payload)


def _find_animation(
    resolved: _Resolved, services: Services, *, client_etags: Collection[str], with_body: bool
) -> AnimationPayload | None:
    payload = resolved.payload
    if payload.etag in client_etags:
        return replace(payload, unchanged=True)
    if not with_body:
        return payload
    cached = services.caches.payloads.get(payload.etag)
    return None if cached is None else replace(payload, body=Whole(cached))


def _shot(shown: MapRequest, layer: Layer, frame: FrameTimes, services: Services) -> _Shot:
    time = selection_of(layer.times, frame.indexes, is_of_open=shown.time.is_open)
    if shown.anomaly is not None and frame.period is not None:  # whose own anomaly it is, whichever of it is requested
        time = TimeSelection("parts", (TimePart(frame.period, is_interval=True),), is_of_open=time.is_of_open)
    request = replace(shown, time=time)
    return _Shot(text=frame.text, request=request, target=resolve_map(request, services))


def _drawn(shots: Iterable[_Shot], is_active: IsActive) -> Iterator[Picture | None]:
    for shot in shots:
        require_active(is_active)
        try:
            yield on_background(_drawn_frame(shot), WHITE)
        except DateUnreadable:  # which its target lists
            yield None


def _drawn_frame(shot: _Shot) -> Picture:
    target = shot.target
    draw = partial(draw_picture, shot.request, target)
    places = (native_windows(target.layer, shot.request.grid),)
    return read_unchanged_files(draw, target.layer, target.times.indexes, target.services, places=places)


def _memory(size: int, services: Services, is_active: IsActive) -> AbstractContextManager[None]:
    return services.memory.taking(size, alternative=SMALLER_FILM, locator="width", is_active=is_active)


def _drawing_bytes(shots: Sequence[_Shot]) -> int:
    # The bytes needed to draw the frame with most dates; all frames have the same grid and layer.
    largest = max(shots, key=lambda shot: len(shot.target.time_used.instants + shot.target.time_used.base))
    return drawing_bytes(largest.request, largest.target)


def _frames(pictures: Iterable[Picture | None], lettering: Lettering) -> Iterator[Frame]:
    """Those that are left in.

    Raises:
        DateUnreadable: There is none.
    """
    fixed, dates = lay_cards(lettering)
    has_any = False
    for number, picture in enumerate(pictures):
        if picture is not None:
            has_any = True
            yield Frame(picture, (*fixed, *dates[number : number + 1]))
    if not has_any:
        raise DateUnreadable(f"none of the dates of the animation can be read; {REPLACE_FILES}")


def _lettering(request: AnimationRequest, layer: Layer, style: Style, shots: tuple[_Shot, ...]) -> Lettering:
    grid, labels = request.shown.grid, request.labels
    has_flags = any(shot.target.reducer == "latest" for shot in shots) and request.shown.anomaly is None
    return Lettering(
        width=grid.width,
        height=grid.height,
        dates=tuple(map(_date_text, shots)) if "date" in labels else (),
        attribution=layer.attribution if "attribution" in labels else None,
        legend=style_details(layer, style, has_flags=has_flags)
        if "legend" in labels and not layer.is_composite
        else None,
        title=anomaly_title(replace(request.shown, time=ABSENT), layer_title(layer)),
        units=shown_units(layer, request.shown),
    )


def _date_text(shot: _Shot) -> str:
    """With how several times became one picture, where that is not by taking the newest, and what was taken away."""
    text, target = shot.text, shot.target
    if target.reducer != "latest":
        text = f"{text}, {target.reducer}"
    base = target.time_used.base
    if not base or target.anomaly is not None:
        return text
    first, last = format_day(base[-1]), format_day(base[0])
    return f"{text} minus {first if first == last else f'{first} to {last}'}"


def _cache_if_small(body: FileParts, etag: str, services: Services) -> Body:
    """The file; a small one is cached like a picture, since it took long and pages show it again."""
    if body.size > IN_MEMORY_BYTES:
        return body
    with closing(body):
        return Whole(services.caches.payloads.get_or_make(etag, lambda: b"".join(body.iter_bytes())))


def _time_used(shots: tuple[_Shot, ...]) -> TimeUsed:
    used = [shot.target.time_used for shot in reversed(shots)]
    return TimeUsed(
        instants=tuple(instant for each in used for instant in each.instants),
        base=used[0].base,
        is_open=any(each.is_open for each in used),
    )


def _file_name(layer: Layer, shots: tuple[_Shot, ...], format: AnimationFormat) -> str:
    """`layer_first_last.gif`, of letters, digits, dots and dashes alone."""
    first, last = shots[0].target.time_used.instants[-1], shots[-1].target.time_used.instants[0]
    days = dict.fromkeys((format_day(first), format_day(last)))
    return "_".join([_UNSAFE.sub("-", layer.id), *days]) + f".{format.extension}"


def _check_size(request: AnimationRequest, frames: tuple[FrameTimes, ...], services: Services) -> None:
    require_sides(request.shown.grid, MAX_SIDE_PX, alternative="request a smaller picture")
    require_at_most("frames of an animation", len(frames), MAX_FRAMES, alternative=FEWER_FRAMES, locator="step")
    _check_pixels(request, sum(len(frame.indexes) for frame in frames), services)


def _check_pixels(request: AnimationRequest, times: int, services: Services) -> None:
    """Refuse more than `max_animation_pixels` of all times that are read."""
    grid, allowed = request.shown.grid, services.catalogue.limits.max_animation_pixels
    requested = grid.width * grid.height * times
    alternative = "request a smaller picture, a shorter datetime, or fewer of its times, such as with step=2"
    require_at_most("max_animation_pixels", requested, allowed, alternative=alternative, locator="width")
