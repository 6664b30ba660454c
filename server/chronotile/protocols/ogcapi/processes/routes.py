"""`/ogcapi/processes` and `/ogcapi/jobs`: what can be done, and what was asked for (OGC 18-062r2)."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.errors import ClientGone, StorageFull, UnknownPath
from chronotile.jobs.desk import JobDesk
from chronotile.jobs.execute import execute, planned
from chronotile.jobs.faults import FULL
from chronotile.jobs.job import ENDED, Execution, Job, Result
from chronotile.jobs.process import Plan
from chronotile.jobs.processes import process_of, processes
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import Handler, endpoint
from chronotile.protocols.common.form import body_of
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.problem import MEDIA_TYPE as PROBLEM
from chronotile.protocols.common.respond import respond_with_content
from chronotile.protocols.common.state import check_current, in_thread, services_of, state_of, while_wanted
from chronotile.protocols.ogcapi.asked_format import asked_format
from chronotile.protocols.ogcapi.block import Json, Told
from chronotile.protocols.ogcapi.pages import with_policy
from chronotile.protocols.ogcapi.processes.documents import (
    job_address,
    job_list,
    process_document,
    process_list,
    result_address,
    status_document,
)
from chronotile.protocols.ogcapi.processes.execution import execution_of
from chronotile.protocols.ogcapi.processes.faults import NOT_READY, process_fault
from chronotile.protocols.ogcapi.processes.media_types import HTML, JSON
from chronotile.protocols.ogcapi.processes.pages import job_page, jobs_page, process_page, processes_page
from chronotile.protocols.ogcapi.processes.params import OF_DOCUMENTS, OF_LISTS, jobs_query, merged, paging_of
from chronotile.protocols.ogcapi.processes.prefer import RESPOND_ASYNC, Preferences, preferences_of
from chronotile.protocols.ogcapi.processes.results import Results, file_response, results_response, wants_references
from chronotile.protocols.ogcapi.told import in_language, told_for

FORMATS = {"json": JSON, "html": HTML}

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
    process = process_of(request.path_params["processID"])
    body = await body_of(request)
    execution = await in_thread(state_of(request).gates.jobs, execution_of, process, body)
    told = told_for(request, _query(request))
    preferred = preferences_of(request.headers.getlist("prefer"))
    if preferred.is_async:
        plan = await _planned(request, execution)
        if preferred.wants_job(plan.seconds):
            return await _accept(request, execution, told)
    return await _do_now(request, execution, told, preferred)


async def get_jobs(request: Request) -> Response:
    """Return a page of the list of jobs, the newest first."""
    query = Kvp(merged(request.query_params.multi_items()))
    asked, told, desk = jobs_query(query), told_for(request, query), state_of(request).jobs

    def find() -> tuple[tuple[Job, ...], int]:
        return desk.table.jobs(
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
    job, log = await _of_table(request, lambda: (desk.table.job(id_), desk.table.log(id_)))
    document = status_document(job, told)
    return await _document(request, told, document, partial(job_page, job, log, document, told))


async def delete_job(request: Request) -> Response:
    """Cancel a job, or forget one that has ended, with its results."""
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    told = told_for(request, _query(request))
    job = await _of_table(request, lambda: desk.dismiss(id_))
    left: Json = {**status_document(job, told), "status": "dismissed"}
    if job.status != "dismissed":
        left |= {"message": "was removed, with its results", "links": left["links"][2:4]}
    return Response(orjson.dumps(left), media_type=JSON)


async def get_results(request: Request) -> Response:
    """Return the results of a job that has ended, as it was asked to give them."""
    job, desk, told = await _ended(request)
    if job.fault is not None:
        fault = job.fault
        members = {"type": fault.type, "title": fault.title, "status": fault.status, "detail": fault.detail}
        return Response(orjson.dumps(members), status_code=fault.status, media_type=PROBLEM)
    return await _of_table(request, lambda: results_response(_results(job, desk, told)))


async def get_result(request: Request) -> Response:
    """Return one result of a job, whole or in part."""
    job, desk, told = await _ended(request)
    name = request.path_params["outputID"]
    if name not in job.results:
        has = ", ".join(job.results) or "none"
        raise UnknownPath(f"the job has no result {name[:80]!r}; it has {has}", locator="outputID")
    return await _of_table(request, lambda: file_response(_results(job, desk, told), name))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What was done while the client waited."""

    results: dict[str, Result]
    folder: Path
    """Of the files: of a job that was kept, or one of its own."""
    job: Job | None


