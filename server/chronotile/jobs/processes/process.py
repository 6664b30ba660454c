"""What a process is: a pipeline verb over tasks, each of which can be done anywhere and any number of times.

Also what a job reads, so that a result can state it: of which collections, at which times and in which state.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from chronotile.core.errors import PlanOutdated, PlanStale, SourceUnavailable, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.job import Result
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import InstantArray, Json
from chronotile.pipeline.revision import fingerprint, pixel_revision
from chronotile.pipeline.services import Services

MOST_TIMES = 1000
"""Of a source that metadata list one by one: they are sent with each answer about the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSource:
    """A layer at some of its times, as a job reads it."""

    collection: str
    layer: str
    times: Sequence[int]
    """Nanoseconds since 1970, ascending; none of a layer without time."""
    revision: str = ""
    """Of its pixels at these times, and of what they mean; empty until `find_revisions` has found it."""
    meaning: str = ""
    """Of its numbers, in short: partial results of two meanings do not fit together."""


def source_of(layer: Layer, instants: InstantArray) -> JobSource:
    """Return a layer at some of its times."""
    times = np.unique(instants).astype("datetime64[ns]").astype(np.int64).tolist()
    return JobSource(collection=layer.collection, layer=layer.id, times=times)


def sources_of(*coverages: Coverage) -> list[JobSource]:
    """Return the layers of coverages, each at all times that it has of any of them."""
    instants = np.concatenate([coverage.times.instants for coverage in coverages])
    layers = {field.layer.id: field.layer for coverage in coverages for field in coverage.fields}
    return [source_of(layer, np.intersect1d(instants, layer.times.instants)) for layer in layers.values()]


def find_revisions(sources: Sequence[JobSource], services: Services) -> list[JobSource]:
    """Return sources with the revisions that they have now; reads no pixels.

    Raises:
        UnknownLayer: A layer is gone.
        SourceUnavailable: A time of one is gone, or its store is away.
    """
    return [
        replace(each, revision=_revision_now(each, services), meaning=_meaning_now(each, services)) for each in sources
    ]


def require_meaning(sources: Sequence[JobSource], services: Services) -> None:
    """Check, before any of them is read, that numbers of sources mean what they did when that was planned.

    Raises:
        UnknownLayer: A layer is gone.
        PlanStale: They do not: files of other encodings were found meanwhile.
    """
    for each in sources:
        if _meaning_now(each, services) != each.meaning:
            raise PlanStale(f"how files of layer {each.layer} are encoded is known better by now")


def require_unchanged(sources: Sequence[JobSource], services: Services) -> None:
    """Check, when all is read, that sources are as they were when that began.

    Raises:
        UnknownLayer: A layer is gone.
        PlanOutdated: One has other pixels now, or they mean something else.
        SourceUnavailable: A time of one is gone.
    """
    for planned, now in zip(sources, find_revisions(sources, services), strict=True):
        if now.revision != planned.revision:
            raise PlanOutdated(
                f"collection {planned.collection} has changed since the job began, so its result would mix two "
                f"states of layer {planned.layer}; submit it again"
            )


def revision_of(sources: Sequence[JobSource]) -> str | None:
    """Return one short name for the revisions of all; `None` where nothing is read."""
    if len(sources) <= 1:
        return sources[0].revision if sources else None
    text = "\n".join(f"{each.layer} {each.revision}" for each in sources)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def metadata_of(sources: Sequence[JobSource]) -> Json | None:
    """Return what a result says of what it was made of; `None` where nothing was read.

    Its member `sources` has the collection, the layers, the revision and the times of each, with all layers together
    that have the same collection and times.
    """
    if not sources:
        return None
    alike: dict[tuple[str, tuple[int, ...]], list[JobSource]] = {}
    for each in sources:
        alike.setdefault((each.collection, tuple(each.times)), []).append(each)
    return {"sources": [_describe(collection, times, members) for (collection, times), members in alike.items()]}


def sources_to_json(sources: Sequence[JobSource]) -> list[Json]:
    """Return sources as JSON."""
    return [{each.name: getattr(source, each.name) for each in fields(JobSource)} for source in sources]


def sources_from_json(written: Sequence[Mapping[str, Any]]) -> list[JobSource]:
    """Return the sources that `sources_to_json` has written."""
    return [JobSource(**each) for each in written]


def _revision_now(source: JobSource, services: Services) -> str:
    layer = services.catalogue.layer(source.layer)
    instants = np.array(source.times, dtype=np.int64).view("datetime64[ns]")
    if instants.size and not np.isin(instants, layer.times.instants).all():
        raise SourceUnavailable(f"a time of layer {layer.id} is gone since the job began; submit it again")
    return pixel_revision(layer, instants, services)


def _meaning_now(source: JobSource, services: Services) -> str:
    variables = services.catalogue.layer(source.layer).variables
    return fingerprint(*((each.encoding, each.grid) for each in variables))


def _describe(collection: str, times: Sequence[int], members: Sequence[JobSource]) -> Json:
    instants = [format_instant(instant) for instant in np.array(times, dtype=np.int64).view("datetime64[ns]")]
    span = {"first": instants[0], "last": instants[-1]} if instants else {}
    return {
        "collection": collection,
        "layers": [each.layer for each in members],
        "revision": revision_of(members),
        "count": len(instants),
        **span,
        **({"times": instants} if len(instants) <= MOST_TIMES else {}),
    }


# What a process is.

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


def optional(title: str, description: str, schema: Json) -> Input:
    """Return an input that may be left out."""
    return Input(title=title, description=description, schema=schema, is_required=False)


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
    sources: Sequence[JobSource] = ()
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
    sources: Sequence[JobSource] = ()
    """What all tasks together read; `planned` adds the revisions."""
    pixels: int = 0
    """Of layers, at all times, that all tasks together compute with."""
    result_bytes: int | None = None
    """Of the file of the result at most, where that is known."""

    @property
    def revision(self) -> str | None:
        """Of what is read; `None` where nothing is."""
        return revision_of(self.sources)


def choice(names: Collection[str]) -> Json:
    """Return the schema of one of some names, by default the first."""
    return {"type": "string", "enum": list(names), "default": next(iter(names))}


def binary(media_type: str) -> Json:
    """Return the schema of a file of a media type."""
    return {"type": "string", "contentEncoding": "binary", "contentMediaType": media_type}


def require_few_tasks(count: int, *, alternative: str) -> None:
    """Refuse more tasks than a job may have, before there is a list of them.

    Args:
        count: Of tasks.
        alternative: What to request instead.

    Raises:
        LimitExceeded: They are more than `MOST_TASKS`.
    """
    require_at_most("blocks of a job", count, MOST_TASKS, alternative=alternative)


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
    """One process; everything of it is in one file of `chronotile.jobs.processes.registry`."""

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
