"""GetCoverage of WCS 2.0.1 in key-value pairs, with its extensions, parsed into a coverage request."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from chronotile.core.cancellation import IsActive
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedCrs
from chronotile.core.model.coverage import Coverage, CoverageRequest, ScaleFactors, ScaleSize
from chronotile.core.model.space.crs import Crs
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS, CoverageFormat, check_values
from chronotile.pipeline.encoders.bodies import Body, BytesBody
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.axes import INTERPOLATION_URI, INTERPOLATIONS, CoverageAxis
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import keyword, number, whole
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of
from chronotile.protocols.wcs.documents import multipart_format
from chronotile.protocols.wcs.faults import refusal, refusing
from chronotile.protocols.wcs.v2.gml import COMPOUND_CRS, TIME_CRS, Domain, coverage_gml, domain_of, tuple_list
from chronotile.protocols.wcs.v2.subsets import axes_by_label, requested_subset
from chronotile.protocols.wcs.version import GetCoverage

GML_TYPE = "application/gml+xml"
FORMATS: Mapping[str, str] = {
    "image/tiff": "GTiff",
    "application/netcdf": "NetCDF",
    COVERAGE_FORMATS["json"].media_type: "json",
    GML_TYPE: "gml",
}
"""Core names of formats by media type; the first is the native format."""
NATIVE = next(iter(FORMATS))
FORMAT = keyword(
    "FORMAT",
    "The format of the file",
    {media_type: media_type for media_type in FORMATS},
    aliases={
        **dict.fromkeys(("image/geotiff", "geotiff", "gtiff"), NATIVE),
        **dict.fromkeys(("image/tiff;application=geotiff", "image/tiff; application=geotiff"), NATIVE),
        **dict.fromkeys(("application/x-netcdf", "netcdf", "netcdf4"), "application/netcdf"),
        **dict.fromkeys(("application/xml+gml", "gml"), GML_TYPE),
        **{media_type.replace("+", " "): media_type for media_type in FORMATS},  # "+" in a query is decoded to a space
    },
    default=NATIVE,
)
MEDIA_TYPE = keyword("MEDIATYPE", "The file behind a document", {"multipart/related": True})
ADVERTISED = ("nearest-neighbor", "linear")
INTERPOLATION = keyword(
    "INTERPOLATION",
    "How cells that are not native ones are made",
    {INTERPOLATION_URI + name: INTERPOLATIONS[name] for name in ADVERTISED},
    aliases={
        **INTERPOLATIONS,
        **{(INTERPOLATION_URI + name).lower(): method for name, method in INTERPOLATIONS.items()},
    },
    error=partial(refusal, "InterpolationMethodNotSupported"),
)
SCALING = ("SCALEFACTOR", "SCALEAXES", "SCALESIZE", "SCALEEXTENT")
ONCE = ("SUBSETTINGCRS", "OUTPUTCRS", *SCALING)
"""Parameters that a request may contain only once (11-053r1 requirements 8 and 11, 12-039 requirement 9)."""
OF_COVERAGE = (
    *("SERVICE", "REQUEST", "VERSION", "COVERAGEID", "SUBSET", "FORMAT", "MEDIATYPE", "SUBSETTINGCRS", "OUTPUTCRS"),
    *(*SCALING, "INTERPOLATION", "RANGESUBSET"),
)
LEAST, MOST = 1e-9, 1e6
_EXTENT = re.compile(r"(-?\d{1,9}) ?: ?(-?\d{1,9})", re.ASCII)
COMPOUND = re.compile(re.escape(COMPOUND_CRS).replace(r"\{space\}", "(?P<space>[^&]+)").replace(r"\{time\}", TIME_CRS))
SMALLER = "request a smaller part, or image/tiff or application/netcdf"


def parse_get_coverage(query: Kvp, services: Services) -> GetCoverage:
    """Return the coverage request of a query.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.check_not_repeated(ONCE)
    coverage = coverage_of(services, query.require("COVERAGEID"))
    subsetting = _crs(query, "SUBSETTINGCRS", coverage)
    crs = _crs(query, "OUTPUTCRS", coverage) or subsetting or coverage.crs
    has_time, native = coverage.instants.size > 0, coverage.layer.main_variable
    subset = requested_subset(query.optional("SUBSET"), subsetting or coverage.crs, coverage.instants)
    request = CoverageRequest(
        layers=_layers(query, coverage),
        trims=subset.trims,
        time=subset.time,
        crs=None if crs == native.grid.crs and not native.is_mosaic else crs,
        resampling=INTERPOLATION.optional(query),
    )
    scale = _scale(query, crs, has_time=has_time)
    if isinstance(scale, ScaleSize) and not (scale.width and scale.height):  # an axis that is not named is not scaled
        grid = coverage.grid_of(request)
        scale = replace(scale, width=scale.width or grid.width, height=scale.height or grid.height)
    media_type, is_multipart = FORMAT.value(query), MEDIA_TYPE.optional(query) is not None
    formats = _formats(media_type, coverage.id, subset.sliced, is_multipart=is_multipart)
    return GetCoverage(replace(request, scale=scale), FORMATS[media_type], formats)


