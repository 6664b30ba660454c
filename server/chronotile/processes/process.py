"""What a process is: a pipeline verb over tasks, each of which can be done anywhere and any number of times."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from chronotile.errors import LimitExceeded
from chronotile.model.job import Json, Result
from chronotile.pipeline.services import Services
from chronotile.processes.sources import Source, revision_of

Inputs = Mapping[str, Any]

MOST_TASKS = 100_000
"""Of a job: each is a row in the table of jobs, and may be a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a process takes (OGC API - Processes 1.0, 7.10, InputDescription)."""

    title: str
    description: str
    schema: Json
    """JSON Schema (draft 2020-12, of which OpenAPI 3.0 has these words too)."""
    is_required: bool = True
    most: int = 1
    """How many may be given, as an array where more than one."""

    @property
    def accepted(self) -> Json:
        """The schema of the input: one value or, if it takes several, an array of them."""
        if self.most == 1:
            return self.schema
        several = {"type": "array", "items": self.schema, "minItems": 1, "maxItems": self.most}
        return {"oneOf": [self.schema, several]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a process gives."""

    title: str
    description: str
    schema: Json
    formats: Mapping[str, str] = field(default_factory=dict)
    """Media types by what the input `format` calls them, where there is a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What tasks are done with."""

    services: Services
    folder: Path
    """Of this job alone, on a disk that all who do its tasks share: partial results that tasks leave for the end.

    A task may be done twice, even at once: what it leaves there it writes under another name first.
    """
    results: Path
    """The folder of the files of its results, which `finish` writes."""
    shared: Json = field(default_factory=dict)
    """Of the plan."""
    sources: Sequence[Source] = ()
    """Of the plan."""
    is_active: Callable[[], bool] = field(default=lambda: True)
    """Whether the job shall go on; called between two steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What is to be done, found without reading a pixel."""

    tasks: Sequence[Json]
    """The input of each task, in an order that stays the same: their places are their names."""
    seconds: float
    """A rough expectation for all of them, one after the other."""
    held_bytes: int
    """Of memory that one of them, or the end, holds beside caches and what verbs of the pipeline take by themselves."""
    shared: Json = field(default_factory=dict)
    """The input that all tasks and the end share, such as the times that were found: stored once for all tasks."""
    sources: Sequence[Source] = ()
    """What all tasks together read; `planned` adds the revisions."""

    @property
    def revision(self) -> str | None:
        """Of what is read; `None` where nothing is."""
        return revision_of(self.sources)


def require_few_tasks(count: int, *, alternative: str) -> None:
    """Refuse more tasks than a job may have, before there is a list of them.

    Args:
        count: Of tasks.
        alternative: What to request instead.

    Raises:
        LimitExceeded: They are more than `MOST_TASKS`.
    """
    if count > MOST_TASKS:
        raise LimitExceeded("blocks of a job", allowed=MOST_TASKS, needed=count, alternative=alternative)


def cuts(first: int, last: int, length: int) -> list[list[int]]:
    """Return the starts and ends of parts of what goes from one place to before another, cut at multiples of a length.

    Blocks of a source begin at such places, so that none is read for two parts.
    """
    if first == last:
        return []
    inner = range((first // length + 1) * length, last, length)
    return [list(pair) for pair in pairwise([first, *inner, last])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process; everything of it is in one file of `chronotile.processes.registry`."""

    id: str
    title: str
    description: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    plan: Callable[[Inputs, Services], JobPlan]
    """Raises `ChronotileError` for inputs that the schemas allow and the archive does not."""
    run: Callable[[Inputs, Json, Work], Json]
    """Does a task and returns what is remembered of it: a little JSON."""
    finish: Callable[[Inputs, Sequence[Json], Work], Mapping[str, Result]]
    """Makes the results from what tasks gave, in their order; by the names of outputs."""
    keywords: tuple[str, ...] = ()
    version: str = "1.0.0"
