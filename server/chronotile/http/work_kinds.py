"""Kinds of work in threads: their limiters, and whether they read sources, query remote servers or watch the client."""

from dataclasses import dataclass
from typing import Generic, ParamSpec

from chronotile.core.cancellation import IsActive

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkKind(Generic[Arguments]):
    """The rules by which `run` calls a function with `Arguments`."""

    limiter: str
    """Field of `Limiters`."""
    reads: bool = False
    """Whether it reads sources: it counts in their quotas, and is skipped if its client leaves while it waits."""
    is_of_all: bool = False
    """Whether it depends on all collections, which are updated first; only remote sources have quotas."""
    may_ask: bool = False
    """Whether it may need a remote catalogue: then it is repeated under the limiter of remote work, where each host has
    a quota, so that local lookups continue while a host hangs."""
    learns: bool = True
    """Whether the request is repeated if a file was read whose encoding was unknown."""
    watches: bool = False
    """Whether the function gets a check of the connection; the body of the request must have been read."""


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
"""Counts as a picture, because it takes about as long as one."""
CUBE_BODIES: WorkKind[[]] = WorkKind(limiter="cubes")
ANIMATIONS: WorkKind[[IsActive]] = WorkKind(limiter="animations", reads=True, watches=True)
PLANS: WorkKind[[]] = WorkKind(limiter="plans", reads=True, is_of_all=True, learns=False)
EXECUTIONS: WorkKind[[IsActive]] = WorkKind(limiter="executions", reads=True, is_of_all=True, watches=True)
JOBS: WorkKind[[]] = WorkKind(limiter="jobs")
RESULTS: WorkKind[[]] = WorkKind(limiter="results")
DOCUMENTS: WorkKind[[]] = WorkKind(limiter="documents", is_of_all=True)
TEXTS: WorkKind[[]] = WorkKind(limiter="documents")
"""Documents that depend on no source, such as pages of processes."""
ITEM_WRITES: WorkKind[[]] = WorkKind(limiter="documents")
SEARCHES: WorkKind[[]] = WorkKind(limiter="searches", may_ask=True)
LOOKUPS: WorkKind[[]] = WorkKind(limiter="lookups", may_ask=True)
DOWNLOADS: WorkKind[[]] = WorkKind(limiter="downloads")
FETCHES: WorkKind[[]] = WorkKind(limiter="fetches")
FILES: WorkKind[[]] = WorkKind(limiter="files")
READINESS: WorkKind[[]] = WorkKind(limiter="readiness")
METRICS: WorkKind[[]] = WorkKind(limiter="metrics")