def _formats(
    media_type: str, id_: str, sliced: frozenset[CoverageAxis], *, is_multipart: bool
) -> Mapping[str, CoverageFormat]:
    """Return the format, under a name that includes everything that shapes the file except the coverage."""
    name = FORMATS[media_type]

    def domain(coverage: Coverage) -> Domain:
        counts = {"x": coverage.grid.width, "y": coverage.grid.height, "time": len(coverage.times)}
        single = {axis for axis in sliced if counts[axis] == 1}  # a slice (a day, another CRS) may have several
        return domain_of(coverage.grid, coverage.times.instants, sliced=single)

    def encode_gml(coverage: Coverage, is_active: IsActive) -> Body:
        tuples = tuple_list(coverage, is_active)
        return BytesBody(coverage_gml(coverage, domain(coverage), id_, tuples=tuples))

    def manifest(coverage: Coverage, file: str) -> bytes:
        return coverage_gml(coverage, domain(coverage), id_, file=file, media_type=media_type)

    key = " ".join([name, id_, *sorted(sliced)])
    if media_type == GML_TYPE:
        return {key: CoverageFormat(GML_TYPE, "gml", encode_gml, partial(check_values, alternative=SMALLER))}
    file = COVERAGE_FORMATS[name]._replace(media_type=media_type)
    return {f"parts {key}": multipart_format(file, GML_TYPE, manifest)} if is_multipart else {name: file}


def _crs(query: Kvp, name: str, coverage: WcsCoverage) -> Crs | None:
    uri = query.optional(name)
    if uri is None:
        return None
    crs = named_crs(_space_of(uri, coverage), coverage.layer, coverage.services.catalogue, locator=name)
    if crs.uri is None:
        raise UnsupportedCrs(f"{name} names no CRS with a URI", locator=name)
    return crs


def _space_of(uri: str, coverage: WcsCoverage) -> str:
    # The default CRS is the CRS of the envelope, so its compound name is accepted (11-053r1 requirements 7 and 10).
    compound = COMPOUND.fullmatch(uri) if coverage.instants.size else None
    return uri if compound is None else compound["space"]


def _layers(query: Kvp, coverage: WcsCoverage) -> tuple[str, ...]:
    """Return the layers of RANGESUBSET: fields and intervals of fields, in the requested order (OGC 12-040 §7.2)."""
    fields, names = list(coverage.layers), list[str]()
    for part in (query.optional("RANGESUBSET") or ",".join(fields)).split(","):
        first, _colon, last = (end.strip() for end in part.partition(":"))
        for name in (first, last or first):
            if name not in fields:
                message = f"RANGESUBSET names a field {name[:MAX_SHOWN]!r}; there are {', '.join(fields)}"
                raise refusal("NoSuchField", message, locator=name[:MAX_SHOWN])
        low, high = fields.index(first), fields.index(last or first)
        if low > high:
            message = f"RANGESUBSET {part[:MAX_SHOWN]!r} is an interval whose first field comes after its last"
            raise refusal("IllegalFieldSequence", message, locator="RANGESUBSET")
        names += fields[low : high + 1]
    return tuple(coverage.layers[name].id for name in dict.fromkeys(names))


# Scaling (OGC 12-039): its factors multiply the number of cells; factors of the core divide it.


def _scale(query: Kvp, crs: Crs, *, has_time: bool) -> ScaleFactors | ScaleSize | None:
    scalings = [name for name in SCALING if name in query]
    if len(scalings) > 1:
        message = f"{' and '.join(scalings)} each set the number of cells; give one of them"
        raise InvalidParameter(message, locator=scalings[0])
    if not scalings:
        return None
    (name,) = scalings
    text = query.require(name)
    if name == "SCALEFACTOR":
        factor = _factor(text, name)
        return ScaleFactors(x=1 / factor, y=1 / factor, locator=name)
    axes = axes_by_label(text, crs, has_time=has_time, locator=name, unknown="ScaleAxisUndefined")
    time = axes.pop("time", None)
    if time is not None and not (name == "SCALEAXES" and _factor(time.content, name) == 1):
        message = f"{name} does not scale time: instants are answered as observed; select them with SUBSET"
        raise refusal("ScaleAxisUndefined", message, locator=name)
    if name == "SCALEAXES":
        factors = {axis: _factor(member.content, name) for axis, member in axes.items()}
        return ScaleFactors(x=1 / factors.get("x", 1.0), y=1 / factors.get("y", 1.0), locator=name)
    sizes = {axis: _size(member.content, name) for axis, member in axes.items()}
    return ScaleSize(width=sizes.get("x"), height=sizes.get("y"), locator=name)


def _factor(text: str, name: str) -> float:
    with refusing("InvalidScaleFactor", locator=text):
        return number(name, "", least=LEAST, most=MOST).parse(text)


def _size(text: str, name: str) -> int:
    """Return the number of cells: a number, or the length of an interval `low:high`."""
    match = _EXTENT.fullmatch(text)
    with refusing("InvalidExtent", locator=text):
        if name == "SCALESIZE":
            return whole(name, "", least=1).parse(text.removesuffix(".0"))
        if match is None or int(match[1]) > int(match[2]):
            message = f"{name} takes the first and last cell as low:high; got {text[:MAX_SHOWN]!r}"
            raise InvalidParameter(message, locator=name)
        return int(match[2]) - int(match[1]) + 1
