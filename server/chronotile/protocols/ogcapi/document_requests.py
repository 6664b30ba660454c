"""Requests for documents of OGC API: their parameters, language, format and response."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS, WorkKind
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F, Parameter, name_list, names_of
from chronotile.protocols.ogcapi.block import DocumentContext
from chronotile.protocols.ogcapi.document_pages import add_page_policy
from chronotile.protocols.ogcapi.negotiate_format import NO_ALIASES, negotiate_format

DOCUMENT_PARAMETERS = (F, LANG)
VALUE = name_list(
    "value", "Ids or aliases of layers: each place has the value of each at `datetime`, as a property called by its id"
)
IGNORED_WITH_VALUE = (VALUE.name, "datetime", "reducer", "weights")
"""Parameters of features that documents ignore if `value` is present: GDAL and QGIS repeat the query of
`/ogcapi?value=…` in every request."""


def document_query(request: Request, *more: Parameter[object]) -> Kvp:
    """Return the query of a request that takes the parameters of all documents and `more`.

    Raises:
        InvalidParameter: The query contains another parameter; names that clients add to any URL are ignored.
    """
    query = Kvp(request.query_params.multi_items())
    check_names(query, *more)
    return query


def check_names(query: Kvp, *more: Parameter[object]) -> None:
    """Raise if the query contains parameters other than `more` and the parameters of all documents.

    Raises:
        InvalidParameter: It does.
    """
    query.check_names((*names_of((*more, *DOCUMENT_PARAMETERS)), *(IGNORED_WITH_VALUE if VALUE.name in query else ())))


def context_for(request: Request, query: Kvp) -> DocumentContext:
    """Return the context of documents for a request.

    Raises:
        InvalidParameter: `lang` is not a language of the service.
    """
    return DocumentContext(
        catalogue=services_of(request).catalogue, root=base_url(request), language=negotiate_language(request, query)
    )


def add_language_headers(response: Response, context: DocumentContext) -> Response:
    """Add the language and the request headers that it depends on, and return the response."""
    response.headers.update({"Content-Language": context.language, "Vary": "Accept, Accept-Language"})
    return response


async def respond_in_format(  # noqa: PLR0913 -- the ways in which documents differ
    request: Request,
    query: Kvp,
    write: Callable[[DocumentContext, str], bytes],
    formats: Mapping[str, str],
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
    cache_control: str = CACHE_STABLE,
    kind: WorkKind[[]] = DOCUMENTS,
) -> Response:
    """Return a document in the format and the language of a request.

    Args:
        request: All parameters except `f` and `lang` have been checked.
        query: The parameters of `request`.
        write: Writes the document in the format with this name.
        formats: Media type per format name.
        aliases: See `negotiate_format`.
        cache_control: Header of the response.
        kind: Limits how many documents are written concurrently.

    Raises:
        ChronotileError: The format or the language is not offered, or raised by `write`.
    """
    name = negotiate_format(query, request.headers.get("accept", ""), formats, aliases=aliases)
    context = context_for(request, query)

    def make() -> Response:
        return answer_content(write(context, name), formats[name], request, cache_control=cache_control)

    response = add_language_headers(await run(request, kind, make), context)
    return add_page_policy(response) if name == "html" else response
