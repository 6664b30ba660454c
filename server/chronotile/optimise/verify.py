"""Comparison of every value of a cube with its sources, which are read again by independent code."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import groupby, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from affine import Affine

from chronotile.audit.arrays import decode_coordinate, meaning_of, times_of_axis
from chronotile.audit.rasters import RasterTruth
from chronotile.audit.sources import mosaic_truth_of, stored_truth
from chronotile.audit.truth import OtherPlace, StoredTruth
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Window, windows_over
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import AnyArray, Float64Array, Instant, InstantArray, NumberArray, UInt32Array
from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.mosaics import CollectionMosaic
from chronotile.optimise.plan import GRID_MAPPING, SERIES_FILE_PX, PlannedVariable
from chronotile.optimise.tasks import CubeJob, TaskDate, source_numbers, stored_array
from chronotile.readers.kinds import kind_of_spec
from chronotile.readers.zarr.commit import SERIES

LAYOUTS = {"0": "maps", SERIES: "series"}
SLACK = 1e-3
"""Fraction of a cell by which coordinates may differ from the transform."""


class CellValues(NamedTuple):
    """Values and flags of cells (y, x)."""

    values: Float64Array
    flags: UInt32Array
    """Code of the flag name of each cell; 0 without a flag."""
    origin: str = ""
    """File of the cells, with the band if it has several; empty for a cube."""


class CellCentres(NamedTuple):
    """Centres of cells (y, x), in the CRS of the cube."""

    x: Float64Array
    y: Float64Array


class StoredCube:
    """A variable of a cube in each layout.

    Raises:
        UnsupportedSource: The layouts differ in the location or time of their cells.
    """

    def __init__(self, job: CubeJob, name: str) -> None:
        import xarray

        groups = {group: layout for group, layout in LAYOUTS.items() if group in job.plan.groups}
        self._block = job.plan.shape.block
        self._datasets = {
            group: xarray.open_zarr(
                job.folder / job.plan.shape.path_of(group),
                consolidated=True,  # otherwise xarray would read the folder of the run as a broken group
                chunks=None,
                mask_and_scale=False,
                decode_times=False,
            )
            for group in groups
        }
        self._arrays = {group: dataset[name] for group, dataset in self._datasets.items()}
        is_categorical = job.plan.variables[name].info.is_categorical  # a single class looks like a flag
        self._meanings = {
            group: replace(meaning_of(array), flags=()) if is_categorical else meaning_of(array)
            for group, array in self._arrays.items()
        }
        places = {
            layout: _LayoutAxes(self._datasets[group], self._arrays[group].shape[1:])
            for group, layout in groups.items()
        }
        _require_equal_axes(name, places)
        self._place = next(iter(places.values()))
        self._kept: tuple[object, AnyArray] | None = None
        self._points: tuple[Window, CellCentres] | None = None

    def close(self) -> None:
        """Close the files."""
        for dataset in self._datasets.values():
            dataset.close()

    def instant(self, position: int) -> Instant:
        """Return the time of a position."""
        instant: Instant = self._place.times[position]
        return instant

    def points(self, window: Window) -> CellCentres:
        """Return the centres of cells; the same object if the window is the same as before."""
        if self._points is None or self._points[0] != window:
            columns, rows = np.meshgrid(
                np.arange(window.column_start, window.column_stop) + 0.5,
                np.arange(window.row_start, window.row_stop) + 0.5,
            )
            self._points = window, CellCentres(*map(np.asarray, self._place.transform @ (columns, rows)))
        return self._points[1]

    def cells(self, position: int, window: Window) -> Iterator[CellValues]:
        """Yield the cells of a date in each layout."""
        for group, array in self._arrays.items():
            start = position // self._block * self._block if group == SERIES else position
            stop = start + self._block if group == SERIES else position + 1
            if group == SERIES and self._kept is not None and self._kept[0] == (start, window):
                numbers = self._kept[1]
            else:
                numbers = array[start:stop, slice(*window[:2]), slice(*window[2:])].values
            if group == SERIES:
                self._kept = (start, window), numbers
            date_numbers, meaning = numbers[position - start], self._meanings[group]
            yield CellValues(meaning.values(date_numbers), meaning.flag_codes(date_numbers))


class _LayoutAxes:
    """Coordinates and transform of a layout."""

    def __init__(self, dataset: Any, shape: tuple[int, int]) -> None:  # noqa: ANN401 -- xarray has no types here
        self.times: InstantArray = times_of_axis(decode_coordinate(dataset, "time"), "time").coordinates
        self.transform = Affine.from_gdal(*map(float, str(dataset[GRID_MAPPING].attrs["GeoTransform"]).split()))
        self._axes = {
            name: decode_coordinate(dataset, name)[name].values for name in ("x", "y") if name in dataset.variables
        }
        self._shape = shape

    def coordinates(self, layout: str) -> Iterator[tuple[str, str, AnyArray]]:
        """Yield the coordinates of each axis: its name, their source, and the coordinates."""
        rows, columns = (np.arange(size) + 0.5 for size in self._shape)
        yield "time", f"the {layout}", self.times
        yield "x", f"the transform of the {layout}", self.transform.c + self.transform.a * columns
        yield "y", f"the transform of the {layout}", self.transform.f + self.transform.e * rows
        yield from ((name, f"the {layout}", centres) for name, centres in self._axes.items())


def _require_equal_axes(variable: str, places: Mapping[str, _LayoutAxes]) -> None:
    first = dict[str, tuple[str, AnyArray]]()
    for axis, by, coordinates in (
        axis_coordinates for layout, place in places.items() for axis_coordinates in place.coordinates(layout)
    ):
        other, expected = first.setdefault(axis, (by, coordinates))
        slack = np.timedelta64(0, "ns") if axis == "time" else SLACK * abs(float(np.diff(expected[:2]).sum()))
        wrong = (
            np.flatnonzero(~(np.abs(coordinates - expected) <= slack)) if coordinates.shape == expected.shape else [0]
        )
        if len(wrong):
            at = int(wrong[0])
            raise UnsupportedSource(
                f"in the cube {variable} has {axis} {_coordinate_text(coordinates[at])} at position {at} by {by}, "
                f"{_coordinate_text(expected[at])} by {other}; write the cube again"
            )


def _coordinate_text(coordinate: Any) -> str:  # noqa: ANN401 -- an instant or a number
    return format_instant(coordinate) if isinstance(coordinate, np.datetime64) else f"{float(coordinate):.10g}"


# Cells of the sources at the points and times of the cube, read as by `chronotile audit`.
#
# To find faults of the readers and of the conversion, neither is used: GDAL reads files and xarray reads NetCDF and
# Zarr, each by the metadata, coordinates and times in it. Only the source of each date comes from the run.

REMEDY = "leave --verify out"


class SourceCells:
    """A variable of the files and stores of a cube."""

    def __init__(self, inputs: CubeInputs, planned: PlannedVariable) -> None:
        self._info = planned.info
        self._conversion = planned.conversion
        starts = inputs.times.starts.astype("datetime64[ns]")
        self._starts = dict(zip(inputs.origins, starts, strict=True))
        self._truths = _truths(inputs, planned.info.name)
        dates, dated_counts = Counter(date_origin.source for date_origin in self._starts), Counter[int]()
        for origin, start in self._starts.items():
            truth = self._truths.get(origin.source)
            dated_counts[origin.source] += isinstance(truth, StoredTruth) and (truth.tells_dates or truth.has(start))
        self._dated = {source for source, number in dated_counts.items() if 2 * number > dates[source]}
        """Sources with independently readable times for most dates: other times of theirs are faults."""
        self._date_by_files(inputs)

    @property
    def drops_flags(self) -> bool:
        """Whether the cube has nodata instead of flags, as after packing."""
        return not self._conversion.target.flags

    def tells_time(self, date: TaskDate) -> bool:
        """Return whether the time of a date can be read independently."""
        return date.origin.source in self._dated

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def cells(self, date: TaskDate, instant: Instant, points: CellCentres) -> CellValues:
        """Return the cells of the source at points, at a time of the cube.

        Raises:
            OtherPlace: The source has no cells there, or not at that time.
            UnsupportedSource: The metadata of the source are not understood.
        """
        truth, start = self._truths.get(date.origin.source), self._starts.get(date.origin)
        if not isinstance(truth, StoredTruth):
            raise truth or UnsupportedSource("it has no source")
        if start is not None and instant != start:
            raise OtherPlace(f"its values of {format_instant(start)} are at {format_instant(instant)}")
        if self.tells_time(date) and not truth.has(instant):
            raise OtherPlace(f"its values of {format_instant(instant)} have another time in their source")
        truth_cells = truth.cells(instant, date.origin.index, points.x, points.y)
        flags = np.where(truth_cells.is_there, truth_cells.meaning.flag_codes(truth_cells.numbers), np.uint32(0))
        return CellValues(truth_cells.values, flags, truth_cells.origin)

    def _date_by_files(self, inputs: CubeInputs) -> None:
        """Use the times of the run for files whose times cannot be read independently."""
        column = list(inputs.variables).index(self._info.name)
        files: dict[int, dict[np.datetime64, str]] = defaultdict(dict)
        for origin, paths in inputs.files.items():
            if paths and origin.source not in self._dated:
                files[origin.source][self._starts[origin]] = str(paths[column])
        for source, dates in files.items():
            truth = self._truths.get(source)
            if isinstance(truth, RasterTruth):
                truth.date_by(dates)

    def tolerance(self, values: Float64Array) -> Float64Array:
        """Return the allowed differences of stored values: rounding of the computation only."""
        target = self._conversion.target
        size = np.abs(np.where(np.isfinite(values), values, 0))
        kind = np.dtype(target.dtype)
        if self._conversion.is_exact:
            step = abs(target.scale) * 1e-6 if kind.kind != "f" else 0.0
        elif kind.kind == "f":
            return np.asarray(np.spacing(size.astype(kind)), dtype=np.float64)
        else:
            step = abs(target.scale) * (0.5 + 1e-6)
        return np.asarray(size * 1e-12 + step)


def require_apart(inputs: CubeInputs) -> None:
    """Check before writing that any variable of the first source can be read independently.

    Raises:
        UnsupportedSource: No variable can.
    """
    truths = [_truth(inputs.specs[:1], name) for name in inputs.variables]
    if (reason := next(iter(truths), None)) and all(isinstance(truth, UnsupportedSource) for truth in truths):
        assert isinstance(reason, UnsupportedSource)  # noqa: S101 -- as all are
        raise UnsupportedSource(f"--verify: {reason.message}; {REMEDY}")


def has_bands(spec: SourceSpec) -> bool:
    """Return whether a source consists of files with bands."""
    return kind_of_spec(spec).options.has_bands


def _truths(inputs: CubeInputs, name: str) -> Mapping[int, StoredTruth | UnsupportedSource]:
    """Return the independent reader of each source, or the error; files of arrays are joined along time."""
    specs = dict(enumerate(inputs.specs))
    arrays = {number: spec for number, spec in specs.items() if not has_bands(spec)}
    joined = dict.fromkeys(arrays, _truth(tuple(arrays.values()), name)) if arrays else {}
    return {number: _band_truth(spec, name) for number, spec in specs.items() if number not in arrays} | joined


def _band_truth(spec: SourceSpec, name: str) -> StoredTruth | UnsupportedSource:
    """Return the reader of a band file by the dates in it, or by the positions of bands if it has no dates."""
    truth = _truth([replace(spec, times=None)], name)
    if spec.times is None or (isinstance(truth, StoredTruth) and any(map(truth.has, spec.times.starts))):
        return truth
    return _truth([spec], name)


def _truth(specs: Sequence[SourceSpec], name: str) -> StoredTruth | UnsupportedSource:
    try:
        return stored_truth(specs, specs[0].variables.get(name, VariableSpec(id=name)))
    except UnsupportedSource as error:
        return error


# To find faults of the readers and of the conversion, neither is used: xarray reads the cube, and the sources are read
# as by `chronotile audit`.

SIDE_PX = 512
MOST_SHOWN = 3
"""Differing dates with a location in the message."""


@dataclass(slots=True)
class Count:
    """Counts of a comparison."""

    values: int = 0
    empty: int = 0
    """Cells without a value in both."""
    find_differing_dates: Counter[int] = field(default_factory=Counter)
    """Number of differing cells by the position of their date."""
    examples: dict[int, str] = field(default_factory=dict)
    unverified: dict[tuple[str, int], str] = field(default_factory=dict)
    """Reasons by variable and position of dates that cannot be compared."""
    undated: set[int] = field(default_factory=set)
    """Positions whose times cannot be read independently."""


def verify(job: CubeJob, inputs: CubeInputs, dates: Sequence[TaskDate], *, progress: Callable[[int], None]) -> str:
    """Compare every value of dates with the cube; return a summary, with the parts that were not compared.

    Args:
        job: The cube.
        inputs: Its sources.
        dates: Dates of the sources.
        progress: Called with the number of finished windows, counted per date and variable.

    Raises:
        UnsupportedSource: Values differ, or nothing can be compared.
    """
    count, done = Count(), 0
    for name, planned in job.plan.variables.items():
        with closing(StoredCube(job, name)) as cube:
            mosaic = inputs.mosaic
            source = SourceCells(inputs, planned) if mosaic is None else MosaicCells(inputs, planned, mosaic)
            with closing(source):
                for date, window in _strips(job, dates):
                    _compare(name, cube=cube, source=source, date=date, window=window, count=count)
                    done += 1
                    progress(done)
    wrong = +count.find_differing_dates
    if wrong:
        examples = "; ".join(count.examples[position] for position in sorted(wrong)[:MOST_SHOWN])
        raise UnsupportedSource(
            f"{len(wrong)} dates differ from the source, in {sum(wrong.values())} cells; {examples}; "
            "write the cube again"
        )
    if count.unverified and not count.values + count.empty:
        raise UnsupportedSource(f"--verify: {next(iter(count.unverified.values()))}; {REMEDY}")
    return f"{_text(job, inputs, dates, count)}{_rest(job, dates, count)}"


def _rest(job: CubeJob, dates: Sequence[TaskDate], count: Count) -> str:
    """Return the parts that were not compared, as text."""
    reasons = Counter(count.unverified.values())
    parts = [f"{number} dates of a variable ({reason})" for reason, number in reasons.most_common(MOST_SHOWN)]
    parts += ["others"] if len(reasons) > MOST_SHOWN else []
    if count.undated:
        parts.append(
            f"the times of {len(count.undated)} dates, as names or bands of their files do not tell them plainly"
        )
    further = job.stored_times - len(dates)
    parts += [f"{further} dates of the cube that are of none of these sources, or lack items"] if further else []
    return f"; not verified: {'; '.join(parts)}" if parts else ""


def _text(job: CubeJob, inputs: CubeInputs, dates: Sequence[TaskDate], count: Count) -> str:
    layouts = " and ".join(layout for group, layout in LAYOUTS.items() if group in job.plan.groups)
    files = {path for date in dates for path in inputs.files.get(date.origin, ())}
    files |= {Path(spec.href) for spec in inputs.specs if not has_bands(spec)}
    sources = "the items of the index" if inputs.mosaic is not None else f"{len(files)} files"
    packed = [name for name, variable in job.plan.variables.items() if not variable.conversion.is_exact]
    inexact = f" ({', '.join(packed)} to the rounding of their type)" if packed else ""
    return (
        f"{len(dates)} dates of {', '.join(job.plan.variables)} compared with {sources}, each read again by "
        f"its own coordinates, times, scale, offset and nodata: every number is the same in {layouts}, of "
        f"{count.values} values{inexact}, and {count.empty} cells have no value in both"
    )


def _strips(job: CubeJob, dates: Sequence[TaskDate]) -> Iterator[tuple[TaskDate, Window]]:
    """Yield dates and windows block by block, so that a series block of the cube is read once for all dates."""
    ordered = sorted(dates, key=lambda date: date.position)
    for _block, members in groupby(ordered, key=lambda date: date.position // job.plan.shape.block):
        block = list(members)
        for window in windows_over(job.plan.grid, SIDE_PX):
            yield from ((date, window) for date in block)


def _compare(name: str, *, cube: StoredCube, source: SourceCells, date: TaskDate, window: Window, count: Count) -> None:
    if (name, date.position) in count.unverified:
        return
    instant, points = cube.instant(date.position), cube.points(window)
    try:
        cells = source.cells(date, instant, points)
    except OtherPlace as error:
        count.find_differing_dates[date.position] += window.width * window.height
        count.examples.setdefault(date.position, f"in the cube {name} is elsewhere: {error}")
        return
    except UnsupportedSource as error:
        count.unverified[name, date.position] = error.message
        return
    count.undated |= set() if source.tells_time(date) else {date.position}
    expected = cells.values
    tolerance = source.tolerance(expected)
    same = np.ones(expected.shape, dtype=bool)
    is_empty = np.isnan(expected)
    differing_values = expected
    for stored in cube.cells(date.position, window):
        is_same = (np.abs(stored.values - expected) <= tolerance) | (is_empty & np.isnan(stored.values))
        is_same &= (stored.flags == cells.flags) | source.drops_flags
        if same.all() and not is_same.all():
            differing_values = stored.values
        same &= is_same
    count.values += int(same.sum() - (same & is_empty).sum())
    count.empty += int((same & is_empty).sum())
    wrong = int(same.size - same.sum())
    if wrong:
        count.find_differing_dates[date.position] += wrong
        row, column = (int(index[0]) for index in np.nonzero(~same))
        count.examples.setdefault(
            date.position,
            f"in the cube {name} has {_number(differing_values[row, column])} at row {window.row_start + row}, "
            f"column {window.column_start + column} (x {points.x[row, column]:.8g}, y {points.y[row, column]:.8g}, "
            f"{format_instant(instant)}), {cells.origin} has {_number(expected[row, column])}",
        )


def _number(value: float) -> str:
    return "no value" if np.isnan(value) else f"{value:.7g}"


# Dates whose numbers differ from those of their sources, read by the readers of the run


def find_differing_dates(job: CubeJob, dates: Sequence[TaskDate]) -> Iterator[tuple[TaskDate, int]]:
    """Yield each date with the number of its cells that differ from the source in any layout, window by window."""
    ordered = sorted(dates, key=lambda date: date.position)
    for _block, members in groupby(ordered, key=lambda date: date.position // job.plan.shape.block):
        block = list(members)
        for variable, window in product(job.plan.variables, windows_over(job.plan.grid, SERIES_FILE_PX)):
            yield from zip(block, _differences(job, variable, block, window), strict=True)


def _equal(numbers: NumberArray, other: NumberArray) -> np.ndarray:
    same: np.ndarray = numbers == other
    return same | ((numbers != numbers) & (other != other)) if numbers.dtype.kind == "f" else same  # noqa: PLR0124 -- NaN


def _differences(job: CubeJob, variable: str, dates: Sequence[TaskDate], window: Window) -> list[int]:
    there = (slice(None), slice(*window[:2]), slice(*window[2:]))
    positions = [date.position for date in dates]
    groups = [group for group in ("0", SERIES) if group in job.plan.groups]
    stored = [stored_array(job, group, variable)[positions][there].read().result() for group in groups]
    counts = []
    for number, date in enumerate(dates):
        (source,) = source_numbers(job, variable, [date.origin], window)
        same = np.ones(source.shape, dtype=bool)
        for numbers in stored:
            same &= _equal(numbers[number], source)
        counts.append(int(same.size - np.count_nonzero(same)))
    return counts


# Cubes of collections of items, compared with the files: sorted, read and combined as by `chronotile audit`.

WHOLE = BBox(-180.0, -90.0, 180.0, 90.0)
MOST_ITEMS = 1000
"""Items whose files are checked before writing."""


def require_items_apart(mosaic: CollectionMosaic, variables: Iterable[VariableInfo]) -> None:
    """Check before writing that the files of a collection can be read independently.

    Raises:
        UnsupportedSource: They cannot.
    """
    index = mosaic.open_index()
    try:
        for variable in variables:
            mosaic_truth_of(mosaic.spec, variable, index)
        newest = index.covering(mosaic.spec.collection, WHOLE, instants=mosaic.times.instants[-1:])
        assets_of_items = index.assets([ref.number for ref in newest[:MOST_ITEMS]])
        if any("://" in asset.href.removeprefix("file://") for assets in assets_of_items.values() for asset in assets):
            raise UnsupportedSource("files of its items are not on this machine")
    except UnsupportedSource as error:
        raise UnsupportedSource(f"--verify: {error.message}; {REMEDY}") from error
    finally:
        index.close()


class MosaicCells(SourceCells):
    """A variable of the mosaics of a collection, read independently.

    Raises:
        UnsupportedSource: It cannot be read independently.
    """

    def __init__(self, inputs: CubeInputs, planned: PlannedVariable, mosaic: CollectionMosaic) -> None:
        super().__init__(inputs, planned)
        self._index = mosaic.open_index()
        self._float = np.dtype(self._info.encoding.dtype).kind == "f"
        self._truth = mosaic_truth_of(mosaic.spec, self._info, self._index)

    @property
    def drops_flags(self) -> bool:
        """Return True: flags have no value, whatever their names."""
        return True

    def tells_time(self, date: TaskDate) -> bool:  # noqa: ARG002 -- as of files
        """Return True: items of another time have other values."""
        return True

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def cells(self, date: TaskDate, instant: Instant, points: CellCentres) -> CellValues:
        """Return the values of the items of a time at points."""
        values = self._truth.values(instant, date.origin.index, points.x, points.y)
        return CellValues(values, np.zeros(values.shape, dtype=np.uint32), "the mosaic of its items")

    def tolerance(self, values: Float64Array) -> Float64Array:
        """Return the allowed differences of stored values: averages and formulas are rounded to their type first."""
        allowed = super().tolerance(values)
        source = self._info.encoding
        if not self._float:
            return allowed
        numbers = (np.abs(np.where(np.isfinite(values), values, 0)) + abs(source.offset)) / abs(source.scale)
        rounding = np.spacing(numbers.astype(source.dtype)).astype(np.float64) * abs(source.scale)
        return np.asarray(allowed + rounding)
