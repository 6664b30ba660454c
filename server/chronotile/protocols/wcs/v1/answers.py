"""What WCS 1.x answers: documents, and files with the time that they have."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Literal, get_args

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.coverage import Trim
from chronotile.core.model.crs import are_alike
from chronotile.core.model.request import IsActive
from chronotile.core.model.time.instants import DEFAULT
from chronotile.http.endpoint import JobOffer, offer_job
from chronotile.http.respond import respond_with_document
from chronotile.http.run import COVERAGES, base_url, run, services_of
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageDelivery, CoverageFormat, deliver_coverage
from chronotile.protocols.common.capabilities.layer_entries import requested_language
from chronotile.protocols.common.capabilities.time_extent import value_warning
from chronotile.protocols.common.coverage_files import export_offer, file_conditions, respond_with_file
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import keyword
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import coverage_of, offered_coverages
from chronotile.protocols.wcs.faults import refusal
from chronotile.protocols.wcs.v1.descriptions import describe, summaries
from chronotile.protocols.wcs.v1.requests import ALMOST, Parsed
from chronotile.protocols.wcs.version import Pairs

Operation = Literal["GetCapabilities", "DescribeCoverage", "GetCoverage"]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)
OPERATION = keyword("REQUEST", "The operation", dict(zip(OPERATIONS, OPERATIONS, strict=True)))
MEDIA_TYPE = "text/xml"
MOST_DESCRIBED = 50
"""Coverages of one document, each with all its times."""


def refuse_xml(_root: etree._Element) -> Pairs:
    """Refuse a request in XML.

    Raises:
        InvalidParameter: As said.
    """
    raise refusal("InvalidParameterValue", "WCS 1.x takes key-value pairs here; WCS 2.0.1 takes XML", locator="request")


async def respond_with_capabilities(request: Request, query: Kvp, template: str, **values: object) -> Response:
    """Return the capabilities by a template, which also gets `values`."""
    services = services_of(request)
    base, language = base_url(request), requested_language(query, services.catalogue.service.languages)

    def make() -> bytes:
        service = services.catalogue.service
        return render_xml(
            template,
            service=service,
            title=text_in(service.title, language),
            abstract=text_in(service.abstract, language),
            base=base,
            coverages=tuple(summaries(services, language)),
            **values,
        )

    key = (template, base, language, *values.items())
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPE)


async def respond_with_descriptions(
    request: Request, query: Kvp, template: str, *, parameter: str, **values: object
) -> Response:
    """Return the descriptions of the coverages that a parameter names, or of all.

    Raises:
        UnknownCollection: There is no such coverage.
        InvalidParameter: There are more than `MOST_DESCRIBED`.
    """
    services, text = services_of(request), query.optional(parameter)
    catalogue = services.catalogue
    ids = [each.id for each in offered_coverages(catalogue)] if text is None else text.split(",")
    if len(ids) > MOST_DESCRIBED:
        message = f"{len(ids)} coverages are described one by one; name at most {MOST_DESCRIBED} in {parameter}"
        raise InvalidParameter(message, locator=parameter)
    coverages = [coverage_of(catalogue, each.strip()) for each in ids]
    language = requested_language(query, catalogue.service.languages)

    def make() -> bytes:
        found = [describe(each, services, language) for each in coverages]
        return render_xml(template, descriptions=[each for each in found if each is not None], **values)

    key = (template, tuple(each.id for each in coverages), language)
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPE)


async def respond_with_coverage(
    request: Request, parsed: Parsed, formats: Mapping[str, CoverageFormat] = COVERAGE_FORMATS
) -> Response:
    """Return the file, with a header that names the time where the request did not.

    Args:
        request: The request.
        parsed: What it requests.
        formats: Those of the version; one alone stands for that which is requested.

    Raises:
        ChronotileError: The request is not accepted.
    """
    services, asked = services_of(request), parsed.request
    offer_job(request, partial(_job, parsed, services.catalogue))
    name = parsed.format if parsed.format in formats else next(iter(formats))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> CoverageDelivery:
        return deliver_coverage(asked, name, services, formats=formats, conditions=conditions, is_active=is_active)

    delivery = await run(request, COVERAGES, work, layers=[asked.layers[0]])
    response = respond_with_file(delivery)
    if asked.time == DEFAULT and len(delivery.times):
        instants = tuple(reversed(delivery.times.instants))
        response.headers.append("Warning", value_warning("default", instants, delivery.times))
    return response


def _job(parsed: Parsed, catalogue: Catalogue) -> JobOffer | None:
    """The job for native cells; `None` for others, which no job makes."""
    cells, native = parsed.request.cells, catalogue.layer(parsed.request.layers[0]).main_variable.grid
    if cells is None or not are_alike(cells.crs, native.crs):
        return None
    if not all(abs(own - step) < ALMOST * step for own, step in zip(cells.resolution, native.steps, strict=True)):
        return None
    trim = Trim(box=cells.bbox, crs=cells.crs)
    return export_offer(replace(parsed.request, trims=(trim,), cells=None), parsed.format, catalogue)
