"""Give me these numbers: native cells, or such on another grid, of one collection's variables at some times."""

import hashlib
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from chronotile.catalog.resolve_times import resolve_series_times, time_not_available
from chronotile.errors import InvalidParameter, LimitExceeded, SourceUnavailable, TimeNotAvailable
from chronotile.model.collection import Layer, Resampling
from chronotile.model.coverage import CoverageField, CoverageRequest
from chronotile.model.geometry.area import Area
from chronotile.model.grid import Window
from chronotile.model.payload import PixelStates
from chronotile.model.time.instants import NO_TIME, InstantArray, TimeDomain, TimeSelection, common_times
from chronotile.pipeline.composed import ground_windows
from chronotile.pipeline.coverage.grid import Place, place_of
from chronotile.pipeline.coverage.native import NativeCells
from chronotile.pipeline.coverage.numbers import output_encoding
from chronotile.pipeline.coverage.source_coverage import ABSENT, CellSource, ReadCoverage, coverage_bytes
from chronotile.pipeline.coverage.warped import warped_cells
from chronotile.pipeline.frames import coverage_lattice, framed
from chronotile.pipeline.resolve_series import instants_of, layer_with_values
from chronotile.pipeline.revision import fingerprint, pixel_states, revision_of_states
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.derived.alignment import are_same_cells

IntArray = NDArray[np.int64]


def extract_coverage(
    request: CoverageRequest, services: Services, *, times: InstantArray | None = None, is_part: bool = False
) -> ReadCoverage:
    """Return what a request means, which is then read run by run; reads no pixels itself.

    Of several dates, one that is damaged while its source is there has no values, and is among `unreadable` once it
    was read; of one date alone, reading it fails.

    Args:
        request: What, where and when.
        services: What to read it with.
        times: Exactly these, ascending, in place of those that the request selects: for who resolved them before.
        is_part: Whether there are other parts with other times, so that one date is not alone.

    Raises:
        OutsideData: A trim or the area leaves nothing.
        InvalidParameter: Layers lie on different grids or are of different collections, one is a composite, or a scale
            is none.
        TimeNotAvailable: No layer has the time, or any in the interval, that is requested.
        LimitExceeded: Its numbers take more than `max_coverage_bytes`.
        SourceUnavailable: A source is gone, or one of the `times`.
        ChronotileError: A name or time is not accepted.
    """
    layers = _layers(request.layers, services)
    domain, indexes = _times(layers, request.time if times is None else times, services)
    on_lattice = framed(layers, services, coverage_lattice(layers[0], services, request.crs))
    layers, services = on_lattice.layers, on_lattice.services
    place = place_of(request, layers[0].main_variable.grid)
    fields = tuple(coverage_field(layer) for layer in layers)
    requested = coverage_bytes(fields, place.grid, times=indexes[0].size)
    _check_size(requested, services, locator="bbox" if request.scale is None else request.scale.locator)
    cells, window = _cells(place, fields, request.resampling, services)
    states = tuple(
        _state(layer, own, services, ground_windows(layer, place.grid) if layer.main_variable.is_mosaic else (window,))
        for layer, own in zip(layers, indexes, strict=True)
    )
    return ReadCoverage(
        collection=services.catalogue.collection(layers[0].collection),
        fields=fields,
        grid=place.grid,
        times=domain,
        etag=_etag(request, domain, place, _named(layers, states)),
        states=states,
        indexes=indexes,
        cells=cells,
        inside=place.inside,
        services=services,
        found=tuple(UnreadableDates(layer, services) for layer in layers),
        is_lenient=is_part or len(domain) > 1,
    )


def _cells(
    place: Place, fields: tuple[CoverageField, ...], resampling: Resampling | None, services: Services
) -> tuple[CellSource, Window | None]:
    """What is read, and the window of native cells that has it all; `None` for cells of another grid."""
    if place.window is None:
        return warped_cells(place.grid, fields, resampling=resampling, plans=services.caches.plans), None
    cells = NativeCells(grid=fields[0].layer.main_variable.grid, window=place.window)
    return cells, cells.enclosing


def _layers(names: Sequence[str], services: Services) -> tuple[Layer, ...]:
    """Those of the names, one of each variable; all of one collection and grid."""
    by_variable: dict[str, Layer] = {}
    for name in names:
        layer = layer_with_values(name, services)
        by_variable.setdefault(layer.main_variable.name, layer)
    layers = tuple(by_variable.values())
    if not layers:
        raise InvalidParameter("a coverage has at least one variable", locator="layer")
    first = layers[0]
    for layer in layers:
        if layer.collection != first.collection:
            raise InvalidParameter(
                f"layers {first.id} and {layer.id} are of different collections; request each separately",
                locator="layer",
            )
    alike = [layer for layer in layers if are_same_cells(layer.main_variable.grid, first.main_variable.grid)]
    if len(alike) < len(layers):
        other = next(layer for layer in layers if layer not in alike)
        names_alike = ", ".join(layer.main_variable.name for layer in alike)
        raise InvalidParameter(
            f"{other.main_variable.name} has another grid than {names_alike}; request it separately", locator="layer"
        )
    return layers


