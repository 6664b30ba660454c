"""`/ogcapi/jobs`: the list of jobs, their status and results (OGC 18-062r2 §7.12, §11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import SourceUnavailable, UnknownPath
from chronotile.core.model.job import ENDED, Execution, Job, JobDetails, Result
from chronotile.core.model.types import Json
from chronotile.http.base_urls import url_without_key
from chronotile.http.principal import JOB_LINK, user_of
from chronotile.http.problems import PROBLEM_TYPE as PROBLEM
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import JOBS
from chronotile.jobs.processes.registry import output_schema, processes
from chronotile.jobs.queue.job_folder import ResultFiles
from chronotile.protocols.common.openapi import TEXT, in_path, ref
from chronotile.protocols.common.operations_page import PageLink
from chronotile.protocols.common.processes.jobs import dismiss, ended_job, granted_job, moment_text, run_with_files
from chronotile.protocols.common.processes.media_types import HTML, JSON, media_type_of
from chronotile.protocols.common.processes.results import (
    file_response,
    job_address,
    result_address,
    results_of,
    results_response,
)
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.document_pages import document_page
from chronotile.protocols.ogcapi.document_requests import context_for, document_query
from chronotile.protocols.ogcapi.operation_parts import JSON_OR_HTML
from chronotile.protocols.ogcapi.processes.documents import (
    A_JOB,
    ANY_RESULTS,
    EXAMPLE,
    OF_DOCUMENT,
    OF_JOB,
    ONLY_LINKS,
    describe,
    document_in,
    form_of,
    job_list,
    live_job,
    problem_type,
    removed_document,
    status_document,
)
from chronotile.protocols.ogcapi.processes.params import PAGING, SELECTION, jobs_query, merge_lists

Found = TypeVar("Found")
OF_OTHERS = ("up", "related")
"""Relations of links that the holder of a shared link must not follow."""


async def get_jobs(request: Request) -> Response:
    """Return a page of the list of jobs, the newest first."""
    query = Kvp(merge_lists(request.query_params.multi_items()))
    selection, context, desk = jobs_query(query), context_for(request, query), state_of(request).jobs

    def find() -> tuple[tuple[Job, ...], int]:
        has_users = services_of(request).catalogue.access is not None
        if has_users and user_of(request) is None:  # anonymous jobs are reachable only by their URL
            return (), 0
        return desk.jobs(
            user=user_of(request),
            processes=selection.processes,
            statuses=selection.statuses,
            created=selection.created,
            seconds=selection.seconds,
            limit=selection.paging.limit,
            offset=selection.paging.offset,
        )

    jobs, matched = await run(request, JOBS, find)
    document = job_list(jobs, selection, matched, context)
    return await document_in(request, context, document, partial(jobs_page, document, context))


async def get_job(request: Request) -> Response:
    """Return the status of a job."""
    query, desk, id_ = document_query(request), state_of(request).jobs, request.path_params["jobID"]
    context = context_for(request, query)
    is_page = form_of(request) == "html"

    is_shared = JOB_LINK in request.scope
    site = replace(context, root=url_without_key(request)) if is_shared else context

    def find() -> tuple[Job, JobDetails | None, Sequence[ResultLink]]:
        job = granted_job(id_, request) if is_shared else desk.job(id_, user=user_of(request))
        if not is_page:
            return job, None, ()
        details = None if is_shared else desk.details(job, most=MAX_INPUT_CHARACTERS)
        return job, details, downloads(job, desk.result_files(job), context)

    job, details, results = await run(request, JOBS, find)
    document = status_document(job, context)
    if is_shared:
        document["links"] = [item for item in document["links"] if item["rel"] not in OF_OTHERS]
    page = partial(job_page, job, details, document, site, address=job_address(job, context.base), results=results)
    return await document_in(request, context, document, page)


async def delete_job(request: Request) -> Response:
    """Cancel a job, or delete an ended job with its results."""
    context = context_for(request, document_query(request))
    job = await dismiss(request, request.path_params["jobID"])
    write = status_document if job.status == "dismissed" else removed_document
    return Response(orjson.dumps(write(job, context)), media_type=JSON)


async def get_results(request: Request) -> Response:
    """Return the results of an ended job, in the requested form."""
    context = context_for(request, document_query(request))
    job, desk = await ended_job(request, request.path_params["jobID"])
    if job.fault is not None:
        fault = job.fault
        members = {"type": fault.type, "title": fault.title, "status": fault.status, "detail": fault.detail}
        body, headers = orjson.dumps(members), {"Vary": "Accept"}
        return Response(body, status_code=fault.status, media_type=problem_type(request), headers=headers)
    execution = await run(request, JOBS, partial(desk.execution_without_inputs, job))
    return await run_with_files(
        request, job, lambda: results_response(results_of(job, execution, desk.result_files(job), context.base))
    )


async def get_result(request: Request) -> Response:
    """Return one result of a job, or a range of its bytes."""
    context = context_for(request, document_query(request))
    job, desk = await ended_job(request, request.path_params["jobID"])
    name, is_head = request.path_params["outputID"], request.method == "HEAD"
    if name not in job.results:
        result_names = ", ".join(job.results) or "none"
        raise UnknownPath(f"the job has no result {name[:80]!r}; it has {result_names}", locator="outputID")
    alone = Execution(process=job.process, inputs={})  # `response` and transmission modes do not apply to one result

    def find() -> Response:
        return file_response(results_of(job, alone, desk.result_files(job), context.base), name, is_head=is_head)

    return await run_with_files(request, job, find)


JOB = in_path("jobID", "Id of a job, as in its acceptance", TEXT)
OUTPUT = in_path("outputID", "Name of one of the process's outputs", TEXT, example="string")
_PROBLEM = {"schema": ref("Problem")}
FAILED: Json = {"description": "Why the job failed", "content": {PROBLEM: _PROBLEM, JSON: _PROBLEM}}
ELSEWHERE: Json = {
    "description": "The file lies in another store",
    "headers": {"Location": {"description": "Where its file is to be had for some minutes", "schema": TEXT}},
}
operations = (
    describe(
        "/jobs",
        live_job(get_jobs),
        "getJobs",
        "Jobs, the newest first",
        parameters=[*SELECTION, *PAGING, *JSON_OR_HTML],
        examples={"processID": [EXAMPLE], "status": ["running", "successful"]},
        answers={JSON: ref("JobList"), HTML: TEXT},
        responses=OF_DOCUMENT,
    ),
    describe(
        "/jobs/{jobID}",
        live_job(get_job),
        "getStatus",
        "How far a job is",
        parameters=[JOB, *JSON_OR_HTML],
        answers={JSON: ref("Job"), HTML: TEXT},
        responses=OF_DOCUMENT,
    ),
    describe(
        "/jobs/{jobID}",
        live_job(delete_job),
        "dismiss",
        "Cancel a job, or remove one that has ended",
        method="DELETE",
        parameters=[JOB],
        responses={"200": A_JOB, **OF_JOB},
    ),
    describe(
        "/jobs/{jobID}/results",
        live_job(get_results),
        "getResult",
        "The results of a job, in the requested form",
        parameters=[JOB],
        responses={"200": ANY_RESULTS, "204": ONLY_LINKS, "default": FAILED, **OF_JOB},
    ),
    describe(
        "/jobs/{jobID}/results/{outputID}",
        live_job(get_result),
        "getOneResult",
        "One result of a job",
        parameters=[JOB, OUTPUT],
        responses={"200": ANY_RESULTS, "307": ELSEWHERE, "default": FAILED, **OF_JOB},
    ),
)


MAX_INPUT_CHARACTERS = 20_000
"""Maximum number of characters of inputs on a page."""
REFRESH_S = 5
"""The page of a running job is reloaded after this number of seconds."""
SHORT_ID = 8
"""Characters of a job's id that pages show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLink:
    """A result on the page of a job."""

    href: str
    name: str
    """Name of the file; of the output if the result is not a file."""
    title: str
    """Title of the output; empty if the process is unknown by now."""
    media_type: str
    size_bytes: int | None
    """Size of a file in the folder of the job; `None` for other results."""


