"""Dates that a cube lacks, or has in an earlier state."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.store import History
from chronotile.optimise.tasks import TaskDate


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeChanges:
    """Dates to write."""

    new: tuple[TaskDate, ...]
    """In order of time. Positions follow the existing ones, also for late dates."""
    times: History
    """Times and states of the new dates."""
    suspect: tuple[TaskDate, ...]
    """Existing dates whose source has changed."""
    late: int
    """Number of new dates that are older than the newest existing one."""


def changes_of(inputs: CubeInputs, history: History) -> CubeChanges:
    """Return the differences between the dates of the sources and of the cube."""
    positions = {start: position for position, start in enumerate(history.starts.tolist())}
    starts = inputs.times.starts.astype("datetime64[ns]").tolist()
    fresh = [index for index, start in enumerate(starts) if start not in positions]
    new = tuple(
        TaskDate(position=position, origin=inputs.origins[index], state=inputs.states[index])
        for position, index in enumerate(fresh, start=len(history))
    )
    newest = max(positions, default=min(starts))
    return CubeChanges(
        new=new,
        times=History(
            inputs.times.starts[fresh].astype("datetime64[ns]"),
            inputs.times.periods[fresh].astype("datetime64[ns]"),
            np.array([date.state for date in new], dtype=np.uint64).reshape(len(new), len(inputs.variables)),
        ),
        suspect=tuple(_suspects(inputs, history, starts, positions)),
        late=sum(starts[index] < newest for index in fresh),
    )


def _suspects(inputs: CubeInputs, history: History, starts: list[int], positions: dict[int, int]) -> Iterator[TaskDate]:
    for start, origin, state in zip(starts, inputs.origins, inputs.states, strict=True):
        position = positions.get(start)
        if position is not None and tuple(history.states[position].tolist()) != state:
            yield TaskDate(position=position, origin=origin, state=state)
