"""A collection of items as the source of a cube: a mosaic per instant, on one grid."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from chronotile.core.errors import DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.raster import Pixels, replace_codes_by_mask
from chronotile.core.model.source import SourceSpec, TargetGrid, VariableSpec
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, reach_in
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.web.places import AllowedPlaces
from chronotile.optimise.arrays import is_in_crs
from chronotile.readers.kinds import open_source
from chronotile.readers.lattices import Lattice, lattice_of, whole_lattice
from chronotile.readers.library_errors import one_line, origin_of
from chronotile.readers.mosaic.info import items_of
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.mosaic.scenes import select_variable
from chronotile.readers.mosaic_reader import MosaicReader, as_mosaic
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.skipped_items import is_passing
from chronotile.readers.zarr.commit import state_number

BEYOND = "items lie beyond the cells of the existing cube, which stay as they are; name another cube to have them too"
OTHER_CUBE = "the existing cube has another --bbox, --crs or --resolution; name another cube"
ORDERED_RULES = ("latest", "least_nodata")
"""Rules for which the index sorts the items, so that only the configuration can set them."""


class OpenIndex(PieceIndex, Protocol):
    """An index of items that is closed after use."""

    def close(self) -> None:
        """Close the connections to the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MosaicRequest:
    """The part of a collection to write, and the grid."""

    collection: str
    """Id of the collection."""
    variables: tuple[str, ...] = ()
    """If empty, all variables in files; formulas are written only if named."""
    target: TargetGrid | None = None
    """`None`: the grid of the collection."""
    bbox: BBox | None = None
    """In CRS84; `None`: the whole collection."""
    rule: MosaicRule | None = None
    """`None`: the rule of the collection."""
    spans: tuple[TimeSpan, ...] | None = None
    """`None`: all instants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionMosaic:
    """The mosaics of a collection on one grid; any process with the same index and files can open them."""

    spec: SourceSpec
    open_index: Callable[[], OpenIndex]
    places: AllowedPlaces
    """Allowed locations of the files of items."""
    grid: NativeGrid
    times: TimeDomain
    """Dates to write, counted once; later dates are left to the next run."""
    spans: tuple[TimeSpan, ...] | None = None
    """The requested times; `None`: all."""
    notes: tuple[str, ...] = ()
    """Notes for the report."""

    @contextmanager
    def open_reader(self) -> Iterator[MosaicReader]:
        """Open a reader whose native grid is `grid`.

        Raises:
            UnsupportedSource: No item can be opened.
            SourceUnavailable: The index does not answer.
        """
        index = self.open_index()
        try:
            caches = ReaderCaches(items=lambda: index, places=self.places)
            yield as_mosaic(open_source(self.spec, caches)).replace_grid(self.grid).replace_times(self.times)
        finally:
            index.close()

    def states(self, reader: MosaicReader, variables: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """Return numbers (time, variable) that change with the items of a date on the grid and with the settings.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        settings, mosaic = items_of(self.spec).settings, items_of(self.spec).mosaic
        variants = [repr((settings, mosaic.rule, self.spec.crs, _needed_specs(self.spec, name))) for name in variables]
        window = Window(0, self.grid.height, 0, self.grid.width)
        states = (reader.revision_of_window(variables[0], index, window) for index in range(len(self.times)))
        return tuple(tuple(state_number(f"{state} {variant}") for variant in variants) for state in states)

    def add_dates(self, starts: np.ndarray, bounds: np.ndarray) -> "CollectionMosaic":
        """Add requested dates without items: their items were removed.

        Args:
            starts: (time,), in any order.
            bounds: (time, 2).
        """
        is_gone = ~np.isin(starts, self.times.starts)
        if self.spans is not None:
            is_gone &= np.any([(starts >= span.start) & (starts < span.end) for span in self.spans], axis=0)
        if not is_gone.any():
            return self
        all_starts = np.concatenate([self.times.starts, bounds[is_gone, 0]])
        all_ends = np.concatenate([self.times.ends, bounds[is_gone, 1]])
        order = np.argsort(all_starts)
        return replace(self, times=TimeDomain(all_starts[order], all_ends[order]))


