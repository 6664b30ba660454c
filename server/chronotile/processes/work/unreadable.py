"""Dates and items of mosaics that tasks of a job could not read, so that its results can name them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chronotile.model.job import Json, Result
from chronotile.processes.process import Inputs, Process, Work
from chronotile.readers.failing_dates import MOST_LEFT_OUT, RecordedDates

UNREADABLE = "unreadable"
"""Member of what is remembered of a task, and of what a result says it was made of: dates."""
LEFT_OUT = "left_out"
"""The same of ids of items, at most `MOST_LEFT_OUT`."""


def run_task(process: Process, inputs: Inputs, task: Json, work: Work) -> Json:
    """Do a task, and return what is to be remembered of it: what the process gives, and what it could not read.

    Raises:
        ChronotileError: What the process meets.
    """
    dates = RecordedDates(work.services.failing_dates)
    done = process.run(inputs, task, replace(work, services=replace(work.services, failing_dates=dates)))
    unreadable = sorted({date.when for date in dates.dates if date.when is not None})
    return {**done, **_members(unreadable, sorted(dates.left_out))}


def with_unreadable(results: Mapping[str, Result], done: Iterable[Json]) -> Mapping[str, Result]:
    """Return the results with the dates and items that any of the tasks could not read in their metadata."""
    unreadable = unreadable_of(done)
    if not unreadable:
        return results
    return {name: replace(each, metadata={**(each.metadata or {}), **unreadable}) for name, each in results.items()}


def unreadable_of(done: Iterable[Json]) -> Json:
    """Return the dates and items that any of the tasks could not read, ascending, as members of metadata."""
    done = tuple(done)
    unreadable, left_out = (
        sorted({one for each in done for one in each.get(name, ())}) for name in (UNREADABLE, LEFT_OUT)
    )
    return _members(unreadable, left_out[:MOST_LEFT_OUT])


def _members(unreadable: Sequence[str], left_out: Sequence[str]) -> Json:
    """Those of them that are not empty."""
    return {name: found for name, found in ((UNREADABLE, unreadable), (LEFT_OUT, left_out)) if found}
