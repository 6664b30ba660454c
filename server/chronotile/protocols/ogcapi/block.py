"""A building block of OGC API: what one standard brings to the tree."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.server_state import ServerState
from chronotile.http.work_kinds import DOCUMENTS, WorkKind
from chronotile.protocols.common.html_page import PageLink, content_security_policy, render_page
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.openapi import REFUSALS_OF_TREE, Examples, enum_of_few, in_path
from chronotile.protocols.common.operation import Described, OfExamples, Operation, language, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F, Parameter, format_of, name_list, names_of
from chronotile.protocols.ogcapi.negotiate_format import NO_ALIASES, negotiate_format


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentContext:
    """What documents are made of, and for whom."""

    catalogue: Catalogue
    root: str
    """Public URL of the whole server, without a slash at the end."""
    language: str

    @property
    def base(self) -> str:
        """Public URL of the tree."""
        return f"{self.root}/ogcapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingBlock:
    """What one standard brings."""

    operations: Sequence[Operation]
    """With paths below `/ogcapi`."""
    conformance: tuple[str, ...]
    """Classes that hold and are tested."""
    allowed_conformance: Callable[[ServerState], Sequence[str]] = field(default=lambda _state: ())
    """More of them, which hold where the operator allows what they need."""
    schemas: Mapping[str, Json] = field(default_factory=dict)
    """OpenAPI 3.0 schemas that those refer to, by names that begin with the block's."""
    operations_of: Callable[[Catalogue], Sequence[Operation]] = field(default=lambda _catalogue: ())
    """More of them for documents, in place of those that are not offered: with the ids of what is served in paths."""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    """OpenAPI 3.0 parameters that clients look for among the components."""
    landing_links: Callable[[DocumentContext], Sequence[Json]] = field(default=lambda _told: ())
    landing_members: Callable[[DocumentContext], Mapping[str, Any]] = field(default=lambda _told: {})
    """More members of the landing page."""
    collection_links: Callable[[OfferedCollection, DocumentContext], Sequence[Json]] = field(
        default=lambda _offered, _told: ()
    )
    collection_members: Callable[[OfferedCollection, DocumentContext], Mapping[str, Any]] = field(
        default=lambda _offered, _told: {}
    )
    """More members of a collection's description, such as `data_queries`."""
    further_collections: Callable[[DocumentContext], Sequence[Json]] = field(default=lambda _told: ())
    """Descriptions of collections that are not made of the configuration, listed after all others."""


# What operations of building blocks have alike.

describe = partial(Operation, refusals=REFUSALS_OF_TREE)

JSON_OR_HTML: Sequence[Described] = (format_of(["json", "html"]), language)
JSON_ALONE: Sequence[Described] = (format_of(["json"]), language)


has_collections: OfExamples = attrgetter("offered")
"""What there is to show."""
has_values: OfExamples = attrgetter("with_values")
"""What of it has values, not colours alone."""


def collection_in_path(description: str, collections: Callable[[Examples], Sequence[OfferedCollection]]) -> OfExamples:
    """Return the segment `{collectionId}` of a path, with the ids of collections."""

    def described(examples: Examples) -> Json:
        names = [each.id for each in collections(examples)]
        return in_path("collectionId", description, enum_of_few(names), example=next(iter(names), None))

    return described


NO_QUERIES: Mapping[str, Any] = {"data_queries": {}, "parameter_names": {}, "output_formats": []}
"""Of a collection without values: OGC 19-086r6 wants them of every one in a list."""

COLLECTION = collection_in_path("Id of a collection, or id or alias of a layer", lambda of: of.offered)
STYLE = segment("styleId", "Id of a style of what is shown", example=lambda of: of.offered[0].drawn_layer.styles[0].id)


def segments_in(path: str) -> list[Described]:
    """Return the segments of a path that select what is shown."""
    return [each for name, each in (("{collectionId}", COLLECTION), ("{styleId}", STYLE)) if name in path]


# For whom a document is made, as its request says.

OF_DOCUMENTS = (F, LANG)
VALUE = name_list(
    "value", "Ids or aliases of layers: each place has the value of each at `datetime`, as a property called by its id"
)
CARRIED = (VALUE.name, "datetime", "reducer")
"""Parameters of features that documents ignore beside the first: GDAL and QGIS send those of `/ogcapi?value=…` to each
address."""


def document_query(request: Request, *more: Parameter[object]) -> Kvp:
    """Return the query of a request that takes the parameters of all documents, and some more.

    Raises:
        InvalidParameter: There is another.
    """
    query = Kvp(request.query_params.multi_items())
    check_names(query, *more)
    return query


def check_names(query: Kvp, *more: Parameter[object]) -> None:
    """Refuse other parameters than those of all documents, and some more.

    Raises:
        InvalidParameter: There is one.
    """
    query.check_names((*names_of((*more, *OF_DOCUMENTS)), *(CARRIED if VALUE.name in query else ())))


def context_for(request: Request, query: Kvp) -> DocumentContext:
    """Return what documents for a request are made of.

    Raises:
        InvalidParameter: `lang` is not one of the service's languages.
    """
    return DocumentContext(
        catalogue=services_of(request).catalogue, root=base_url(request), language=language_of(request, query)
    )


def in_language(response: Response, context: DocumentContext) -> Response:
    """Return the answer with a document, with its language and the request headers that it depends on."""
    response.headers.update({"Content-Language": context.language, "Vary": "Accept, Accept-Language"})
    return response


async def respond_with(  # noqa: PLR0913 -- all that tells documents apart
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
        request: Of which all but `f` and `lang` has been checked.
        query: The request's.
        write: Makes the document, for whom and in which format.
        formats: Media types by the names of formats.
        aliases: As of `negotiate_format`.
        cache_control: Of the answer.
        kind: Of the work of making it.

    Raises:
        ChronotileError: The format or the language is not offered, or as `write`.
    """
    name = negotiate_format(query, request.headers.get("accept", ""), formats, aliases=aliases)
    context = context_for(request, query)

    def make() -> Response:
        return answer_content(write(context, name), formats[name], request, cache_control=cache_control)

    response = in_language(await run(request, kind, make), context)
    return with_policy(response) if name == "html" else response


# Pages of the tree for people: any document of a building block as HTML, in the look of the others.

TEMPLATES = "protocols/ogcapi/templates"


def document_page(
    title: str,
    document: Json,
    context: DocumentContext,
    *,
    above: Sequence[PageLink] = (),
    template: str = "document",
    **members: object,
) -> bytes:
    """Return a document as a page that shows all its members.

    Args:
        title: The page's.
        document: As it is as JSON.
        context: For whom.
        above: The pages above it, below the landing page of the tree.
        template: That shows it better than member by member, if there is one.
        members: What that wants besides.
    """
    start = PageLink(title="Start", href=f"{context.root}/")
    trail = [start, PageLink(title="OGC API", href=f"{context.base}?f=html"), *above]
    given: dict[str, object] = {"lead": "", "base": context.base, "language": context.language, **members}
    return render_page(TEMPLATES, template, styled="page", title=title, document=document, trail=trail, **given)


def with_policy(response: Response, *, has_scripts: bool = False) -> Response:
    """Return the answer that is such a page with the policy under which it works."""
    policy = content_security_policy(TEMPLATES, images="'self'", has_scripts=has_scripts)
    response.headers["Content-Security-Policy"] = policy
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
