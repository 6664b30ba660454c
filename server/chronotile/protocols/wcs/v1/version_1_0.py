"""WCS 1.0.0 (OGC 03-065r6): x before y in whatever CRS, one size or resolution, service exceptions."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.grid import Grid, box_in
from chronotile.http.run import FAULT_STATUS, services_of
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import check_update_sequence
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, box, keyword, number, times, whole
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import coverage_of
from chronotile.protocols.wcs.faults import message_of
from chronotile.protocols.wcs.v1.answers import Dialect, answer, refuse_xml
from chronotile.protocols.wcs.v1.requests import MOST_STEPS, method_named, request_of
from chronotile.protocols.wcs.version import Version

EXCEPTION = "wcs/v1/templates/exception_1_2_0.xml"
PARTS = ("Service", "Capability", "ContentMetadata")
SECTIONS = {"/": frozenset(PARTS), **{f"/WCS_Capabilities/{part}": frozenset({part}) for part in PARTS}}
SECTION = keyword("SECTION", "The part of the capabilities", SECTIONS, default=SECTIONS["/"])
BBOX = box("BBOX", "Edges of the outermost cells, x before y")
TIME = times("TIME", "Instants and intervals; default: the newest time")
WIDTH, HEIGHT = (whole(name, "Cells along a side", least=1) for name in ("WIDTH", "HEIGHT"))
RESX, RESY = (number(name, "Instead of that, the side of a cell", above=0) for name in ("RESX", "RESY"))


def _sections(query: Kvp, sequence: str | None) -> frozenset[str]:
    check_update_sequence(query, sequence)
    return SECTION.of(query)


def coverage_request(query: Kvp, services: Services) -> CoverageRequest:
    """Return what GetCoverage requests (§9.2.2).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    coverage = coverage_of(services.catalogue, query.required("COVERAGE"))
    name = query.required("CRS")
    crs = named_crs(name, coverage.layer, services.catalogue)
    target = named_crs(
        query.optional("RESPONSE_CRS") or name, coverage.layer, services.catalogue, locator="RESPONSE_CRS"
    )
    given, time = BBOX.given(query), TIME.given(query)
    if given is None and time is None:
        raise errors.MissingParameter("give BBOX, TIME or both", locator=BBOX.name)
    edges = box_in(given or coverage.layer.main_variable.grid.bbox_in(crs), crs, target)
    width = _count(query, edges.xmax - edges.xmin, WIDTH, RESX)
    height = _count(query, edges.ymax - edges.ymin, HEIGHT, RESY)
    method = method_named(query.optional("INTERPOLATION"), locator="INTERPOLATION")
    cells = Grid(crs=target, bbox=edges, width=width, height=height)
    return request_of(coverage.fields.values(), time, method, cells)


def _count(query: Kvp, length: float, count: Parameter[int], step: Parameter[float]) -> int:
    """Cells along an axis: as many as requested, or those of about a requested size that fill it."""
    size = step.given(query)
    if size is None:
        return count.of(query)
    if count.given(query) is not None:
        raise errors.InvalidParameter(f"{count.name} and {step.name} each set the cells; give one", locator=step.name)
    return max(1, round(min(length / size, MOST_STEPS)))


SPELLING = {
    **dict.fromkeys(("layer", "collectionId", "coverageId"), "COVERAGE"),
    "datetime": "TIME",
    "f": "FORMAT",
}
"""The core's names of parameters as WCS 1.0.0 spells them, where not only by case."""
CODES = {"InvalidFormat", "MissingParameterValue", "CurrentUpdateSequence", "InvalidUpdateSequence"}
"""Of the standard and the core; all other faults of clients are of values."""


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the service exception (§6.5, Annex A.3), with the status that those of WMS have."""
    code = error.code if error.code in CODES else "InvalidParameterValue" if error.status < 500 else None
    if isinstance(error, errors.UnknownCollection | errors.UnknownLayer):
        code = "CoverageNotDefined"
    locator = error.locator and SPELLING.get(error.locator, error.locator.upper())
    body = render_xml(EXCEPTION, code=code, locator=locator, message=message_of(error, request))
    request.scope[FAULT_STATUS] = error.status
    is_of_http = error.status in {413, 414, 415} or error.status >= 500
    status = error.status if is_of_http else services_of(request).catalogue.service.wms_exception_status
    return Response(body, status, {"Cache-Control": "no-store"}, "application/vnd.ogc.se_xml")


DIALECT = Dialect(
    name="1_0_0",
    ids="COVERAGE",
    sections=_sections,
    parse=coverage_request,
    formats=lambda name: {name: COVERAGE_FORMATS[name]},
)
WCS_1_0 = Version(
    numbers=("1.0.0",),
    namespace="http://www.opengis.net/wcs",
    answer=partial(answer, DIALECT),
    pairs_of_xml=refuse_xml,
    fault=fault,
)
