"""Comparison of every value of a cube with its sources, which are read again by independent code.

To find faults of the readers and of the conversion, neither is used: xarray reads the cube, and the sources are read as
by `chronotile audit`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from chronotile.audit.truth import OtherPlace
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window, windows_over
from chronotile.core.model.time.instants import format_instant
from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.mosaic_cells import MosaicCells
from chronotile.optimise.source_cells import REMEDY, SourceCells, has_bands
from chronotile.optimise.stored_cubes import LAYOUTS, StoredCube
from chronotile.optimise.tasks import CubeJob, TaskDate

SIDE_PX = 512
MAX_SHOWN = 3
"""Differing dates with a location in the message."""


@dataclass(slots=True)
class Count:
    """Counts of a comparison."""

    values: int = 0
    empty: int = 0
    """Cells without a value in both."""
    differing_cells: Counter[int] = field(default_factory=Counter)
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
    wrong = +count.differing_cells
    if wrong:
        examples = "; ".join(count.examples[position] for position in sorted(wrong)[:MAX_SHOWN])
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
    parts = [f"{number} dates of a variable ({reason})" for reason, number in reasons.most_common(MAX_SHOWN)]
    parts += ["others"] if len(reasons) > MAX_SHOWN else []
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
        count.differing_cells[date.position] += window.width * window.height
        count.examples.setdefault(date.position, f"in the cube {name} is elsewhere: {error}")
        return
    except UnsupportedSource as error:
        count.unverified[name, date.position] = error.message
        return
    count.undated |= set() if source.has_readable_time(date) else {date.position}
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
        count.differing_cells[date.position] += wrong
        row, column = (int(index[0]) for index in np.nonzero(~same))
        count.examples.setdefault(
            date.position,
            f"in the cube {name} has {_number(differing_values[row, column])} at row {window.row_start + row}, "
            f"column {window.column_start + column} (x {points.x[row, column]:.8g}, y {points.y[row, column]:.8g}, "
            f"{format_instant(instant)}), {cells.origin} has {_number(expected[row, column])}",
        )


def _number(value: float) -> str:
    return "no value" if np.isnan(value) else f"{value:.7g}"