def _do(execution: Execution, services: Services, desk: JobDesk, is_wanted: Callable[[], bool]) -> _Done:
    """Do it, and keep the results where some of them have to lie somewhere."""
    made = Path(tempfile.mkdtemp(prefix="chronotile-"))
    try:
        results = dict(execute(execution, services, made, is_wanted=is_wanted))
        if not wants_references(execution, results):
            return _Done(results=results, folder=made, job=None)
        job, folder = desk.keep(execution, results, made)
        return _Done(results=results, folder=folder, job=job)
    except BaseException as error:
        shutil.rmtree(made, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in FULL:
            raise StorageFull("there is no room for the results; try again later") from error
        raise


async def _do_now(request: Request, execution: Execution, told: Told, preferred: Preferences) -> Response:
    state, services = state_of(request), services_of(request)

    def work(is_wanted: Callable[[], bool]) -> Response:
        check_current(state, services, None)
        done = _do(execution, services, state.jobs, is_wanted)
        results = Results(
            execution=execution,
            process=process_of(execution.process),
            values=done.results,
            folder=done.folder,
            address_of=None if done.job is None else partial(_address, done.job, told),
        )
        removed = done.folder if done.job is None else None
        try:
            response = results_response(results, removed=removed)
        except BaseException:
            shutil.rmtree(removed or "", ignore_errors=True)
            raise
        if done.job is not None:
            response.headers.append("Link", f'<{job_address(done.job, told)}>; rel="monitor"; type="{JSON}"')
        return response

    async def is_there() -> bool:
        return not await request.is_disconnected()

    async with while_wanted(request) as is_wanted:
        response = await state.gates.executions.run(partial(work, is_wanted), is_wanted=is_there)
    if response is None:
        raise ClientGone("the client left")
    if preferred.wait_s is not None and preferred.is_async:
        response.headers["Preference-Applied"] = f"wait={preferred.wait_s}"
    return response


async def _accept(request: Request, execution: Execution, told: Told) -> Response:
    desk = state_of(request).jobs
    job = await _of_table(request, lambda: desk.submit(execution))
    headers = {"Location": job_address(job, told), "Preference-Applied": RESPOND_ASYNC}
    return Response(orjson.dumps(status_document(job, told)), status_code=201, media_type=JSON, headers=headers)


async def _planned(request: Request, execution: Execution) -> Plan:
    state, services = state_of(request), services_of(request)

    def plan() -> Plan:
        check_current(state, services, None)
        return planned(execution, services)

    return await in_thread(state.gates.jobs, plan)


async def _of_table(request: Request, work: Callable[[], Found]) -> Found:
    """What the table or the disk has, which may be slow."""
    return await in_thread(state_of(request).gates.jobs, work)


async def _ended(request: Request) -> tuple[Job, JobDesk, Told]:
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    told = told_for(request, _query(request))
    job = await _of_table(request, lambda: desk.table.job(id_))
    if job.status not in ENDED:
        raise UnknownPath(f"the job {job.message}, and has no results yet", locator=NOT_READY)
    if job.status == "dismissed":
        raise UnknownPath("the job was dismissed, and has no results", locator=NOT_READY)
    return job, desk, told


def _results(job: Job, desk: JobDesk, told: Told) -> Results:
    return Results(
        execution=job.execution,
        process=process_of(job.execution.process),
        values=job.results,
        folder=desk.results_folder(job.id),
        address_of=partial(_address, job, told),
    )


def _address(job: Job, told: Told, name: str) -> str:
    return result_address(job, name, told)


def _query(request: Request) -> Kvp:
    query = Kvp(request.query_params.multi_items())
    query.check_spelling(OF_DOCUMENTS)
    return query


async def _document(request: Request, told: Told, document: Json, page: Callable[[], bytes]) -> Response:
    query = Kvp(merged(request.query_params.multi_items()))
    form = asked_format(query, request.headers.get("accept", ""), FORMATS)
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
