"""WCS 1.1.1 (OGC 07-067r5): axes in the order of their CRS, grids by origin and offsets, answers in two parts."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core import errors
from chronotile.core.model.collection import Layer, Resampling
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.crs import CRS84, Crs, is_north_first
from chronotile.core.model.grid import BBox, Grid, box_in
from chronotile.core.model.time.instants import DEFAULT
from chronotile.http.run import FAULT_STATUS, services_of
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import update_sequence
from chronotile.protocols.common.capabilities.sections import named_sections, needs_sections
from chronotile.protocols.common.ows import exception_report
from chronotile.protocols.common.query.kvp import Kvp, last_of_each, numbers
from chronotile.protocols.common.query.parameter import custom, text, truth
from chronotile.protocols.common.query.place import as_xy
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of
from chronotile.protocols.wcs.faults import message_of
from chronotile.protocols.wcs.v1.answers import (
    OPERATION,
    refuse_xml,
    respond_with_capabilities,
    respond_with_coverage,
    respond_with_descriptions,
)
from chronotile.protocols.wcs.v1.multipart import formats_in_parts
from chronotile.protocols.wcs.v1.requests import Parsed, format_parameter, lattice_cells, method_named, time_parameter
from chronotile.protocols.wcs.version import Pairs, Version

TEMPLATES = "wcs/v1/templates"
FORMATS = {"image/tiff": "GTiff", "application/x-netcdf": "NetCDF"}
SECTIONS = ("ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents")
IDENTIFIER = text("IDENTIFIER", "The coverage")
BOUNDING_BOX = text("BOUNDINGBOX", "Centres of the outermost cells in the axis order of the CRS, which is last")
TIME_SEQUENCE = time_parameter("TIMESEQUENCE")
RANGE_SUBSET = text("RANGESUBSET", "Fields, each with a method of interpolation: `NDVI:nearest;SCL`")
FORMAT = format_parameter(FORMATS)
STORE = truth("STORE", "Whether the file stays on the server, which is not offered")
GRID_BASE_CRS = text("GRIDBASECRS", "Of the answer; default: the native CRS")
GRID_TYPES = {"2dsimplegrid": 2, "2dgridin2dcrs": 4}
"""How many offsets each has, by the end of its URN."""
GRID_TYPE = custom("GRIDTYPE", "2dSimpleGrid or 2dGridIn2dCrs", str, default="2dSimpleGrid")
GRID_ORIGIN = custom("GRIDORIGIN", "Any centre of a cell, in the axis order of GRIDBASECRS", str, default="0,0")
GRID_OFFSETS = text("GRIDOFFSETS", "Distances of cells along the axes; default: the native ones")
_FIELD = re.compile(r"(?P<name>[^:\[\]]+)(:(?P<method>[^\[\]]+))?")


def parse_coverage(query: Kvp, services: Services) -> Parsed:
    """Return what GetCoverage requests (§9.2.2.1).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    coverage = coverage_of(services.catalogue, IDENTIFIER.of(query))
    if STORE.of(query):
        raise errors.InvalidParameter("files are not stored: STORE is false", locator=STORE.name)
    layers, method = _range(query, coverage)
    return Parsed(
        request=CoverageRequest(
            layers=tuple(layer.id for layer in layers),
            time=TIME_SEQUENCE.given(query) or DEFAULT,
            resampling=method,
            cells=_cells(query, coverage, services),
        ),
        format=FORMAT.of(query),
    )


def _bounding_box(query: Kvp, layer: Layer, catalogue: Catalogue) -> tuple[BBox, Crs]:
    """The box, x first, and its CRS: CRS84 where none is named."""
    parts = BOUNDING_BOX.of(query).split(",")
    crs = CRS84 if len(parts) < 5 else _named_crs(parts[4].strip(), layer, catalogue, locator=BOUNDING_BOX.name)
    edges = BBox(*numbers(",".join(parts[:4]), 4, locator=BOUNDING_BOX.name))
    if edges.xmin > edges.xmax or edges.ymin > edges.ymax or len(parts) > 5:
        raise errors.InvalidParameter(
            "BOUNDINGBOX is a lower corner, an upper corner and a CRS, separated by commas", locator=BOUNDING_BOX.name
        )
    return as_xy(edges, crs), crs


def _named_crs(name: str, layer: Layer, catalogue: Catalogue, *, locator: str) -> Crs:
    try:
        return catalogue.offered_crs(name, layer)
    except errors.UnsupportedCrs as error:
        raise errors.UnsupportedCrs(error.message, locator=locator) from error


def _cells(query: Kvp, coverage: WcsCoverage, services: Services) -> Grid:
    """The cells of the grid that is requested whose centres lie in the box; of the native one where none is."""
    box, crs = _bounding_box(query, coverage.layer, services.catalogue)
    name = GRID_BASE_CRS.given(query)
    base = (
        coverage.crs
        if name is None
        else _named_crs(name, coverage.layer, services.catalogue, locator=GRID_BASE_CRS.name)
    )
    within = box_in(box, crs, base)
    if GRID_OFFSETS.name in query:
        return lattice_cells(within, base, origin=_origin(query, base), steps=_steps(query, base))
    if base != coverage.crs:
        raise errors.MissingParameter(
            "GRIDOFFSETS are missing, as GRIDBASECRS is not the native CRS", locator=GRID_OFFSETS.name
        )
    whole = coverage.grid(services)
    centre = (whole.x_of(0.5), whole.y_of(0.5))
    return lattice_cells(within.common(whole.bbox), base, origin=centre, steps=whole.resolution)


