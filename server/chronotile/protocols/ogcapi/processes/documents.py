"""Documents of processes and jobs (OGC 18-062r2 §7.9 to §7.12, §11), and parts that all their answers share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError, UnknownPath
from chronotile.core.model.job import ENDED, Job
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.endpoint import Endpoint, endpoint
from chronotile.http.job_access import require_job_access
from chronotile.http.negotiation import parse_quality_values
from chronotile.http.problems import PROBLEM_TYPE, problem_response
from chronotile.http.problems import PROBLEM_TYPE as PROBLEM
from chronotile.http.run import run
from chronotile.http.work_kinds import TEXTS
from chronotile.jobs.processes.process import Input, Output, Process
from chronotile.jobs.processes.registry import output_schema, processes
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import TEXT, enum_of, in_path, omit_empty, ref
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Operation
from chronotile.protocols.common.processes.jobs import NOT_READY, moment_text
from chronotile.protocols.common.processes.media_types import HTML, JSON, media_type_of
from chronotile.protocols.common.processes.results import REL_RESULTS, job_address, result_address
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.document_pages import add_page_policy
from chronotile.protocols.ogcapi.document_requests import add_language_headers
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.paging import Paging, own_links
from chronotile.protocols.ogcapi.processes.params import TYPE, JobsQuery, merge_lists

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
REL_PROCESSES = f"{RELATIONS}/processes"
REL_JOBS = f"{RELATIONS}/job-list"
REL_EXECUTE = f"{RELATIONS}/execute"
REL_ESTIMATE = "estimate"
REL_EXCEPTIONS = f"{RELATIONS}/exceptions"
SYNC, ASYNC, DISMISS = "sync-execute", "async-execute", "dismiss"
"""Values of `jobControlOptions`: modes of execution, and deletion of jobs."""


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return links to the lists of processes and jobs."""
    return [
        link(REL_PROCESSES, f"{context.base}/processes?f=json", JSON, "processes"),
        link(REL_PROCESSES, f"{context.base}/processes?f=html", HTML, "processes as HTML"),
        link(REL_JOBS, f"{context.base}/jobs?f=json", JSON, "jobs"),
        link(REL_JOBS, f"{context.base}/jobs?f=html", HTML, "jobs as HTML"),
    ]


def process_list(all_processes: Sequence[Process], paging: Paging, context: DocumentContext) -> Json:
    """Return a page of the list of processes."""
    listed = all_processes[paging.offset : paging.offset + paging.limit]
    links = paging.links(
        f"{context.base}/processes", ("processes", "processes", "the next processes"), len(all_processes)
    )
    return {"processes": [_summary(process, context) for process in listed], "links": links}


def process_document(process: Process, context: DocumentContext) -> Json:
    """Return the description of a process."""
    return {
        **_summary(process, context),
        "inputs": {name: _input(declared) for name, declared in process.inputs.items()},
        "outputs": {name: _output(declared) for name, declared in process.outputs.items()},
    }


def job_list(jobs: Iterable[Job], query: JobsQuery, matched: int, context: DocumentContext) -> Json:
    """Return a page of the list of jobs; `matched` is the number of jobs on all pages."""
    links = query.paging.links(f"{context.base}/jobs", ("jobs", "jobs", "the next jobs"), matched)
    listed = [status_document(job, context) for job in jobs]
    return {"jobs": listed, "numberMatched": matched, "numberReturned": len(listed), "links": links}


def status_document(job: Job, context: DocumentContext) -> Json:
    """Return the status of a job."""
    times = {"created": job.created, "started": job.started, "finished": job.finished, "updated": job.updated}
    return {
        "processID": job.process,
        "type": TYPE,
        "jobID": job.id,
        "status": job.status,
        "message": job.message,
        **{name: moment_text(moment) for name, moment in times.items() if moment is not None},
        "progress": job.progress,
        **_metadata(job),
        "links": _job_links(job, context),
    }


def removed_document(job: Job, context: DocumentContext) -> Json:
    """Return the status document of an ended job that was deleted: `dismissed`, without links to the job."""
    return {
        **status_document(job, context),
        "status": "dismissed",
        "message": "was removed, with its results",
        "links": _links_beside(job, context),
    }


def _metadata(job: Job) -> Json:
    # The data that results were made from are the same for all results; none if no layer was read.
    metadata = next((result.metadata for result in job.results.values()), None)
    return {} if metadata is None else {"metadata": metadata}


def _job_links(job: Job, context: DocumentContext) -> list[Json]:
    url = job_address(job, context.base)
    links = [*own_links(url, "job", "job"), *_links_beside(job, context)]
    if job.status not in ENDED:
        links.append(link("monitor", f"{url}?f=json", JSON, "how far the job is"))
    if job.status == "successful":
        # No media type: the response form is stored with the inputs, which may be too long to read here.
        links.append(link(REL_RESULTS, f"{url}/results", None, "results"))
        for name, result in job.results.items():
            media_type = media_type_of(result, output_schema(job.process, name))
            links.append(link("item", result_address(job, name, context.base), media_type, name))
    if job.status == "failed":
        links.append(link(REL_EXCEPTIONS, f"{url}/results", PROBLEM, "why it failed"))
    return links


def _links_beside(job: Job, context: DocumentContext) -> list[Json]:
    links = [link("up", f"{context.base}/jobs?f=json", JSON, "all jobs")]
    if job.process in processes():  # otherwise the process belongs to another version of the server
        links.append(link("related", f"{context.base}/processes/{quote(job.process)}?f=json", JSON, "process"))
    return links