def coverage_field(layer: Layer) -> CoverageField:
    """Return the variable of a layer as coverages have it."""
    variable = layer.main_variable
    title = variable.title or layer.title.get("") or next(iter(layer.title.values()), layer.id)
    return CoverageField(name=variable.name, title=title, layer=layer, encoding=output_encoding(variable.encoding))


def _times(
    layers: Sequence[Layer], requested: TimeSelection | InstantArray, services: Services
) -> tuple[TimeDomain, tuple[IntArray, ...]]:
    """All times that any layer has of what is requested, and where each of its own is; one without time is at all."""
    dated = [layer for layer in layers if len(layer.times)]
    if not dated:
        return NO_TIME, tuple(np.zeros(1, dtype=np.int64) for _layer in layers)
    starts = _selected(dated, requested, services) if isinstance(requested, TimeSelection) else requested
    indexes = tuple(_indexes(layer, starts) for layer in layers)
    if not np.isin(starts, np.concatenate([layer.times.starts for layer in dated])).all():
        raise SourceUnavailable(f"layer {dated[0].id} no longer has all of the times")
    all_times = [
        layer.times.at(own[own != ABSENT]) for layer, own in zip(layers, indexes, strict=True) if len(layer.times)
    ]
    return _all_times(starts, all_times), indexes


def _all_times(starts: InstantArray, domains: Sequence[TimeDomain]) -> TimeDomain:
    """The times of all domains, each as long as the shortest; their bounds stay where all have the same times."""
    if all(len(domain) == starts.size for domain in domains):
        return reduce(common_times, domains)
    ends = np.full(starts.size, np.iinfo(np.int64).max).view(starts.dtype)
    for domain in domains:
        places = np.searchsorted(starts, domain.starts)
        ends[places] = np.minimum(ends[places], domain.ends)
    return TimeDomain(starts, ends, is_climatology=all(domain.is_climatology for domain in domains))


def _selected(dated: Sequence[Layer], selection: TimeSelection, services: Services) -> InstantArray:
    """Starts of all times that any layer has of what is requested."""
    resolved, missing = list[tuple[Layer, tuple[int, ...]]](), list[TimeNotAvailable]()
    for layer in dated:
        try:
            resolved.append((layer, resolve_series_times(layer, selection, now=services.clock()).indexes))
        except TimeNotAvailable as error:
            missing.append(error)
    if not any(indexes for _layer, indexes in resolved):
        lacking = missing[0] if missing else time_not_available(dated[0], selection)
        raise TimeNotAvailable(lacking.message, locator="datetime", nearest=lacking.nearest)
    return np.unique(np.concatenate([instants_of(layer, indexes) for layer, indexes in resolved]))


def _indexes(layer: Layer, starts: InstantArray) -> IntArray:
    if not len(layer.times):
        return np.zeros(starts.size, dtype=np.int64)
    own = np.searchsorted(layer.times.starts, starts)
    is_there = layer.times.starts[np.minimum(own, len(layer.times) - 1)] == starts
    return np.where(is_there, own, ABSENT)


def _check_size(requested: int, services: Services, *, locator: str) -> None:
    allowed = services.catalogue.limits.max_coverage_bytes
    if requested > allowed:
        raise LimitExceeded(
            "max_coverage_bytes",
            allowed=allowed,
            needed=requested,
            alternative="request a smaller bbox, fewer times or fields, or fewer and coarser cells; "
            "series of places are at /timeseries",
            locator=locator,
        )


def _state(layer: Layer, indexes: IntArray, services: Services, windows: tuple[Window | None, ...]) -> PixelStates:
    """Of the pixels of a layer at its own times of some indexes, in a window of native cells or in all."""
    there = tuple(indexes[indexes != ABSENT].tolist())
    instants = tuple(instants_of(layer, there)) if len(layer.times) else ()
    return pixel_states(layer, instants, services, windows=windows)


def _named(layers: Sequence[Layer], states: Sequence[PixelStates]) -> list[str]:
    """Names for states of the pixels of layers, for what they mean and for how they are resampled."""
    return [f"{revision_of_states(layer, own)} {layer.resampling}" for layer, own in zip(layers, states, strict=True)]


def _etag(request: CoverageRequest, times: TimeDomain, place: Place, states: Sequence[str]) -> str:
    grid = place.grid
    return fingerprint(
        "coverage",
        states,
        (times.starts.tobytes(), times.ends.tobytes()),
        (grid.crs.name, tuple(grid.bbox), grid.width, grid.height),
        request.resampling,
        None if request.area is None else _name_of_area(request.area),
    )


def _name_of_area(area: Area) -> str:
    """A short text that another outline does not have."""
    digest = hashlib.blake2b(area.crs.name.encode(), digest_size=12)
    for polygon in area.polygons:
        digest.update(b"polygon")
        for ring in polygon:
            digest.update(np.ascontiguousarray(ring).tobytes())
    return digest.hexdigest()
