"""WCS 1.1.1 (OGC 07-067r5): axes in the order of their CRS, grids by origin and offsets, answers in two parts."""

import re
from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.core.model.collection import Layer, Resampling
from chronotile.core.model.coverage import Coverage, CoverageRequest
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, box_in
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.selection import DEFAULT
from chronotile.http.request_log import FAULT_STATUS
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.sections import requested_sections
from chronotile.protocols.common.ows import exception_report
from chronotile.protocols.common.query.crs import as_xy, in_axis_order, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import keyword, times
from chronotile.protocols.common.query.values import numbers
from chronotile.protocols.common.xml import render_xml
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of
from chronotile.protocols.wcs.documents import multipart_format
from chronotile.protocols.wcs.faults import message_of
from chronotile.protocols.wcs.v1.requests import FORMAT, TEMPLATES, interpolation, lattice_cells
from chronotile.protocols.wcs.version import GetCoverage, WcsVersion

SECTIONS = ("ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents")
BOX, OFFSETS, FIELDS = "BOUNDINGBOX", "GRIDOFFSETS", "RANGESUBSET"
TIMES = times("TIMESEQUENCE", "Instants and intervals; default: the newest time")
STORE = keyword("STORE", "Whether files are stored: they are not", {"false": False}, default=False)
METHOD = interpolation(FIELDS)
MANIFEST = f"{TEMPLATES}/coverages_1_1_1.xml"
GRID_TYPES = {"2dsimplegrid": 2, "2dgridin2dcrs": 4}
"""Number of GRIDOFFSETS by the end of the grid type's URN."""
_FIELD = re.compile(r"(?P<name>[^:\[\]]+)(:(?P<method>[^\[\]]+))?")


