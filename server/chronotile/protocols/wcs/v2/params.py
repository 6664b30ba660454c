"""GetCoverage in key-value pairs, with its extensions, turned into a request for numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedCrs
from chronotile.core.model.collection import Resampling
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize
from chronotile.core.model.crs import Crs
from chronotile.pipeline.coverage.deliver import COVERAGE_FORMATS
from chronotile.protocols.common.query.axes import INTERPOLATION_URI, INTERPOLATIONS, Axis
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp, integer, number
from chronotile.protocols.wcs.coverages import WcsCoverage, coverage_of
from chronotile.protocols.wcs.faults import refusal
from chronotile.protocols.wcs.v2.subsets import axes_by_label, requested_subset

GML_TYPE = "application/gml+xml"
FORMATS: Mapping[str, str] = {
    "image/tiff": "GTiff",
    "application/netcdf": "NetCDF",
    COVERAGE_FORMATS["json"].media_type: "json",
    GML_TYPE: "gml",
}
"""Names of formats in the core, by media types; the first is the native one."""
NATIVE = next(iter(FORMATS))
ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("image/geotiff", "geotiff", "gtiff", "image/tiff;application=geotiff"), NATIVE),
    **dict.fromkeys(("application/x-netcdf", "netcdf", "netcdf4"), "application/netcdf"),
    **dict.fromkeys(("application/xml+gml", "gml"), GML_TYPE),
}
"""Other names that clients request."""
MULTIPART = "multipart/related"
OF_COVERAGE = (
    *("SERVICE", "REQUEST", "VERSION", "COVERAGEID", "SUBSET", "FORMAT", "MEDIATYPE", "SUBSETTINGCRS", "OUTPUTCRS"),
    *("SCALEFACTOR", "SCALEAXES", "SCALESIZE", "SCALEEXTENT", "INTERPOLATION", "RANGESUBSET"),
)
SCALING = ("SCALEFACTOR", "SCALEAXES", "SCALESIZE", "SCALEEXTENT")
LEAST, MOST = 1e-9, 1e6
_EXTENT = re.compile(r"(-?\d{1,9}) ?: ?(-?\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCoverage:
    """What a request means."""

    coverage: WcsCoverage
    request: CoverageRequest
    """Where it is scaled to a size of one axis, the other is `None` and keeps its own."""
    media_type: str
    """Of the file."""
    is_multipart: bool
    sliced: frozenset[Axis]

    @property
    def format(self) -> str:
        """The core's name of the format of the file."""
        return FORMATS[self.media_type]