def _origin(query: Kvp, base: Crs) -> tuple[float, float]:
    first, second = numbers(GRID_ORIGIN.of(query), 2, locator=GRID_ORIGIN.name)
    return (second, first) if is_north_first(base) else (first, second)


def _steps(query: Kvp, base: Crs) -> tuple[float, float]:
    """Distances of cells along x and y (§7.6.4): of two offsets, or of two vectors along the axes, either way round.

    Files are north-up whatever the signs and the order of vectors say.
    """
    given = GRID_OFFSETS.of(query)
    kind = GRID_TYPE.of(query).rpartition(":")[2].lower()
    offsets = numbers(given, GRID_TYPES.get(kind, 4), locator=GRID_OFFSETS.name)
    if len(offsets) == 4:
        diagonal, other = offsets[::3], offsets[2:0:-1]
        offsets = diagonal if other == (0, 0) else other if diagonal == (0, 0) else (0.0, 0.0)
    first, second = map(abs, offsets)
    if kind not in GRID_TYPES or not (first and second):
        raise errors.InvalidParameter(
            "grids are upright: GRIDTYPE is 2dSimpleGrid with two GRIDOFFSETS, or 2dGridIn2dCrs with four, and two "
            "of them are not 0",
            locator=GRID_OFFSETS.name,
        )
    return (second, first) if is_north_first(base) else (first, second)


def _range(query: Kvp, coverage: WcsCoverage) -> tuple[Sequence[Layer], Resampling | None]:
    """Layers of the fields that are requested, else of all, and the first method of interpolation that is."""
    text, layers, methods = RANGE_SUBSET.given(query), list[Layer](), list[Resampling]()
    if text is None:
        return tuple(coverage.fields.values()), None
    for each in text.split(";"):
        found = _FIELD.fullmatch(each.strip())
        if found is None or found["name"] not in coverage.fields:
            accepted = ", ".join(coverage.fields)
            message = (
                f"RANGESUBSET is fields, separated by semicolons, of {accepted}, each with `:` and a method if any"
            )
            raise errors.InvalidParameter(f"{message}; got {each[: errors.MAX_SHOWN]!r}", locator=RANGE_SUBSET.name)
        layers.append(coverage.fields[found["name"]])
        if found["method"] is not None:
            methods.append(method_named(found["method"], locator=RANGE_SUBSET.name))
    return layers, next(iter(methods), None)


async def answer(request: Request, pairs: Pairs) -> Response:
    """Return what REQUEST requests."""
    query, services = last_of_each(pairs), services_of(request)
    match OPERATION.of(query):
        case "GetCapabilities":
            sequence, given = update_sequence(services), query.optional("SECTIONS") or "All"
            is_needed = needs_sections(query.optional("UPDATESEQUENCE"), sequence)
            return await respond_with_capabilities(
                request,
                query,
                f"{TEMPLATES}/capabilities_1_1_1.xml",
                update_sequence=sequence,
                formats=tuple(FORMATS),
                sections=named_sections(given, SECTIONS) if is_needed else frozenset(),
            )
        case "DescribeCoverage":
            template, formats = f"{TEMPLATES}/descriptions_1_1_1.xml", tuple(FORMATS)
            return await respond_with_descriptions(request, query, template, parameter="IDENTIFIERS", formats=formats)
        case "GetCoverage":
            parsed = parse_coverage(query, services)
            return await respond_with_coverage(request, parsed, formats_in_parts(parsed.format))


SPELLING = {
    **dict.fromkeys(("layer", "collectionId", "coverageId"), IDENTIFIER.name),
    **dict.fromkeys(("time", "datetime"), TIME_SEQUENCE.name),
    **dict.fromkeys(("width", "height"), GRID_OFFSETS.name),
    "bbox": BOUNDING_BOX.name,
    "interpolation": RANGE_SUBSET.name,
    "f": FORMAT.name,
}
"""The core's names of parameters as WCS 1.1 spells them."""
CODES = {
    *("MissingParameterValue", "InvalidParameterValue", "VersionNegotiationFailed", "InvalidUpdateSequence"),
    *("OperationNotSupported", "NoApplicableCode"),
}


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the exception report (OWS Common 1.1, OGC 06-121r3 §8)."""
    status = 400 if error.status == 404 else error.status  # OWSLib shows the text of no other
    request.scope[FAULT_STATUS] = status
    code = error.code if error.code in CODES else "InvalidParameterValue" if error.status < 500 else "NoApplicableCode"
    return exception_report(
        message_of(error, request),
        code=code,
        locator=SPELLING.get(error.locator or "", error.locator),
        status=status,
        common="1.1",
        version="1.1.0",
    )


WCS_1_1 = Version(
    numbers=("1.1.1", "1.1.0", "1.1.2"),
    namespace="http://www.opengis.net/wcs/1.1.1",
    answer=answer,
    pairs_of_xml=refuse_xml,
    fault=fault,
)
