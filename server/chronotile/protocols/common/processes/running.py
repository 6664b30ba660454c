"""Executions of requests: read with their references, planned, and executed while the client waits or as a job."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.cancellation import IsActive
from chronotile.core.errors import PlanOutdated
from chronotile.core.model.job import Execution, Job, Result, Subscriber
from chronotile.core.model.payload import Missing
from chronotile.core.model.types import Json
from chronotile.core.web.fetch import Fetched
from chronotile.http.cache_headers import cache_headers
from chronotile.http.client_addresses import client_of
from chronotile.http.job_access import require_job_access
from chronotile.http.job_offers import offer_job
from chronotile.http.principal import user_of
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import EXECUTIONS, FETCHES, JOBS, PLANS, RESULTS
from chronotile.jobs.processes.execute import execute, plan_execution
from chronotile.jobs.processes.inputs import layer_names_in
from chronotile.jobs.processes.process import JobPlan, Process
from chronotile.jobs.processes.work.partial_results import LEFT_OUT, UNREADABLE
from chronotile.jobs.queue.faults import FORBIDDEN, storing_results
from chronotile.jobs.queue.job_folder import ResultFiles
from chronotile.jobs.queue.service import JobService
from chronotile.jobs.queue.temporary_folders import remove_on_failure
from chronotile.pipeline.retries import retry_overtaken
from chronotile.pipeline.services import Services
from chronotile.protocols.common.processes.execution import execution_of, execution_offer
from chronotile.protocols.common.processes.media_types import JSON
from chronotile.protocols.common.processes.references import (
    Reference,
    fetch_all,
    hosts_of,
    references_of,
    replace_references,
)
from chronotile.protocols.common.processes.results import (
    Results,
    is_referenced,
    job_address,
    results_of,
    will_want_references,
)

Respond = Callable[[Results, Path | None], Response]
"""Writes results in the form of a protocol, and removes the folder (if any) after sending."""


async def read_execution(request: Request, process: Process, read: Callable[[], Json]) -> tuple[Execution, Json]:
    """Return the execution of a request, with references replaced by values, and the members of its body.

    Args:
        request: The request.
        process: The process to execute.
        read: Returns the members of the body, including `inputs`; called in a thread.

    Raises:
        ChronotileError: A member is not accepted, or a reference cannot be fetched.
    """
    offer_job(request, lambda: execution_offer(process))

    def read_members() -> tuple[Json, Sequence[Reference]]:
        members = read()
        return members, references_of(process, members["inputs"], state_of(request).input_places)

    members, references = await run(request, JOBS, read_members)
    documents: Sequence[Fetched] = ()
    if references:
        max_bytes = services_of(request).catalogue.limits.max_body_bytes
        documents = await run(
            request, FETCHES, partial(fetch_all, references, max_bytes=max_bytes), hosts=hosts_of(references)
        )

    def check() -> Execution:
        return execution_of(
            process, {**members, "inputs": replace_references(process, members["inputs"], references, documents)}
        )

    return await run(request, JOBS, check), members


async def plan_of(request: Request, execution: Execution) -> JobPlan:
    """Return the plan of an execution; no pixel is read.

    Raises:
        ChronotileError: The execution would be refused.
    """
    if will_want_references(execution):
        require_job_access(request)  # results that are returned by URL are stored like results of jobs
    services = services_of(request)
    collections = services.catalogue.collections_of(layer_names_in(execution.inputs))
    return await run(request, PLANS, partial(plan_execution, execution, services), collections=collections)


async def submit(request: Request, execution: Execution, plan: JobPlan, *, subscriber: Subscriber | None = None) -> Job:
    """Submit an execution as a job, and return the job.

    Raises:
        SourceUnavailable: Jobs cannot be stored.
        ServerBusy: This client, or all clients together, have too many jobs.
    """
    desk, user, client = state_of(request).jobs, user_of(request), client_of(request)
    accept = partial(desk.submit, user=user, subscriber=subscriber, revision=plan.revision, client=client)
    return await run(request, JOBS, partial(accept, execution))


async def do_now(
    request: Request, execution: Execution, plan: JobPlan, respond: Respond, *, base: str, is_kept: bool = False
) -> Response:
    """Execute while the client waits, and return the answer with the results.

    Args:
        request: The request.
        execution: Its execution.
        plan: The plan of the execution.
        respond: Writes the results.
        base: Public URL of OGC API, the start of URLs of results.
        is_kept: Whether results are stored even if no result needs a URL.

    Raises:
        ChronotileError: The execution failed.
    """
    state, services = state_of(request), services_of(request)

    def work(is_active: IsActive) -> Response | SyncResults:
        done = run_now(execution, plan, services, state.jobs, is_active=is_active)
        is_stored = is_kept or any(is_referenced(execution, name, result) for name, result in done.results.items())
        return done if is_stored else _synchronous_response(execution, done, respond)

    answer = await run(request, EXECUTIONS, work, collections={source.collection for source in plan.sources})
    if not isinstance(answer, SyncResults):
        return answer
    with remove_on_failure(answer.folder):  # storing may be slow, so it does not occupy a thread for executions
        require_job_access(request)
        store = partial(_stored_response, execution, answer, respond, state.jobs, base=base, user=user_of(request))
        return await run(request, RESULTS, store)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResults:
    """Results of a synchronous execution."""

    results: dict[str, Result]
    folder: Path
    """Folder of their files; it is removed, or moved to the stored results."""
    revision: str | None
    """Revision of the data that were read."""


def run_now(
    execution: Execution, plan: JobPlan, services: Services, desk: JobService, *, is_active: IsActive
) -> SyncResults:
    """Execute a request, with a new plan if files changed since they were planned.

    Raises:
        ChronotileError: The execution failed.
        ClientGone: The client disconnected.
    """

    def attempt() -> SyncResults:
        folder = desk.make_folder()
        with remove_on_failure(folder), storing_results(FORBIDDEN):
            results = dict(execute(execution, services, folder, plan=plan, is_active=is_active))
        return SyncResults(results=results, folder=folder, revision=plan.revision)

    def plan_anew(_error: PlanOutdated) -> None:
        nonlocal plan
        plan = plan_execution(execution, services)

    return retry_overtaken(attempt, PlanOutdated, plan_anew)


def _synchronous_response(execution: Execution, done: SyncResults, respond: Respond) -> Response:
    """Return the answer with all results by value."""
    results = Results(execution=execution, values=done.results, files=ResultFiles(done.folder), address_of=None)
    with remove_on_failure(done.folder):
        return _add_missing_warning(respond(results, done.folder), done)


def _stored_response(
    execution: Execution, done: SyncResults, respond: Respond, desk: JobService, *, base: str, user: str | None
) -> Response:
    """Return the answer with URLs of results, which are stored like results of a job."""
    job, files = desk.store_execution(execution, done.results, done.folder, user=user, revision=done.revision)
    response = _add_missing_warning(respond(results_of(job, execution, files, base), None), done)
    response.headers.append("Link", f'<{job_address(job, base)}>; rel="monitor"; type="{JSON}"')
    return response


def _add_missing_warning(response: Response, done: SyncResults) -> Response:
    """Report dates and items that results lack, as other answers do."""
    all_metadata = [result.metadata for result in done.results.values() if result.metadata is not None]
    unreadable = sorted({when for metadata in all_metadata for when in metadata.get(UNREADABLE, ())})
    left_out = sorted({item for metadata in all_metadata for item in metadata.get(LEFT_OUT, ())})
    if unreadable or left_out:
        instants = np.array([when.removesuffix("Z") for when in unreadable], "datetime64[ns]")
        missing = Missing(unreadable_times=tuple(instants), skipped_items=tuple(left_out))
        response.headers.update(cache_headers(missing, is_open=False))
    return response