def read_mosaic(
    reader: MosaicReader, variable: str, *, index: int, window: Window, take: Callable[[ItemRef, str], None]
) -> Pixels:
    """Return (1, y, x) pixels of a window at one date; no pixel is valid if no item can be read.

    Args:
        reader: Reader of a mosaic.
        variable: Id of the variable.
        index: Index of the date.
        window: Window of the grid.
        take: Called with each skipped item and the reason.

    Raises:
        SourceUnavailable: The index or the store of an item does not answer, or an item has an unknown encoding.
    """

    def report(ref: ItemRef, error: Exception) -> None:
        reason = one_line(origin_of(error))
        if is_passing(error):
            raise SourceUnavailable(
                f"item {ref.id} cannot be read now: {reason}; --resume continues from here"
            ) from error
        take(ref, reason)

    reporting_reader = reader.replace_report(report)
    try:
        pixels = replace_codes_by_mask(
            reporting_reader.read_block(variable, indexes=[index], window=window, along="space")
        )
    except DateUnreadable:  # `report` was called for the items of the date
        numbers = np.zeros((1, window.height, window.width), dtype=reader.info.variables[variable].encoding.dtype)
        pixels = Pixels(numbers, np.zeros(numbers.shape, dtype=bool))
    if reporting_reader.reopen_reason:
        raise SourceUnavailable(
            f"{reporting_reader.reopen_reason}; run it again, for another cube if this one cannot hold its values"
        )
    return pixels


def find_mosaic(
    spec: SourceSpec,
    reader: MosaicReader,
    request: MosaicRequest,
    *,
    open_index: Callable[[], OpenIndex],
    places: AllowedPlaces,
    existing_attributes: Mapping[str, object] | None = None,
) -> CollectionMosaic:
    """Return the mosaics to write.

    Args:
        spec: Specification of the collection.
        reader: Reader of the collection.
        request: Variables, grid and times to write.
        open_index: Opens the item index.
        places: Allowed locations of the files of items.
        existing_attributes: Root attributes of the existing cube; `None` without one.

    Raises:
        UnsupportedSource: It lacks a requested variable or all times, or has no grid; the message has the remedy.
    """
    names = variables_to_write(spec, reader, request.variables)
    rule = _rule(spec, request.rule)
    items = items_of(spec)
    mosaic = replace(items.mosaic, rule=rule)
    restricted_spec = replace(spec, items=replace(items, mosaic=mosaic), variables=_needed_variables(spec, names))
    index = open_index()
    try:
        extent = index.extent(spec.collection)
    finally:
        index.close()
    if extent is None:
        raise UnsupportedSource("the item index has no item of it; run chronotile index")
    grid, notes = _grid(_lattice(reader, names, request.target), extent, request.bbox, existing_attributes)
    return CollectionMosaic(
        spec=restricted_spec,
        open_index=open_index,
        places=places,
        grid=grid,
        times=_times(reader.info.variables[names[0]].times, request.spans),
        spans=request.spans,
        notes=notes,
    )


def variables_to_write(spec: SourceSpec, reader: MosaicReader, requested: Sequence[str]) -> tuple[str, ...]:
    """Return the requested ids; by default all variables in files.

    Raises:
        UnsupportedSource: A variable is unknown.
    """
    variables = reader.info.variables
    lacking = [name for name in requested if name not in variables]
    if lacking:
        raise UnsupportedSource(f"there is no variable {lacking[0]} in it; there are {', '.join(variables)}")
    formulas = {name for name, variable_spec in spec.variables.items() if variable_spec.formula is not None}
    names = tuple(dict.fromkeys(requested)) or tuple(name for name in variables if name not in formulas)
    if not names:
        raise UnsupportedSource(f"all its variables are formulas; name some: {_options(variables)}")
    return names


def _options(names: Iterable[str]) -> str:
    return " ".join(f"--variable {name}" for name in names)


def _rule(spec: SourceSpec, requested: MosaicRule | None) -> MosaicRule:
    configured = items_of(spec).mosaic.rule
    if requested in ORDERED_RULES and requested != configured:
        raise UnsupportedSource(
            f"--mosaic {requested} needs the items in another order than the index has; set mosaic: {{rule: "
            f"{requested}}} in the configuration and run chronotile index"
        )
    return requested or configured


