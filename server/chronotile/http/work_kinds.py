"""Kinds of work: the limiter of each, and its dealings with sources, remote servers and clients that leave."""

from dataclasses import dataclass
from typing import Generic, ParamSpec

from chronotile.core.cancellation import IsActive

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkKind(Generic[Arguments]):
    """How work of one kind runs, which takes `Arguments`."""

    limiter: str
    """Which of `Limiters` lets it into threads."""
    reads: bool = False
    """Whether it reads sources: it takes a share of each, and is not begun if its client left while it waited."""
    is_of_all: bool = False
    """Whether it is about all that is served, which is made current first; it takes shares of sources elsewhere."""
    may_ask: bool = False
    """Whether it may ask another catalogue: it is then begun again in a thread of those for other machines, where each
    host holds its share, and what is looked up here goes on while that one hangs."""
    learns: bool = True
    """Whether the request is begun again where a file that is read has an encoding that was not known."""
    watches: bool = False
    """Whether the work gets a check that its client is still connected: the body must have been read."""


PICTURES: WorkKind[[]] = WorkKind(limiter="pictures", reads=True)

LARGE_PICTURES: WorkKind[[]] = WorkKind(limiter="large_pictures", reads=True)

SERIES: WorkKind[[]] = WorkKind(limiter="series", reads=True)

SERIES_OF_MANY: WorkKind[[IsActive]] = WorkKind(limiter="series", reads=True, watches=True)

AREAS: WorkKind[[IsActive]] = WorkKind(limiter="areas", reads=True, watches=True)

UPLOADS: WorkKind[[IsActive]] = WorkKind(limiter="uploads", watches=True)

COVERAGES: WorkKind[[IsActive]] = WorkKind(limiter="coverages", reads=True, watches=True)

STORES: WorkKind[[]] = WorkKind(limiter="chunks", reads=True)

CHUNKS: WorkKind[[IsActive]] = WorkKind(limiter="chunks", reads=True, watches=True)

CUBES: WorkKind[[IsActive]] = WorkKind(limiter="cubes", reads=True, watches=True)

CUBES_OF_ONE_TIME: WorkKind[[IsActive]] = WorkKind(limiter="pictures", reads=True, watches=True)
"""Which take no longer than a picture."""

CUBE_BODIES: WorkKind[[]] = WorkKind(limiter="cubes")

ANIMATIONS: WorkKind[[IsActive]] = WorkKind(limiter="animations", reads=True, watches=True)

PLANS: WorkKind[[]] = WorkKind(limiter="plans", reads=True, is_of_all=True, learns=False)

EXECUTIONS: WorkKind[[IsActive]] = WorkKind(limiter="executions", reads=True, is_of_all=True, watches=True)

JOBS: WorkKind[[]] = WorkKind(limiter="jobs")

RESULTS: WorkKind[[]] = WorkKind(limiter="results")

DOCUMENTS: WorkKind[[]] = WorkKind(limiter="documents", is_of_all=True)

TEXTS: WorkKind[[]] = WorkKind(limiter="documents")
"""Documents that hang on no source, such as pages of processes."""

ITEM_WRITES: WorkKind[[]] = WorkKind(limiter="documents")

SEARCHES: WorkKind[[]] = WorkKind(limiter="searches", may_ask=True)

LOOKUPS: WorkKind[[]] = WorkKind(limiter="lookups", may_ask=True)

DOWNLOADS: WorkKind[[]] = WorkKind(limiter="downloads")

FETCHES: WorkKind[[]] = WorkKind(limiter="fetches")

FILES: WorkKind[[]] = WorkKind(limiter="files")

READINESS: WorkKind[[]] = WorkKind(limiter="readiness")

METRICS: WorkKind[[]] = WorkKind(limiter="metrics")