def _summary(process: Process, context: DocumentContext) -> Json:
    url = f"{context.base}/processes/{quote(process.id)}"
    links = [
        *own_links(url, process.title, process.title),
        link(REL_EXECUTE, f"{url}/execution", JSON, "where it is requested"),
        link(REL_ESTIMATE, f"{url}/estimate", JSON, "what that would take"),
        link(REL_JOBS, f"{context.base}/jobs?processID={quote(process.id)}&f=json", JSON, "its jobs"),
        link("up", f"{context.base}/processes?f=json", JSON, "all processes"),
    ]
    return {
        "id": process.id,
        "version": process.version,
        "title": process.title,
        "description": process.description,
        **omit_empty({"keywords": list(process.keywords)}),
        "jobControlOptions": [SYNC, ASYNC, DISMISS],
        "outputTransmission": ["value", "reference"],
        "links": links,
    }


def _input(declared: Input) -> Json:
    return {
        "title": declared.title,
        "description": declared.description,
        "minOccurs": int(declared.is_required),
        "maxOccurs": declared.most,
        "schema": _schema(declared.schema),
    }


def _output(declared: Output) -> Json:
    return {"title": declared.title, "description": declared.description, "schema": _schema(declared.schema)}


def _schema(part: Any) -> Any:  # noqa: ANN401 -- any part of a schema
    """Return a schema for OpenAPI 3.0, which allows one `example` only."""
    if isinstance(part, list):
        return [_schema(item) for item in part]
    if not isinstance(part, dict):
        return part
    converted = {name: _schema(member) for name, member in part.items()}
    if isinstance(converted.get("examples"), list):  # otherwise `examples` is the name of a property
        converted["example"] = converted.pop("examples")[0]
    return converted


FORMATS = {"json": JSON, "html": HTML}


def form_of(request: Request) -> str:
    """Return the key of `FORMATS` that a request prefers."""
    query = Kvp(merge_lists(request.query_params.multi_items()))
    return negotiate_format(query, request.headers.get("accept", ""), FORMATS)


async def document_in(
    request: Request, context: DocumentContext, document: Json, page: Callable[[], bytes]
) -> Response:
    """Return the answer with a document, or with the page that `page` makes if the client prefers HTML."""
    form = form_of(request)
    write = page if form == "html" else partial(orjson.dumps, document)
    body = await run(request, TEXTS, write)
    response = add_language_headers(answer_content(body, FORMATS[form], request), context)
    return add_page_policy(response) if form == "html" else response


def live(handler: Endpoint) -> Endpoint:
    """Return an endpoint whose answers and errors are never cached: they change at any time."""
    answer_now = endpoint(handler, process_fault)

    async def answer(request: Request) -> Response:
        response = await answer_now(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def live_job(handler: Endpoint) -> Endpoint:
    """Return an endpoint as `live` does; it also refuses pages of origins without access to jobs."""

    async def answer(request: Request) -> Response:
        require_job_access(request)
        return await handler(request)

    return live(answer)


TYPES = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
OF_LOCATORS: Mapping[str, str] = {
    "processID": f"{TYPES}/no-such-process",
    "jobID": f"{TYPES}/no-such-job",
    NOT_READY: f"{TYPES}/result-not-ready",
}


def process_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error."""
    type_ = OF_LOCATORS.get(error.locator or "") if isinstance(error, UnknownPath) else None
    media_type = problem_type(request)
    response = problem_response(error, request, spelling={"time": "datetime"}, type_=type_, media_type=media_type)
    response.headers["Vary"] = "Accept"
    return response


def problem_type(request: Request) -> str:
    """Return the media type of problems: JSON for clients that accept JSON but no problem documents.

    The OpenAPI document of the standard has only JSON (OGC 18-062r2 Table 10), and OGC's test suite checks the type.
    """
    accepted = {name for name, weight in parse_quality_values(request.headers.get("accept", "")) if weight > 0}
    return JSON if JSON in accepted and PROBLEM_TYPE not in accepted else PROBLEM_TYPE


# Parts that operations of processes and jobs share; ids come from the OpenAPI document of the standard.

describe = partial(Operation, tag="Processes", refusals=())
EXAMPLE = "echo"
REFUSALS = {
    "400": "BadRequest",
    "403": "Forbidden",
    "404": "NotFound",
    "406": "NotAcceptable",
    "413": "TooLarge",
    "415": "BadRequest",
    "503": "Unavailable",
}


def process_in_path(_examples: Examples) -> Json:
    """Return the segment `{processID}` of a path."""
    return in_path("processID", "Id of a process", enum_of(tuple(processes())), example=EXAMPLE)


def refusals(*statuses: str) -> dict[str, Json]:
    """Return error responses."""
    return {status: {"$ref": f"#/components/responses/Process{REFUSALS[status]}"} for status in statuses}


OF_DOCUMENT = refusals("400", "404", "406", "503")
OF_JOB = refusals("400", "403", "404", "503")
ANY_RESULTS: Json = {
    "description": "One result, several of them in parts, or a document",
    "content": {"*/*": {"schema": {}}},
}
ONLY_LINKS: Json = {
    "description": "All results lie where the header Link says",
    "headers": {"Link": {"description": "Where the results are (RFC 8288)", "schema": TEXT}},
}
A_JOB: Json = {"description": "Job", "content": {JSON: {"schema": ref("Job")}}}
