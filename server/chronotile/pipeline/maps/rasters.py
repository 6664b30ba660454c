"""The values that a map shows, of each of its times reduced to one on the requested grid, and what memory it takes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import starmap, tee
from typing import TypeVar

import numpy as np

from chronotile.core.errors import REPLACE_FILES, DateUnreadable
from chronotile.core.model.collection import Composite, VariableInfo
from chronotile.core.model.grid import Grid
from chronotile.core.model.raster import Pixels, Raster
from chronotile.core.model.request import Backdrop, IsActive, MapRequest, PictureReducer, require_active
from chronotile.core.model.types import Instant
from chronotile.core.stats.over_time import anomaly, difference, over_time
from chronotile.core.warp.plan import UnwarpedPlan, plan_warp
from chronotile.core.warp.strips import StripPlan, cells_of, plan_strips, strips_of, window_bytes
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.estimate import grid_seconds
from chronotile.pipeline.maps.resolve import MapPlan, MapTarget, larger_side, pixels_of
from chronotile.pipeline.maps.times import UsualDates
from chronotile.pipeline.mosaics import ComposedPlan, composed_plan
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import reading

Made = TypeVar("Made")

PAINT_S = 20e-9
"""Processor time to paint a pixel."""
TIMES_AT_ONCE = 16
"""Times that are read between two looks at whether the client is still connected."""
REDUCED_BYTES = 24
"""Estimated for each pixel when rasters are reduced one by one; if native pixels need less they are held instead."""


Group = tuple[Instant, ...]
NO_INSTANT = np.datetime64("NaT", "ns")


@dataclass(frozen=True, slots=True)
class MapValues:
    """The values that a map shows: of some rows at a time, so that those of a large map are never held as a whole."""

    strips: tuple[slice, ...]
    """All rows, in order."""
    of_rows: Callable[[slice], Raster]
    """Gives one of the strips."""


def drawing_seconds(grid: Grid, target: MapTarget) -> float:
    """Return the processor time of reading and painting a map; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    used = target.time_used
    instants = (*used.instants, *used.base, *(each for group in target.reference_groups or () for each in group))
    indexes = {
        each.name: sorted({time_index(each.times.instants, instant) for instant in instants}) or [0]
        for each in target.layer.variables
    }
    pixels = grid.width * grid.height * len(target.layer.variables)
    return grid_seconds(target.layer, indexes, grid, target.services) + pixels * PAINT_S


def shown_values(grid: Grid, target: MapTarget) -> MapValues | None:
    """Return the values that a layer shows, their difference or anomaly; `None` where it shares no pixel with the grid.

    Raises:
        DateUnreadable: None of the times can be read.
        SourceUnavailable: The source is away.
    """
    variable, used = target.layer.main_variable, target.time_used
    plan = map_plan(grid, target, variable)
    if plan is None:
        return None
    times = len(used.instants) + len(used.base)
    is_nearest = target.layer.resampling == "nearest" and times > 1
    if not is_nearest or isinstance(plan, ComposedPlan) or cells_of(plan) >= pixels_of(grid):
        return _values_or_changes(plan, target)
    # Fewer cells than pixels: each cell is reduced once, before it is warped.
    cells = _values_or_changes(UnwarpedPlan(windows=plan.windows, level=plan.level, step=plan.step), target)
    found = cells.of_rows(cells.strips[0])
    pixels = Pixels(found.numbers, found.present)

    def of_rows(rows: slice) -> Raster:
        with target.watch.step("warp"):
            return (plan.of_rows(rows) if isinstance(plan, StripPlan) else plan).warp(pixels, found.encoding)

    return MapValues(strips_of(grid), of_rows)


def _values_or_changes(plan: MapPlan | UnwarpedPlan, target: MapTarget) -> MapValues:
    """Return the values over the shown times, or their difference or anomaly."""
    against, kind, usual = target.reference_groups, target.anomaly, target.usual
    read: Callable[..., MapValues] = partial(_values, plan, target=target, variable=target.layer.main_variable)
    if usual is not None:
        read = _less_usual_values(read, usual)
    shown = read(target.time_used.instants)
    if against is None or (usual is not None and kind == "abs"):
        return shown
    if kind is not None:
        reference = _values_of_groups(read, against)
        return MapValues(shown.strips, lambda rows: anomaly(shown.of_rows(rows), reference(rows), kind))
    base = read(target.time_used.base)
    return MapValues(shown.strips, lambda rows: difference(shown.of_rows(rows), base.of_rows(rows)))


