"""The values that a map shows: of each of its times, reduced to one, on the requested grid."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.errors import DateUnreadable
from chronotile.model.collection import Layer
from chronotile.model.grid import Grid
from chronotile.model.payload import TimeUsed
from chronotile.model.raster import Raster
from chronotile.model.request import PictureReducer
from chronotile.model.source import VariableInfo
from chronotile.model.style import Style
from chronotile.model.time import Instant
from chronotile.pipeline.one_state import require_state
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.stopwatch import Stopwatch
from chronotile.pipeline.unreadable_dates import UnreadableDates, complete
from chronotile.readers.warp import WarpPlan, plan_warp
from chronotile.stats.over_time import difference, over_time


@dataclass(frozen=True, slots=True, kw_only=True)
class MapTarget:
    """A request resolved to what exists."""

    layer: Layer
    style: Style
    times: ResolvedTimes
    time_used: TimeUsed
    base: ResolvedTimes | None
    """Of a difference, the times whose values are taken away."""
    reducer: PictureReducer
    services: Services
    """That can read the layer, if it shows an expression."""
    states: tuple[str, ...]
    """Of the pixels, by variable."""
    etag: str
    watch: Stopwatch
    """Of the request that was resolved."""
    found: UnreadableDates
    """Dates of its intervals that are left out, as they cannot be read."""


def of_one_state(targets: Sequence[MapTarget], make: Callable[[], bytes]) -> bytes:
    """Return what is made of resolved requests.

    Raises:
        IncompleteAnswer: In place of what lacks dates.
        SourceChanged: Files that it is made of were written meanwhile.
    """
    try:
        return complete(make(), *(target.found for target in targets))
    finally:  # what went wrong with a file that changed is no matter
        for target in targets:
            used = target.time_used
            require_state(target.layer, used.instants + used.base, target.states, target.services)


def band_rasters(grid: Grid, target: MapTarget, variables: Sequence[VariableInfo]) -> list[Raster | None]:
    """Return all variables over the same times: without one that any of them cannot be read at.

    Raises:
        DateUnreadable: No time is left.
        SourceUnavailable: The source is away.
    """
    while True:
        lacking = target.found.instants
        instants = tuple(each for each in target.time_used.instants if each not in lacking)
        if lacking and not instants:
            raise DateUnreadable(f"none of the times of layer {target.layer.id} can be read in all variables now")
        bands = [_read(grid, target, variable, instants) for variable in variables]
        if target.found.instants == lacking:
            return bands


def shown_raster(grid: Grid, target: MapTarget) -> Raster | None:
    """Return the values a layer shows, or their difference; `None` where it shares no pixel with the grid.

    Raises:
        DateUnreadable: None of the times can be read.
        SourceUnavailable: The source is away.
    """
    variable, used = target.layer.main_variable, target.time_used
    later = _read(grid, target, variable, used.instants)
    if target.base is None or later is None:
        return later
    base = _read(grid, target, variable, used.base)
    return None if base is None else difference(later, base)


def _read(grid: Grid, target: MapTarget, variable: VariableInfo, instants: tuple[Instant, ...]) -> Raster | None:
    """The variable over some times, newest first, reduced; `None` where it shares no pixel with the grid."""
    plan = _plan(grid, target, variable)
    if plan is None:
        return None
    if len(instants) <= 1:
        return _read_at(instants[0] if instants else None, plan, target, variable)
    if target.reducer == "earliest":
        instants = instants[::-1]
    return over_time(_read_each(instants, plan, target, variable), target.reducer)


def _read_each(
    instants: Sequence[Instant], plan: WarpPlan, target: MapTarget, variable: VariableInfo
) -> Iterator[Raster]:
    """The variable at those of the times at which it can be read.

    Raises:
        DateUnreadable: It cannot be at any.
    """
    failure: DateUnreadable | None = None
    has_any = False
    for instant in instants:
        try:
            raster = _read_at(instant, plan, target, variable)
        except DateUnreadable as error:
            failure = error
        else:
            has_any = True
            yield raster
    if failure is not None and not has_any:
        raise failure


def _plan(grid: Grid, target: MapTarget, variable: VariableInfo) -> WarpPlan | None:
    resampling = target.layer.resampling
    with target.watch.step("warp"):
        return target.services.caches.plans.get_or_make(
            (variable.levels, grid, resampling), lambda: plan_warp(variable.levels, grid, resampling=resampling)
        )


def _read_at(instant: Instant | None, plan: WarpPlan, target: MapTarget, variable: VariableInfo) -> Raster:
    index = 0 if instant is None else time_index(variable.times.instants, instant)
    with target.watch.step("read"), reading(target.layer):
        try:
            pixels = plan.read(target.services.reader(target.layer), variable, index)
        except DateUnreadable as error:
            target.found.tell(variable, index, error)
            raise
    with target.watch.step("warp"):
        return plan.warp(pixels, variable.encoding)
