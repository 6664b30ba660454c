"""Values of maps: the times of each variable, read, warped onto the requested grid, and reduced to one value per pixel.

A large map is made in strips of rows, so that its values are never in memory as a whole. The native pixels of several
times are read once and stored for all strips if they are smaller than rasters of all rows. If a map of the resampling
`nearest` has fewer cells than pixels, the cells are reduced before they are warped.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import starmap, tee
from typing import TypeVar

import numpy as np

from chronotile.core.cancellation import require_active
from chronotile.core.errors import REPLACE_FILES, DateUnreadable
from chronotile.core.model.raster import Pixels, Raster
from chronotile.core.model.request import PictureReducer
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import Instant
from chronotile.core.stats.over_time import anomaly, difference, reduce_over_time
from chronotile.core.warp.plan import UnwarpedPlan
from chronotile.core.warp.strips import StripPlan, cells_of, strips_of, window_bytes
from chronotile.pipeline.estimate import grid_seconds
from chronotile.pipeline.maps.plans import plan_map
from chronotile.pipeline.maps.resolve import MapPlan, MapTarget
from chronotile.pipeline.maps.size_limits import pixels_of
from chronotile.pipeline.maps.times import UsualDates
from chronotile.pipeline.mosaic_plans import MosaicPlan
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import reading

Result = TypeVar("Result")

PAINT_S = 20e-9
"""Processor time to paint a pixel."""
TIMES_PER_CHECK = 16
"""Number of times that are read between two checks of the connection."""
REDUCED_BYTES = 24
"""Estimated bytes per pixel if rasters are reduced one by one; native pixels are stored instead if they need less."""


InstantGroup = tuple[Instant, ...]
NO_INSTANT = np.datetime64("NaT", "ns")


@dataclass(frozen=True, slots=True)
class MapValues:
    """The values of a map, read strip by strip."""

    strips: tuple[slice, ...]
    """All rows, from north to south."""
    read_rows: Callable[[slice], Raster]
    """Returns one of the strips."""


def drawing_seconds(grid: Grid, target: MapTarget) -> float:
    """Return the processor time in seconds that reading and painting a map takes; reads no pixels.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    used = target.time_used
    instants = (*used.instants, *used.base, *(instant for group in target.reference_groups or () for instant in group))
    indexes = {
        variable.name: sorted({time_index(variable.times.instants, instant) for instant in instants}) or [0]
        for variable in target.layer.variables
    }
    pixels = grid.width * grid.height * len(target.layer.variables)
    return grid_seconds(target.layer, indexes, grid, target.services) + pixels * PAINT_S


def read_layer_values(grid: Grid, target: MapTarget) -> MapValues | None:
    """Return the values of a layer, or their difference or anomaly; `None` if the layer shares no pixel with the grid.

    Raises:
        DateUnreadable: None of the times can be read.
        SourceUnavailable: The source is unreachable.
    """
    variable, used = target.layer.main_variable, target.time_used
    plan = plan_map(grid, target, variable)
    if plan is None:
        return None
    times = len(used.instants) + len(used.base)
    is_nearest = target.layer.resampling == "nearest" and times > 1
    if not is_nearest or isinstance(plan, MosaicPlan) or cells_of(plan) >= pixels_of(grid):
        return _read_values_or_changes(plan, target)
    # Fewer cells than pixels: each cell is reduced once, before it is warped.
    cells = _read_values_or_changes(UnwarpedPlan(windows=plan.windows, level=plan.level, step=plan.step), target)
    raster = cells.read_rows(cells.strips[0])
    pixels = Pixels(raster.numbers, raster.present)

    def warp_rows(rows: slice) -> Raster:
        with target.watch.step("warp"):
            return (plan.plan_rows(rows) if isinstance(plan, StripPlan) else plan).warp(pixels, raster.encoding)

    return MapValues(strips_of(grid), warp_rows)


def _read_values_or_changes(plan: MapPlan | UnwarpedPlan, target: MapTarget) -> MapValues:
    """The values reduced over the shown times, or their difference or anomaly."""
    groups, kind, usual = target.reference_groups, target.anomaly, target.usual
    read: Callable[..., MapValues] = partial(_read_variable, plan, target=target, variable=target.layer.main_variable)
    if usual is not None:
        read = _subtract_usual_values(read, usual)
    values = read(target.time_used.instants)
    if groups is None or (usual is not None and kind == "abs"):
        return values
    if kind is not None:
        read_reference = _read_groups(read, groups)
        return MapValues(values.strips, lambda rows: anomaly(values.read_rows(rows), read_reference(rows), kind))
    base = read(target.time_used.base)
    return MapValues(values.strips, lambda rows: difference(values.read_rows(rows), base.read_rows(rows)))


def _subtract_usual_values(read: Callable[..., MapValues], usual: UsualDates) -> Callable[..., MapValues]:
    """Return a `read` that first subtracts from each time the usual value of its part of the year (`UsualDates`)."""
    means = dict[int, MapValues | None]()

    @lru_cache(len(usual.groups))  # keeps the rasters of the current strip
    def mean_of_group(number: int, first: int, last: int) -> Raster | None:
        try:
            if number not in means:
                means[number] = read(usual.groups[number], reducer="mean")
            values = means[number]
            return None if values is None else values.read_rows(slice(first, last))
        except DateUnreadable:  # the target lists unreadable dates
            means[number] = None
            return None

    def mean_at(instant: Instant, rows: slice) -> Raster | None:
        number = usual.group_of.get(instant)
        return None if number is None else mean_of_group(number, rows.start, rows.stop)

    return partial(read, usual_at=mean_at)


