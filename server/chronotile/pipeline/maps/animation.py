"""Animations: a picture of a layer at each of many times, with labels, encoded as one file."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial

from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.errors import REPLACE_FILES, DateUnreadable, require_at_most
from chronotile.core.extras import has_extra, require_extra
from chronotile.core.model.animation import AnimationRequest, Film, Frame
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.payload import PixelStates, TimeUsed, join_missing
from chronotile.core.model.picture import Picture
from chronotile.core.model.request import MapRequest
from chronotile.core.model.style import Style
from chronotile.core.model.time.instants import format_day
from chronotile.core.model.time.selection import ABSENT, TimePart, TimeSelection
from chronotile.pipeline.cached_answer import FilePayload, mark_missing, times_without
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.download_names import plain_name
from chronotile.pipeline.encoders.animation.animation import encode_animation
from chronotile.pipeline.encoders.animation.mp4 import LARGE_PIXELS
from chronotile.pipeline.encoders.bodies import Body, BytesBody, ConcatenatedFiles, translate_storage_errors
from chronotile.pipeline.encoders.picture.picture import WHITE, add_background
from chronotile.pipeline.encoders.scratch_files import IN_MEMORY_BYTES, TEMPORARY, Scratch
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.maps.draw import draw_picture
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.maps.frame_times import FrameTimes, list_frames
from chronotile.pipeline.maps.legend import style_details
from chronotile.pipeline.maps.memory import RGBA_BYTES, drawing_bytes
from chronotile.pipeline.maps.rasters import drawing_seconds
from chronotile.pipeline.maps.resolve import MapTarget, resolve_map
from chronotile.pipeline.maps.size_limits import require_sides
from chronotile.pipeline.maps.style_range import map_units, resolve_map_style
from chronotile.pipeline.maps.titles import anomaly_title, layer_title
from chronotile.pipeline.mosaic_plans import native_windows
from chronotile.pipeline.resolve_series import selection_of
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.cards import Lettering, lay_cards

FILE_VERSION = "1"
"""Part of every ETag; increase it if the same frames are encoded differently."""
FRAME_PIXEL_S = 60e-9
"""Processor time to label and encode a pixel of a frame."""
SAMPLED_FRAMES = 16
FEWER_FRAMES = "request a shorter datetime, or use fewer of its times with step, such as step=2 or step=P1M"
MAX_FRAMES = 1000
MAX_SIDE_PX = 4096
"""Limit of the H.264 decoders of devices."""
SMALLER_FILM = "request a smaller picture, or use GIF, which takes least"


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
    """A resolved frame."""

    text: str
    """Label with its times."""
    request: MapRequest
    target: MapTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    """A resolved animation."""

    shots: tuple[_Shot, ...]
    lettering: Lettering
    payload: AnimationPayload
    """The answer without its body."""


def usual_format() -> AnimationFormat:
    """Return the format of links: MP4, the smallest, if its library is installed, else GIF."""
    return AnimationFormat.MP4 if has_extra("video") else AnimationFormat.GIF


def find_animation(
    request: AnimationRequest, services: Services, *, client_etags: Collection[str] = (), with_body: bool = True
) -> AnimationPayload | None:
    """Return the answer of `render_animation` if the client or the cache has it, else `None`; reads no pixels.

    Args:
        request: The animation.
        services: The services that read it.
        client_etags: ETags of answers that the client has.
        with_body: If false, the answer is returned without a body, for a HEAD request.

    Raises:
        ChronotileError: As `render_animation`, for errors that are found before frames are drawn.
    """
    return _find_answer(_resolve_animation(request, services), services, client_etags=client_etags, with_body=with_body)


def render_animation(  # noqa: PLR0913 -- keyword parameters of independent concerns
    request: AnimationRequest,
    services: Services,
    *,
    client_etags: Collection[str] = (),
    pictures: Iterable[Picture | None] | None = None,
    scratch: Scratch = TEMPORARY,
    most_bytes: int | None = None,
    is_active: IsActive = always_active,
) -> AnimationPayload:
    """Read, paint, label and encode the frames of an animation, one after another, on white.

    Unreadable dates are skipped and listed in `missing`.

    Args:
        request: The animation.
        services: The services that read it.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.
        pictures: Pictures of all frames from `draw_frames`; `None` in it is an unreadable frame. By default they are
            drawn.
        scratch: Where the file is written.
        most_bytes: The largest size of the file; by default that of requests.
        is_active: Whether the client still waits; called before each frame.

    Raises:
        LimitExceeded: The frames are too many or too large, the pixels of all times exceed `max_animation_pixels`,
            drawing needs more memory than one answer may take, or the file is too large.
        ServerBusy: Other large answers take the memory.
        StorageFull: The disk is full.
        SourceUnavailable: A source is unreachable, or no frame can be read.
        ClientGone: The client disconnected.
        ChronotileError: A name, time or parameter is not accepted, or the layer has no times.
    """
    resolved = _resolve_animation(request, services)
    answer = _find_answer(resolved, services, client_etags=client_etags, with_body=True)
    if answer is not None:
        return answer
    grid, shots, payload = request.map_request.grid, resolved.shots, resolved.payload
    require_seconds(_seconds(shots), services, alternative=FEWER_FRAMES, locator="step")
    film = Film(width=grid.width, height=grid.height, fps=request.fps, count=len(shots))
    pixels = grid.width * grid.height
    encoder_bytes = request.format.small_frame_bytes if pixels <= LARGE_PIXELS else request.format.frame_bytes
    size = pixels * (RGBA_BYTES + encoder_bytes)
    if pictures is None:
        pictures = _draw_shots(shots, is_active)
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
    """Return the processor time of `render_animation` in seconds; reads no pixels.

    Raises:
        ChronotileError: As `render_animation`, for errors that are found before frames are drawn.
    """
    return _seconds(_resolve_animation(request, services).shots)


def _seconds(shots: Sequence[_Shot]) -> float:
    """The processor time of all frames, estimated from some of them."""
    sampled_shots = shots[:: max(1, len(shots) // SAMPLED_FRAMES)]
    grid = sampled_shots[0].request.grid
    drawing_s = sum(drawing_seconds(grid, shot.target) for shot in sampled_shots) / len(sampled_shots)
    return len(shots) * (drawing_s + grid.width * grid.height * FRAME_PIXEL_S)


def draw_frames(
    request: AnimationRequest, services: Services, numbers: range, *, is_active: IsActive = always_active
) -> Iterator[Picture | None]:
    """Yield pictures of some of the frames, on white, without labels; `None` for an unreadable frame.

    The memory for drawing is taken until the last picture was yielded.

    Args:
        request: The animation.
        services: The services that read it.
        numbers: Numbers of the frames.
        is_active: Whether the client still waits; called before each frame.

    Raises:
        ChronotileError: As `render_animation`.
    """
    map_request = request.map_request
    layer, _services = apply_expression(services.catalogue.layer(map_request.layer), map_request.expression, services)
    frames = list_frames(layer, map_request.time, request.step, now=services.clock())
    shots = tuple(_resolve_shot(map_request, layer, frames[number], services) for number in numbers)
    with _memory(_drawing_bytes(shots), services, is_active):
        yield from _draw_shots(shots, is_active)


def _resolve_animation(request: AnimationRequest, services: Services) -> _Resolved:
    if request.format == AnimationFormat.MP4:
        require_extra("video", "MP4", locator="format")
    map_request = request.map_request
    layer, layer_services = apply_expression(
        services.catalogue.layer(map_request.layer), map_request.expression, services
    )
    style = resolve_map_style(map_request, layer, layer_services)
    requested_frames = list_frames(layer, map_request.time, request.step, now=services.clock())
    frames = requested_frames if request.newest is None else requested_frames[-request.newest :]
    _check_size(request, frames, services)
    shots = tuple(_resolve_shot(map_request, layer, frame, services) for frame in frames)
    if map_request.anomaly is not None:
        times = [shot.target.time_used for shot in shots]
        _check_pixels(request, sum(len(time.instants + time.base) for time in times), services)
    lettering = _lettering(request, layer, style, shots)
    states = [shot.target.etag for shot in shots]
    payload = AnimationPayload(
        media_type=request.format,
        etag=fingerprint("animation", FILE_VERSION, states, lettering, request.fps, request.format),
        file_name=_file_name(layer, shots, request.format),
        time=_time_used(shots),
        frames=len(shots),
        requested_frames=len(requested_frames),
        body=BytesBody(b""),
        frame_states=tuple((shot.target.time_used, shot.target.states) for shot in shots),
    )
    return _Resolved(shots=shots, lettering=lettering, payload=payload)


def _find_answer(
    resolved: _Resolved, services: Services, *, client_etags: Collection[str], with_body: bool
) -> AnimationPayload | None:
    payload = resolved.payload
    if payload.etag in client_etags:
        return replace(payload, unchanged=True)
    if not with_body:
        return payload
    cached = services.caches.payloads.get(payload.etag)
    return None if cached is None else replace(payload, body=BytesBody(cached))


def _resolve_shot(map_request: MapRequest, layer: Layer, frame: FrameTimes, services: Services) -> _Shot:
    time = selection_of(layer.times, frame.indexes, is_of_open=map_request.time.is_open)
    if map_request.anomaly is not None and frame.period is not None:  # the frame shows the anomaly of its whole period
        time = TimeSelection("parts", (TimePart(frame.period, is_interval=True),), is_of_open=time.is_of_open)
    request = replace(map_request, time=time)
    return _Shot(text=frame.text, request=request, target=resolve_map(request, services))


def _draw_shots(shots: Iterable[_Shot], is_active: IsActive) -> Iterator[Picture | None]:
    for shot in shots:
        require_active(is_active)
        try:
            yield add_background(_draw_shot(shot), WHITE)
        except DateUnreadable:  # the target of the frame lists unreadable dates
            yield None


def _draw_shot(shot: _Shot) -> Picture:
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
    """Frames with labels; unreadable ones are skipped.

    Raises:
        DateUnreadable: No frame can be read.
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
    grid, labels = request.map_request.grid, request.labels
    has_flags = any(shot.target.reducer == "latest" for shot in shots) and request.map_request.anomaly is None
    return Lettering(
        width=grid.width,
        height=grid.height,
        dates=tuple(map(_date_text, shots)) if "date" in labels else (),
        attribution=layer.attribution if "attribution" in labels else None,
        legend=style_details(layer, style, has_flags=has_flags)
        if "legend" in labels and not layer.is_composite
        else None,
        title=anomaly_title(replace(request.map_request, time=ABSENT), layer_title(layer)),
        units=map_units(layer, request.map_request),
    )


