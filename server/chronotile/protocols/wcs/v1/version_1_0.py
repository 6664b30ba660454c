"""WCS 1.0.0 (OGC 03-065r6): x before y in whatever CRS, one size or resolution, service exceptions."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core import errors
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import Grid, box_in
from chronotile.core.model.time.instants import DEFAULT
from chronotile.http.run import FAULT_STATUS, services_of
from chronotile.protocols.common.capabilities.layer_entries import check_update_sequence, update_sequence
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.common.query.parameter import Parameter, box, custom, keyword, number, text, whole
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of
from chronotile.protocols.wcs.faults import message_of
from chronotile.protocols.wcs.v1.answers import (
    OPERATION,
    refuse_xml,
    respond_with_capabilities,
    respond_with_coverage,
    respond_with_descriptions,
)
from chronotile.protocols.wcs.v1.requests import MOST_STEPS, Parsed, format_parameter, method_named, time_parameter
from chronotile.protocols.wcs.version import Pairs, Version

TEMPLATES = "wcs/v1/templates"
SECTIONS = {
    "/": "",
    **{f"/WCS_Capabilities/{name}": name for name in ("Service", "Capability", "ContentMetadata")},
}
SECTION = keyword("SECTION", "The part of the capabilities", SECTIONS, default="")
COVERAGE = text("COVERAGE", "The coverage")
CRS = text("CRS", "Of BBOX: EPSG:4326")
RESPONSE_CRS = text("RESPONSE_CRS", "Of the answer; default: CRS")
BBOX = box("BBOX", "Edges of the outermost cells, x before y")
TIME = time_parameter("TIME")
WIDTH = whole("WIDTH", "Columns of the answer", least=1)
HEIGHT = whole("HEIGHT", "Rows of the answer", least=1)
RESX = number("RESX", "Width of a cell, instead of WIDTH", above=0)
RESY = number("RESY", "Height of a cell, instead of HEIGHT", above=0)
FORMATS = {"GeoTIFF": "GTiff", "NetCDF": "NetCDF"}
FORMAT = format_parameter(FORMATS)
INTERPOLATION = custom(
    "INTERPOLATION",
    "How cells that are not native ones are made",
    lambda given: method_named(given, locator="INTERPOLATION"),
    schema=enum_of(("nearest neighbor", "bilinear")),
)


def parse_coverage(query: Kvp, catalogue: Catalogue) -> Parsed:
    """Return what GetCoverage requests (§9.2.2).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    coverage = coverage_of(catalogue, COVERAGE.of(query))
    crs = catalogue.offered_crs(CRS.of(query), coverage.layer)
    given = BBOX.given(query)
    if given is None and TIME.given(query) is None:
        raise errors.MissingParameter("give BBOX, TIME or both", locator=BBOX.name)
    edges = coverage.layer.main_variable.grid.bbox_in(crs) if given is None else given
    target = _response_crs(query, coverage, catalogue) or crs
    edges = box_in(edges, crs, target)
    return Parsed(
        request=CoverageRequest(
            layers=tuple(layer.id for layer in coverage.fields.values()),
            time=TIME.given(query) or DEFAULT,
            resampling=INTERPOLATION.given(query),
            cells=Grid(
                crs=target,
                bbox=edges,
                width=_count(query, edges.xmax - edges.xmin, WIDTH, RESX),
                height=_count(query, edges.ymax - edges.ymin, HEIGHT, RESY),
            ),
        ),
        format=FORMAT.of(query),
    )


def _response_crs(query: Kvp, coverage: WcsCoverage, catalogue: Catalogue) -> Crs | None:
    name = RESPONSE_CRS.given(query)
    try:
        return None if name is None else catalogue.offered_crs(name, coverage.layer)
    except errors.UnsupportedCrs as error:
        raise errors.UnsupportedCrs(error.message, locator=RESPONSE_CRS.name) from error


def _count(query: Kvp, length: float, count: Parameter[int], step: Parameter[float]) -> int:
    """Cells along an axis: as many as requested, or those of about a requested size that fill it."""
    size = step.given(query)
    if size is None:
        return count.of(query)
    if count.given(query) is not None:
        raise errors.InvalidParameter(f"{count.name} and {step.name} each set the cells; give one", locator=step.name)
    return max(1, round(min(length / size, MOST_STEPS)))


async def answer(request: Request, pairs: Pairs) -> Response:
    """Return what REQUEST requests."""
    query, services = last_of_each(pairs), services_of(request)
    match OPERATION.of(query):
        case "GetCapabilities":
            sequence = update_sequence(services)
            check_update_sequence(query, sequence)
            template, section = f"{TEMPLATES}/capabilities_1_0_0.xml", SECTION.of(query)
            return await respond_with_capabilities(request, query, template, update_sequence=sequence, section=section)
        case "DescribeCoverage":
            template, formats = f"{TEMPLATES}/descriptions_1_0_0.xml", tuple(FORMATS)
            return await respond_with_descriptions(request, query, template, parameter=COVERAGE.name, formats=formats)
        case "GetCoverage":
            return await respond_with_coverage(request, parse_coverage(query, services.catalogue))


SPELLING = {
    **dict.fromkeys(("layer", "collectionId", "coverageId"), COVERAGE.name),
    "datetime": TIME.name,
    "f": FORMAT.name,
}
"""The core's names of parameters as WCS 1.0.0 spells them, where they are not the same."""


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the service exception (§6.5, Annex A.3), with the status that those of WMS have."""
    match error:
        case errors.UnknownCollection() | errors.UnknownLayer():
            code: str | None = "CoverageNotDefined"
        case errors.UnsupportedFormat():
            code = "InvalidFormat"
        case errors.MissingParameter() | errors.CurrentUpdateSequence() | errors.InvalidUpdateSequence():
            code = error.code
        case _:
            code = "InvalidParameterValue" if error.status < 500 else None
    locator = error.locator and SPELLING.get(error.locator, error.locator.upper())
    body = render_xml(
        f"{TEMPLATES}/exception_1_2_0.xml", code=code, locator=locator, message=message_of(error, request)
    )
    request.scope[FAULT_STATUS] = error.status
    is_of_http = error.status in {413, 414, 415} or error.status >= 500
    status = error.status if is_of_http else services_of(request).catalogue.service.wms_exception_status
    headers = {"Cache-Control": "no-store"}
    return Response(body, status_code=status, media_type="application/vnd.ogc.se_xml", headers=headers)


WCS_1_0 = Version(
    numbers=("1.0.0",),
    namespace="http://www.opengis.net/wcs",
    answer=answer,
    pairs_of_xml=refuse_xml,
    fault=fault,
)
