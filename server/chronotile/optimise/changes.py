"""What of the sources a cube does not have yet, or has as it was before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chronotile.optimise.inputs import Inputs
from chronotile.optimise.store import History
from chronotile.optimise.tasks import TaskDate


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Dates that are to be written."""

    new: tuple[TaskDate, ...]
    """In order of time, at the positions after those that are there: late ones too."""
    times: History
    """Of the new ones."""
    suspect: tuple[TaskDate, ...]
    """Dates that are there, made from another state of their source."""
    late: int
    """How many of the new ones are older than the newest that is there."""


def changes_of(inputs: Inputs, history: History) -> Changes:
    """Return what is to be done so that the cube has what the sources have."""
    known = {start: position for position, start in enumerate(history.starts.tolist())}
    starts = inputs.times.starts.astype("datetime64[ns]").tolist()
    fresh = [index for index, start in enumerate(starts) if start not in known]
    new = tuple(
        TaskDate(position=position, origin=inputs.origins[index], state=inputs.states[index])
        for position, index in enumerate(fresh, start=len(history))
    )
    newest = max(known, default=min(starts))
    return Changes(
        new=new,
        times=History(
            inputs.times.starts[fresh].astype("datetime64[ns]"),
            inputs.times.periods[fresh].astype("datetime64[ns]"),
            np.array([date.state for date in new], dtype=np.uint64).reshape(len(new), len(inputs.variables)),
        ),
        suspect=tuple(_suspects(inputs, history, starts, known)),
        late=sum(starts[index] < newest for index in fresh),
    )


def _suspects(inputs: Inputs, history: History, starts: list[int], known: dict[int, int]) -> Iterator[TaskDate]:
    for start, origin, state in zip(starts, inputs.origins, inputs.states, strict=True):
        position = known.get(start)
        if position is not None and tuple(history.states[position].tolist()) != state:
            yield TaskDate(position=position, origin=origin, state=state)
