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
"""Jobs expected to be shorter finish before the response: OGC's test suite reads the status only once, immediately."""
MAX_SEARCHED_BYTES = 2000
"""Bytes of a body that are searched for a namespace."""


async def answer(request: Request) -> Response:
    """Answer a request of either version.

    Raises:
        ChronotileError: A parameter is missing or not accepted, or the operation failed.
    """
    request.scope[SPOKEN] = request.url.query
    if request.method == "POST":
        body = await read_body(request)
        request.scope[SPOKEN] = body[:MAX_SEARCHED_BYTES].decode("latin-1")
        wps_request = await run(request, TEXTS, partial(request_in_xml, body))
    else:
        wps_request = request_in_query(Kvp(request.query_params.multi_items()))
    services, takes_jobs = services_of(request), state_of(request).jobs.takes_jobs
    context = WpsContext(version=wps_request.version, base=base_url(request), takes_jobs=takes_jobs)
    if wps_request.operation not in {"GetCapabilities", "DescribeProcess"}:
        response = await _answer_job_request(request, wps_request, context)
        response.headers["Cache-Control"] = "no-store"
        return response
    make = partial(documents.capabilities, context, services.catalogue.service)
    if wps_request.names:
        make = partial(documents.descriptions, context, wps_request.names)
    key = ("WPS", context, tuple(wps_request.names))
    return await answer_document(request, services, make, key=key, media_type=MEDIA_TYPE)


async def _answer_job_request(request: Request, wps_request: WpsRequest, context: WpsContext) -> Response:
    """Execute a process, or answer about a job.

    Pages of other origins must not start or read jobs by a bare GET without an Origin header.
    """
    is_elsewhere = request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    if request.method == "GET" and is_elsewhere and "origin" not in request.headers:
        raise AccessRefused("pages of other origins may not request jobs by an address", locator="request")
    if wps_request.operation == "Execute":
        return await _execute(request, wps_request, context)
    require_job_access(request)
    desk, id_, is_1_0 = state_of(request).jobs, wps_request.names[0], context.version == "1.0.0"
    if is_1_0 and wps_request.operation != "GetStatus":
        raise OperationNotSupported(f"{wps_request.operation} is offered in WPS 2.0", locator=wps_request.operation)
    if wps_request.operation == "Dismiss":
        return _xml(documents.status(context, await jobs.dismiss(request, id_), is_gone=True))

    def find() -> tuple[Job, Results]:
        job = jobs.granted_job(id_, request)
        execution = desk.table.execution(id_) if wps_request.has_lineage else desk.execution_without_inputs(job)
        return job, results_of(job, execution, desk.result_files(job), f"{context.base}/ogcapi")

    job, results = await run(request, JOBS, find)
    if is_1_0:  # `statusLocation` returns the response to Execute with the current status
        done, created = results if job.status == "successful" else None, jobs.moment_text(job.updated)
        write = partial(documents.response, context, results.execution, created, job=job, results=done)
        return _xml(await jobs.run_with_files(request, job, partial(write, has_lineage=wps_request.has_lineage)))
    if wps_request.operation == "GetStatus":
        return _xml(documents.status(context, job))
    jobs.require_ended(job)
    if job.fault is not None:
        error = ChronotileError(job.fault.detail)
        error.status, error.is_logged = job.fault.status, True
        raise error
    return await jobs.run_with_files(request, job, partial(_result, context, results))


async def _execute(request: Request, wps_request: WpsRequest, context: WpsContext) -> Response:
    process, is_async = process_of(wps_request.names[0]), wps_request.mode == "async"
    is_stored = wps_request.is_stored or is_async
    if is_stored and not context.takes_jobs:
        raise InvalidParameter("this server does not run jobs; execute synchronously", locator="mode")
    if is_stored or "origin" in request.headers:  # as in OGC API - Processes
        require_job_access(request)
    outputs = wps_request.outputs or {name: {"transmissionMode": "value"} for name in process.outputs}
    if wps_request.is_raw:
        outputs = {name: {**output, "transmissionMode": "value"} for name, output in outputs.items()}
        if len(outputs) > 1:
            raise InvalidParameter(f"raw data is of one output, not of {', '.join(outputs)}", locator="response")
    response = "raw" if wps_request.is_raw else "document"

    def read() -> dict[str, object]:
        return {"inputs": inputs_of(process, wps_request.inputs), "outputs": outputs, "response": response}

    execution, _members = await read_execution(request, process, read)
    plan = await plan_of(request, execution)
    services = services_of(request)
    is_large = plan.seconds > services.catalogue.limits.max_seconds or not services.memory.may_take(plan.held_bytes)
    response_1_0 = partial(documents.response, context, execution, has_lineage=wps_request.has_lineage)
    is_2_0, is_auto = context.version == "2.0.0", wps_request.mode == "auto" and context.takes_jobs
    if (is_async and plan.seconds > QUICK_S) or ((is_async or is_auto) and is_large):
        require_job_access(request)
        job = await submit(request, execution, plan)
        return _xml(documents.status(context, job) if is_2_0 else response_1_0(jobs.moment_text(job.updated), job=job))
    now = format_instant(services.clock())

    def respond(results: Results, folder: Path | None) -> Response:
        if is_2_0 and is_async and results.job is not None:
            return _xml(documents.status(context, results.job))
        if is_2_0 or wps_request.is_raw:
            return _result(context, results, folder)
        return _xml(response_1_0(now, job=results.job, results=results), folder)

    return await do_now(request, execution, plan, respond, base=f"{context.base}/ogcapi", is_kept=is_stored)


def _result(context: WpsContext, results: Results, folder: Path | None = None) -> Response:
    """Return results in the requested form; in WPS 2.0 a single literal is an element, even as raw data."""
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
