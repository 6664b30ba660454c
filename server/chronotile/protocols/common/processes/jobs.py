"""Jobs that requests name: lookup with the rights of the user or of a share link, and deletion."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request

from chronotile.core.errors import UnknownPath
from chronotile.core.model.job import ENDED, Job
from chronotile.core.model.time.instants import format_instant
from chronotile.http.principal import JOB_LINK, JobLink, user_of
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import JOBS, RESULTS
from chronotile.jobs.queue.faults import no_job
from chronotile.jobs.queue.service import JobService

NOT_READY = "results"
"""Locator of results that do not exist yet, or will never exist."""
Found = TypeVar("Found")


def moment_text(moment: float) -> str:
    """Return seconds since 1970 as RFC 3339, UTC, to the millisecond."""
    return format_instant(np.datetime64(round(moment * 1000), "ms").astype("datetime64[ns]"))


def granted_job(id_: str, request: Request) -> Job:
    """Return a job of the user, or of a share link, if its data are still granted.

    Raises:
        UnknownPath: The job is unknown, belongs to another user, or its data are no longer granted.
        SourceUnavailable: This server cannot store jobs.
    """
    desk, services = state_of(request).jobs, services_of(request)
    share: JobLink | None = request.scope.get(JOB_LINK)
    catalogue, all_ = services.catalogue, services.origin.catalogue
    if share is None:
        job = desk.job(id_, user=user_of(request))
    else:
        job, subjects = desk.shared_job(id_, share.digest)
        if not share.is_valid(job.user):
            raise no_job(id_)
        catalogue = all_.restrict(subjects, "process")
    if catalogue is not all_:
        inputs = desk.table.execution(job.id).inputs
        names = (*_names_in(inputs), *_names_read(job))
        places = next(_names_in({"": inputs.get("places")}), "").partition("/")[0]  # or a layer of this name
        is_set_gone = places in all_.places and places not in catalogue.places
        if is_set_gone or any(all_.has_name(name) and not catalogue.has_name(name) for name in names):
            if share is None:
                desk.shares.end(job.id)
            raise no_job(id_)
    return job


def _names_in(inputs: Mapping[str, Any]) -> Iterator[str]:
    for value in inputs.values():
        yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))


def _names_read(job: Job) -> Iterator[str]:
    # Ids of the layers that the results were made from, as they were at that time.
    for result in job.results.values():
        for source in (result.metadata or {}).get("sources", ()):
            yield from source["layers"]


async def ended_job(request: Request, id_: str) -> tuple[Job, JobService]:
    """Return an ended job, and the service that stores it.

    Raises:
        UnknownPath: As `granted_job` and `require_ended`.
    """
    job = await run(request, JOBS, lambda: granted_job(id_, request))
    require_ended(job)
    return job, state_of(request).jobs


def require_ended(job: Job) -> None:
    """Refuse a request for results of a job that has none.

    Raises:
        UnknownPath: The job has not ended, or was dismissed.
    """
    if job.status not in ENDED:
        raise UnknownPath(f"the job has no results yet; it is {job.status} ({job.message})", locator=NOT_READY)
    if job.status == "dismissed":
        raise UnknownPath("the job was dismissed, and has no results", locator=NOT_READY)


async def dismiss(request: Request, id_: str) -> Job:
    """Cancel a job, or delete an ended job with its results; return the cancelled job, or the unchanged ended job.

    Raises:
        UnknownPath: The user has no job with this id.
        SourceUnavailable: Jobs cannot be stored, or files could not be deleted.
    """
    desk = state_of(request).jobs
    job = await run(request, JOBS, lambda: desk.job(id_, user=user_of(request)))
    has_ended = job.status in ENDED
    if not has_ended:
        job = await run(request, JOBS, partial(desk.cancel, job))
    is_cancelled = not has_ended and job.status == "dismissed"  # the job may have ended before it was cancelled
    await run_with_files(request, job, partial(desk.remove_files if is_cancelled else desk.forget, job))
    return job


async def run_with_files(request: Request, job: Job, work: Callable[[], Found]) -> Found:
    """Run work on the files of a job. Their store may hang, so jobs that never started use other threads."""
    return await run(request, JOBS if job.started is None else RESULTS, work)
