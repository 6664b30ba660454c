"""Memory of maps: estimates of the bytes that drawing takes (docs/design/large-answers.md)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from chronotile.core.cancellation import IsActive
from chronotile.core.model.collection import Composite
from chronotile.core.model.request import Backdrop, MapRequest
from chronotile.core.model.space.grid import Grid
from chronotile.core.warp.strips import STRIP_PIXELS, StripPlan, window_bytes
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.maps.plans import plan_map
from chronotile.pipeline.maps.rasters import REDUCED_BYTES
from chronotile.pipeline.maps.resolve import MapTarget
from chronotile.pipeline.maps.size_limits import larger_side

SAFETY = 0.8
"""Safety factor for the number of pixels that fit: not all memory of a map is proportional to its pixels."""
PLAN_BYTES = {"nearest": 24, "bilinear": 130}
"""Per pixel of a plan, by resampling."""
STRIP_BYTES = 8 << 20
"""Bytes of all steps for one strip of a large map, without its plan."""
VALUE_BYTES = 8
ANOMALY_BYTES = 64
"""Per pixel of an anomaly: sums over the reference."""
INDEX_BYTES, RGBA_BYTES = 1, 4
MANY_COLOURS = 200
"""With more classes and flags, a picture may need more than 256 colours."""


def map_bytes(requests: Sequence[MapRequest], targets: Sequence[MapTarget]) -> int:
    """Return the bytes that drawing, overlaying and encoding resolved maps takes; reads no pixels."""
    first = requests[0]
    drawn_bytes = max(drawing_bytes(request, target) for request, target in zip(requests, targets, strict=True))
    is_single = len(requests) == 1
    pixels = first.grid.width * first.grid.height
    below, of_pixel = (0, _pixel_bytes(first, targets[0])) if is_single else (RGBA_BYTES * pixels, RGBA_BYTES)
    return max(below + drawn_bytes, pixels * (of_pixel + first.format.encoder_bytes))


def memory_for_map(grid: Grid, size: int, memory: AnswerMemory, is_active: IsActive) -> AbstractContextManager[None]:
    """Return a context that takes `size` bytes; its error states the number of pixels that fit."""
    pixels = grid.width * grid.height
    fitting = pixels if memory.max_bytes is None else min(pixels, int(pixels * SAFETY * memory.max_bytes / size))
    alternative = (
        f"request a smaller picture (of about {fitting} pixels), a smaller area, fewer times, tiles, or another format "
        "(image/png takes least)"
    )
    return memory.taking(size, alternative=alternative, locator=larger_side(grid), is_active=is_active)


def drawing_bytes(request: MapRequest, target: MapTarget) -> int:
    """Return the bytes that drawing a resolved map takes, including the picture."""
    grid = request.grid
    pixels = grid.width * grid.height
    content = target.layer.content
    variables = content.variables if isinstance(content, Composite) else (target.layer.main_variable,)
    read, strip = 0, 0
    for variable in variables:
        plan = plan_map(grid, target, variable)
        if plan is None:
            continue
        window = window_bytes(plan, variable)
        at_times = _read_bytes(window, max(1, len(target.time_used.instants)), pixels)
        base = _read_bytes(window, len(target.time_used.base), pixels)
        read = max(read, at_times + base + (0 if target.anomaly is None else ANOMALY_BYTES * pixels))
        read += 0 if target.usual is None else VALUE_BYTES * len(target.usual.groups) * pixels
        per_pixel = PLAN_BYTES[target.layer.resampling]
        is_in_strips = isinstance(plan, StripPlan)
        strip = max(strip, per_pixel * STRIP_PIXELS + STRIP_BYTES if is_in_strips else per_pixel * pixels)
    return read + strip + _pixel_bytes(request, target) * pixels


def _read_bytes(window: int, times: int, pixels: int) -> int:
    # Either the native pixels of all times are stored, or one raster is reduced after another.
    return times * window if times < 2 else window + min((times - 1) * window, REDUCED_BYTES * pixels)


def _pixel_bytes(request: MapRequest, target: MapTarget) -> int:
    """Bytes per pixel of a picture before it is encoded."""
    has_many = len(target.style.classes) + len(target.layer.main_variable.encoding.flags) > MANY_COLOURS
    is_rgba = target.layer.is_composite or has_many or isinstance(request.background, Backdrop)
    return RGBA_BYTES if is_rgba else INDEX_BYTES
