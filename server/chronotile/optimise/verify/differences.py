"""Which dates of a cube hold other numbers than their sources have now, as the run itself reads them."""

from collections.abc import Iterator, Sequence
from itertools import groupby, product

import numpy as np

from chronotile.model.grid import Window
from chronotile.model.raster import Numbers
from chronotile.optimise.plan import SERIES_FILE_PX
from chronotile.optimise.tasks import Job, TaskDate, source_numbers, stored_array
from chronotile.readers.zarr.commit import SERIES


def differing(job: Job, dates: Sequence[TaskDate]) -> Iterator[tuple[TaskDate, int]]:
    """Yield each date with the number of its cells that differ from the source in any layout, strip by strip."""
    blocks = groupby(sorted(dates, key=lambda date: date.position), key=lambda date: date.position // _block(job))
    for _block_number, members in blocks:
        block = list(members)
        for variable, window in product(job.plan.variables, _strips(job)):
            yield from zip(block, _differences(job, variable, block, window), strict=True)


def _block(job: Job) -> int:
    return job.plan.shape.block


def _strips(job: Job) -> Iterator[Window]:
    height, width, side = job.plan.grid.height, job.plan.grid.width, SERIES_FILE_PX
    for top, left in product(range(0, height, side), range(0, width, side)):
        yield Window(top, min(top + side, height), left, min(left + side, width))


def _differences(job: Job, variable: str, dates: Sequence[TaskDate], window: Window) -> list[int]:
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


def _equal(numbers: Numbers, other: Numbers) -> np.ndarray:
    same: np.ndarray = numbers == other
    return same | ((numbers != numbers) & (other != other)) if numbers.dtype.kind == "f" else same  # noqa: PLR0124 -- NaN
