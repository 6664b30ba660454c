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
"""Number of cells at all dates up to which every cell of a variable is compared."""
BLOCK_CELLS = 1 << 20
"""Cells per comparison."""
BLOCK_SIDE = 256
"""Side of the window of a sample in cells."""
BLOCK_TIMES = 64
"""Dates of a sample of the series layout."""
MAX_LINES = 10
"""Mismatches per block that are listed."""
ROUNDING = {"float32": 1.2e-7, "float16": 1e-3}
"""Relative tolerance of values stored as floats; other types have `EXACT`."""
EXACT = 1e-12


class Sample(NamedTuple):
    """Dates and cells of a variable that are compared together."""

    indexes: Sequence[int]
    window: Window
    along: Along


@dataclass(frozen=True, slots=True)
class AuditTarget:
    """A served variable."""

    layer: str
    """Id of the first layer with the variable."""
    reader: Reader
    variable: VariableInfo
    truth: Truth
    has_listed_times: bool
    """Whether the configuration lists the times."""

    @property
    def times(self) -> int:
        """Number of times; 1 for a variable without times."""
        return max(1, len(self.variable.times))

    @property
    def cells(self) -> int:
        """Number of cells at all dates in all layouts."""
        grid = self.variable.grid
        return self.times * grid.width * grid.height * len(self.layouts)

    @property
    def layouts(self) -> tuple[Along, ...]:
        """Layouts: for maps, and for series if these have separate blocks."""
        shapes = {along: self.reader.block_shape(self.variable.name, along) for along in ("space", "time")}
        return ("space",) if shapes["space"] == shapes["time"] else ("space", "time")


@dataclass(slots=True, kw_only=True)
class Audit:
    """The result of an audit."""

    seed: int
    mismatches: int = 0
    """Number of cells, counted per date and layout."""
    compared: int = 0
    """Number of compared cells, counted per date and layout."""
    total: int = 0
    """Cells at all dates in all layouts of the audited variables."""
    samples: int = 0
    layers: list[str] = field(default_factory=list)
    """Layers of the audited variables."""
    not_audited: list[str] = field(default_factory=list)
    """One line for each other variable."""

    @property
    def is_right(self) -> bool:
        """Whether at least one variable was audited, without mismatches."""
        return bool(self.layers) and not self.mismatches

    def summary(self) -> str:
        """Return one line with all numbers."""
        share = f"{100 * self.compared / self.total:.3g} %" if self.total else "none"
        return (
            f"{self.mismatches} mismatches: {len(self.layers)} variables audited, {len(self.not_audited)} not audited; "
            f"{self.compared} of {self.total} cells at a date ({share}), {self.samples} samples (seed {self.seed})"
        )

    def remove_target(self, target: "AuditTarget", reason: str, *, compared: int) -> str:
        """Record that a variable is not audited after all; return the line about it."""
        self.layers.remove(target.layer)
        self.total -= target.cells
        self.compared -= compared
        self.not_audited.append(f"not audited: {target.layer}, {target.variable.name}: {reason}")
        return self.not_audited[-1]