def downloads(job: Job, files: ResultFiles, context: DocumentContext) -> Sequence[ResultLink]:
    """Return the results of a job as downloads; `files` are the files of this job."""
    process = processes().get(job.process)
    outputs = {} if process is None else process.outputs
    return [
        ResultLink(
            href=result_address(job, name, context.base),
            name=result.file or name,
            title=outputs[name].title if name in outputs else "",
            media_type=media_type_of(result, output_schema(job.process, name)),
            size_bytes=_size(result, files),
        )
        for name, result in job.results.items()
    ]


def processes_page(document: Json, context: DocumentContext) -> bytes:
    """Return the list of processes as HTML."""
    return document_page("Processes", document, context, template="processes", further=_further(document))


def process_page(document: Json, context: DocumentContext) -> bytes:
    """Return the description of a process as HTML."""
    return document_page(
        document["title"],
        document,
        context,
        above=[PageLink(title="Processes", href=f"{context.base}/processes?f=html")],
        template="process",
        lead=document["description"],
        how_many=_how_many,
        schema_text=lambda schema: orjson.dumps(schema).decode(),
    )


def jobs_page(document: Json, context: DocumentContext) -> bytes:
    """Return the list of jobs as HTML."""
    return document_page(
        "Jobs",
        document,
        context,
        template="jobs",
        further=_further(document),
        short_id=_short_id,
        seconds_text=_seconds_text,
    )


