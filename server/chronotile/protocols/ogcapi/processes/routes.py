"""`/ogcapi/processes` and `/ogcapi/jobs`: what can be done, and what was asked for (OGC 18-062r2)."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.errors import ClientGone, InvalidParameter, UnknownPath
from chronotile.jobs.desk import JobDesk
from chronotile.jobs.execute import JOB_INSTEAD, execute, planned
from chronotile.jobs.faults import FORBIDDEN, storing_results
from chronotile.jobs.job import ENDED, Execution, Job, JobDetails, Result, Subscriber
from chronotile.jobs.process import Plan, Process
from chronotile.jobs.processes import process_of, processes
from chronotile.jobs.result_files import ResultFiles
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import Handler, endpoint
from chronotile.protocols.common.form import body_of
from chronotile.protocols.common.gate import Gate
from chronotile.protocols.common.job_instead import offer_job
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.problem import MEDIA_TYPE as PROBLEM
from chronotile.protocols.common.respond import respond_with_content
from chronotile.protocols.common.state import check_current, in_fetches, in_thread, services_of, state_of, while_wanted
from chronotile.protocols.ogcapi.asked_format import asked_format
from chronotile.protocols.ogcapi.block import Json, Told
from chronotile.protocols.ogcapi.pages import with_policy
from chronotile.protocols.ogcapi.processes.documents import (
    job_address,
    job_list,
    process_document,
    process_list,
    removed_document,
    result_address,
    status_document,
)
from chronotile.protocols.ogcapi.processes.execution import execution_instead, execution_of, members_of
from chronotile.protocols.ogcapi.processes.faults import NOT_READY, process_fault
from chronotile.protocols.ogcapi.processes.media_types import HTML, JSON
from chronotile.protocols.ogcapi.processes.pages import (
    MOST_SHOWN,
    Download,
    downloads,
    job_page,
    jobs_page,
    process_page,
    processes_page,
)
from chronotile.protocols.ogcapi.processes.params import OF_DOCUMENTS, OF_LISTS, jobs_query, merged, paging_of
from chronotile.protocols.ogcapi.processes.prefer import RESPOND_ASYNC, Preferences, preferences_of
from chronotile.protocols.ogcapi.processes.references import Reference, fetch_all, hosts_of, references_of, with_values
from chronotile.protocols.ogcapi.processes.results import Results, file_response, results_response, wants_references
from chronotile.protocols.ogcapi.processes.subscriber import subscriber_of
from chronotile.protocols.ogcapi.told import in_language, told_for
from chronotile.readers.fetch import Fetched

FORMATS = {"json": JSON, "html": HTML}
NOBODY = None
"""Whose jobs are asked for: nobody says yet who they are, and all see those of all."""

Found = TypeVar("Found")


async def get_processes(request: Request) -> Response:
    """Return a page of the list of processes."""
    query = Kvp(request.query_params.multi_items())
    query.check_spelling(OF_LISTS)
    paging, told = paging_of(query), told_for(request, query)
    document = process_list(tuple(processes().values()), paging, told)
    return await _document(request, told, document, partial(processes_page, document, told))


async def get_process(request: Request) -> Response:
    """Return the description of a process."""
    query = _query(request)
    told = told_for(request, query)
    document = process_document(process_of(request.path_params["processID"]), told)
    return await _document(request, told, document, partial(process_page, document, told))


async def post_execution(request: Request) -> Response:
    """Do what is asked for while the client waits, or accept it as a job."""
    told = told_for(request, _query(request))
    preferred = preferences_of(request.headers.getlist("prefer"))
    execution, subscriber = await _asked(request, process_of(request.path_params["processID"]), told)
    if subscriber is not None and not preferred.is_async:
        raise InvalidParameter(f"subscribers hear of jobs alone; {JOB_INSTEAD}", locator="subscriber")
    plan = await _planned(request, execution)
    if subscriber is not None or preferred.wants_job(plan.seconds):
        return await _accept(request, execution, told, subscriber)
    return await _do_now(request, execution, plan, told, preferred=preferred)


async def get_jobs(request: Request) -> Response:
    """Return a page of the list of jobs, the newest first."""
    query = Kvp(merged(request.query_params.multi_items()))
    asked, told, desk = jobs_query(query), told_for(request, query), state_of(request).jobs

    def find() -> tuple[tuple[Job, ...], int]:
        return desk.jobs(
            user=NOBODY,
            processes=asked.processes,
            statuses=asked.statuses,
            created=asked.created,
            seconds=asked.seconds,
            limit=asked.paging.limit,
            offset=asked.paging.offset,
        )

    jobs, matched = await _of_table(request, find)
    document = job_list(jobs, asked, matched, told)
    return await _document(request, told, document, partial(jobs_page, document, told))


async def get_job(request: Request) -> Response:
    """Return how far a job is."""
    query, desk, id_ = _query(request), state_of(request).jobs, request.path_params["jobID"]
    told = told_for(request, query)
    is_page = _form(request) == "html"

    def find() -> tuple[Job, JobDetails, Sequence[Download]]:
        job = desk.job(id_, user=NOBODY)
        if not is_page:
            return job, JobDetails(), ()
        return job, desk.details(job, most=MOST_SHOWN), downloads(job, desk.result_files(job.id), told)

    job, details, results = await _of_table(request, find)
    document = status_document(job, told)
    return await _document(request, told, document, partial(job_page, job, details, document, told, results=results))


async def delete_job(request: Request) -> Response:
    """Cancel a job, or forget one that has ended, with its results."""
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    told = told_for(request, _query(request))
    job = await _of_table(request, lambda: desk.job(id_, user=NOBODY))
    has_ended = job.status in ENDED
    if not has_ended:
        job = await _of_table(request, partial(desk.cancel, job))
    is_cancelled = not has_ended and job.status == "dismissed"  # or else it ended meanwhile
    await _of_files(request, job, partial(desk.remove_files if is_cancelled else desk.forget, job))
    write = status_document if job.status == "dismissed" else removed_document
    return Response(orjson.dumps(write(job, told)), media_type=JSON)


async def get_results(request: Request) -> Response:
    """Return the results of a job that has ended, as it was asked to give them."""
    job, desk, told = await _ended(request)
    if job.fault is not None:
        fault = job.fault
        members = {"type": fault.type, "title": fault.title, "status": fault.status, "detail": fault.detail}
        return Response(orjson.dumps(members), status_code=fault.status, media_type=PROBLEM)
    execution = await _of_table(request, partial(desk.execution, job))
    return await _of_files(request, job, lambda: results_response(_results(job, execution, desk, told)))


async def get_result(request: Request) -> Response:
    """Return one result of a job, whole or in part."""
    job, desk, told = await _ended(request)
    name, is_head = request.path_params["outputID"], request.method == "HEAD"
    if name not in job.results:
        has = ", ".join(job.results) or "none"
        raise UnknownPath(f"the job has no result {name[:80]!r}; it has {has}", locator="outputID")
    alone = Execution(process=job.process, inputs={})  # one by itself comes as it is, whatever was asked for
    return await _of_files(request, job, lambda: file_response(_results(job, alone, desk, told), name, is_head=is_head))


async def _asked(request: Request, process: Process, told: Told) -> tuple[Execution, Subscriber | None]:
    """What a request asks of a process, with what its inputs refer to, and who hears how it goes on."""
    state, body = state_of(request), await body_of(request)
    offer_job(request, lambda: execution_instead(process, body))

    def read() -> tuple[Json, Subscriber | None, Sequence[Reference]]:
        members = members_of(process, body, media_type=request.headers.get("content-type", JSON))
        subscriber = subscriber_of(members, state.subscriber_places, base=told.root)
        return members, subscriber, references_of(process, members["inputs"], state.input_places)

    members, subscriber, references = await in_thread(state.gates.jobs, read)
    found: Sequence[Fetched] = ()
    if references:
        max_bytes = services_of(request).catalogue.limits.max_body_bytes
        found = await in_fetches(request, hosts_of(references), fetch_all, references, max_bytes=max_bytes)

    def check() -> Execution:
        return execution_of(process, {**members, "inputs": with_values(process, members["inputs"], references, found)})

    return await in_thread(state.gates.jobs, check), subscriber


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What was done while the client waited."""

    results: dict[str, Result]
    folder: Path
    """Of their files, which is removed, or moved where the results are kept."""