def _read_groups(
    read: Callable[[InstantGroup], MapValues], groups: Sequence[InstantGroup]
) -> Callable[[slice], Iterator[Raster]]:
    """Return a function that yields some rows of each group of times; groups without a readable time are skipped."""
    readable_groups = dict(enumerate(groups))
    stored = dict[int, MapValues]()

    def read_rows(rows: slice) -> Iterator[Raster]:
        for number, group in tuple(readable_groups.items()):
            try:
                values = stored.get(number) or read(group)
                raster = values.read_rows(rows)
            except DateUnreadable:  # the target lists unreadable dates
                del readable_groups[number]
                continue
            if len(values.strips) > 1:  # the other strips need these values, too
                stored[number] = values
            yield raster

    return read_rows


def make_from_variables(
    grid: Grid, target: MapTarget, variables: Sequence[VariableInfo], make: Callable[[Iterator[MapValues]], Result]
) -> Result | None:
    """Return a result made from variables at the times at which all of them can be read.

    Args:
        grid: The requested grid.
        target: The resolved request.
        variables: Variables of the layer.
        make: Takes the values of one variable after another, so that only one is in memory. It is called again if a
            time turns out to be unreadable in a later variable.

    Returns:
        `None` if a variable shares no pixel with the grid.

    Raises:
        DateUnreadable: No time can be read in all variables.
        SourceUnavailable: The source is unreachable.
    """
    plans = [plan_map(grid, target, variable) for variable in variables]
    if any(plan is None for plan in plans):
        return None
    while True:
        unreadable = target.unreadable.instants
        instants = tuple(instant for instant in target.time_used.instants if instant not in unreadable)
        if unreadable and not instants:
            raise DateUnreadable(
                f"none of the times of layer {target.layer.id} can be read in all variables; {REPLACE_FILES}"
            )
        planned = zip(plans, variables, strict=True)
        result = make(
            _read_variable(plan, instants, target, variable) for plan, variable in planned if plan is not None
        )
        if target.unreadable.instants == unreadable:
            return result


def _read_variable(
    plan: MapPlan | UnwarpedPlan,
    instants: InstantGroup,
    target: MapTarget,
    variable: VariableInfo,
    *,
    reducer: PictureReducer | None = None,
    usual_at: Callable[[Instant, slice], Raster | None] | None = None,
) -> MapValues:
    """Return a variable read at some times, warped and reduced.

    Args:
        plan: The plan of the variable.
        instants: The times, newest first.
        target: The resolved request.
        variable: A variable of the layer.
        reducer: The reducer; `None` for that of the request.
        usual_at: Returns the values that are subtracted from a time in some rows, or `None` if it has no usual value;
            the time is missing then.
    """
    reducer = reducer or target.reducer
    instants = instants[::-1] if reducer == "earliest" else instants
    times = {time_index(variable.times.instants, instant): instant for instant in instants} or {0: NO_INSTANT}
    pixels_of_times = _read_times(plan, target, variable, tuple(times))

    def reduce_rows(part: MapPlan | UnwarpedPlan, rows: slice, pixels_of_times: Iterable[tuple[int, Pixels]]) -> Raster:
        def warp_time(index: int, pixels: Pixels) -> Raster:
            with target.watch.step("warp"):
                raster = part.warp(pixels, variable.encoding)
            return raster if usual_at is None else difference(raster, usual_at(times[index], rows))

        rasters = starmap(warp_time, pixels_of_times)
        return next(rasters) if len(times) == 1 else reduce_over_time(rasters, reducer)

    stored_bytes = len(times) * window_bytes(plan, variable) if len(times) > 1 else 0
    height = -(-plan.windows[0].height // plan.step)
    strips = (slice(0, height),) if isinstance(plan, UnwarpedPlan) else strips_of(plan.grid)
    whole = slice(0, strips[-1].stop)
    if not isinstance(plan, StripPlan) or stored_bytes > REDUCED_BYTES * pixels_of(plan.grid):
        return MapValues(strips, reduce_rows(plan, whole, pixels_of_times).part)
    (stored,) = tee(pixels_of_times, 1)  # a copy yields the pixels that were read for other strips again

    def read_rows(rows: slice) -> Raster:
        with target.watch.step("warp"):
            part = plan.plan_rows(rows)
        return reduce_rows(part, rows, copy(stored))

    return MapValues(strips, read_rows)


def _read_times(
    plan: MapPlan | UnwarpedPlan, target: MapTarget, variable: VariableInfo, times: Sequence[int]
) -> Iterator[tuple[int, Pixels]]:
    """Yield index and native pixels of each time that can be read.

    Raises:
        DateUnreadable: None of the times can be read.
    """
    failure, has_any = None, False
    for number, index in enumerate(times):
        if number % TIMES_PER_CHECK == TIMES_PER_CHECK - 1:
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