def job_page(
    job: Job,
    details: JobDetails | None,
    document: Json,
    context: DocumentContext,
    *,
    address: str,
    results: Sequence[ResultLink],
) -> bytes:
    """Return the status page of a job with its results and, for its owner, inputs and log."""
    # The page shows the reason of a failure above the log, so the log shows only "failed".
    reason = "" if job.fault is None else f"failed: {job.fault.detail}"
    return document_page(
        f"Job {_short_id(job.id)}",
        document,
        context,
        above=[PageLink(title="Jobs", href=f"{context.base}/jobs?f=html")],
        template="job",
        address=address,
        is_known=job.process in processes(),
        refresh_s=None if job.status in ENDED else REFRESH_S,
        results=results,
        inputs=None if details is None else details.inputs,
        fault=job.fault,
        log=[(moment_text(moment), "failed" if text == reason else text) for moment, text in details.log]
        if details is not None
        else (),
        seconds_text=_seconds_text,
    )


def _further(document: Json) -> str | None:
    # URL of the next page as HTML; the link in the document ends with `f=json`.
    links = (link["href"] for link in document["links"] if link["rel"] == "next")
    return next((f"{href.removesuffix('f=json')}f=html" for href in links), None)


def _size(result: Result, files: ResultFiles) -> int | None:
    """Return the size of a local file; `None` for a bucket, which would need a request."""
    if result.file is None:
        return None
    try:
        file = files.file(result.file)
        return file.stat().st_size if isinstance(file, Path) else None
    except (SourceUnavailable, FileNotFoundError):  # the URL of the result answers with this error
        return None


def _short_id(id_: str) -> str:
    return id_[:SHORT_ID]


def _seconds_text(moment: str) -> str:
    # The moment without fractions of a second.
    return f"{moment[:10]} {moment[11:19]}Z"


def _how_many(description: Json) -> str:
    """Return how often an input may occur."""
    few, most = description["minOccurs"], description["maxOccurs"]
    if most == 1:
        return "required" if few else "optional"
    return f"{few} to {most}"
