"""Types of processes: a process plans tasks, runs each anywhere and any number of times, and makes results of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from chronotile.core.errors import require_at_most
from chronotile.core.model.job import Result
from chronotile.core.model.types import Json
from chronotile.jobs.processes.sources import JobSource, revision_of
from chronotile.pipeline.services import Services

Inputs = Mapping[str, Any]

MAX_TASKS = 100_000
"""Limit of the tasks of a job: each is a row in the table of jobs, and may be a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of a process (OGC API - Processes 1.0, 7.10, InputDescription)."""

    title: str
    description: str
    schema: Json
    """JSON Schema (draft 2020-12) with keywords that OpenAPI 3.0 has too."""
    is_required: bool = True
    most: int = 1
    """Maximum number of values; several are given as an array."""

    @property
    def accepted(self) -> Json:
        """The schema of the input: one value or, if it takes several, an array of them."""
        if self.most == 1:
            return self.schema
        several = {"type": "array", "items": self.schema, "minItems": 1, "maxItems": self.most}
        return {"oneOf": [self.schema, several]}


def optional(title: str, description: str, schema: Json) -> Input:
    """Return an input that is not required."""
    return Input(title=title, description=description, schema=schema, is_required=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output of a process."""

    title: str
    description: str
    schema: Json
    formats: Mapping[str, str] = field(default_factory=dict)
    """Media types by values of the input `format`; empty without a choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything that tasks work with."""

    services: Services
    folder: Path
    """Folder of partial results, on a disk that all processes of the job share.

    A task may run twice, even concurrently, so it writes files under temporary names and renames them.
    """
    results: Path
    """Folder of result files, which `finish` writes."""
    shared: Json = field(default_factory=dict)
    """Shared input of the plan."""
    sources: Sequence[JobSource] = ()
    """Sources of the plan."""
    is_active: Callable[[], bool] = field(default=lambda: True)
    """Whether the job is still active; called between two steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """The tasks of a job, planned without reading a pixel."""

    tasks: Sequence[Json]
    """Input of each task; the index of a task is its number, so the order is stable."""
    seconds: float
    """Estimated processor time of all tasks together."""
    held_bytes: int
    """Memory of a task, or of `finish`, in addition to caches and the buffers of operations."""
    shared: Json = field(default_factory=dict)
    """Input that all tasks and `finish` share, such as resolved times; stored once."""
    sources: Sequence[JobSource] = ()
    """Sources of all tasks; `plan_execution` adds the revisions."""
    pixels: int = 0
    """Pixels of layers, at all times, that all tasks read."""
    result_bytes: int | None = None
    """Maximum size of the result file; `None` if unknown."""

    @property
    def revision(self) -> str | None:
        """Revision of the sources; `None` without sources."""
        return revision_of(self.sources)


def choice(names: Collection[str]) -> Json:
    """Return the schema of a choice of names; the first is the default."""
    return {"type": "string", "enum": list(names), "default": next(iter(names))}


def binary(media_type: str) -> Json:
    """Return the schema of a file of a media type."""
    return {"type": "string", "contentEncoding": "binary", "contentMediaType": media_type}


def require_few_tasks(count: int, *, alternative: str) -> None:
    """Refuse more than `MAX_TASKS` tasks, before their list is made.

    Args:
        count: Number of tasks.
        alternative: Remedy in the message.

    Raises:
        LimitExceeded: The limit is exceeded.
    """
    require_at_most("blocks of a job", count, MAX_TASKS, alternative=alternative)


def cuts(first: int, last: int, length: int) -> list[list[int]]:
    """Return the start and end of parts of the range from `first` to before `last`, cut at multiples of `length`.

    Blocks of a source start at multiples of their length, so no block is read for two parts.
    """
    if first == last:
        return []
    inner = range((first // length + 1) * length, last, length)
    return [list(pair) for pair in pairwise([first, *inner, last])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process, defined in one module of this package."""

    id: str
    title: str
    description: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    plan: Callable[[Inputs, Services], JobPlan]
    """Raises `ChronotileError` for inputs that are valid by their schemas but not for the archive."""
    run: Callable[[Inputs, Json, Work], Json]
    """Runs a task and returns its result to store: a little JSON."""
    finish: Callable[[Inputs, Sequence[Json], Work], Mapping[str, Result]]
    """Makes results by output name, from the results of tasks in their order."""
    keywords: tuple[str, ...] = ()
    version: str = "1.0.0"
