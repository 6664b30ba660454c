"""`/ogcapi/processes` and what goes with it: what can be done, and what was requested (OGC 18-062r2)."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.processes.registry import process_of, processes
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.document_context import context_for
from chronotile.protocols.ogcapi.processes.answers import document_in, query_of
from chronotile.protocols.ogcapi.processes.documents import process_document, process_list
from chronotile.protocols.ogcapi.processes.execution_routes import routes as execution_routes
from chronotile.protocols.ogcapi.processes.faults import process_fault
from chronotile.protocols.ogcapi.processes.job_routes import routes as job_routes
from chronotile.protocols.ogcapi.processes.pages import process_page, processes_page
from chronotile.protocols.ogcapi.processes.params import OF_LISTS, paging_of


async def get_processes(request: Request) -> Response:
    """Return a page of the list of processes."""
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_LISTS))
    paging, context = paging_of(query), context_for(request, query)
    document = process_list(tuple(processes().values()), paging, context)
    return await document_in(request, context, document, partial(processes_page, document, context))


async def get_process(request: Request) -> Response:
    """Return the description of a process."""
    query = query_of(request)
    context = context_for(request, query)
    document = process_document(process_of(request.path_params["processID"]), context)
    return await document_in(request, context, document, partial(process_page, document, context))


routes: list[BaseRoute] = [
    Route("/ogcapi/processes", endpoint(get_processes, process_fault)),
    Route("/ogcapi/processes/{processID}", endpoint(get_process, process_fault)),
    *execution_routes,
    *job_routes,
]
