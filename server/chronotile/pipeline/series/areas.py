"""Series of areas: the values of their native cells, reduced to one per instant."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import islice

import numpy as np

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.encoding import UNREADABLE_CODE
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.payload import join_missing
from chronotile.core.model.request import AreaSeriesRequest, Point
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.series.reducers import Reducer
from chronotile.core.model.series.series import AreaSeries, AreasSeries, SeriesCost
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, Int64Array
from chronotile.core.stats.analysis_costs import analysis_seconds
from chronotile.core.stats.histogram_bins import even_edges
from chronotile.core.stats.samples import AreaBlock, Reduced, reduce_samples
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.mosaic_lattices import align_layers, lattice_at
from chronotile.pipeline.native_cell import UNFILLED, is_in_unfilled_box, outside_hints, reach_of
from chronotile.pipeline.resolve_series import instants_of, layer_with_values, series_indexes
from chronotile.pipeline.series.area_cells import (
    BODY_BYTES,
    THREADS,
    AreaCells,
    AreaReading,
    area_bytes,
    cheapest_readings,
    takes_several_reads,
    windows_of_all,
)
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.pipeline.zones.outlines import Outlines, outlines_of
from chronotile.pipeline.zones.spans import auto_spans, centre_spans, covered_spans
from chronotile.readers.lattices import Lattice


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedAreas:
    """Areas of a request whose cells are on one grid, with the layer on this grid and the services that read it."""

    request: AreaSeriesRequest
    layer: Layer
    services: Services
    numbers: tuple[int, ...]
    """Positions of the areas in the request."""


def align_areas(request: AreaSeriesRequest, layer: Layer, services: Services) -> list[AlignedAreas]:
    """Return the areas of a request by the lattice of their cells; in one group unless the layer is a mosaic."""
    all_numbers = tuple(range(len(request.areas)))
    if not layer.main_variable.is_mosaic:
        return [AlignedAreas(request=request, layer=layer, services=services, numbers=all_numbers)]
    by_lattice: dict[Lattice | None, list[int]] = {}
    for number, area in enumerate(request.areas):
        middle = _middle(area)
        lattice = None if middle is None else lattice_at(layer, services, middle)
        by_lattice.setdefault(lattice, []).append(number)
    groups = []
    for lattice, numbers in (by_lattice or {None: []}).items():
        aligned = align_layers([layer], services, lattice)
        group_request = replace(
            request,
            areas=tuple(request.areas[number] for number in numbers),
            may_be_outside=request.may_be_outside or len(by_lattice) > 1,
        )
        groups.append(
            AlignedAreas(
                request=group_request, layer=aligned.layers[0], services=aligned.services, numbers=tuple(numbers)
            )
        )
    return groups


def _middle(area: Area) -> Point | None:
    """Return the middle of the bounding box of an area; `None` if it has no polygons."""
    if not area.polygons:
        return None
    corners = np.vstack([polygon[0] for polygon in area.polygons])
    x, y = ((corners.min(axis=0) + corners.max(axis=0)) / 2).tolist()
    return Point(x=x, y=y, crs=area.crs)


def join_series(parts: Sequence[tuple[AlignedAreas, AreasSeries]]) -> AreasSeries:
    """Return the series of all areas of a request, in its order."""
    first = parts[0][1]
    if len(parts) == 1:
        return first
    by_number = {
        number: series
        for group, group_series in parts
        for number, series in zip(group.numbers, group_series.areas, strict=True)
    }
    return replace(
        first,
        areas=tuple(by_number[number] for number in sorted(by_number)),
        missing=join_missing(series.missing for _group_areas, series in parts),
    )


def sum_of_costs(costs: Sequence[SeriesCost]) -> SeriesCost:
    """Return the total cost of several series."""
    sums = {member.name: sum(getattr(cost, member.name) for cost in costs) for member in fields(SeriesCost)}
    return SeriesCost(**sums)


SPANS = {"pixel": centre_spans, "area": covered_spans, "auto": auto_spans}
ANSWER_VALUE_S = 1.2e-6
"""Processor time to reduce to a number of the answer and to write it."""
MAX_AREA_CELLS = 1 << 28
"""Maximum number of cells of one area, which are in memory together: 1 GiB of numbers of two bytes and weights."""
SMALLER = "request a shorter interval, or use smaller areas; dry_run=true gives their cost"

KEPT_KINDS = frozenset({"count", "valid_share"})
"""Reducers that count the valid cells, and so have a result for any number of them."""

ROUNDING = 1e-9
"""Tolerance for fractions, which are quotients of sums of weights."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaTarget:
    """A request resolved to a layer, times and cells."""

    layer: Layer
    indexes: tuple[int, ...]
    """Indexes into the times of the layer."""
    readings: tuple[AreaReading, ...]
    """Plans for runs of consecutive areas."""
    areas: tuple[Area, ...]
    edges: Mapping[str, Float64Array]
    """(bin + 1,) edges of each histogram, by its name."""
    cost: SeriesCost


