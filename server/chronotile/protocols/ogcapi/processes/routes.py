"""`/ogcapi/processes` and what goes with it: what can be done, and what was requested (OGC 18-062r2)."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.jobs.processes.registry import process_of, processes
from chronotile.protocols.common.openapi import TEXT, ref
from chronotile.protocols.ogcapi.block import JSON_OR_HTML, context_for, document_query
from chronotile.protocols.ogcapi.processes.documents import (
    HTML,
    JSON,
    OF_DOCUMENT,
    describe,
    document_in,
    process_document,
    process_fault,
    process_in_path,
    process_list,
)
from chronotile.protocols.ogcapi.processes.execution_routes import operation as execution_operation
from chronotile.protocols.ogcapi.processes.job_routes import operations as job_operations
from chronotile.protocols.ogcapi.processes.job_routes import process_page, processes_page
from chronotile.protocols.ogcapi.processes.params import PAGING, paging_of


async def get_processes(request: Request) -> Response:
    """Return a page of the list of processes."""
    query = document_query(request, *PAGING)
    paging, context = paging_of(query), context_for(request, query)
    document = process_list(tuple(processes().values()), paging, context)
    return await document_in(request, context, document, partial(processes_page, document, context))


async def get_process(request: Request) -> Response:
    """Return the description of a process."""
    query = document_query(request)
    context = context_for(request, query)
    document = process_document(process_of(request.path_params["processID"]), context)
    return await document_in(request, context, document, partial(process_page, document, context))


operations = (
    describe(
        "/processes",
        get_processes,
        "getProcesses",
        "Processes, by their ids",
        faults=process_fault,
        parameters=[*PAGING, *JSON_OR_HTML],
        answers={JSON: ref("ProcessList"), HTML: TEXT},
        responses=OF_DOCUMENT,
    ),
    describe(
        "/processes/{processID}",
        get_process,
        "getProcessDescription",
        "What a process takes and gives",
        faults=process_fault,
        parameters=[process_in_path, *JSON_OR_HTML],
        answers={JSON: ref("Process"), HTML: TEXT},
        responses=OF_DOCUMENT,
    ),
    execution_operation,
    *job_operations,
)
