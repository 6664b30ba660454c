"""`POST /ogcapi/processes/{processID}/execution`: what is done at once, or accepted as a job (OGC 18-062r2 §7.11)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import InvalidParameter, PlanOutdated
from chronotile.core.model.job import Execution, Job, Result, Subscriber
from chronotile.core.model.request import IsActive
from chronotile.core.web.fetch import Fetched
from chronotile.http.endpoint import body_of, offer_job
from chronotile.http.job_access import client_of, require_job_access
from chronotile.http.respond import caching
from chronotile.http.run import (
    EXECUTIONS,
    FETCHES,
    JOBS,
    PLANS,
    RESULTS,
    run,
    services_of,
    state_of,
    url_without_key,
    user_of,
)
from chronotile.jobs.processes.execute import ASK_FOR_A_JOB, SYNC_S, execute, plan_execution
from chronotile.jobs.processes.inputs import layer_names_in
from chronotile.jobs.processes.process import JobPlan, Process
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work.partial_results import LEFT_OUT, UNREADABLE
from chronotile.jobs.queue.faults import FORBIDDEN, storing_results
from chronotile.jobs.queue.job_folder import ResultFiles, remove_on_failure
from chronotile.jobs.queue.service import JobService
from chronotile.pipeline.revision import retry_overtaken
from chronotile.pipeline.services import Services
from chronotile.protocols.common.openapi import ADDRESS, TEXT, body, ref
from chronotile.protocols.common.operation import language
from chronotile.protocols.ogcapi.block import DocumentContext, Json, context_for, document_query
from chronotile.protocols.ogcapi.processes.documents import (
    A_JOB,
    ANY_RESULTS,
    JSON,
    OF_JOB,
    ONLY_LINKS,
    describe,
    job_address,
    live,
    process_in_path,
    refusals,
    result_address,
    status_document,
)
from chronotile.protocols.ogcapi.processes.execution import (
    Reference,
    execution_of,
    execution_offer,
    fetch_all,
    hosts_of,
    members_of,
    references_of,
    with_values,
)
from chronotile.protocols.ogcapi.processes.results import (
    Results,
    results_response,
    wants_references,
    will_want_references,
)
from chronotile.protocols.ogcapi.processes.subscriber import subscriber_of

RESPOND_ASYNC = "respond-async"
WAIT = "wait"
MAX_MEMBERS = 50
MAX_CHARACTERS = 1000
"""Of all headers Prefer of a request; what lies beyond is left aside. Quotes without an end take the square of that."""
_MEMBERS = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_PARTS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*")+')
_ESCAPED = re.compile(r"\\(.)")
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The preferences of a request that are known here."""

    is_async: bool
    """Whether a job is preferred to waiting."""
    wait_s: int | None
    """How long the client would wait for the results, in seconds."""

    def wants_job(self, seconds: float, *, most_s: float) -> bool:
        """Whether work that is expected to take so long shall be a job, where no request waits longer than `most_s`."""
        return self.is_async and (self.wait_s is None or seconds > min(self.wait_s, most_s))


def preferences_of(headers: Iterable[str]) -> Preferences:
    """Return what the headers Prefer of a request say; unknown preferences and values that are none are ignored.

    Of a preference that is given twice the first one counts (RFC 7240 §2).
    """
    found: dict[str, str] = {}
    for member in _MEMBERS.findall(",".join(headers)[:MAX_CHARACTERS])[:MAX_MEMBERS]:
        name, _equals, value = next(iter(_PARTS.findall(member)), "").partition("=")
        found.setdefault(name.strip().lower(), _unquoted(value.strip()))
    wait = found.get(WAIT, "")
    return Preferences(is_async=RESPOND_ASYNC in found, wait_s=int(wait) if _SECONDS.fullmatch(wait) else None)


def _unquoted(value: str) -> str:
    return _ESCAPED.sub(r"\1", value[1:-1]) if len(value) > 1 and value[0] == value[-1] == '"' else value


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedExecution:
    """What a request asks of a process, checked, and what that takes."""

    execution: Execution
    subscriber: Subscriber | None
    preferred: Preferences
    plan: JobPlan


