"""The values that a map shows: of each of its times, reduced to one, on the requested grid."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.errors import REPLACE_FILES, DateUnreadable
from chronotile.model.collection import Layer
from chronotile.model.grid import Grid
from chronotile.model.payload import PixelStates, TimeUsed
from chronotile.model.raster import Pixels, Raster
from chronotile.model.request import PictureReducer
from chronotile.model.source import VariableInfo
from chronotile.model.style import Style
from chronotile.model.time.instants import Instant
from chronotile.pipeline.composed import ComposedPlan, composed_plan
from chronotile.pipeline.one_state import require_state
from chronotile.pipeline.revision import time_index
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.stopwatch import Stopwatch
from chronotile.pipeline.unreadable_dates import UnreadableDates, complete
from chronotile.stats.over_time import difference, over_time
from chronotile.warp.plan import WarpPlan, plan_warp
from chronotile.warp.strips import StripPlan, plan_strips, strips_of, window_bytes

MapPlan = WarpPlan | StripPlan | ComposedPlan
Made = TypeVar("Made")

REDUCED_BYTES = 24
"""Estimated for each pixel when rasters are reduced one by one; if native pixels need less they are held instead."""


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
    states: PixelStates
    etag: str
    watch: Stopwatch
    """Of the request that was resolved."""
    found: UnreadableDates
    """Dates of its intervals that are left out, as they cannot be read."""
    plans: dict[str, MapPlan | None] = field(default_factory=dict)
    """Of its variables by name, stored here when they are first made."""


@dataclass(frozen=True, slots=True)
class MapValues:
    """The values that a map shows: of some rows at a time, so that those of a large map are never held as a whole."""

    strips: tuple[slice, ...]
    """All rows, in order."""
    of_rows: Callable[[slice], Raster]
    """Gives one of the strips."""


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


def shown_values(grid: Grid, target: MapTarget) -> MapValues | None:
    """Return the values that a layer shows, or their difference; `None` where it shares no pixel with the grid.

    Raises:
        DateUnreadable: None of the times can be read.
        SourceUnavailable: The source is away.
    """
    variable, used = target.layer.main_variable, target.time_used
    later = _values(grid, target, variable, used.instants)
    if target.base is None or later is None:
        return later
    base = _values(grid, target, variable, used.base)
    if base is None:
        return None
    return MapValues(later.strips, lambda rows: difference(later.of_rows(rows), base.of_rows(rows)))


def of_all_variables(
    grid: Grid, target: MapTarget, variables: Sequence[VariableInfo], make: Callable[[Iterator[MapValues]], Made]
) -> Made | None:
    """Return what is made of variables over the same times: without one that any of them cannot be read at.

    Args:
        grid: Which is requested.
        target: The request.
        variables: Which.
        make: Takes one variable after the other, so that no more than one is held; it may be called again.

    Returns:
        `None` where one of them shares no pixel with the grid.

    Raises:
        DateUnreadable: No time is left.
        SourceUnavailable: The source is away.
    """
    if any(map_plan(grid, target, variable) is None for variable in variables):
        return None
    while True:
        lacking = target.found.instants
        instants = tuple(each for each in target.time_used.instants if each not in lacking)
        if lacking and not instants:
            raise DateUnreadable(
                f"none of the times of layer {target.layer.id} can be read in all variables; {REPLACE_FILES}"
            )
        values = (_values(grid, target, variable, instants) for variable in variables)
        made = make(each for each in values if each is not None)  # which none is
        if target.found.instants == lacking:
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


def _values(grid: Grid, target: MapTarget, variable: VariableInfo, instants: tuple[Instant, ...]) -> MapValues | None:
    """The variable over some times, newest first, reduced; `None` where it shares no pixel with the grid."""
    plan = map_plan(grid, target, variable)
    if plan is None:
        return None
    if target.reducer == "earliest":
        instants = instants[::-1]
    times = _ReadTimes(plan, target, variable, instants or (None,))
    if isinstance(plan, StripPlan) and times.held_bytes <= REDUCED_BYTES * grid.width * grid.height:
        return MapValues(strips_of(grid), partial(times.of_rows, plan))
    return MapValues(strips_of(grid), times.whole().part)


class _ReadTimes:
    """The native pixels of a map's times, each read when it is needed first."""

    def __init__(
        self, plan: MapPlan, target: MapTarget, variable: VariableInfo, instants: Sequence[Instant | None]
    ) -> None:
        self._plan = plan
        self._target = target
        self._variable = variable
        self._instants = instants
        self._read = list[Pixels | DateUnreadable]()

    @property
    def held_bytes(self) -> int:
        """What all of them together take; of a single time nothing that need not be held anyway."""
        return 0 if len(self._instants) == 1 else len(self._instants) * window_bytes(self._plan, self._variable)

    def whole(self) -> Raster:
        """Return the whole map, of one time after the other."""
        return self._reduced(self._warped(self._plan, pixels) for pixels in self._each(keep=False))

    def of_rows(self, plan: StripPlan, rows: slice) -> Raster:
        """Return some rows of the map."""
        with self._target.watch.step("warp"):
            part = plan.of_rows(rows)
        return self._reduced(self._warped(part, pixels) for pixels in self._each(keep=True))

    def _reduced(self, rasters: Iterator[Raster]) -> Raster:
        """Return what the reducer makes of rasters of all times; of a single one there is nothing to make."""
        return next(rasters) if len(self._instants) == 1 else over_time(rasters, self._target.reducer)

    def _each(self, *, keep: bool) -> Iterator[Pixels]:
        """Give what can be read, in the order of the times.

        Raises:
            DateUnreadable: Nothing can be, though all was requested.
        """
        failure: DateUnreadable | None = None
        has_any = False
        for number, instant in enumerate(self._instants):
            read = self._read[number] if number < len(self._read) else self._read_at(instant)
            if keep and number == len(self._read):
                self._read.append(read)
            if isinstance(read, DateUnreadable):
                failure = read
            else:
                has_any = True
                yield read
        if failure is not None and not has_any:
            raise failure

    def _warped(self, part: MapPlan, pixels: Pixels) -> Raster:
        with self._target.watch.step("warp"):
            return part.warp(pixels, self._variable.encoding)

    def _read_at(self, instant: Instant | None) -> Pixels | DateUnreadable:
        target, variable = self._target, self._variable
        index = 0 if instant is None else time_index(variable.times.instants, instant)
        try:
            with target.watch.step("read"), reading(target.layer):
                try:
                    return self._plan.read(target.found.reader, variable, index)
                except DateUnreadable as error:
                    target.found.tell(variable, index, error)
                    raise
        except DateUnreadable as error:
            return error
