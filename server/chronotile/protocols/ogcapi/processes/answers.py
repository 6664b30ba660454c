"""What all answers about processes and jobs have in common."""

from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ClientGone
from chronotile.protocols.common.endpoint import Handler, endpoint
from chronotile.protocols.common.job_access import require_job_access
from chronotile.protocols.common.limits.limiter import Limiter
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.responses.respond import respond_with_content
from chronotile.protocols.common.state import in_thread, read_in_thread, state_of
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.document_context import in_language
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.pages import with_policy
from chronotile.protocols.ogcapi.processes.faults import process_fault
from chronotile.protocols.ogcapi.processes.media_types import HTML, JSON
from chronotile.protocols.ogcapi.processes.params import OF_DOCUMENTS, merge_lists

FORMATS = {"json": JSON, "html": HTML}
NOBODY = None
"""The user whose jobs are requested: there are no users yet, and each client sees the jobs of all."""

Found = TypeVar("Found")


def query_of(request: Request) -> Kvp:
    """Return the query of a request that takes no parameters but those of all documents.

    Raises:
        InvalidParameter: There is another.
    """
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_DOCUMENTS))
    return query


def form_of(request: Request) -> str:
    """Return which of `FORMATS` a request wants."""
    query = Kvp(merge_lists(request.query_params.multi_items()))
    return negotiate_format(query, request.headers.get("accept", ""), FORMATS)


async def document_in(
    request: Request, context: DocumentContext, document: Json, page: Callable[[], bytes]
) -> Response:
    """Return the answer that has a document, or the page that `page` makes of it where people want to read it."""
    form = form_of(request)
    write = page if form == "html" else partial(orjson.dumps, document)
    body = await in_thread(state_of(request).limiters.documents, write)
    response = in_language(respond_with_content(body, FORMATS[form], request), context)
    return with_policy(response) if form == "html" else response


async def of_table(request: Request, work: Callable[[], Found]) -> Found:
    """Return what the table of jobs has, which may be slow."""
    return await in_thread(state_of(request).limiters.jobs, work)


def live(handler: Handler) -> Handler:
    """Return a handler whose answers and errors are not cached: they may change at any time."""
    answer_now = endpoint(handler, process_fault)

    async def answer(request: Request) -> Response:
        response = await answer_now(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def live_job(handler: Handler) -> Handler:
    """Return a handler of jobs as `live` does, which refuses pages of origins that may not use them."""

    async def answer(request: Request) -> Response:
        require_job_access(request)
        return await handler(request)

    return live(answer)


async def unless_gone(
    request: Request, limiter: Limiter, work: Callable[[], Found], *, elsewhere: Collection[str] = ()
) -> Found:
    """Return what comes of work, which is not begun if the client disconnected while it waited.

    Args:
        request: For which it is.
        limiter: Through which it passes.
        work: What to run.
        elsewhere: Ids of the collections that it reads whose sources are on other machines.

    Raises:
        ClientGone: It left.
        SourceUnavailable: A source cannot be read now.
    """

    async def is_there() -> bool:
        return not await request.is_disconnected()

    found = await read_in_thread(request, limiter, work, sources=elsewhere, is_active=is_there)
    if found is None:
        raise ClientGone("the client disconnected")
    return found