def extract_area_series(
    request: AreaSeriesRequest, services: Services, *, is_active: IsActive = always_active
) -> AreasSeries:
    """Return the statistics of the values in the native cells of each area.

    With the weights `pixel`, an area consists of the cells whose centres are in it, otherwise of all cells that it
    touches. An area without a cell has no values, a `total` of 0 and a note with the reason; an area that is partly
    outside the layer has a note too. If a date is damaged but its source is reachable, areas with an unreadable cell
    have no values at that date. Each chunk is read once for all areas, in limited memory; areas with many crossings or
    cells wait for memory.

    Raises:
        InvalidParameter: All areas are outside the layer, an area has no coordinates in the CRS of the layer, or the
            layer is a composite.
        LimitExceeded: The answer, or the data to read for it, is too large.
        ServerBusy: Other answers use the memory that it needs.
        SourceUnavailable: The source is unreachable.
        ClientGone: The client closed the connection.
        ChronotileError: A name or time is invalid.
    """
    return join_series([(group, _extract_group(group, is_active)) for group in _group_areas(request, services)])


def _extract_group(group: AlignedAreas, is_active: IsActive) -> AreasSeries:
    request, services = group.request, group.services
    with _resolve_group(group, is_active) as target:
        reading_all = partial(_read, target, request, services, is_active)
        if not any(takes_several_reads(how) for how in target.readings):
            return reading_all()
        places = windows_of_all(target.readings)
        return read_unchanged_files(reading_all, target.layer, target.indexes, services, places=places)


def _group_areas(request: AreaSeriesRequest, services: Services) -> list[AlignedAreas]:
    return align_areas(request, layer_with_values(request.layer, services), services)


def _read(target: AreaTarget, request: AreaSeriesRequest, services: Services, is_active: IsActive) -> AreasSeries:
    areas, read = iter(target.areas), list[AreaSeries]()
    unreadable = UnreadableDates(target.layer, services)
    for how in target.readings:
        totals = np.diff(how.plan.bounds).tolist()
        cells = AreaCells(how, unreadable, is_active)
        parts = _reduce(how, cells, request, target.edges)
        cells.require_source()
        read += _series(tuple(islice(areas, len(totals))), totals, parts, request, names=cells.names)
    return AreasSeries(
        layer=target.layer.id,
        units=target.layer.main_variable.encoding.units,
        times=instants_of(target.layer, target.indexes),
        areas=tuple(read),
        edges=target.edges,
        missing=unreadable.missing,
    )


def cost_of_area_series(
    request: AreaSeriesRequest, services: Services, *, is_active: IsActive = always_active
) -> SeriesCost:
    """Return the cost of `extract_area_series`; reads no pixels.

    Raises:
        ChronotileError: `extract_area_series` would refuse the request.
    """
    costs = []
    for group in _group_areas(request, services):
        with _resolve_group(group, is_active) as target:
            costs.append(target.cost)
    return sum_of_costs(costs)


@contextmanager
def _resolve_group(group: AlignedAreas, is_active: IsActive) -> Iterator[AreaTarget]:
    """Yield the layer, cells and times of a request, and hold memory for them; check the limits."""
    request, layer, services = group.request, group.layer, group.services
    edges = _edges(request.reducers, layer)
    for reducer in request.reducers:
        is_defined = reducer.kind in {"mean", "std", "count", "valid_share", "histogram"}
        circle = layer.main_variable.encoding.circle
        require_directional(is_defined, reducer.name, layer.id, circle, locator="reducers")
    columns = sum(reducer.bins or 1 for reducer in request.reducers)
    indexes = series_indexes(layer, request.time, services)
    limits = services.catalogue.limits
    values = columns * len(request.areas) * len(indexes)
    alternative = "request a shorter interval, fewer areas or fewer reducers"
    require_at_most("max_series_values", values, limits.max_series_values, alternative=alternative, locator="time")
    outlines = _outlines(request, layer)
    max_bytes = None if services.memory.max_bytes is None else services.memory.max_bytes - BODY_BYTES
    size = area_bytes(outlines, layer.main_variable, weights=request.weights, times=len(indexes), max_bytes=max_bytes)
    with services.memory.taking(size, alternative=SMALLER, locator="geometry", is_active=is_active):
        areas, readings = _readings(outlines, request, layer, indexes=indexes, services=services)
        times = instants_of(layer, indexes)
        further_s = analysis_seconds(request.analysis, times, times, series=len(request.areas) * len(request.reducers))
        cost = bounded_cost(readings, columns, services, alternative=SMALLER, further_s=further_s)
        yield AreaTarget(layer=layer, indexes=indexes, readings=readings, areas=areas, edges=edges, cost=cost)


