"""WCS 1.0.0 (OGC 03-065r6): x before y in every CRS, size or resolution of the grid, service exceptions."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.space.boxes import box_in
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.selection import DEFAULT
from chronotile.http.request_log import FAULT_STATUS
from chronotile.http.request_services import services_of
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.update_sequence import check_update_sequence
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, box, keyword, number, times, whole
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import coverage_of
from chronotile.protocols.wcs.faults import message_of
from chronotile.protocols.wcs.v1.requests import FORMAT, MAX_STEPS, TEMPLATES, interpolation
from chronotile.protocols.wcs.version import GetCoverage, WcsVersion

EXCEPTION = f"{TEMPLATES}/exception_1_2_0.xml"
PARTS = ("Service", "Capability", "ContentMetadata")
SECTIONS = {"/": frozenset(PARTS), **{f"/WCS_Capabilities/{part}": frozenset({part}) for part in PARTS}}
SECTION = keyword("SECTION", "The part of the capabilities", SECTIONS, default=SECTIONS["/"])
BBOX = box("BBOX", "Edges of the outermost cells, x before y")
TIME = times("TIME", "Instants and intervals; default: the newest time")
WIDTH, HEIGHT = (whole(name, "Cells along a side", least=1) for name in ("WIDTH", "HEIGHT"))
RESX, RESY = (number(name, "Instead of that, the side of a cell", above=0) for name in ("RESX", "RESY"))
INTERPOLATION = interpolation("INTERPOLATION")


def _sections(query: Kvp, sequence: str | None) -> frozenset[str]:
    check_update_sequence(query, sequence)
    return SECTION.value(query)


def parse_get_coverage(query: Kvp, services: Services) -> GetCoverage:
    """Return the coverage request of a GetCoverage (§9.2.2).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    coverage = coverage_of(services, query.require("COVERAGE"))
    layer, name = coverage.layer, query.require("CRS")
    crs = named_crs(name, layer, services.catalogue)
    target = named_crs(query.optional("RESPONSE_CRS") or name, layer, services.catalogue, locator="RESPONSE_CRS")
    bbox, time = BBOX.optional(query), TIME.optional(query)
    if bbox is None and time is None:
        raise errors.MissingParameter("give BBOX, TIME or both", locator=BBOX.name)
    described = coverage.grid.bbox if crs == coverage.crs else layer.main_variable.grid.bbox_in(crs)
    edges = box_in(bbox or described, crs, target)
    width = _count(query, edges.xmax - edges.xmin, WIDTH, RESX)
    height = _count(query, edges.ymax - edges.ymin, HEIGHT, RESY)
    cells = Grid(crs=target, bbox=edges, width=width, height=height)
    layers, format_ = tuple(field.id for field in coverage.layers.values()), FORMAT.value(query)
    request = CoverageRequest(
        layers=layers, time=time or DEFAULT, resampling=INTERPOLATION.optional(query), cells=cells
    )
    return GetCoverage(request, format_, {format_: COVERAGE_FORMATS[format_]})


def _count(query: Kvp, length: float, count: Parameter[int], step: Parameter[float]) -> int:
    """Return the number of cells along an axis: the requested number, or the length divided by the resolution."""
    size = step.optional(query)
    if size is None:
        return count.value(query)
    if count.optional(query) is not None:
        raise errors.InvalidParameter(f"{count.name} and {step.name} each set the cells; give one", locator=step.name)
    return max(1, round(min(length / size, MAX_STEPS)))


SPELLING = {
    **dict.fromkeys(("layer", "collectionId", "coverageId"), "COVERAGE"),
    "datetime": "TIME",
    "f": "FORMAT",
}
"""Names of parameters in WCS 1.0.0 by the core's names; names that differ only by case are not listed."""
CODES = {"InvalidFormat", "MissingParameterValue", "CurrentUpdateSequence", "InvalidUpdateSequence"}
"""Codes of the standard and the core; all other client errors are `InvalidParameterValue`."""


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the service exception (§6.5, Annex A.3), with the HTTP status configured for WMS exceptions."""
    is_of_server = error.status >= 500 and error.code != "OperationNotSupported"
    code = error.code if error.code in CODES else None if is_of_server else "InvalidParameterValue"
    if isinstance(error, errors.UnknownCollection | errors.UnknownLayer):
        code = "CoverageNotDefined"
    locator = error.locator and SPELLING.get(error.locator, error.locator.upper())
    body = render_xml(EXCEPTION, code=code, locator=locator, message=message_of(error, request))
    request.scope[FAULT_STATUS] = error.status
    is_of_http = error.status in {413, 414, 415} or is_of_server
    status = error.status if is_of_http else services_of(request).catalogue.service.wms_exception_status
    return Response(body, status, {"Cache-Control": "no-store"}, "application/vnd.ogc.se_xml")


WCS_1_0 = WcsVersion(
    numbers=("1.0.0",),
    namespace="http://www.opengis.net/wcs",
    templates=TEMPLATES,
    ids="COVERAGE",
    sections=_sections,
    parse=parse_get_coverage,
    fault=fault,
)
