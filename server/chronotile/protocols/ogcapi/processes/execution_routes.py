"""`POST /ogcapi/processes/{processID}/execution`: what is done at once, or accepted as a job (OGC 18-062r2 §7.11)."""

from collections.abc import Sequence
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import InvalidParameter
from chronotile.model.cancellation import IsActive
from chronotile.model.job import Execution, Job, Subscriber
from chronotile.processes.execute import ASK_FOR_A_JOB, SYNC_S, plan_execution
from chronotile.processes.inputs import layer_names_in
from chronotile.processes.process import JobPlan, Process
from chronotile.processes.registry import process_of
from chronotile.protocols.common.job_access import client_of, require_job_access
from chronotile.protocols.common.job_offer import offer_job
from chronotile.protocols.common.query.form import body_of
from chronotile.protocols.common.state import (
    check_current,
    in_fetches,
    in_thread,
    services_of,
    state_of,
    watch_disconnect,
)
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.document_context import context_for
from chronotile.protocols.ogcapi.processes.answers import NOBODY, live, of_table, query_of, unless_gone
from chronotile.protocols.ogcapi.processes.documents import job_address, status_document
from chronotile.protocols.ogcapi.processes.execution import execution_of, execution_offer, members_of
from chronotile.protocols.ogcapi.processes.media_types import JSON
from chronotile.protocols.ogcapi.processes.prefer import RESPOND_ASYNC, Preferences, preferences_of
from chronotile.protocols.ogcapi.processes.references import Reference, fetch_all, hosts_of, references_of, with_values
from chronotile.protocols.ogcapi.processes.results import wants_references, will_want_references
from chronotile.protocols.ogcapi.processes.subscriber import subscriber_of
from chronotile.protocols.ogcapi.processes.synchronous import (
    SyncResults,
    run_now,
    stored_response,
    synchronous_response,
)
from chronotile.queue.temporary import remove_on_failure
from chronotile.web.fetch import Fetched


async def post_execution(request: Request) -> Response:
    """Execute the request while the client waits, or accept it as a job."""
    context = context_for(request, query_of(request))
    preferred = preferences_of(request.headers.getlist("prefer"))
    if preferred.is_async or "origin" in request.headers:  # a page that may use no jobs may not make work here either
        require_job_access(request)
    execution, subscriber = await _read_execution(request, process_of(request.path_params["processID"]), context)
    if subscriber is not None and not preferred.is_async:
        raise InvalidParameter(f"only jobs notify subscribers; {ASK_FOR_A_JOB}", locator="subscriber")
    if will_want_references(execution):
        require_job_access(request)  # before the work: results by reference are stored like those of a job
    plan = await _planned(request, execution)
    if (
        subscriber is not None
        or preferred.wants_job(plan.seconds, most_s=SYNC_S)
        or (preferred.is_async and not services_of(request).memory.may_take(plan.held_bytes))
    ):
        return await _accept(request, execution, context, subscriber, revision=plan.revision)
    return await _do_now(request, execution, plan, context, preferred=preferred)


async def _read_execution(
    request: Request, process: Process, context: DocumentContext
) -> tuple[Execution, Subscriber | None]:
    """What a request asks of a process, with what its inputs refer to, and who hears how it goes on."""
    state, body = state_of(request), await body_of(request)
    offer_job(request, lambda: execution_offer(process))

    def read() -> tuple[Json, Subscriber | None, Sequence[Reference]]:
        members = members_of(process, body, media_type=request.headers.get("content-type", JSON))
        subscriber = subscriber_of(members, state.subscriber_places, base=context.root)
        return members, subscriber, references_of(process, members["inputs"], state.input_places)

    members, subscriber, references = await in_thread(state.limiters.jobs, read)
    found: Sequence[Fetched] = ()
    if references:
        max_bytes = services_of(request).catalogue.limits.max_body_bytes
        found = await in_fetches(request, hosts_of(references), fetch_all, references, max_bytes=max_bytes)

    def check() -> Execution:
        return execution_of(process, {**members, "inputs": with_values(process, members["inputs"], references, found)})

    return await in_thread(state.limiters.jobs, check), subscriber


async def _planned(request: Request, execution: Execution) -> JobPlan:
    state, services = state_of(request), services_of(request)

    def plan() -> JobPlan:
        check_current(state, services, None)
        return plan_execution(execution, services)

    collections = services.catalogue.collections_of(layer_names_in(execution.inputs))
    elsewhere = {each for each in collections if each in services.elsewhere}
    return await unless_gone(request, state.limiters.plans, plan, elsewhere=elsewhere)


async def _do_now(
    request: Request, execution: Execution, plan: JobPlan, context: DocumentContext, *, preferred: Preferences
) -> Response:
    state, services = state_of(request), services_of(request)

    def work(is_active: IsActive) -> Response | SyncResults:
        check_current(state, services, None)
        done = run_now(execution, plan, services, state.jobs, is_active=is_active)
        return done if wants_references(execution, done.results) else synchronous_response(execution, done)

    async with watch_disconnect(request) as is_active:
        elsewhere = {each.collection for each in plan.sources if each.collection in services.elsewhere}
        answer = await unless_gone(request, state.limiters.executions, partial(work, is_active), elsewhere=elsewhere)
    if isinstance(answer, SyncResults):  # to be stored, which others do not wait for who want to execute something
        with remove_on_failure(answer.folder):
            require_job_access(request)
            response = await in_thread(state.limiters.results, stored_response, execution, answer, state.jobs, context)
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
        return desk.submit(execution, user=NOBODY, subscriber=subscriber, revision=revision, client=client)

    job = await of_table(request, submit)
    headers = {"Location": job_address(job, context), "Preference-Applied": RESPOND_ASYNC}
    return Response(orjson.dumps(status_document(job, context)), status_code=201, media_type=JSON, headers=headers)


routes = [Route("/ogcapi/processes/{processID}/execution", live(post_execution), methods=["POST"])]
