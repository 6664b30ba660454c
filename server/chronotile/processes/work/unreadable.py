"""Dates that tasks of a job could not read, so that its results can name them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from chronotile.model.job import Json, Result
from chronotile.processes.process import Inputs, Process, Work
from chronotile.readers.failing_dates import RecordedDates

UNREADABLE = "unreadable"
"""Member of what is remembered of a task, and of what a result says it was made of."""


def run_task(process: Process, inputs: Inputs, task: Json, work: Work) -> Json:
    """Do a task, and return what is to be remembered of it: what the process gives, and the dates it could not read.

    Raises:
        ChronotileError: What the process meets.
    """
    dates = RecordedDates(work.services.failing_dates)
    done = process.run(inputs, task, replace(work, services=replace(work.services, failing_dates=dates)))
    unreadable = sorted({date.when for date in dates.dates if date.when is not None})
    return {**done, UNREADABLE: unreadable} if unreadable else done


def with_unreadable(results: Mapping[str, Result], done: Iterable[Json]) -> Mapping[str, Result]:
    """Return the results with the dates that any of the tasks could not read in their metadata."""
    unreadable = unreadable_of(done)
    if not unreadable:
        return results
    return {name: replace(each, metadata={**(each.metadata or {}), **unreadable}) for name, each in results.items()}


def unreadable_of(done: Iterable[Json]) -> Json:
    """Return the dates that any of the tasks could not read, ascending, as a member of metadata; none without any."""
    unreadable = sorted({when for each in done for when in each.get(UNREADABLE, ())})
    return {UNREADABLE: unreadable} if unreadable else {}