def _needed_specs(spec: SourceSpec, name: str) -> list[object]:
    # Specifications of a variable and of all variables in its formula
    return [spec.variables[needed] for needed in _needed_variables(spec, [name])]


def _needed_variables(spec: SourceSpec, names: Sequence[str]) -> dict[str, VariableSpec]:
    # Variables with those in their formulas, in the order of the configuration
    needed = {needed_name for name in names for needed_name in select_variable(spec, name).variables}
    return {name: needed_name for name, needed_name in spec.variables.items() if name in needed}


def _lattice(reader: MosaicReader, names: Sequence[str], target: TargetGrid | None) -> Lattice:
    """Return the lattice of the written cells."""
    grids = [reader.info.variables[name].grid for name in names]
    if target is not None:
        return whole_lattice(grids, target)
    lattices = {name: lattice_of(grid) for name, grid in zip(names, grids, strict=True)}
    if all(reader.has_native_grid(name) for name in names) and len(set(lattices.values())) == 1:
        (lattice,) = set(lattices.values())
        assert lattice is not None  # noqa: S101 -- such a grid is north-up
        return lattice
    sizes = {
        f"{grid_lattice.crs.name} {grid_lattice.width:g}" for name in names for grid_lattice in reader.lattices(name)
    }
    raise UnsupportedSource(
        f"its files have {len(sizes)} grids ({', '.join(sorted(sizes)[:4])}); name one with --crs and --resolution, "
        "or set grid: {crs: …, resolution: …} in the configuration"
    )


def _grid(
    lattice: Lattice, extent: BBox, bbox: BBox | None, existing_attributes: Mapping[str, object] | None
) -> tuple[NativeGrid, tuple[str, ...]]:
    """Return the cells of a lattice within a box, or the cells of the existing cube, with notes for the report."""
    shared = box_within(extent, bbox)
    if shared is None:
        edges = ",".join(f"{edge:.6g}" for edge in extent)
        raise UnsupportedSource(f"--bbox holds none of its items, which lie in {edges}")
    grid = lattice.grid(reach_in(shared, CRS84, lattice.crs))
    stored_box = None if existing_attributes is None else existing_attributes.get("spatial:bbox")
    if existing_attributes is None or not isinstance(stored_box, list):
        return grid, ()
    if not is_in_crs(existing_attributes, lattice.crs):  # `spatial:bbox` is in the CRS of the cube
        raise UnsupportedSource(OTHER_CUBE)
    box, slack = BBox(*map(float, stored_box)), grid.resolution / 100
    if np.allclose(box, grid.bbox, rtol=0, atol=slack):
        return grid, ()
    if bbox is not None and not _is_within(box, grid.bbox, slack):
        raise UnsupportedSource(OTHER_CUBE)
    is_beyond = not _is_within(grid.bbox, box, slack)
    return lattice.grid(box), (BEYOND,) if is_beyond else ()


def _is_within(box: BBox, other: BBox, slack: float) -> bool:
    return (
        box.xmin >= other.xmin - slack
        and box.ymin >= other.ymin - slack
        and box.xmax <= other.xmax + slack
        and box.ymax <= other.ymax + slack
    )


def box_within(extent: BBox, bbox: BBox | None) -> BBox | None:
    """Return the intersection of an extent with a box, both in CRS84; the extent without a box, `None` if disjoint.

    Longitudes exceed 180 if it crosses the antimeridian.
    """
    whole = extent.unwound()
    if bbox is None:
        return whole
    requested = bbox.unwound()
    south, north = max(whole.ymin, requested.ymin), min(whole.ymax, requested.ymax)
    for turn in (0.0, WHOLE_CIRCLE, -WHOLE_CIRCLE):
        west, east = max(whole.xmin, requested.xmin + turn), min(whole.xmax, requested.xmax + turn)
        if west < east and south < north:
            return BBox(west, south, east, north)
    return None


def _times(times: TimeDomain, spans: tuple[TimeSpan, ...] | None) -> TimeDomain:
    if spans is None:
        return times
    indexes = sorted({index for span in spans for index in times.indexes_within(span)})
    if not indexes:
        raise UnsupportedSource("--times names no instant of the collection")
    return times.at(indexes)