def _date_text(shot: _Shot) -> str:
    """The label with the reducer, unless the newest time is shown, and with the times that are subtracted."""
    text, target = shot.text, shot.target
    if target.reducer != "latest":
        text = f"{text}, {target.reducer}"
    base = target.time_used.base
    if not base or target.anomaly is not None:
        return text
    first, last = format_day(base[-1]), format_day(base[0])
    return f"{text} minus {first if first == last else f'{first} to {last}'}"


def _cache_if_small(body: ConcatenatedFiles, etag: str, services: Services) -> Body:
    """The file; a small one is cached like a picture, since drawing takes long and pages show it again."""
    if body.size > IN_MEMORY_BYTES:
        return body
    with closing(body):
        return BytesBody(services.caches.payloads.get_or_make(etag, lambda: b"".join(body.iter_bytes())))


def _time_used(shots: tuple[_Shot, ...]) -> TimeUsed:
    times = [shot.target.time_used for shot in reversed(shots)]
    return TimeUsed(
        instants=tuple(instant for time in times for instant in time.instants),
        base=times[0].base,
        is_open=any(time.is_open for time in times),
    )


def _file_name(layer: Layer, shots: tuple[_Shot, ...], format: AnimationFormat) -> str:
    """`layer_first_last.gif` with only letters, digits, dots, dashes and underscores."""
    first, last = shots[0].target.time_used.instants[-1], shots[-1].target.time_used.instants[0]
    days = dict.fromkeys((format_day(first), format_day(last)))
    return "_".join([plain_name(layer.id), *days]) + f".{format.extension}"


def _check_size(request: AnimationRequest, frames: tuple[FrameTimes, ...], services: Services) -> None:
    require_sides(request.map_request.grid, MAX_SIDE_PX, alternative="request a smaller picture")
    require_at_most("frames of an animation", len(frames), MAX_FRAMES, alternative=FEWER_FRAMES, locator="step")
    _check_pixels(request, sum(len(frame.indexes) for frame in frames), services)


def _check_pixels(request: AnimationRequest, times: int, services: Services) -> None:
    """Check the pixels of all times that are read against `max_animation_pixels`."""
    grid, allowed = request.map_request.grid, services.catalogue.limits.max_animation_pixels
    requested = grid.width * grid.height * times
    alternative = "request a smaller picture, a shorter datetime, or fewer of its times, such as with step=2"
    require_at_most("max_animation_pixels", requested, allowed, alternative=alternative, locator="width")
