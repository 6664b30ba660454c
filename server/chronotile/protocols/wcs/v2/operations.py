"""The operations of WCS 2.0.1 (OGC 09-110r4)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.coverage import Coverage, ScaleSize
from chronotile.core.model.request import IsActive
from chronotile.http.endpoint import offer_job
from chronotile.http.respond import respond_with_document
from chronotile.http.run import COVERAGES, base_url, run, services_of
from chronotile.pipeline.coverage.deliver import (
    COVERAGE_FORMATS,
    CoverageDelivery,
    CoverageFormat,
    check_values,
    deliver_coverage,
)
from chronotile.pipeline.encoders.coverage import gml
from chronotile.pipeline.encoders.file_parts import Body, SizedBody, Whole
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import requested_language, update_sequence
from chronotile.protocols.common.capabilities.sections import named_sections, needs_sections
from chronotile.protocols.common.coverage_files import export_offer, file_conditions, respond_with_file
from chronotile.protocols.common.query.axes import query_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.wcs.coverages import coverage_of
from chronotile.protocols.wcs.faults import fault_2, refusal
from chronotile.protocols.wcs.v2.documents import MEDIA_TYPE, SECTIONS, capabilities, descriptions
from chronotile.protocols.wcs.v2.params import GML_TYPE, OF_COVERAGE, GetCoverage, requested_coverage
from chronotile.protocols.wcs.v2.xml_requests import pairs_of_xml
from chronotile.protocols.wcs.version import Pairs, Version

PATH = "/wcs"
MAX_IDS = 1000
NUMBERED_SUBSET = re.compile(r"subset\d{1,2}", re.ASCII | re.IGNORECASE)
"""How GDAL's driver calls those of axes beside the two that it draws."""
SMALLER = "request a smaller part, or image/tiff or application/netcdf"


async def answer(request: Request, pairs: Pairs) -> Response:
    """Return what REQUEST requests."""
    query = query_of(("subset" if NUMBERED_SUBSET.fullmatch(name) else name, value) for name, value in pairs)
    operation = query.required("REQUEST", accepted=", ".join(OPERATIONS))
    handler = OPERATIONS.get(operation.lower())
    if handler is None:
        accepted = "GetCapabilities, DescribeCoverage or GetCoverage"
        raise InvalidParameter(f"REQUEST is {accepted}, got {operation[:MAX_SHOWN]!r}", locator="request")
    return await handler(request, query)


async def get_capabilities(request: Request, query: Kvp) -> Response:
    """Return the capabilities, whole or in sections."""
    services, given = services_of(request), query.optional("SECTIONS")
    sections = frozenset(SECTIONS) if given is None else named_sections(given, SECTIONS)
    if not needs_sections(query.optional("UPDATESEQUENCE"), update_sequence(services)):
        sections = frozenset()
    language, base = requested_language(query, services.catalogue.service.languages), base_url(request)
    make = partial(capabilities, services, base, language, sections, path=PATH)
    key = ("WCS 2.0.1", base, language, sections)
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPE)


async def describe_coverage(request: Request, query: Kvp) -> Response:
    """Return the descriptions of the coverages of a list of ids."""
    services = services_of(request)
    names = tuple(dict.fromkeys(name.strip() for name in (query.optional("COVERAGEID") or "").split(",")))
    if names == ("",):
        raise refusal("emptyCoverageIdList", "COVERAGEID is missing or empty", locator="coverageId")
    if len(names) > MAX_IDS:
        message = f"COVERAGEID has {len(names)} ids; at most {MAX_IDS} are described at once"
        raise InvalidParameter(message, locator="coverageId")
    coverages = [coverage_of(services.catalogue, name) for name in names]
    make, key = partial(descriptions, coverages, services), ("WCS 2.0.1", names)
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPE)


async def get_coverage(request: Request, query: Kvp) -> Response:
    """Return a coverage, or a part of it, as a file or in parts."""
    services = services_of(request)
    wanted = requested_coverage(query, services.catalogue)
    offer_job(request, lambda: export_offer(wanted.request, wanted.format, services.catalogue))
    conditions = file_conditions(request)

    def work(is_active: IsActive) -> CoverageDelivery:
        sized = _sized(wanted, services)
        name, formats = _formats(sized)
        return deliver_coverage(
            sized.request, name, services, formats=formats, conditions=conditions, is_active=is_active
        )

    delivery = await run(request, COVERAGES, work, layers=[wanted.request.layers[0]])
    media_type = gml.MULTIPART if wanted.is_multipart else wanted.media_type
    response = respond_with_file(replace(delivery, media_type=media_type))
    for warning in query.slip_warnings(OF_COVERAGE):
        response.headers.append("Warning", warning)
    return response


def _sized(wanted: GetCoverage, services: Services) -> GetCoverage:
    """The same with a size of both axes, where one is requested: an axis that is not named keeps its own."""
    scale = wanted.request.scale
    if not isinstance(scale, ScaleSize) or (scale.width and scale.height):
        return wanted
    grid = wanted.coverage.grid(services, replace(wanted.request, scale=None))
    size = replace(scale, width=scale.width or grid.width, height=scale.height or grid.height)
    return replace(wanted, request=replace(wanted.request, scale=size))


def _formats(wanted: GetCoverage) -> tuple[str, Mapping[str, CoverageFormat]]:
    """The name of a format, which is part of ETags, and the formats that have it."""
    name, id_ = wanted.format, wanted.coverage.id
    if wanted.media_type != GML_TYPE and not wanted.is_multipart:
        return name, COVERAGE_FORMATS

    def encode_gml(coverage: Coverage, is_active: IsActive) -> Body:
        return Whole(gml.encode_coverage_gml(coverage, _domain(coverage, wanted), id_, is_active=is_active))

    key = " ".join([name, id_, *sorted(wanted.sliced)])
    if wanted.media_type == GML_TYPE:
        return key, {key: CoverageFormat(GML_TYPE, "gml", encode_gml, partial(check_values, alternative=SMALLER))}
    file = COVERAGE_FORMATS[name]

    def encode_parts(coverage: Coverage, is_active: IsActive) -> Body:
        body = file.encode(coverage, is_active)
        assert isinstance(body, SizedBody)  # noqa: S101 -- none of `FORMATS` is streamed
        return gml.gml_with_file(coverage, _domain(coverage, wanted), id_, body, media_type=wanted.media_type)

    return f"parts {key}", {f"parts {key}": CoverageFormat(gml.MULTIPART, "mime", encode_parts, file.check)}


def _domain(coverage: Coverage, wanted: GetCoverage) -> gml.Domain:
    is_one = len(coverage.times) == 1  # a slice of time may select several, as everywhere
    sliced = wanted.sliced if is_one else wanted.sliced - {"time"}
    return gml.domain_of(coverage.grid, coverage.times.instants, sliced=sliced)


OPERATIONS = {
    "getcapabilities": get_capabilities,
    "describecoverage": describe_coverage,
    "getcoverage": get_coverage,
}

WCS_2 = Version(
    numbers=("2.0.1",),
    namespace="http://www.opengis.net/wcs/2.0",
    answer=answer,
    pairs_of_xml=pairs_of_xml,
    fault=fault_2,
)