def _do(execution: Execution, plan: Plan, services: Services, desk: JobDesk, *, is_wanted: Callable[[], bool]) -> _Done:
    folder = desk.make_folder()
    try:
        with storing_results(FORBIDDEN):
            results = dict(execute(execution, services, folder, plan=plan, is_wanted=is_wanted))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _Done(results=results, folder=folder)


def _sent(execution: Execution, done: _Done) -> Response:
    """The answer that has all results, of which none has to lie somewhere."""
    results = Results(execution=execution, values=done.results, files=ResultFiles(done.folder), address_of=None)
    try:
        return results_response(results, removed=done.folder)
    except BaseException:
        shutil.rmtree(done.folder, ignore_errors=True)
        raise


def _kept(execution: Execution, done: _Done, desk: JobDesk, told: Told) -> Response:
    """The answer that names where results lie, which are kept as those of a job."""
    job, files = desk.keep(execution, done.results, done.folder, user=NOBODY)
    results = Results(execution=execution, values=done.results, files=files, address_of=partial(_address, job, told))
    response = results_response(results)
    response.headers.append("Link", f'<{job_address(job, told)}>; rel="monitor"; type="{JSON}"')
    return response


async def _do_now(
    request: Request, execution: Execution, plan: Plan, told: Told, *, preferred: Preferences
) -> Response:
    state, services = state_of(request), services_of(request)

    def work(is_wanted: Callable[[], bool]) -> Response | _Done:
        check_current(state, services, None)
        done = _do(execution, plan, services, state.jobs, is_wanted=is_wanted)
        return done if wants_references(execution, done.results) else _sent(execution, done)

    async with while_wanted(request) as is_wanted:
        answer = await _for_client(request, state.gates.executions, partial(work, is_wanted))
    if isinstance(answer, _Done):  # to be stored, which others do not wait for who want to execute something
        try:
            response = await in_thread(state.gates.results, _kept, execution, answer, state.jobs, told)
        except BaseException:
            shutil.rmtree(answer.folder, ignore_errors=True)
            raise
    else:
        response = answer
    if preferred.wait_s is not None and preferred.is_async:
        response.headers["Preference-Applied"] = f"wait={preferred.wait_s}"
    return response


