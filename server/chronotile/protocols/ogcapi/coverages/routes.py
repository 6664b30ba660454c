"""`/ogcapi/collections/{collectionId}/coverage`, and its documents."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.offered import OfferedCollection, offered_collection
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import ChronotileError, OutsideData
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.types import Json
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.job_offers import offer_job
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import COVERAGES
from chronotile.pipeline.coverage.deliver import CoveragePayload, deliver_coverage
from chronotile.protocols.common.coverage_files import file_conditions, respond_with_file
from chronotile.protocols.common.export_offer import export_offer
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.openapi import BINARY, TEXT, enum_of, ref
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import language
from chronotile.protocols.common.query.parameter import F, documents, format_of
from chronotile.protocols.ogcapi.coverages.documents import domain_set_document, range_type_document, schema_document
from chronotile.protocols.ogcapi.coverages.formats import ALIASES, FORMATS, JSON, JSON_SCHEMA, lacking_formats
from chronotile.protocols.ogcapi.coverages.params import OF_COVERAGE, SUBSET, coverage_query, parse_coverage
from chronotile.protocols.ogcapi.coverages.resolve_query import apply_scale, limit_to_newest_times
from chronotile.protocols.ogcapi.document_requests import document_query
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.operation_parts import collection_in_path, describe, has_values


def coverage_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error, with parameter names of OGC 19-087.

    A request outside the data is answered with 404 (/req/subsetting/subset J).
    """
    names = {name.lower() for name, text in request.query_params.multi_items() if text.strip()}
    time = "datetime" if "datetime" in names or "subset" not in names else "subset"
    spelling = {"time": time, "datetime": time, "layer": "properties"}
    status = 404 if isinstance(error, OutsideData) else None
    return problem_response(error, request, spelling=spelling, status=status)


WriteDocument = Callable[[OfferedCollection, str, str], bytes]
"""Writes a document from a collection, the URL of `/ogcapi` and a language."""


async def get_coverage(request: Request) -> Response:
    """Return the coverage of a collection as a file."""
    services = services_of(request)
    query = coverage_query(request.query_params.multi_items())
    name = negotiate_format(
        query, request.headers.get("accept", ""), FORMATS, aliases=ALIASES, lacking=lacking_formats()
    )
    offered = offered_collection(services.catalogue, request.path_params["collectionId"])
    parsed_query = parse_coverage(query, offered, services.catalogue)
    offer_job(request, lambda: export_offer(apply_scale(parsed_query, services), name, services.catalogue))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> tuple[CoveragePayload, str]:
        coverage, warning = limit_to_newest_times(apply_scale(parsed_query, services), services)
        return deliver_coverage(coverage, name, services, conditions=conditions, is_active=is_active), warning

    delivery, warning = await run(request, COVERAGES, work, layers=[parsed_query.request.layers[0]])
    response = respond_with_file(delivery)
    if warning:
        response.headers.append("Warning", f'299 - "{warning}"')
    return response


async def get_document(write_document: WriteDocument, media_type: str, request: Request) -> Response:
    """Return a document of a coverage: its domain set, its range type or the schema of its fields."""
    services = services_of(request)
    query = document_query(request)
    negotiate_format(query, request.headers.get("accept", ""), {"json": media_type}, aliases={JSON: "json"})
    language = negotiate_language(request, query)
    offered = offered_collection(services.catalogue, request.path_params["collectionId"])
    base = f"{base_url(request)}/ogcapi"
    key = (write_document.__name__, offered.id, offered.is_layer, base, language)
    write = partial(write_document, offered, base, language)
    response = await answer_document(request, services, write, key=key, media_type=media_type)
    response.headers.update({"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": language})
    return response


def _parameters(examples: Examples) -> list[Json]:
    """Return the parameters with examples that form one valid request; `subset`, an alternative to `bbox`, has none."""
    offered = examples.value_collections[0]
    west, south, east, north = offered.collection.bbox
    middle = (west + east) / 2, (south + north) / 2
    subset = replace(SUBSET, schema={**TEXT, "example": f"Lat({south:.6g}:{middle[1]:.6g})"})
    special = {"subset": subset, "f": replace(F, schema=enum_of(tuple(FORMATS)))}
    example_values = {
        "bbox": [round(parameter, 6) for parameter in (*middle, east, north)],
        "bbox-crs": CRS84.uri,
        "properties": next(iter(offered.fields.values())).main_variable.name,
        "crs": CRS84.uri,
        "scale-factor": 2,
    }
    return documents([special.get(parameter.name, parameter) for parameter in OF_COVERAGE], example_values)


COLLECTION = collection_in_path("Id of a collection that has values, or id or alias of such a layer", has_values)
FORMAT = format_of(("json",))
describe_coverage = partial(describe, tag="Coverages", faults=coverage_fault, is_offered=has_values)
operations = (
    describe_coverage(
        "/collections/{collectionId}/coverage",
        get_coverage,
        "getCoverage",
        "Numbers of a collection",
        parameters=[COLLECTION, _parameters],
        answers={**dict.fromkeys(FORMATS.values(), BINARY), FORMATS["json"]: ref("CoverageJson")},
    ),
    describe_coverage(
        "/collections/{collectionId}/coverage/domainset",
        partial(get_document, domain_set_document, JSON),
        "getCoverageDomainSet",
        "Where and when there are values",
        parameters=[COLLECTION, FORMAT],
        answers={JSON: ref("CoverageDomainSet")},
    ),
    describe_coverage(
        "/collections/{collectionId}/coverage/rangetype",
        partial(get_document, range_type_document, JSON),
        "getCoverageRangeType",
        "Of which kind the values are",
        parameters=[COLLECTION, FORMAT, language],
        answers={JSON: ref("CoverageRangeType")},
    ),
    describe_coverage(
        "/collections/{collectionId}/schema",
        partial(get_document, schema_document, JSON_SCHEMA),
        "getCollectionSchema",
        "The fields as a JSON Schema",
        parameters=[COLLECTION, FORMAT, language],
        answers={JSON_SCHEMA: ref("CoverageSchema")},
    ),
)
