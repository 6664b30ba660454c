"""`/ogcapi/jobs`: what was requested, how far it is, and what came of it (OGC 18-062r2 §7.12, §11)."""

from collections.abc import Callable, Sequence
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import UnknownPath
from chronotile.model.job import ENDED, Execution, Job, JobDetails
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.state import in_thread, state_of
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.document_context import context_for
from chronotile.protocols.ogcapi.processes.answers import (
    NOBODY,
    Found,
    document_in,
    form_of,
    live_job,
    of_table,
    query_of,
)
from chronotile.protocols.ogcapi.processes.documents import (
    job_list,
    removed_document,
    result_address,
    status_document,
)
from chronotile.protocols.ogcapi.processes.faults import NOT_READY, problem_type
from chronotile.protocols.ogcapi.processes.media_types import JSON
from chronotile.protocols.ogcapi.processes.pages import MOST_SHOWN, Download, downloads, job_page, jobs_page
from chronotile.protocols.ogcapi.processes.params import jobs_query, merge_lists
from chronotile.protocols.ogcapi.processes.results import Results, file_response, results_response
from chronotile.queue.service import JobService


async def get_jobs(request: Request) -> Response:
    """Return a page of the list of jobs, the newest first."""
    query = Kvp(merge_lists(request.query_params.multi_items()))
    selection, context, desk = jobs_query(query), context_for(request, query), state_of(request).jobs

    def find() -> tuple[tuple[Job, ...], int]:
        return desk.jobs(
            user=NOBODY,
            processes=selection.processes,
            statuses=selection.statuses,
            created=selection.created,
            seconds=selection.seconds,
            limit=selection.paging.limit,
            offset=selection.paging.offset,
        )

    jobs, matched = await of_table(request, find)
    document = job_list(jobs, selection, matched, context)
    return await document_in(request, context, document, partial(jobs_page, document, context))


async def get_job(request: Request) -> Response:
    """Return how far a job is."""
    query, desk, id_ = query_of(request), state_of(request).jobs, request.path_params["jobID"]
    context = context_for(request, query)
    is_page = form_of(request) == "html"

    def find() -> tuple[Job, JobDetails, Sequence[Download]]:
        job = desk.job(id_, user=NOBODY)
        if not is_page:
            return job, JobDetails(), ()
        return job, desk.details(job, most=MOST_SHOWN), downloads(job, desk.result_files(job), context)

    job, details, results = await of_table(request, find)
    document = status_document(job, context)
    return await document_in(
        request, context, document, partial(job_page, job, details, document, context, results=results)
    )


async def delete_job(request: Request) -> Response:
    """Cancel a job, or forget one that has ended, with its results."""
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    context = context_for(request, query_of(request))
    job = await of_table(request, lambda: desk.job(id_, user=NOBODY))
    has_ended = job.status in ENDED
    if not has_ended:
        job = await of_table(request, partial(desk.cancel, job))
    is_cancelled = not has_ended and job.status == "dismissed"  # or else it ended meanwhile
    await _of_files(request, job, partial(desk.remove_files if is_cancelled else desk.forget, job))
    write = status_document if job.status == "dismissed" else removed_document
    return Response(orjson.dumps(write(job, context)), media_type=JSON)


async def answer_of_job(request: Request) -> Response:
    """Do with a job what the method says; one route lists both methods where a third is refused."""
    return await (delete_job if request.method == "DELETE" else get_job)(request)


async def get_results(request: Request) -> Response:
    """Return the results of a job that has ended, in the requested form."""
    job, desk, context = await _ended(request)
    if job.fault is not None:
        fault = job.fault
        members = {"type": fault.type, "title": fault.title, "status": fault.status, "detail": fault.detail}
        body, headers = orjson.dumps(members), {"Vary": "Accept"}
        return Response(body, status_code=fault.status, media_type=problem_type(request), headers=headers)
    execution = await of_table(request, partial(desk.execution_without_inputs, job))
    return await _of_files(request, job, lambda: results_response(_results(job, execution, desk, context)))


async def get_result(request: Request) -> Response:
    """Return one result of a job, whole or in part."""
    job, desk, context = await _ended(request)
    name, is_head = request.path_params["outputID"], request.method == "HEAD"
    if name not in job.results:
        has = ", ".join(job.results) or "none"
        raise UnknownPath(f"the job has no result {name[:80]!r}; it has {has}", locator="outputID")
    alone = Execution(process=job.process, inputs={})  # one by itself comes as it is, whatever was requested
    return await _of_files(
        request, job, lambda: file_response(_results(job, alone, desk, context), name, is_head=is_head)
    )


async def _ended(request: Request) -> tuple[Job, JobService, DocumentContext]:
    desk, id_ = state_of(request).jobs, request.path_params["jobID"]
    context = context_for(request, query_of(request))
    job = await of_table(request, lambda: desk.job(id_, user=NOBODY))
    if job.status not in ENDED:
        raise UnknownPath(f"the job has no results yet; it is {job.status} ({job.message})", locator=NOT_READY)
    if job.status == "dismissed":
        raise UnknownPath("the job was dismissed, and has no results", locator=NOT_READY)
    return job, desk, context


async def _of_files(request: Request, job: Job, work: Callable[[], Found]) -> Found:
    """What is done with files of a job: a store of them may hang, which one that was never begun does not wait for."""
    limiters = state_of(request).limiters
    return await in_thread(limiters.jobs if job.started is None else limiters.results, work)


def _results(job: Job, execution: Execution, desk: JobService, context: DocumentContext) -> Results:
    return Results(
        execution=execution,
        values=job.results,
        files=desk.result_files(job),
        address_of=partial(result_address, job, context=context),
    )


routes = [
    Route("/ogcapi/jobs", live_job(get_jobs)),
    Route("/ogcapi/jobs/{jobID}", live_job(answer_of_job), methods=["GET", "DELETE"]),
    Route("/ogcapi/jobs/{jobID}/results", live_job(get_results)),
    Route("/ogcapi/jobs/{jobID}/results/{outputID}", live_job(get_result)),
]