def _less_usual_values(read: Callable[..., MapValues], usual: UsualDates) -> Callable[..., MapValues]:
    """Return `read` for times of which each is first compared with the usual value of its part of the year.

    If only late dates of a period are clear at a pixel, they are compared with late dates of other years.
    """
    means = dict[int, MapValues | None]()

    @lru_cache(len(usual.groups))  # of the strip that is being made
    def mean_of_group(number: int, first: int, last: int) -> Raster | None:
        try:
            if number not in means:
                means[number] = read(usual.groups[number], reducer="mean")
            values = means[number]
            return None if values is None else values.of_rows(slice(first, last))
        except DateUnreadable:  # which the target lists
            means[number] = None
            return None

    def mean_at(instant: Instant, rows: slice) -> Raster | None:
        number = usual.group_of.get(instant)
        return None if number is None else mean_of_group(number, rows.start, rows.stop)

    return partial(read, less=mean_at)


def _values_of_groups(
    read: Callable[[Group], MapValues], groups: Sequence[Group]
) -> Callable[[slice], Iterator[Raster]]:
    """Return a function that yields some rows of each group of times; groups without a readable time are skipped."""
    left = dict(enumerate(groups))
    held = dict[int, MapValues]()

    def of_rows(rows: slice) -> Iterator[Raster]:
        for number, group in tuple(left.items()):
            try:
                values = held.get(number) or read(group)
                raster = values.of_rows(rows)
            except DateUnreadable:  # which the target lists
                del left[number]
                continue
            if len(values.strips) > 1:  # the others need it too
                held[number] = values
            yield raster

    return of_rows


def of_all_variables(
    grid: Grid, target: MapTarget, variables: Sequence[VariableInfo], make: Callable[[Iterator[MapValues]], Made]
) -> Made | None:
    """Return what `make` gives for variables at the same times: those at which all of them can be read.

    Args:
        grid: The requested grid.
        target: The request.
        variables: Of the layer.
        make: Takes one variable after the other, so that no more than one is held; it may be called again.

    Returns:
        `None` where one of them shares no pixel with the grid.

    Raises:
        DateUnreadable: No time is left.
        SourceUnavailable: The source is away.
    """
    plans = [map_plan(grid, target, variable) for variable in variables]
    if any(plan is None for plan in plans):
        return None
    while True:
        lacking = target.unreadable.instants
        instants = tuple(each for each in target.time_used.instants if each not in lacking)
        if lacking and not instants:
            raise DateUnreadable(
                f"none of the times of layer {target.layer.id} can be read in all variables; {REPLACE_FILES}"
            )
        planned = zip(plans, variables, strict=True)
        made = make(_values(plan, instants, target, variable) for plan, variable in planned if plan is not None)
        if target.unreadable.instants == lacking:
            return made


def map_plan(grid: Grid, target: MapTarget, variable: VariableInfo) -> MapPlan | None:
    """Return how the variable is brought onto the grid; `None` where it shares no pixel with it."""
    if variable.name not in target.plans:
        resampling = target.layer.resampling
        with target.watch.step("warp"):
            if variable.is_mosaic:
                target.plans[variable.name] = composed_plan(grid, variable, resampling)
            elif len(strips_of(grid)) > 1:
                target.plans[variable.name] = plan_strips(variable.levels, grid, resampling=resampling)
            else:
                target.plans[variable.name] = target.services.caches.plans.get_or_make(
                    (variable.levels, grid, resampling), lambda: plan_warp(variable.levels, grid, resampling=resampling)
                )
    return target.plans[variable.name]


