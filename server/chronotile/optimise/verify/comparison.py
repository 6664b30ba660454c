"""Every value of a cube compared with its sources, each file read again by itself.

To find faults of the readers and of the conversion, neither is used here: `sources` and `mosaics` read the files.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby, product
from pathlib import Path

import numpy as np

from chronotile.errors import UnsupportedSource
from chronotile.model.grid import Window
from chronotile.optimise.inputs import Inputs
from chronotile.optimise.tasks import Job, TaskDate
from chronotile.optimise.verify.mosaics import MosaicCells
from chronotile.optimise.verify.sources import SourceCells, has_bands
from chronotile.readers.zarr.commit import SERIES

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


def verify(job: Job, inputs: Inputs, dates: Sequence[TaskDate], *, progress: Callable[[int], None]) -> str:
    """Compare every value of dates with the cube's, and return what was compared.

    Args:
        job: The cube.
        inputs: What it is made of.
        dates: Those of the sources.
        progress: Called with how many strips of a date of a variable are done.

    Raises:
        UnsupportedSource: Some differ, or a source cannot be read apart.
    """
    count, done = Count(), 0
    for name in job.plan.variables:
        with closing(_source_of(job, inputs, name)) as source:
            for date, window in _strips(job, dates):
                _compare(name, source=source, date=date, window=window, count=count)
                done += 1
                progress(done)
    wrong = +count.differing
    if wrong:
        shown = "; ".join(count.examples[position] for position in sorted(wrong)[:MOST_SHOWN])
        raise UnsupportedSource(
            f"{len(wrong)} dates differ from the source, in {sum(wrong.values())} cells; {shown}; write the cube again"
        )
    return _text(job, inputs, dates, count)


def _source_of(job: Job, inputs: Inputs, name: str) -> SourceCells:
    return SourceCells(job, inputs, name) if inputs.mosaic is None else MosaicCells(job, inputs, name, inputs.mosaic)


def _text(job: Job, inputs: Inputs, dates: Sequence[TaskDate], count: Count) -> str:
    layouts = " and ".join(name for name, group in (("maps", "0"), ("series", SERIES)) if group in job.plan.groups)
    files = {path for date in dates for path in inputs.files.get(date.origin, ())}
    files |= {Path(spec.href) for spec in inputs.specs if not has_bands(spec)}
    sources = "the items of the index" if inputs.mosaic is not None else f"{len(files)} files"
    packed = [name for name, each in job.plan.variables.items() if not each.conversion.is_exact]
    inexact = f" ({', '.join(packed)} to the rounding of their type)" if packed else ""
    return (
        f"{len(dates)} dates of {', '.join(job.plan.variables)} compared with {sources}, each read again by "
        f"its own scale, offset and nodata: every number is the same in {layouts}, of {count.values} values{inexact}, "
        f"and {count.empty} cells have no value in both"
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


def _compare(name: str, *, source: SourceCells, date: TaskDate, window: Window, count: Count) -> None:
    cells = source.cells(date, window)
    expected = cells.values
    tolerance = source.tolerance(expected)
    same = np.ones(expected.shape, dtype=bool)
    is_empty = np.isnan(expected)
    found = expected
    for stored in source.stored(date.position, window):
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
            f"column {window.column_start + column}, {source.place(date)} {_number(expected[row, column])}",
        )


def _number(value: float) -> str:
    return "no value" if np.isnan(value) else f"{value:.7g}"
