"""Dates whose numbers differ from those of their sources, read by the readers of the run."""

from collections.abc import Iterator, Sequence
from itertools import groupby, product

import numpy as np

from chronotile.core.model.space.grid import Window, windows_over
from chronotile.core.model.types import NumberArray
from chronotile.optimise.plan import SERIES_FILE_PX
from chronotile.optimise.tasks import CubeJob, TaskDate, source_numbers, stored_array
from chronotile.readers.zarr.commit import SERIES


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
