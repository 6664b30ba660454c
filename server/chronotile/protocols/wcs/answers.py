"""Answers of all versions of WCS: documents and coverage files."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import OperationNotSupported, require_at_most
from chronotile.core.model.coverage import Trim
from chronotile.core.model.space.crs import are_alike
from chronotile.core.model.time.selection import DEFAULT
from chronotile.http.base_urls import base_url
from chronotile.http.document_answers import answer_document
from chronotile.http.job_offers import JobOffer, offer_job
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import COVERAGES, TEXTS
from chronotile.pipeline.coverage.deliver import CoveragePayload, deliver_coverage
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.languages import capabilities_language
from chronotile.protocols.common.capabilities.time_warnings import value_warning
from chronotile.protocols.common.capabilities.update_sequence import update_sequence
from chronotile.protocols.common.coverage_files import file_conditions, respond_with_file
from chronotile.protocols.common.export_offer import export_offer
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import keyword
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of, offered_coverages
from chronotile.protocols.wcs.documents import document
from chronotile.protocols.wcs.faults import refusal
from chronotile.protocols.wcs.version import GetCoverage, Pairs, WcsVersion

OPERATIONS = ("GetCapabilities", "DescribeCoverage", "GetCoverage")
OPERATION = keyword("REQUEST", "The operation", {name: name for name in OPERATIONS}, error=OperationNotSupported)
MAX_TIMES = 100_000
"""Instants of all coverages that one document describes; 100,000 make a document of 6 MB."""
ALMOST = 1e-3
"""Tolerance in cells for sizes and positions, which requests round to decimals."""


async def answer(version: WcsVersion, request: Request, pairs: Pairs) -> Response:
    """Answer the operation that REQUEST names."""
    query, services = version.query_of(pairs), services_of(request)
    operation = OPERATION.value(query)
    if operation == "GetCoverage":
        return await _get_coverage(version, request, query)
    name, ids, parts = "descriptions", query.optional(version.ids), dict[str, object]()
    find: Callable[[], Iterable[WcsCoverage]] = partial(_find_described, ids, version.ids, services)
    if operation == "DescribeCoverage" and ids is None and version.without_ids is not None:
        raise refusal(version.without_ids, f"{version.ids} is missing or empty", locator=version.ids)
    if operation == "GetCapabilities":
        name, ids, find = "capabilities", None, partial(offered_coverages, services)
        sequence = update_sequence(services)
        parts |= {"base": base_url(request), "sequence": sequence, "sections": version.sections(query, sequence)}
    language = capabilities_language(query, services.catalogue.service.languages)
    template = version.template(name)
    make = partial(document, template, find, services, language, **parts, **version.values)
    key = (template, language, ids, *parts.values())
    return await answer_document(request, services, make, key=key, media_type=version.media_type)


def _find_described(ids: str | None, parameter: str, services: Services) -> Iterable[WcsCoverage]:
    """Return the coverages of a comma-separated list of ids, or all coverages."""
    names = dict.fromkeys(name.strip() for name in (ids or "").split(","))
    coverages = [coverage_of(services, name) for name in names] if ids else list(offered_coverages(services))
    count, alternative = sum(coverage.instants.size for coverage in coverages), f"name fewer coverages in {parameter}"
    require_at_most("described times", count, MAX_TIMES, alternative=alternative, locator=parameter)
    return coverages


async def _get_coverage(version: WcsVersion, request: Request, query: Kvp) -> Response:
    """Return the file; `Warning` headers name a default time and parameters that look misspelt."""
    services = services_of(request)
    parsed = await run(request, TEXTS, partial(version.parse, query, services))
    offer_job(request, partial(_job, parsed, services.catalogue))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> CoveragePayload:
        (name,) = parsed.formats
        return deliver_coverage(
            parsed.request, name, services, formats=parsed.formats, conditions=conditions, is_active=is_active
        )

    delivery = await run(request, COVERAGES, work, layers=[parsed.request.layers[0]])
    response, warnings = respond_with_file(delivery), query.slip_warnings(version.parameters)
    if parsed.request.time == DEFAULT and len(delivery.times):
        warnings.append(value_warning("default", tuple(reversed(delivery.times.instants)), delivery.times))
    for warning in warnings:
        response.headers.append("Warning", warning)
    return response


def _job(parsed: GetCoverage, catalogue: Catalogue) -> JobOffer | None:
    """Return the equivalent job; `None` for a requested grid that is not the native one: jobs export native cells."""
    request, cells = parsed.request, parsed.request.cells
    if cells is not None:
        native = catalogue.layer(request.layers[0]).main_variable.grid
        is_native = are_alike(cells.crs, native.crs)
        if not (is_native and np.allclose(cells.resolution, native.steps, rtol=ALMOST, atol=0)):
            return None
        request = replace(request, trims=(Trim(box=cells.bbox, crs=cells.crs),), cells=None)
    return export_offer(request, parsed.format, catalogue)
