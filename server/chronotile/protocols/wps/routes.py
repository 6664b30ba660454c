"""`/wps`: WPS 2.0 (OGC 14-065) and 1.0.0 (OGC 05-007r7) by GET in key-value pairs and by POST in XML."""

import shutil
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.core.errors import AccessRefused, ChronotileError, InvalidParameter, OperationNotSupported
from chronotile.core.model.job import Job
from chronotile.core.model.time.instants import format_instant
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.endpoint import endpoint
from chronotile.http.job_access import require_job_access
from chronotile.http.request_bodies import read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import JOBS, TEXTS
from chronotile.jobs.processes.registry import process_of
from chronotile.protocols.common.ows import MEDIA_TYPE
from chronotile.protocols.common.processes import jobs
from chronotile.protocols.common.processes.results import Results, results_of, results_response
from chronotile.protocols.common.processes.running import do_now, plan_of, read_execution, submit
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.wps import documents
from chronotile.protocols.wps.data import inputs_of
from chronotile.protocols.wps.documents import WpsContext
from chronotile.protocols.wps.faults import SPOKEN, fault
from chronotile.protocols.wps.params import WpsRequest, request_in_query, request_in_xml

QUICK_S = 0.05
"""Expected of a job that is done before the answer to its request: OGC's suite reads the status once, at once."""
MAX_LOOKED_AT = 2000
"""Bytes of a body in which its namespace is looked for."""


async def answer(request: Request) -> Response:
    """Return what a request of either version wants.

    Raises:
        ChronotileError: A parameter is missing or not accepted, or it cannot be done.
    """
    request.scope[SPOKEN] = request.url.query
    if request.method == "POST":
        body = await read_body(request)
        request.scope[SPOKEN] = body[:MAX_LOOKED_AT].decode("latin-1")
        wanted = await run(request, TEXTS, partial(request_in_xml, body))
    else:
        wanted = request_in_query(Kvp(request.query_params.multi_items()))
    services, takes_jobs = services_of(request), state_of(request).jobs.takes_jobs
    context = WpsContext(version=wanted.version, base=base_url(request), takes_jobs=takes_jobs)
    if wanted.operation not in {"GetCapabilities", "DescribeProcess"}:
        response = await _of_jobs(request, wanted, context)
        response.headers["Cache-Control"] = "no-store"
        return response
    make = partial(documents.capabilities, context, services.catalogue.service)
    if wanted.names:
        make = partial(documents.descriptions, context, wanted.names)
    key = ("WPS", context, tuple(wanted.names))
    return await answer_document(request, services, make, key=key, media_type=MEDIA_TYPE)


async def _of_jobs(request: Request, wanted: WpsRequest, context: WpsContext) -> Response:
    """What is done and what became of it, unless the page of another origin makes a browser ask by an address alone."""
    is_elsewhere = request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    if request.method == "GET" and is_elsewhere and "origin" not in request.headers:
        raise AccessRefused("pages of other origins may not request jobs by an address", locator="request")
    if wanted.operation == "Execute":
        return await _execute(request, wanted, context)
    require_job_access(request)
    desk, id_, is_1_0 = state_of(request).jobs, wanted.names[0], context.version == "1.0.0"
    if is_1_0 and wanted.operation != "GetStatus":
        raise OperationNotSupported(f"{wanted.operation} is offered in WPS 2.0", locator=wanted.operation)
    if wanted.operation == "Dismiss":
        return _xml(documents.status(context, await jobs.dismiss(request, id_), is_gone=True))

    def find() -> tuple[Job, Results]:
        job = jobs.granted_job(id_, request)
        execution = desk.table.execution(id_) if wanted.has_lineage else desk.execution_without_inputs(job)
        return job, results_of(job, execution, desk.result_files(job), f"{context.base}/ogcapi")

    job, results = await run(request, JOBS, find)
    if is_1_0:  # the response to the Execute as it is by now, which `statusLocation` leads to
        done, created = results if job.status == "successful" else None, jobs.moment_text(job.updated)
        write = partial(documents.response, context, results.execution, created, job=job, results=done)
        return _xml(await jobs.of_files(request, job, partial(write, has_lineage=wanted.has_lineage)))
    if wanted.operation == "GetStatus":
        return _xml(documents.status(context, job))
    jobs.require_ended(job)
    if job.fault is not None:
        error = ChronotileError(job.fault.detail)
        error.status, error.is_logged = job.fault.status, True
        raise error
    return await jobs.of_files(request, job, partial(_result, context, results))


async def _execute(request: Request, wanted: WpsRequest, context: WpsContext) -> Response:
    process, is_async = process_of(wanted.names[0]), wanted.mode == "async"
    is_stored = wanted.is_stored or is_async
    if is_stored and not context.takes_jobs:
        raise InvalidParameter("this server does not run jobs; execute synchronously", locator="mode")
    if is_stored or "origin" in request.headers:  # as OGC API - Processes
        require_job_access(request)
    outputs = wanted.outputs or {name: {"transmissionMode": "value"} for name in process.outputs}
    if wanted.is_raw:
        outputs = {name: {**output, "transmissionMode": "value"} for name, output in outputs.items()}
        if len(outputs) > 1:
            raise InvalidParameter(f"raw data is of one output, not of {', '.join(outputs)}", locator="response")
    response = "raw" if wanted.is_raw else "document"

    def read() -> dict[str, object]:
        return {"inputs": inputs_of(process, wanted.inputs), "outputs": outputs, "response": response}

    execution, _members = await read_execution(request, process, read)
    plan = await plan_of(request, execution)
    services = services_of(request)
    is_large = plan.seconds > services.catalogue.limits.max_seconds or not services.memory.may_take(plan.held_bytes)
    response_1_0 = partial(documents.response, context, execution, has_lineage=wanted.has_lineage)
    is_2_0, is_auto = context.version == "2.0.0", wanted.mode == "auto" and context.takes_jobs
    if (is_async and plan.seconds > QUICK_S) or ((is_async or is_auto) and is_large):
        require_job_access(request)
        job = await submit(request, execution, plan)
        return _xml(documents.status(context, job) if is_2_0 else response_1_0(jobs.moment_text(job.updated), job=job))
    now = format_instant(services.clock())

    def respond(results: Results, folder: Path | None) -> Response:
        if is_2_0 and is_async and results.job is not None:
            return _xml(documents.status(context, results.job))
        if is_2_0 or wanted.is_raw:
            return _result(context, results, folder)
        return _xml(response_1_0(now, job=results.job, results=results), folder)

    return await do_now(request, execution, plan, respond, base=f"{context.base}/ogcapi", is_kept=is_stored)


def _result(context: WpsContext, results: Results, folder: Path | None = None) -> Response:
    """Results as they were requested; a literal alone is an element in WPS 2.0, which OGC's suite reads of raw data."""
    if not results.values:
        raise InvalidParameter("the process gave none of these outputs", locator="outputs")
    if results.execution.response == "document" or len(results.values) > 1:
        return _xml(documents.result(context, results), folder)
    literal = documents.literal(context, results) if context.version == "2.0.0" else None
    return results_response(results, folder) if literal is None else _xml(literal, folder)


def _xml(body: bytes, folder: Path | None = None) -> Response:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    return Response(body, media_type=MEDIA_TYPE)


routes = (Route("/wps", endpoint(answer, fault), methods=["GET", "POST"]),)