def requested_coverage(query: Kvp, catalogue: Catalogue) -> GetCoverage:
    """Return what a request means.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    coverage = coverage_of(catalogue, query.required("COVERAGEID"))
    subsetting = _crs(query, "SUBSETTINGCRS", coverage, catalogue)
    output = _crs(query, "OUTPUTCRS", coverage, catalogue) or subsetting
    subset = requested_subset(query.optional("SUBSET"), subsetting or coverage.crs, has_time=coverage.has_time)
    own = coverage.layer.main_variable
    is_own = (output or coverage.crs) == own.grid.crs and not own.is_mosaic
    request = CoverageRequest(
        layers=_layers(query, coverage),
        trims=subset.trims,
        time=subset.time,
        crs=None if is_own else output or coverage.crs,
        scale=_scale(query, output or coverage.crs, has_time=coverage.has_time),
        resampling=_resampling(query),
    )
    media_type, is_multipart = _format(query)
    return GetCoverage(
        coverage=coverage, request=request, media_type=media_type, is_multipart=is_multipart, sliced=subset.sliced
    )


def _format(query: Kvp) -> tuple[str, bool]:
    given, media_type = query.optional("FORMAT") or NATIVE, query.optional("MEDIATYPE")
    plain = given.lower().replace(" ", "")
    found = ALIASES.get(plain, plain)
    if found not in FORMATS:
        message = f"FORMAT is one of {', '.join(FORMATS)}, got {given[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="format")
    if media_type is not None and media_type != MULTIPART:
        raise InvalidParameter(f"MEDIATYPE is {MULTIPART}, got {media_type[:MAX_SHOWN]!r}", locator="mediaType")
    return found, media_type is not None and found != GML_TYPE


def _crs(query: Kvp, name: str, coverage: WcsCoverage, catalogue: Catalogue) -> Crs | None:
    given, locator = query.optional(name), "subsettingCrs" if name == "SUBSETTINGCRS" else "outputCrs"
    crs = None if given is None else named_crs(given, coverage.layer, catalogue, locator=locator)
    if crs is not None and crs.uri is None:
        raise UnsupportedCrs(f"{name} names no CRS with a URI", locator=locator)
    return crs


def _resampling(query: Kvp) -> Resampling | None:
    given = query.optional("INTERPOLATION")
    if given is None:
        return None
    found = INTERPOLATIONS.get(given.removeprefix(INTERPOLATION_URI).lower())
    if found is None:
        accepted = " or ".join(INTERPOLATION_URI + name for name in ADVERTISED_INTERPOLATIONS)
        message = f"INTERPOLATION is {accepted}, got {given[:MAX_SHOWN]!r}"
        raise refusal("InterpolationMethodNotSupported", message, locator="interpolation")
    return found


ADVERTISED_INTERPOLATIONS = ("nearest-neighbor", "linear")


def _layers(query: Kvp, coverage: WcsCoverage) -> tuple[str, ...]:
    """The layers of RANGESUBSET: fields and intervals of them, in the requested order (OGC 12-040 §7.2)."""
    given, fields = query.optional("RANGESUBSET"), list(coverage.fields)
    if given is None:
        return tuple(layer.id for layer in coverage.fields.values())
    names = list[str]()
    for part in given.split(","):
        first, _colon, last = (each.strip() for each in part.partition(":"))
        for name in (first, last or first):
            if name not in coverage.fields:
                message = f"RANGESUBSET names a field {name[:MAX_SHOWN]!r}; there are {', '.join(fields)}"
                raise refusal("NoSuchField", message, locator=name[:MAX_SHOWN])
        low, high = fields.index(first), fields.index(last or first)
        if low > high:
            message = f"RANGESUBSET {part[:MAX_SHOWN]!r} is an interval whose first field comes after its last"
            raise refusal("IllegalFieldSequence", message, locator="rangeSubset")
        names += fields[low : high + 1]
    return tuple(coverage.fields[name].id for name in dict.fromkeys(names))


# Scaling (OGC 12-039), whose factors multiply the number of cells, where those of the core divide it.


def _scale(query: Kvp, crs: Crs, *, has_time: bool) -> ScaleFactors | ScaleSize | None:
    given = [name for name in SCALING if query.optional(name) is not None]
    if len(given) > 1:
        message = f"{' and '.join(given)} each set the number of cells; give one of them"
        raise InvalidParameter(message, locator=given[0])
    if not given:
        return None
    (name,) = given
    text = query.required(name)
    if name == "SCALEFACTOR":
        factor = _factor(text, name)
        return ScaleFactors(x=1 / factor, y=1 / factor, locator=name)
    axes = axes_by_label(text, crs, has_time=has_time, locator=name, unknown="ScaleAxisUndefined")
    if name == "SCALEAXES":
        factors = {axis: _factor(member.content, name) for axis, member in axes.items()}
        if factors.pop("time", 1.0) != 1.0:
            raise _time_is_kept(name)
        return ScaleFactors(x=1 / factors.get("x", 1.0), y=1 / factors.get("y", 1.0), locator=name)
    if "time" in axes:
        raise _time_is_kept(name)
    read = _extent if name == "SCALEEXTENT" else _size
    sizes = {axis: read(member.content, name) for axis, member in axes.items()}
    return ScaleSize(width=sizes.get("x"), height=sizes.get("y"), locator=name)


def _time_is_kept(name: str) -> InvalidParameter:
    message = f"{name} does not scale time: instants are answered as observed; select them with SUBSET"
    return refusal("ScaleAxisUndefined", message, locator="time")


def _factor(text: str, name: str) -> float:
    try:
        factor = number(text, locator=name)
    except InvalidParameter as error:
        raise refusal("InvalidScaleFactor", error.message, locator=text[:MAX_SHOWN]) from error
    if not LEAST <= factor <= MOST:
        message = f"{name} takes a factor above 0, at most {MOST:g}; got {text[:MAX_SHOWN]!r}"
        raise refusal("InvalidScaleFactor", message, locator=text[:MAX_SHOWN])
    return factor


def _size(text: str, name: str) -> int:
    try:
        return integer(text.partition(".")[0] if text.endswith(".0") else text, locator=name, least=1)
    except InvalidParameter as error:
        raise refusal("InvalidExtent", error.message, locator=text[:MAX_SHOWN]) from error


def _extent(text: str, name: str) -> int:
    found = _EXTENT.fullmatch(text.strip())
    if found is None or int(found[1]) > int(found[2]):
        message = f"{name} takes the first and last cell as low:high; got {text[:MAX_SHOWN]!r}"
        raise refusal("InvalidExtent", message, locator=text[:MAX_SHOWN])
    return int(found[2]) - int(found[1]) + 1