def bounded_cost(
    readings: Sequence[AreaReading], columns: int, services: Services, *, alternative: str, further_s: float = 0.0
) -> SeriesCost:
    """Return the total cost of plans, after checking the limits.

    Args:
        readings: The plans.
        columns: Numbers per area and time in the answer.
        services: The services with the limits.
        alternative: Advice for a cheaper request, part of the message.
        further_s: Processor time of later work with the series.

    Raises:
        LimitExceeded: The plans read more than `max_area_values`, have more cells, have an area with too many cells, or
            take more than `max_seconds`.
    """
    costs = [how.cost(columns) for how in readings]
    together = sum_of_costs(costs)
    together = replace(together, seconds=together.seconds + further_s + together.values * ANSWER_VALUE_S)
    read = sum(
        cost.bytes // np.dtype(how.layer.main_variable.encoding.dtype).itemsize
        for cost, how in zip(costs, readings, strict=True)
    )
    largest = max((int(np.diff(how.plan.bounds).max(initial=0)) for how in readings), default=0)
    _require_within_limits(max(read, together.cells), largest, services, alternative=alternative)
    require_seconds(together.seconds, services, alternative=alternative, locator="time")
    return together


def _require_within_limits(values: int, largest: int, services: Services, *, alternative: str) -> None:
    """Check the number of values that are read, and the cells of the largest area.

    Raises:
        LimitExceeded: There are too many.
    """
    allowed = services.catalogue.limits.max_area_values
    require_at_most("max_area_values", values, allowed, alternative=alternative, locator="time")
    require_at_most("max_area_cells", largest, MAX_AREA_CELLS, alternative="use smaller areas", locator="geometry")


def _outlines(request: AreaSeriesRequest, layer: Layer) -> Outlines:
    """Return the outlines of the areas, at least one of which must meet the layer unless all may be outside."""
    outlines = outlines_of(request.areas, layer.main_variable.grid)
    has_place = _has_place(request)
    if has_place.any() and outlines.is_outside[has_place].all() and not request.may_be_outside:
        raise _outside(replace(request, areas=tuple(area for area in request.areas if area.polygons)), layer)
    return outlines


def _has_place(request: AreaSeriesRequest) -> BoolArray:
    return np.array([bool(area.polygons) for area in request.areas], dtype=bool)


def _readings(
    outlines: Outlines, request: AreaSeriesRequest, layer: Layer, *, indexes: tuple[int, ...], services: Services
) -> tuple[tuple[Area, ...], tuple[AreaReading, ...]]:
    """Return the areas, with notes about missing cells, and the plans for reading their cells."""
    grid: NativeGrid = layer.main_variable.grid
    has_place = _has_place(request)
    spans = SPANS[request.weights](outlines, grid)
    cells = np.bincount(spans.areas, weights=spans.lengths, minlength=len(request.areas))
    # Before the plan, which takes memory for each block of a row.
    _require_within_limits(spans.cells, int(cells.max(initial=0)), services, alternative=SMALLER)
    is_empty = cells == 0
    is_outside = outlines.is_outside | is_empty if request.weights != "pixel" else outlines.is_outside
    areas = _add_notes(
        request.areas,
        layer,
        is_outside=is_outside & has_place,
        is_empty=is_empty & has_place,
        is_beyond=outlines.is_beyond & has_place,
    )
    return areas, cheapest_readings(spans, len(areas), layer=layer, indexes=indexes, services=services)


def _add_notes(
    areas: Sequence[Area], layer: Layer, *, is_outside: BoolArray, is_empty: BoolArray, is_beyond: BoolArray
) -> tuple[Area, ...]:
    """Return the areas, with a note if they have no cell or fewer than their outlines suggest."""
    noted = list(areas)
    numbers = np.flatnonzero(is_outside | is_empty | is_beyond).tolist()
    reach = reach_of(layer) if numbers else ""
    for number, hint in zip(numbers, _hints([areas[number] for number in numbers], layer), strict=True):
        if is_outside[number]:
            note = f"it lies outside the layer, which {reach}{hint}"
        elif is_empty[number]:
            note = "no cell's centre lies in it; weights=auto counts parts of cells"
        else:
            note = f"a part of it lies outside the layer, which {reach}{hint if hint == UNFILLED else ''}"
        before = areas[number].note
        noted[number] = replace(areas[number], note=note if before is None else f"{before}; {note}")
    return tuple(noted)


def _hints(areas: Sequence[Area], layer: Layer) -> list[str]:
    if not areas:
        return []
    hints = outside_hints(np.array([area.polygons[0][0].mean(axis=0) for area in areas]), layer)
    return [_checked_hint(area, hint, layer) for area, hint in zip(areas, hints, strict=True)]