async def _accept(request: Request, execution: Execution, told: Told, subscriber: Subscriber | None) -> Response:
    desk = state_of(request).jobs
    job = await _of_table(request, lambda: desk.submit(execution, user=NOBODY, subscriber=subscriber))
    headers = {"Location": job_address(job, told), "Preference-Applied": RESPOND_ASYNC}
    return Response(orjson.dumps(status_document(job, told)), status_code=201, media_type=JSON, headers=headers)


async def _planned(request: Request, execution: Execution) -> Plan:
    state, services = state_of(request), services_of(request)

    def plan() -> Plan:
        check_current(state, services, None)
        return planned(execution, services)

    return await _for_client(request, state.gates.plans, plan)


async def _for_client(request: Request, gate: Gate, work: Callable[[], Found]) -> Found:
    """Work that is not begun if the client left while it waited."""

    async def is_there() -> bool:
        return not await request.is_disconnected()

    found = await gate.run(work, is_wanted=is_there)
    if found is None:
        raise ClientGone("the client left")
    return found


async def _of_table(request: Request, work: Callable[[], Found]) -> Found:
    """What the table has, which may be slow."""
    return await in_thread(state_of(request).gates.jobs, work)


async def _of_files(request: Request, job: Job, work: Callable[[], Found]) -> Found:
    """What is done with files of a job: a store of them may hang, which one that was never begun does not wait for."""
    gates = state_of(request).gates
    return await in_thread(gates.jobs if job.started is None else gates.results, work)


async def _ended(request: Request) -> tuple[Job, JobDesk, Told]:
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    told = told_for(request, _query(request))
    job = await _of_table(request, lambda: desk.job(id_, user=NOBODY))
    if job.status not in ENDED:
        raise UnknownPath(f"the job has no results yet; it is {job.status} ({job.message})", locator=NOT_READY)
    if job.status == "dismissed":
        raise UnknownPath("the job was dismissed, and has no results", locator=NOT_READY)
    return job, desk, told


def _results(job: Job, execution: Execution, desk: JobDesk, told: Told) -> Results:
    return Results(
        execution=execution,
        values=job.results,
        files=desk.result_files(job.id),
        address_of=partial(_address, job, told),
    )


def _address(job: Job, told: Told, name: str) -> str:
    return result_address(job, name, told)


def _query(request: Request) -> Kvp:
    query = Kvp(request.query_params.multi_items())
    query.check_spelling(OF_DOCUMENTS)
    return query


def _form(request: Request) -> str:
    query = Kvp(merged(request.query_params.multi_items()))
    return asked_format(query, request.headers.get("accept", ""), FORMATS)


async def _document(request: Request, told: Told, document: Json, page: Callable[[], bytes]) -> Response:
    form = _form(request)
    write = page if form == "html" else partial(orjson.dumps, document)
    body = await in_thread(state_of(request).gates.documents, write)
    response = in_language(respond_with_content(body, FORMATS[form], request), told)
    return with_policy(response) if form == "html" else response


def _live(handler: Handler) -> Handler:
    """The handler, whose answers and errors may be others a moment later: nobody keeps them."""
    answer_now = endpoint(handler, process_fault)

    async def answer(request: Request) -> Response:
        response = await answer_now(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


routes: list[BaseRoute] = [
    Route("/ogcapi/processes", endpoint(get_processes, process_fault)),
    Route("/ogcapi/processes/{processID}", endpoint(get_process, process_fault)),
    Route("/ogcapi/processes/{processID}/execution", _live(post_execution), methods=["POST"]),
    Route("/ogcapi/jobs", _live(get_jobs)),
    Route("/ogcapi/jobs/{jobID}", _live(get_job)),
    Route("/ogcapi/jobs/{jobID}", _live(delete_job), methods=["DELETE"]),
    Route("/ogcapi/jobs/{jobID}/results", _live(get_results)),
    Route("/ogcapi/jobs/{jobID}/results/{outputID}", _live(get_result)),
]
