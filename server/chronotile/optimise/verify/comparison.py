"""Every value of a cube compared with its sources at the same places and times, each read again by itself.

To find faults of the readers and of the conversion, neither is used here: `cube` opens what was written with xarray,
`sources` and `mosaics` read the sources as `chronotile audit` does.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby, product
from pathlib import Path

import numpy as np

from chronotile.archive.audit.sources import OtherPlace
from chronotile.errors import UnsupportedSource
from chronotile.model.grid import Window
from chronotile.model.time.instants import format_instant
from chronotile.optimise.inputs import Inputs
from chronotile.optimise.tasks import Job, TaskDate
from chronotile.optimise.verify.cube import LAYOUTS, StoredCube
from chronotile.optimise.verify.mosaics import MosaicCells
from chronotile.optimise.verify.sources import REMEDY, SourceCells, has_bands

SIDE_PX = 512
MOST_SHOWN = 3
"""Differing dates of which a message names the place."""


@dataclass(slots=True)
class Count:
    """What was compared so far, and what differs."""

    values: int = 0
    empty: int = 0
    """Cells without a value in both."""
    differing: Counter[int] = field(default_factory=Counter)
    """Cells by the position of their date."""
    examples: dict[int, str] = field(default_factory=dict)
    unverified: dict[tuple[str, int], str] = field(default_factory=dict)
    """Why a date of a variable, by its position, cannot be compared."""
    undated: set[int] = field(default_factory=set)
    """Positions whose times are not understood apart."""


def verify(job: Job, inputs: Inputs, dates: Sequence[TaskDate], *, progress: Callable[[int], None]) -> str:
    """Compare every value of dates with the cube's, and return what was compared and what was not.

    Args:
        job: The cube.
        inputs: What it is made of.
        dates: Those of the sources.
        progress: Called with how many strips of a date of a variable are done.

    Raises:
        UnsupportedSource: Some differ, or none can be compared.
    """
    count, done = Count(), 0
    for name in job.plan.variables:
        with closing(StoredCube(job, name)) as cube, closing(_source_of(job, inputs, name)) as source:
            for date, window in _strips(job, dates):
                _compare(name, cube=cube, source=source, date=date, window=window, count=count)
                done += 1
                progress(done)
    wrong = +count.differing
    if wrong:
        shown = "; ".join(count.examples[position] for position in sorted(wrong)[:MOST_SHOWN])
        raise UnsupportedSource(
            f"{len(wrong)} dates differ from the source, in {sum(wrong.values())} cells; {shown}; write the cube again"
        )
    if count.unverified and not count.values + count.empty:
        raise UnsupportedSource(f"--verify: {next(iter(count.unverified.values()))}; {REMEDY}")
    return f"{_text(job, inputs, dates, count)}{_rest(job, dates, count)}"


def _source_of(job: Job, inputs: Inputs, name: str) -> SourceCells:
    planned = job.plan.variables[name]
    return SourceCells(inputs, planned) if inputs.mosaic is None else MosaicCells(inputs, planned, inputs.mosaic)


def _rest(job: Job, dates: Sequence[TaskDate], count: Count) -> str:
    """What was not compared."""
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


def _text(job: Job, inputs: Inputs, dates: Sequence[TaskDate], count: Count) -> str:
    layouts = " and ".join(layout for group, layout in LAYOUTS.items() if group in job.plan.groups)
    files = {path for date in dates for path in inputs.files.get(date.origin, ())}
    files |= {Path(spec.href) for spec in inputs.specs if not has_bands(spec)}
    sources = "the items of the index" if inputs.mosaic is not None else f"{len(files)} files"
    packed = [name for name, each in job.plan.variables.items() if not each.conversion.is_exact]
    inexact = f" ({', '.join(packed)} to the rounding of their type)" if packed else ""
    return (
        f"{len(dates)} dates of {', '.join(job.plan.variables)} compared with {sources}, each read again by "
        f"its own coordinates, times, scale, offset and nodata: every number is the same in {layouts}, of "
        f"{count.values} values{inexact}, and {count.empty} cells have no value in both"
    )


def _strips(job: Job, dates: Sequence[TaskDate]) -> Iterator[tuple[TaskDate, Window]]:
    """Dates block by block, so that a block of the cube's series is read once for all its dates."""
    height, width = job.plan.grid.height, job.plan.grid.width
    ordered = sorted(dates, key=lambda date: date.position)
    for _block, members in groupby(ordered, key=lambda date: date.position // job.plan.shape.block):
        block = list(members)
        for top, left in product(range(0, height, SIDE_PX), range(0, width, SIDE_PX)):
            window = Window(top, min(top + SIDE_PX, height), left, min(left + SIDE_PX, width))
            yield from ((date, window) for date in block)


def _compare(name: str, *, cube: StoredCube, source: SourceCells, date: TaskDate, window: Window, count: Count) -> None:
    if (name, date.position) in count.unverified:
        return
    instant, points = cube.instant(date.position), cube.points(window)
    try:
        cells = source.cells(date, instant, points)
    except OtherPlace as error:
        count.differing[date.position] += window.width * window.height
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
    found = expected
    for stored in cube.cells(date.position, window):
        is_same = (np.abs(stored.values - expected) <= tolerance) | (is_empty & np.isnan(stored.values))
        is_same &= (stored.flags == cells.flags) | source.drops_flags
        if same.all() and not is_same.all():
            found = stored.values
        same &= is_same
    count.values += int(same.sum() - (same & is_empty).sum())
    count.empty += int((same & is_empty).sum())
    wrong = int(same.size - same.sum())
    if wrong:
        count.differing[date.position] += wrong
        row, column = (int(each[0]) for each in np.nonzero(~same))
        count.examples.setdefault(
            date.position,
            f"in the cube {name} has {_number(found[row, column])} at row {window.row_start + row}, "
            f"column {window.column_start + column} (x {points.x[row, column]:.8g}, y {points.y[row, column]:.8g}, "
            f"{format_instant(instant)}), {cells.origin} has {_number(expected[row, column])}",
        )


def _number(value: float) -> str:
    return "no value" if np.isnan(value) else f"{value:.7g}"