def audit_archive(archive: Archive, audit: Audit, *, samples: int) -> Iterator[str]:
    """Yield a line for each mismatch and for each variable that is not audited.

    All cells of small variables are compared in each layout; of large variables random blocks are compared.

    Args:
        archive: The archive.
        audit: Receives the counts.
        samples: Number of random blocks of all variables and layouts together; each layout gets at least one.
    """
    random = np.random.default_rng(audit.seed)
    targets: list[AuditTarget] = []
    for target in _targets(archive, audit):
        targets.append(target)
        audit.layers.append(target.layer)
    yield from audit.not_audited
    count = max(1, samples // max(1, len(targets)))
    for target in targets:
        yield from _audit_target(target, audit, list(_samples(target, count, random)))


def _targets(archive: Archive, audit: Audit) -> Iterator[AuditTarget]:
    """Yield each variable once; variables that cannot be audited are recorded."""
    services = archive.services
    for collection in services.catalogue.collections:
        spec, reader = archive.specs[collection.id], services.readers[collection.id]
        names: set[str] = set()
        for layer in collection.layers:
            for variable in layer.variables:
                if variable.name in names:
                    continue
                names.add(variable.name)
                try:
                    truth = (
                        truth_of(spec, variable.name)
                        if spec.items is None
                        else mosaic_truth_of(spec, variable, services.reader_caches.items)
                    )
                except UnsupportedSource as error:
                    audit.not_audited.append(f"not audited: {layer.id}, {variable.name}: {error.message}")
                    continue
                yield AuditTarget(layer.id, reader, variable, truth, has_listed_times=spec.times is not None)


def _added_dates(target: AuditTarget) -> dict[int, np.datetime64]:
    """Return served dates that the source lacks, by index; empty if the dates of the source are not understood."""
    times = target.variable.times
    if target.has_listed_times or not len(times):
        return {}
    are_dates = [target.truth.has(instant) for instant in times.instants]
    if not any(are_dates) and not target.truth.has_known_dates:
        return {}
    return {index: times.instants[index] for index, is_known in enumerate(are_dates) if not is_known}


def _samples(target: AuditTarget, count: int, random: np.random.Generator) -> Iterator[Sample]:
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
            top, first_column = (
                int(random.integers(0, most + 1)) for most in (grid.height - height, grid.width - width)
            )
            first = int(random.integers(0, target.times - times + 1))
            yield Sample(
                range(first, first + times), Window(top, top + height, first_column, first_column + width), along
            )


def _everything(target: AuditTarget, along: Along) -> Iterator[Sample]:
    grid = target.variable.grid
    rows = max(1, min(grid.height, BLOCK_CELLS // grid.width))
    times = 1 if along == "space" else max(1, BLOCK_CELLS // (rows * grid.width))
    for top in range(0, grid.height, rows):
        for first in range(0, target.times, times):
            window = Window(top, min(top + rows, grid.height), 0, grid.width)
            yield Sample(range(first, min(first + times, target.times)), window, along)


def _audit_target(target: AuditTarget, audit: Audit, samples: Sequence[Sample]) -> Iterator[str]:
    audit.total += target.cells
    before = audit.compared
    added = _added_dates(target)
    audit.mismatches += len(added)
    yield from (f"{target.layer}, {format_instant(a)}: served, but its source has no such date" for a in added.values())
    remaining = (s._replace(indexes=[index for index in s.indexes if index not in added]) for s in samples)
    for sample in (r for r in remaining if r.indexes):
        try:
            lines, compared, mismatches = _compare(target, sample)
        except OtherPlace as error:
            audit.mismatches += 1
            yield f"{target.layer}: {error}"
            return
        except UnsupportedSource as error:
            yield audit.remove_target(target, error.message, compared=audit.compared - before)
            return
        except SourceUnavailable as error:
            if not _has_truth(target, sample):
                reason = "its source is damaged and not served"
                yield audit.remove_target(target, reason, compared=audit.compared - before)
                return
            lines = [f"{target.layer}: not served, although its source is readable: {error}"]
            compared, mismatches = 0, 1
        audit.samples += 1
        audit.compared += compared
        audit.mismatches += mismatches
        yield from lines


def _has_truth(target: AuditTarget, sample: Sample) -> bool:
    """Return whether the source is readable; a damaged source is not served, which `chronotile check` reports."""
    x, y = _centres(target.variable.grid, sample.window)
    try:
        for index in sample.indexes:
            target.truth.values(_instant(target, index), index, x, y)
    except UnsupportedSource:
        return False
    return True


def _compare(target: AuditTarget, sample: Sample) -> tuple[list[str], int, int]:
    """Compare a sample; return lines, the number of compared cells and the number of mismatches."""
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
    lines = [line_of(place) for place in wrong[:MAX_LINES]]
    if len(wrong) > MAX_LINES:
        lines.append(f"{target.layer}: {len(wrong) - MAX_LINES} more cells of this block")
    if not wrong.size and sample.along == "space":
        lines += _wrong_cells(target, sample, served)
    return lines, served.size, max(len(wrong), len(lines))


def _wrong_cells(target: AuditTarget, sample: Sample, served: Float64Array) -> list[str]:
    """Compare the cell in the middle with a read of this single cell, as for a click."""
    row, column = served.shape[1] // 2, served.shape[2] // 2
    position = {"row": sample.window.row_start + row, "column": sample.window.column_start + column}
    pixels = target.reader.read_cell(target.variable.name, indexes=list(sample.indexes), **position)
    single, block = _values(target, pixels), served[:, row, column]
    if np.array_equal(single, block, equal_nan=True):
        return []
    place = np.array([int(np.flatnonzero(~((single == block) | (np.isnan(single) & np.isnan(block))))[0]), row, column])
    single_series = np.broadcast_to(single[:, np.newaxis, np.newaxis], served.shape)
    return [_line(target, sample._replace(along="time"), place, served=single_series, source=served)]


def _values(target: AuditTarget, pixels: Pixels) -> Float64Array:
    encoding = target.variable.encoding
    return np.where(valid_pixels(pixels, encoding), encoding.values(pixels.numbers), np.nan)


def _centres(grid: NativeGrid, window: Window) -> tuple[Float64Array, Float64Array]:
    """Return x and y (y, x) of the centres of cells."""
    columns, rows = np.meshgrid(
        np.arange(window.column_start, window.column_stop) + 0.5, np.arange(window.row_start, window.row_stop) + 0.5
    )
    x, y = grid.points_at(columns, rows)
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)


def _instant(target: AuditTarget, index: int) -> np.datetime64 | None:
    times = target.variable.times
    return times.instants[index] if len(times) else None


def _line(target: AuditTarget, sample: Sample, place: IndexArray, *, served: Float64Array, source: Float64Array) -> str:
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