def parse_get_coverage(query: Kvp, services: Services) -> GetCoverage:
    """Return the coverage request of a GetCoverage (§10.2).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    coverage = coverage_of(services, query.require("IDENTIFIER"))
    STORE.value(query)
    layers, method = _fields(query, coverage)
    request = CoverageRequest(
        layers=tuple(layer.id for layer in layers),
        time=TIMES.optional(query) or DEFAULT,
        resampling=method,
        cells=_cells(query, coverage),
    )
    name = FORMAT.value(query)
    file = COVERAGE_FORMATS[name]

    def manifest(_coverage: Coverage, file_name: str) -> bytes:
        return render_xml(MANIFEST, file_name=file_name, media_type=file.media_type)

    return GetCoverage(request, name, {f"manifest {name}": multipart_format(file, "text/xml", manifest)})


def _cells(query: Kvp, coverage: WcsCoverage) -> Grid:
    """Return the cells whose centres are inside the box: cells of the requested grid, by default the native one."""
    layer, catalogue = coverage.layer, coverage.services.catalogue
    corners, _comma, last = query.require(BOX).rpartition(",")
    is_named = corners.count(",") == 3
    crs = named_crs(last.strip() if is_named else "CRS84", layer, catalogue, locator=BOX)
    edges = BBox(*numbers(corners if is_named else f"{corners},{last}", 4, locator=BOX))
    if edges.xmin > edges.xmax or edges.ymin > edges.ymax:
        raise errors.InvalidParameter(f"{BOX} has an upper corner below its lower corner", locator=BOX)
    name = query.optional("GRIDBASECRS")
    base = coverage.crs if name is None else named_crs(name, layer, catalogue, locator="GRIDBASECRS")
    box = box_in(as_xy(edges, crs), crs, base)
    if OFFSETS in query:
        origin = numbers(query.optional("GRIDORIGIN") or "0,0", 2, locator="GRIDORIGIN")
        turned = (in_axis_order(pair, base) for pair in (origin, _steps(query)))  # swapping is its own inverse
        return lattice_cells(box, base, *turned)
    if base != coverage.crs:
        raise errors.MissingParameter(f"{OFFSETS} are missing: GRIDBASECRS is not the native CRS", locator=OFFSETS)
    whole = coverage.grid
    return lattice_cells(_clip_to_grid(box, whole), base, (whole.x_of(0.5), whole.y_of(0.5)), whole.resolution)


def _clip_to_grid(box: BBox, whole: Grid) -> BBox:
    """Return the part of a box that a grid covers.

    Longitudes may be shifted by a turn of 360°. If the box then meets the grid twice, its longitudes are kept.
    """
    turns = (-WHOLE_CIRCLE, 0, WHOLE_CIRCLE) if whole.crs.is_geographic else (0,)
    moved = [box._replace(xmin=box.xmin + turn, xmax=box.xmax + turn).common(whole.bbox) for turn in turns]
    parts = [part for part in moved if part.xmin < part.xmax]
    inner = box.common(whole.bbox)
    return parts[0] if len(parts) == 1 else inner._replace(xmin=box.xmin, xmax=box.xmax) if parts else inner


def _steps(query: Kvp) -> tuple[float, float]:
    """Return distances of cells along the axes (§7.6.4): two offsets, or two vectors along the axes in either order.

    Signs and order of vectors are ignored: files are always north-up.
    """
    kind = (query.optional("GRIDTYPE") or "2dSimpleGrid").rpartition(":")[2].lower()
    offsets = numbers(query.require(OFFSETS), GRID_TYPES.get(kind, 4), locator=OFFSETS)
    if len(offsets) == 4:
        diagonal, other = offsets[::3], offsets[2:0:-1]
        offsets = diagonal if other == (0, 0) else other if diagonal == (0, 0) else (0.0, 0.0)
    first, second = map(abs, offsets)
    if kind not in GRID_TYPES or not (first and second):
        accepted = "GRIDTYPE is 2dSimpleGrid with two GRIDOFFSETS, or 2dGridIn2dCrs with four, of which two are not 0"
        raise errors.InvalidParameter(f"grids are upright: {accepted}", locator=OFFSETS)
    return first, second


def _fields(query: Kvp, coverage: WcsCoverage) -> tuple[Sequence[Layer], Resampling | None]:
    """Return the layers of the requested fields, by default all, and the first requested interpolation method."""
    offered, layers, methods = coverage.layers, list[Layer](), list[Resampling]()
    for entry in (query.optional(FIELDS) or ";".join(offered)).split(";"):
        match = _FIELD.fullmatch(entry.strip())
        if match is None or match["name"] not in offered:
            accepted = f"{', '.join(offered)}, each with `:` and a method if any"
            message = f"{FIELDS} is, separated by semicolons, of {accepted}; got {entry[: errors.MAX_SHOWN]!r}"
            raise errors.InvalidParameter(message, locator=FIELDS)
        layers.append(offered[match["name"]])
        methods += [METHOD.parse(match["method"])] if match["method"] else []
    return layers, next(iter(methods), None)


SPELLING = {
    **dict.fromkeys(("layer", "collectionId", "coverageId"), "IDENTIFIER"),
    "time": TIMES.name,
    "datetime": TIMES.name,
    "interpolation": FIELDS,
    **dict.fromkeys(("bbox", "CRS"), BOX),
    "width": OFFSETS,
    "f": "FORMAT",
}
"""Names of parameters in WCS 1.1 by the core's names."""
CODES = {"MissingParameterValue", "VersionNegotiationFailed", "InvalidUpdateSequence", "OperationNotSupported"}
"""Codes of OWS Common 1.1; all other client errors are `InvalidParameterValue`."""


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the exception report (OWS Common 1.1, OGC 06-121r3 §8)."""
    status = 400 if error.status == 404 else error.status  # OWSLib shows only the text of status 400
    request.scope[FAULT_STATUS] = status
    other = "InvalidParameterValue" if status < 500 else "NoApplicableCode"
    locator = error.locator and SPELLING.get(error.locator, error.locator.upper())
    code = error.code if error.code in CODES else other
    message = message_of(error, request)
    return exception_report(message, code=code, locator=locator, status=status, common="1.1", version="1.1.0")


WCS_1_1 = WcsVersion(
    numbers=("1.1.1", "1.1.0", "1.1.2"),
    namespace="http://www.opengis.net/wcs/1.1.1",
    templates=TEMPLATES,
    ids="IDENTIFIERS",
    without_ids="MissingParameterValue",
    sections=partial(requested_sections, offered=SECTIONS),
    parse=parse_get_coverage,
    fault=fault,
)