def _checked_hint(area: Area, hint: str, layer: Layer) -> str:
    """Return the hint for the middle of an area, if it is true for its whole first ring."""
    if not area.crs.is_geographic:
        return ""
    if hint == UNFILLED and not is_in_unfilled_box(area.polygons[0][0], layer.main_variable.grid).all():
        return ""
    return hint


def _edges(reducers: Sequence[Reducer], layer: Layer) -> Mapping[str, Float64Array]:
    """Return the (bin + 1,) edges of each histogram; without a range, that of the first style is used."""
    edges: dict[str, Float64Array] = {}
    for reducer in reducers:
        if reducer.bins is not None:
            low, high = reducer.range or layer.styles[0].range
            edges[reducer.name] = even_edges(low, high, reducer.bins)
    return edges


def _reduce(
    how: AreaReading, cells: AreaCells, request: AreaSeriesRequest, edges: Mapping[str, Float64Array]
) -> list[Reduced]:
    """Return the results of the areas of one plan, for runs of times."""
    encoding = how.layer.main_variable.encoding
    with ThreadPoolExecutor(THREADS) as threads:

        def map_in_threads(reduce_block: Callable[[AreaBlock], None], blocks: Iterable[AreaBlock]) -> Iterable[None]:
            def reduce_active(block: AreaBlock) -> None:
                cells.require_active()
                reduce_block(block)

            return threads.map(reduce_active, blocks)

        return [
            reduce_samples(cells.samples(slab), encoding, request.reducers, edges, in_order=map_in_threads)
            for slab in how.slabs()
        ]


def _series(
    areas: Sequence[Area],
    totals: Sequence[int],
    parts: Sequence[Reduced],
    request: AreaSeriesRequest,
    *,
    names: Sequence[str],
) -> list[AreaSeries]:
    """Return the series of each area, without values for which too few cells are valid."""
    is_short = _concatenate([part.valid_share for part in parts]) < request.min_valid - ROUNDING
    unreadable_counts = [part.causes.get(UNREADABLE_CODE, np.zeros_like(part.valid)) for part in parts]
    is_unreadable = _concatenate(unreadable_counts) > 0
    columns = {}
    for reducer in request.reducers:
        columns[reducer.name] = _concatenate([part.values[reducer.name] for part in parts])
        if reducer.kind not in KEPT_KINDS:
            columns[reducer.name][is_short] = np.nan
        columns[reducer.name][is_unreadable] = 0 if reducer.kind == "count" else np.nan
    valid = np.where(is_unreadable, 0, _concatenate([part.valid for part in parts]))
    reasons = _reasons(parts, names, is_unreadable=is_unreadable, totals=np.array(totals))
    return [
        AreaSeries(
            area=area,
            reduced={name: column[number] for name, column in columns.items()},
            valid=valid[number],
            total=totals[number],
            reasons={name: counts[number] for name, (counts, occurs) in reasons.items() if occurs[number]},
        )
        for number, area in enumerate(areas)
    ]


def _reasons(
    parts: Sequence[Reduced], names: Sequence[str], *, is_unreadable: BoolArray, totals: Int64Array
) -> dict[str, tuple[Int64Array, list[bool]]]:
    """Return (area, time) counts by reason, and per area whether the reason occurs. Two flags may have one name.

    If some cells of an area are unreadable at a time, all its cells count as unreadable.
    """
    total_counts: dict[str, Int64Array] = {}
    for code in sorted({code for part in parts for code in part.causes}):
        counts = _concatenate([part.causes.get(code, np.zeros_like(part.valid)) for part in parts])
        counts = np.where(is_unreadable, totals[:, np.newaxis] if code == UNREADABLE_CODE else 0, counts)
        total_counts[names[code - 1]] = total_counts.get(names[code - 1], 0) + counts
    return {name: (counts, [bool(row.any()) for row in counts]) for name, counts in total_counts.items()}


def _concatenate(parts: Sequence[AnyArray]) -> AnyArray:
    # (area, time, …) of consecutive parts (time, area, …).
    return np.ascontiguousarray(np.concatenate(parts).swapaxes(0, 1))


def _outside(request: AreaSeriesRequest, layer: Layer) -> InvalidParameter:
    areas = request.areas
    vertices = f"of {sum(area.vertices for area in areas)} vertices"
    subject = f"the geometry {vertices} lies" if len(areas) == 1 else f"all {len(areas)} geometries {vertices} lie"
    return InvalidParameter(
        f"{subject} outside layer {layer.id}, which {reach_of(layer)}; "
        f"coordinates are longitude first{_hints(areas[:1], layer)[0]}",
        locator=request.given_by,
    )