async def planned_execution(request: Request) -> PlannedExecution:
    """Return what a request asks of a process, with its plan; no pixel is read.

    Raises:
        ChronotileError: It would be refused.
    """
    preferred = preferences_of(request.headers.getlist("prefer"))
    if preferred.is_async or "origin" in request.headers:  # a page that may use no jobs may not make work here either
        require_job_access(request)
    execution, subscriber = await _read_execution(request, process_of(request.path_params["processID"]))
    if subscriber is not None and not preferred.is_async:
        raise InvalidParameter(f"only jobs notify subscribers; {ASK_FOR_A_JOB}", locator="subscriber")
    if will_want_references(execution):
        require_job_access(request)  # before the work: results by reference are stored like those of a job
    services = services_of(request)
    collections = services.catalogue.collections_of(layer_names_in(execution.inputs))
    plan = await run(request, PLANS, partial(plan_execution, execution, services), collections=collections)
    return PlannedExecution(execution=execution, subscriber=subscriber, preferred=preferred, plan=plan)


async def post_execution(request: Request) -> Response:
    """Execute the request while the client waits, or accept it as a job."""
    context = context_for(request, document_query(request))
    planned = await planned_execution(request)
    plan, preferred = planned.plan, planned.preferred
    if (
        planned.subscriber is not None
        or preferred.wants_job(plan.seconds, most_s=SYNC_S)
        or (preferred.is_async and not services_of(request).memory.may_take(plan.held_bytes))
    ):
        return await _accept(request, planned.execution, context, planned.subscriber, revision=plan.revision)
    return await _do_now(request, planned.execution, plan, context, preferred=preferred)


async def _read_execution(request: Request, process: Process) -> tuple[Execution, Subscriber | None]:
    """What a request asks of a process, with what its inputs refer to, and who hears how it goes on."""
    state, body = state_of(request), await body_of(request)
    offer_job(request, lambda: execution_offer(process))

    def read() -> tuple[Json, Subscriber | None, Sequence[Reference]]:
        members = members_of(process, body, media_type=request.headers.get("content-type", JSON))
        subscriber = subscriber_of(members, state.subscriber_places, base=url_without_key(request))
        return members, subscriber, references_of(process, members["inputs"], state.input_places)

    members, subscriber, references = await run(request, JOBS, read)
    found: Sequence[Fetched] = ()
    if references:
        max_bytes = services_of(request).catalogue.limits.max_body_bytes
        found = await run(
            request, FETCHES, partial(fetch_all, references, max_bytes=max_bytes), hosts=hosts_of(references)
        )

    def check() -> Execution:
        return execution_of(process, {**members, "inputs": with_values(process, members["inputs"], references, found)})

    return await run(request, JOBS, check), subscriber


async def _do_now(
    request: Request, execution: Execution, plan: JobPlan, context: DocumentContext, *, preferred: Preferences
) -> Response:
    state, services = state_of(request), services_of(request)

    def work(is_active: IsActive) -> Response | SyncResults:
        done = run_now(execution, plan, services, state.jobs, is_active=is_active)
        return done if wants_references(execution, done.results) else synchronous_response(execution, done)

    answer = await run(request, EXECUTIONS, work, collections={each.collection for each in plan.sources})
    if isinstance(answer, SyncResults):  # to be stored, which others do not wait for who want to execute something
        with remove_on_failure(answer.folder):
            require_job_access(request)
            response = await run(
                request,
                RESULTS,
                partial(stored_response, execution, answer, state.jobs, context, user=user_of(request)),
            )
    else:
        response = answer
    if preferred.wait_s is not None and preferred.is_async:
        response.headers["Preference-Applied"] = f"wait={preferred.wait_s}"
    return response


