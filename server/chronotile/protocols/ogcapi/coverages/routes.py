"""`/ogcapi/collections/{collectionId}/coverage`, and its documents."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.catalog.offered import Offered, offered_collection
from chronotile.model.cancellation import IsActive
from chronotile.pipeline.coverage.deliver import CoverageDelivery, deliver_coverage
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.job_offer import offer_job
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.state import make_for_client, services_of, state_of
from chronotile.protocols.ogcapi.coverages.documents import (
    domain_set_document,
    range_type_document,
    schema_document,
)
from chronotile.protocols.ogcapi.coverages.faults import coverage_fault
from chronotile.protocols.ogcapi.coverages.file_response import file_conditions, respond_with_file
from chronotile.protocols.ogcapi.coverages.formats import ALIASES, FORMATS, JSON, JSON_SCHEMA, lacking_formats
from chronotile.protocols.ogcapi.coverages.grid_size import with_default_times, with_scale
from chronotile.protocols.ogcapi.coverages.params import coverage_query, parse_coverage
from chronotile.protocols.ogcapi.export_offer import export_offer
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format

Make = Callable[[Offered, str, str], bytes]
"""A document of a collection, the tree's address and a language."""


async def get_coverage(request: Request) -> Response:
    """Return numbers of a collection as a file."""
    services = services_of(request)
    query = coverage_query(request.query_params.multi_items())
    name = negotiate_format(
        query, request.headers.get("accept", ""), FORMATS, aliases=ALIASES, lacking=lacking_formats()
    )
    offered = offered_collection(services.catalogue, request.path_params["collectionId"])
    parsed_query = parse_coverage(query, offered, services.catalogue)
    offer_job(request, lambda: export_offer(with_scale(parsed_query, services), name, services.catalogue))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> tuple[CoverageDelivery, str]:
        coverage, told = with_default_times(with_scale(parsed_query, services), services)
        return deliver_coverage(coverage, name, services, conditions=conditions, is_active=is_active), told

    limiter, layer = state_of(request).limiters.coverages, parsed_query.request.layers[0]
    delivery, told = await make_for_client(request, limiter, layer, work, services=services)
    response = respond_with_file(delivery)
    if told:
        response.headers.append("Warning", f'299 - "{told}"')
    return response


async def get_domain_set(request: Request) -> Response:
    """Return where and when a coverage has values."""
    return await _described(request, domain_set_document, JSON)


async def get_range_type(request: Request) -> Response:
    """Return of which kind the values of a coverage are."""
    return await _described(request, range_type_document, JSON)


async def get_schema(request: Request) -> Response:
    """Return the fields of a coverage as a JSON Schema."""
    return await _described(request, schema_document, JSON_SCHEMA)


async def _described(request: Request, make: Make, media_type: str) -> Response:
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    query.check_names(("f", "lang"))
    negotiate_format(query, request.headers.get("accept", ""), {"json": media_type}, aliases={JSON: "json"})
    language = language_of(request, query)
    offered = offered_collection(services.catalogue, request.path_params["collectionId"])
    base = f"{base_url(request)}/ogcapi"
    key = (make.__name__, offered.id, offered.is_layer, base, language)
    made = partial(make, offered, base, language)
    response = await respond_with_document(request, services, made, key=key, media_type=media_type)
    response.headers.update({"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": language})
    return response


routes: list[BaseRoute] = [
    Route(f"/ogcapi/collections/{{collectionId}}/{path}", endpoint(handler, coverage_fault))
    for path, handler in (
        ("coverage", get_coverage),
        ("coverage/domainset", get_domain_set),
        ("coverage/rangetype", get_range_type),
        ("schema", get_schema),
    )
]
