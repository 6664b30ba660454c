"""Served values, compared cell by cell with independent reads of their sources (`chronotile audit`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from chronotile.archive.open import Archive
from chronotile.audit.sources import mosaic_truth_of, truth_of
from chronotile.audit.truth import OtherPlace, Truth
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.number_text import cell_values, number_texts
from chronotile.core.model.raster import Pixels, valid_pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Float64Array, IndexArray
from chronotile.readers.reader import Along, Reader

ALL_CELLS = 30_000_000
"""At all dates of a variable: of one with no more, every cell is compared."""
BLOCK_CELLS = 1 << 20
"""Compared at once."""
BLOCK_SIDE = 256
"""Cells along a side of what a sample compares."""
BLOCK_TIMES = 64
"""Dates that a sample of the series layout compares."""
MOST_LINES = 10
"""Mismatches of one block that have lines of their own."""
ROUNDING = {"float32": 1.2e-7, "float16": 1e-3}
"""By which values stored as floats may differ from those they were made of, as a share; others by `EXACT`."""
EXACT = 1e-12


class Sample(NamedTuple):
    """Dates and cells of a variable that are compared at once."""

    indexes: Sequence[int]
    window: Window
    along: Along


@dataclass(frozen=True, slots=True)
class Target:
    """A variable that is served."""

    layer: str
    """Id of the first layer that has it."""
    reader: Reader
    variable: VariableInfo
    truth: Truth
    has_listed_times: bool
    """Whether the times are set by the configuration and not by the source."""

    @property
    def times(self) -> int:
        """How many there are: one of a variable without time."""
        return max(1, len(self.variable.times))

    @property
    def cells(self) -> int:
        """How many there are at all dates in all layouts."""
        grid = self.variable.grid
        return self.times * grid.width * grid.height * len(self.layouts)

    @property
    def layouts(self) -> tuple[Along, ...]:
        """How it is read: for maps, and for series where those have blocks of their own."""
        shapes = {along: self.reader.block_shape(self.variable.name, along) for along in ("space", "time")}
        return ("space",) if shapes["space"] == shapes["time"] else ("space", "time")


@dataclass(slots=True, kw_only=True)
class Audit:
    """What came of it, line by line."""

    seed: int
    mismatches: int = 0
    """Cells at a date and in a layout."""
    compared: int = 0
    """The same."""
    total: int = 0
    """Cells at all dates in all layouts of what is audited."""
    samples: int = 0
    layers: list[str] = field(default_factory=list)
    """Of the variables that are audited, as far as is known."""
    not_audited: list[str] = field(default_factory=list)
    """A line for each of the others."""

    @property
    def is_right(self) -> bool:
        """Whether something was audited, and nothing differs."""
        return bool(self.layers) and not self.mismatches

    def summary(self) -> str:
        """Return one line for the end."""
        share = f"{100 * self.compared / self.total:.3g} %" if self.total else "none"
        return (
            f"{self.mismatches} mismatches: {len(self.layers)} variables audited, {len(self.not_audited)} not audited; "
            f"{self.compared} of {self.total} cells at a date ({share}), {self.samples} samples (seed {self.seed})"
        )

    def leave_out(self, target: "Target", reason: str, *, compared: int) -> str:
        """Note that a variable is not audited after all, of which some cells were, and return the line for it."""
        self.layers.remove(target.layer)
        self.total -= target.cells
        self.compared -= compared
        self.not_audited.append(f"not audited: {target.layer}, {target.variable.name}: {reason}")
        return self.not_audited[-1]


def audit_archive(archive: Archive, audit: Audit, *, samples: int) -> Iterator[str]:
    """Yield a line for each mismatch and for each variable that is not audited.

    Of a variable with few cells all are compared, in each layout; of others random blocks of cells.

    Args:
        archive: What is served.
        audit: Where it is counted.
        samples: Random blocks, all variables and layouts together, at least one each.
    """
    random = np.random.default_rng(audit.seed)
    targets: list[Target] = []
    for target in _targets(archive, audit):
        targets.append(target)
        audit.layers.append(target.layer)
    yield from audit.not_audited
    count = max(1, samples // max(1, len(targets)))
    for target in targets:
        yield from _audited(target, audit, list(_samples(target, count, random)))


def _targets(archive: Archive, audit: Audit) -> Iterator[Target]:
    """Each variable once; what cannot be audited is noted."""
    services = archive.services
    for collection in services.catalogue.collections:
        spec, reader = archive.specs[collection.id], services.readers[collection.id]
        seen: set[str] = set()
        for layer in collection.layers:
            for variable in layer.variables:
                if variable.name in seen:
                    continue
                seen.add(variable.name)
                try:
                    truth = (
                        truth_of(spec, variable.name)
                        if spec.items is None
                        else mosaic_truth_of(spec, variable, services.reader_caches.items)
                    )
                except UnsupportedSource as error:
                    audit.not_audited.append(f"not audited: {layer.id}, {variable.name}: {error.message}")
                    continue
                yield Target(layer.id, reader, variable, truth, has_listed_times=spec.times is not None)


def _added_dates(target: Target) -> dict[int, np.datetime64]:
    """Dates that are served and that the source lacks, by their index; none where it has no readable ones."""
    times = target.variable.times
    if target.has_listed_times or not len(times):
        return {}
    known = [target.truth.has(instant) for instant in times.instants]
    if not any(known) and not target.truth.tells_dates:
        return {}
    return {index: times.instants[index] for index, is_known in enumerate(known) if not is_known}


def _samples(target: Target, count: int, random: np.random.Generator) -> Iterator[Sample]:
    grid = target.variable.grid
    for along in target.layouts:
        if target.cells <= ALL_CELLS:
            yield from _everything(target, along)
            continue
        for _ in range(max(1, count // len(target.layouts))):
            height, width = min(BLOCK_SIDE, grid.height), min(BLOCK_SIDE, grid.width)
            times = 1 if along == "space" else min(BLOCK_TIMES, target.times)
            if along == "time":
                height, width = min(64, height), min(64, width)
            top, left = (int(random.integers(0, most + 1)) for most in (grid.height - height, grid.width - width))
            first = int(random.integers(0, target.times - times + 1))
            yield Sample(range(first, first + times), Window(top, top + height, left, left + width), along)


def _everything(target: Target, along: Along) -> Iterator[Sample]:
    grid = target.variable.grid
    rows = max(1, min(grid.height, BLOCK_CELLS // grid.width))
    times = 1 if along == "space" else max(1, BLOCK_CELLS // (rows * grid.width))
    for top in range(0, grid.height, rows):
        for first in range(0, target.times, times):
            window = Window(top, min(top + rows, grid.height), 0, grid.width)
            yield Sample(range(first, min(first + times, target.times)), window, along)


def _audited(target: Target, audit: Audit, samples: Sequence[Sample]) -> Iterator[str]:
    audit.total += target.cells
    before = audit.compared
    added = _added_dates(target)
    audit.mismatches += len(added)
    yield from (
        f"{target.layer}, {format_instant(each)}: served, but its source has no such date" for each in added.values()
    )
    known = (each._replace(indexes=[index for index in each.indexes if index not in added]) for each in samples)
    for sample in (each for each in known if each.indexes):
        try:
            lines, compared, mismatches = _compared(target, sample)
        except OtherPlace as error:
            audit.mismatches += 1
            yield f"{target.layer}: {error}"
            return
        except UnsupportedSource as error:
            yield audit.leave_out(target, error.message, compared=audit.compared - before)
            return
        except SourceUnavailable as error:
            if not _has_truth(target, sample):
                reason = "its source is damaged and not served"
                yield audit.leave_out(target, reason, compared=audit.compared - before)
                return
            lines = [f"{target.layer}: not served, although its source is readable: {error}"]
            compared, mismatches = 0, 1
        audit.samples += 1
        audit.compared += compared
        audit.mismatches += mismatches
        yield from lines


def _has_truth(target: Target, sample: Sample) -> bool:
    """Whether the source can be read at all; a damaged one is not served, and `check` reports it."""
    x, y = _centres(target.variable.grid, sample.window)
    try:
        for index in sample.indexes:
            target.truth.values(_instant(target, index), index, x, y)
    except UnsupportedSource:
        return False
    return True


def _compared(target: Target, sample: Sample) -> tuple[list[str], int, int]:
    """Lines, cells that were compared, and mismatches."""
    name, indexes = target.variable.name, list(sample.indexes)
    pixels = target.reader.read_block(name, indexes=indexes, window=sample.window, along=sample.along)
    served = _values(target, pixels)
    x, y = _centres(target.variable.grid, sample.window)
    source = np.stack([target.truth.values(_instant(target, index), index, x, y) for index in sample.indexes])
    with np.errstate(invalid="ignore"):
        allowed = ROUNDING.get(target.variable.encoding.dtype, EXACT) * np.abs(source)
        is_same = (np.isnan(served) & np.isnan(source)) | (served == source) | (np.abs(served - source) <= allowed)
    wrong = np.argwhere(~is_same)
    line_of = partial(_line, target, sample, served=served, source=source)
    lines = [line_of(place) for place in wrong[:MOST_LINES]]
    if len(wrong) > MOST_LINES:
        lines.append(f"{target.layer}: {len(wrong) - MOST_LINES} more cells of this block")
    if not wrong.size and sample.along == "space":
        lines += _wrong_cells(target, sample, served)
    return lines, served.size, max(len(wrong), len(lines))


def _wrong_cells(target: Target, sample: Sample, served: Float64Array) -> list[str]:
    """A cell in the middle by itself, as a click reads it."""
    row, column = served.shape[1] // 2, served.shape[2] // 2
    where = {"row": sample.window.row_start + row, "column": sample.window.column_start + column}
    pixels = target.reader.read_cell(target.variable.name, indexes=list(sample.indexes), **where)
    alone, beside = _values(target, pixels), served[:, row, column]
    if np.array_equal(alone, beside, equal_nan=True):
        return []
    place = np.array([int(np.flatnonzero(~((alone == beside) | (np.isnan(alone) & np.isnan(beside))))[0]), row, column])
    one = np.broadcast_to(alone[:, np.newaxis, np.newaxis], served.shape)
    return [_line(target, sample._replace(along="time"), place, served=one, source=served)]


def _values(target: Target, pixels: Pixels) -> Float64Array:
    encoding = target.variable.encoding
    return np.where(valid_pixels(pixels, encoding), encoding.values(pixels.numbers), np.nan)


def _centres(grid: NativeGrid, window: Window) -> tuple[Float64Array, Float64Array]:
    """X and y (y, x) of the cells."""
    columns, rows = np.meshgrid(
        np.arange(window.column_start, window.column_stop) + 0.5, np.arange(window.row_start, window.row_stop) + 0.5
    )
    x, y = grid.points_at(columns, rows)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def _instant(target: Target, index: int) -> np.datetime64 | None:
    times = target.variable.times
    return times.instants[index] if len(times) else None


def _line(target: Target, sample: Sample, place: IndexArray, *, served: Float64Array, source: Float64Array) -> str:
    time, row, column = place.tolist()
    instant = _instant(target, sample.indexes[time])
    date = "without time" if instant is None else format_instant(instant)
    cell = f"row {sample.window.row_start + row} column {sample.window.column_start + column}"
    texts: Mapping[str, str] = {
        name: (number_texts(cell_values(values[time, row, column : column + 1], target.variable.encoding))[0] or "none")
        for name, values in (("served", served), ("source", source))
    }
    layout = "map" if sample.along == "space" else "series"
    return f"{target.layer}, {date}, {cell}: {layout} has {texts['served']}, source has {texts['source']}"