async def _accept(
    request: Request,
    execution: Execution,
    context: DocumentContext,
    subscriber: Subscriber | None,
    *,
    revision: str | None,
) -> Response:
    def submit() -> Job:
        client, desk = client_of(request), state_of(request).jobs
        return desk.submit(execution, user=user_of(request), subscriber=subscriber, revision=revision, client=client)

    job = await run(request, JOBS, submit)
    headers = {"Location": job_address(job, context), "Preference-Applied": RESPOND_ASYNC}
    return Response(orjson.dumps(status_document(job, context)), status_code=201, media_type=JSON, headers=headers)


PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` for a job; with `wait=10` only where it is expected to take longer than 10 s",
    "schema": TEXT,
}
LOCATION: Json = {"description": "Address of the job", "schema": ADDRESS, "required": True}
MESSAGES = {
    "successUri": ("jobCompleted", "The results, files among them as links", "ProcessResults"),
    "inProgressUri": ("jobInProgress", "How far the job is", "Job"),
    "failedUri": ("jobFailed", "That the job failed, and why", "Job"),
}
"""Of a job to its subscriber."""
CALLBACKS: Json = {
    name: {
        f"{{$request.body#/subscriber/{member}}}": {
            "post": {
                "summary": summary,
                "requestBody": {"required": True, "content": {JSON: {"schema": ref(schema)}}},
                "responses": {"2XX": {"description": "It was heard"}},
            }
        }
    }
    for member, (name, summary, schema) in MESSAGES.items()
}
operation = describe(
    "/processes/{processID}/execution",
    live(post_execution),
    "execute",
    "Execute a process, at once or as a job",
    method="POST",
    parameters=[process_in_path, language, PREFER],
    responses={
        "200": ANY_RESULTS,
        "201": {**A_JOB, "headers": {"Location": LOCATION}},
        "204": ONLY_LINKS,
        **refusals("413", "415"),
        **OF_JOB,
    },
    members={"requestBody": body(ref("ProcessExecution"), {"inputs": {"string": "Hello"}}), "callbacks": CALLBACKS},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResults:
    """What was done while the client waited."""

    results: dict[str, Result]
    folder: Path
    """Of their files, which is removed, or moved to the folder of results."""
    revision: str | None
    """Of what was read."""


def run_now(
    execution: Execution, plan: JobPlan, services: Services, desk: JobService, *, is_active: IsActive
) -> SyncResults:
    """Execute the request; with a new plan where files are others by now than those that were seen last.

    Raises:
        ChronotileError: It cannot be done.
        ClientGone: The client left.
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


def synchronous_response(execution: Execution, done: SyncResults) -> Response:
    """Return the answer that has all results, of which none has to lie somewhere."""
    results = Results(execution=execution, values=done.results, files=ResultFiles(done.folder), address_of=None)
    with remove_on_failure(done.folder):
        return _with_warning(results_response(results, removed=done.folder), done)


def stored_response(
    execution: Execution, done: SyncResults, desk: JobService, context: DocumentContext, *, user: str | None
) -> Response:
    """Return the answer that names where results lie, which are stored as those of a job.

    Raises:
        SourceUnavailable: They cannot be stored.
        StorageFull: There is no room for them.
    """
    job, files = desk.keep(execution, done.results, done.folder, user=user, revision=done.revision)
    address_of = partial(result_address, job, context=context)
    results = Results(execution=execution, values=done.results, files=files, address_of=address_of)
    response = _with_warning(results_response(results), done)
    response.headers.append("Link", f'<{job_address(job, context)}>; rel="monitor"; type="{JSON}"')
    return response


def _with_warning(response: Response, done: SyncResults) -> Response:
    """Name the dates and items that results lack, as other answers do."""
    known = [each.metadata for each in done.results.values() if each.metadata is not None]
    unreadable = sorted({when for metadata in known for when in metadata.get(UNREADABLE, ())})
    left_out = sorted({item for metadata in known for item in metadata.get(LEFT_OUT, ())})
    if unreadable or left_out:
        instants = np.array([when.removesuffix("Z") for when in unreadable], "datetime64[ns]")
        response.headers.update(caching(tuple(instants), is_open=False, left_out=left_out))
    return response