def _values(
    plan: MapPlan | UnwarpedPlan,
    instants: Group,
    target: MapTarget,
    variable: VariableInfo,
    *,
    reducer: PictureReducer | None = None,
    less: Callable[[Instant, slice], Raster | None] | None = None,
) -> MapValues:
    """Return a variable at some times, newest first, read, warped and reduced.

    The native pixels of a large map's times are held for its strips, if that takes less than rasters of all rows.

    Args:
        plan: How it is brought onto the grid.
        instants: The times.
        target: The request.
        variable: Of the layer.
        reducer: By default that of the request.
        less: Returns the values that are subtracted from a time in some rows; `None`: the time counts as missing.
    """
    reducer = reducer or target.reducer
    instants = instants[::-1] if reducer == "earliest" else instants
    times = {time_index(variable.times.instants, each): each for each in instants} or {0: NO_INSTANT}
    read = _readable(plan, target, variable, tuple(times))

    def reduced(part: MapPlan | UnwarpedPlan, rows: slice, pixels_of_times: Iterable[tuple[int, Pixels]]) -> Raster:
        def warped(index: int, pixels: Pixels) -> Raster:
            with target.watch.step("warp"):
                raster = part.warp(pixels, variable.encoding)
            return raster if less is None else difference(raster, less(times[index], rows))

        rasters = starmap(warped, pixels_of_times)
        return next(rasters) if len(times) == 1 else over_time(rasters, reducer)

    held_bytes = len(times) * window_bytes(plan, variable) if len(times) > 1 else 0
    height = -(-plan.windows[0].height // plan.step)
    strips = (slice(0, height),) if isinstance(plan, UnwarpedPlan) else strips_of(plan.grid)
    whole = slice(0, strips[-1].stop)
    if not isinstance(plan, StripPlan) or held_bytes > REDUCED_BYTES * pixels_of(plan.grid):
        return MapValues(strips, reduced(plan, whole, read).part)
    (held,) = tee(read, 1)  # copies give again what was read for other strips

    def of_rows(rows: slice) -> Raster:
        with target.watch.step("warp"):
            part = plan.of_rows(rows)
        return reduced(part, rows, copy(held))

    return MapValues(strips, of_rows)


def _readable(
    plan: MapPlan | UnwarpedPlan, target: MapTarget, variable: VariableInfo, times: Sequence[int]
) -> Iterator[tuple[int, Pixels]]:
    """Give the native pixels of the times that can be read, in their order, with the index of each.

    Raises:
        DateUnreadable: None can, though all were requested.
    """
    failure, has_any = None, False
    for number, index in enumerate(times):
        if number % TIMES_AT_ONCE == TIMES_AT_ONCE - 1:
            require_active(target.is_active)
        try:
            with target.watch.step("read"), reading(target.layer):
                try:
                    pixels = plan.read(target.unreadable.reader, variable, index)
                except DateUnreadable as error:
                    target.unreadable.report(variable, index, error)
                    raise
        except DateUnreadable as error:
            failure = error
        else:
            has_any = True
            yield index, pixels
    if failure is not None and not has_any:
        raise failure


# Bytes of memory that a map takes, measured in docs/design/process.md.

CERTAIN = 0.8
"""Safety factor on the pixels that would fit if all memory of a map were in proportion to them."""
PLAN_BYTES = {"nearest": 24, "bilinear": 130}
"""For each pixel whose cells are found at once."""
STRIP_BYTES = 8 << 20
"""Further bytes of a strip of a large map, of all steps."""
VALUE_BYTES = 8
ANOMALY_BYTES = 64
"""For each pixel of an anomaly: sums over what it is held against."""
INDEX_BYTES, RGBA_BYTES = 1, 4
MANY_COLOURS = 200
"""Classes and flags of a style that may not fit into 256 colours."""


def map_bytes(requests: Sequence[MapRequest], targets: Sequence[MapTarget]) -> int:
    """Return the bytes needed to draw resolved maps one after the other, overlay and encode them; reads no pixels."""
    first = requests[0]
    drawn = max(drawing_bytes(request, target) for request, target in zip(requests, targets, strict=True))
    is_single = len(requests) == 1
    pixels = first.grid.width * first.grid.height
    below, of_pixel = (0, _pixel_bytes(first, targets[0])) if is_single else (RGBA_BYTES * pixels, RGBA_BYTES)
    return max(below + drawn, pixels * (of_pixel + first.format.encoder_bytes))


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
        base = _read_bytes(window, len(target.time_used.base), pixels)
        read = max(read, shown + base + (0 if target.anomaly is None else ANOMALY_BYTES * pixels))
        read += 0 if target.usual is None else VALUE_BYTES * len(target.usual.groups) * pixels
        per_pixel = PLAN_BYTES[target.layer.resampling]
        found = per_pixel * pixels if not isinstance(plan, StripPlan) else per_pixel << 17
        strip = max(strip, found + (STRIP_BYTES if isinstance(plan, StripPlan) else 0))
    return read + strip + _pixel_bytes(request, target) * pixels


def _read_bytes(window: int, times: int, pixels: int) -> int:
    # Native pixels of all times, or rasters reduced one after the other.
    return times * window if times < 2 else window + min((times - 1) * window, REDUCED_BYTES * pixels)


def _pixel_bytes(request: MapRequest, target: MapTarget) -> int:
    """Of a picture, before it is encoded; of values they are part of what is encoded."""
    has_many = len(target.style.classes) + len(target.layer.main_variable.encoding.flags) > MANY_COLOURS
    is_rgba = target.layer.is_composite or has_many or isinstance(request.background, Backdrop)
    return RGBA_BYTES if is_rgba else INDEX_BYTES
