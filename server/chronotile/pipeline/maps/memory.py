"""Estimated bytes of memory to draw a map; measured in docs/design/process.md."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from chronotile.encoders.animation.mp4 import LARGE_PIXELS
from chronotile.model.animation import AnimationFormat
from chronotile.model.cancellation import IsActive
from chronotile.model.collection import Composite
from chronotile.model.grid import Grid
from chronotile.model.request import Backdrop, MapRequest
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.maps.rasters import REDUCED_BYTES, MapTarget, map_plan
from chronotile.warp.strips import StripPlan, window_bytes

CERTAIN = 0.8
"""Safety factor on the pixels that would fit if all memory of a map were in proportion to them."""
PLAN_BYTES = {"nearest": 24, "bilinear": 130}
"""For each pixel whose cells are found at once."""
STRIP_BYTES = 8 << 20
"""Further bytes of a strip of a large map, of all steps."""
INDEX_BYTES, RGBA_BYTES = 1, 4
MANY_COLOURS = 200
"""Classes and flags of a style that may not fit into 256 colours."""
ENCODED_BYTES: dict[str, int] = {
    "image/png": 4,
    "image/png; mode=8bit": 10,
    "image/jpeg": 6,
    "image/webp": 21,
    "image/gif": 10,
    "image/geotiff": 6,
    "image/tiff": 12,
    "application/x-npy": 8,
}
"""For each pixel, beside the picture: what the encoder holds, and the encoded picture."""
FILM_BYTES: dict[AnimationFormat, int] = {"image/gif": 20, "image/webp": 28, "video/mp4": 56}
"""For each pixel of a frame, beside the picture: what the encoder of an animation holds."""
SMALL_MP4_BYTES = 100
"""The same of MP4 with frames of at most `LARGE_PIXELS`, of which more are held."""


def map_bytes(request: MapRequest, target: MapTarget) -> int:
    """Return the bytes needed to draw and encode a resolved map; reads no pixels."""
    return max(drawing_bytes(request, target), _encoding_bytes(request, _pixel_bytes(request, target)))


def overlay_bytes(requests: Sequence[MapRequest], targets: Sequence[MapTarget]) -> int:
    """Return the bytes needed to draw maps one after the other, overlay them and encode the result."""
    first = requests[0]
    below = RGBA_BYTES * first.grid.width * first.grid.height
    drawn = max(drawing_bytes(request, target) for request, target in zip(requests, targets, strict=True))
    return max(below + drawn, _encoding_bytes(first, RGBA_BYTES))


def memory_for_map(grid: Grid, size: int, memory: AnswerMemory, is_active: IsActive) -> AbstractContextManager[None]:
    """Take the bytes that a map needs, as `AnswerMemory.taking` does; its error has the number of pixels that fit.

    Args:
        grid: Of the map.
        size: In bytes.
        memory: The memory to take them from.
        is_active: Whether the client still waits for the map.
    """
    pixels = grid.width * grid.height
    fitting = pixels if memory.max_bytes is None else min(pixels, int(pixels * CERTAIN * memory.max_bytes / size))
    alternative = (
        f"request a smaller picture (of about {fitting} pixels), a smaller area, fewer times, tiles, or another format "
        "(image/png takes least)"
    )
    return memory.taking(size, alternative=alternative, locator=larger_side(grid), is_active=is_active)


def larger_side(grid: Grid) -> str:
    """Return the parameter at fault where a picture is too large."""
    return "width" if grid.width >= grid.height else "height"


def film_bytes(format: AnimationFormat, frame: MapRequest) -> int:
    """Return the bytes needed to encode an animation, one picture included."""
    pixels = frame.grid.width * frame.grid.height
    held = SMALL_MP4_BYTES if format == "video/mp4" and pixels <= LARGE_PIXELS else FILM_BYTES[format]
    return pixels * (RGBA_BYTES + held)


def drawing_bytes(request: MapRequest, target: MapTarget) -> int:
    """Return the bytes needed to draw a resolved map, the picture included."""
    grid = request.grid
    pixels = grid.width * grid.height
    content = target.layer.content
    variables = content.variables if isinstance(content, Composite) else (target.layer.main_variable,)
    read, strip = 0, 0
    for variable in variables:
        plan = map_plan(grid, target, variable)
        if plan is None:
            continue
        window = window_bytes(plan, variable)
        shown = _read_bytes(window, max(1, len(target.time_used.instants)), pixels)
        read = max(read, shown + _read_bytes(window, len(target.time_used.base), pixels))
        per_pixel = PLAN_BYTES[target.layer.resampling]
        found = per_pixel * pixels if not isinstance(plan, StripPlan) else per_pixel << 17
        strip = max(strip, found + (STRIP_BYTES if isinstance(plan, StripPlan) else 0))
    return read + strip + _pixel_bytes(request, target) * pixels


def _read_bytes(window: int, times: int, pixels: int) -> int:
    """Native pixels of all times, or rasters reduced one after the other."""
    return times * window if times < 2 else window + min((times - 1) * window, REDUCED_BYTES * pixels)


def _encoding_bytes(request: MapRequest, pixel_bytes: int) -> int:
    pixels = request.grid.width * request.grid.height
    return pixels * (pixel_bytes + ENCODED_BYTES[request.format])


def _pixel_bytes(request: MapRequest, target: MapTarget) -> int:
    """Of a picture, before it is encoded; of values they are part of what is encoded."""
    encoding = target.layer.main_variable.encoding
    has_many = len(target.style.classes) + len(encoding.flags) > MANY_COLOURS
    is_rgba = target.layer.is_composite or has_many or isinstance(request.background, Backdrop)
    return RGBA_BYTES if is_rgba else INDEX_BYTES
