"""The query of `/coverage` turned into a request for numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.collection import Layer, Resampling
from chronotile.model.coverage import CoverageRequest, Trim
from chronotile.model.time.instants import ABSENT, TimeSelection
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import F, Parameter, custom, datetime, names_of, text
from chronotile.protocols.ogcapi.coverages.fields import EXCLUDE_PROPERTIES, PROPERTIES, requested_layers
from chronotile.protocols.ogcapi.coverages.scaling import SCALING, Scaling, requested_scaling
from chronotile.protocols.ogcapi.crs import BBOX, BBOX_CRS, check_degrees, named_crs, requested_bbox
from chronotile.protocols.ogcapi.subset import Subset, query_of, requested_subset

OLDER_NAMES: Mapping[str, str] = {"scalefactor": "scale-factor", "scaleaxes": "scale-axes", "scalesize": "scale-size"}
"""What earlier drafts call parameters, and GDAL's driver still does."""
INTERPOLATIONS: Mapping[str, Resampling] = {
    "nearest": "nearest",
    "nearest-neighbor": "nearest",
    "nearest-neighbour": "nearest",
    "bilinear": "bilinear",
    "linear": "bilinear",
}
INTERPOLATION_URI = "http://www.opengis.net/def/interpolation/OGC/1/"


def _resampling(given: str) -> Resampling:
    name = given.removeprefix(INTERPOLATION_URI).lower()
    if name not in INTERPOLATIONS:
        raise InvalidParameter(
            f"interpolation {given[:MAX_SHOWN]!r} is not accepted; use nearest or bilinear", locator="interpolation"
        )
    return INTERPOLATIONS[name]


SUBSET = text(
    "subset",
    "Parts along axes: `Lat(50.8:50.9)`, open ends `*`, one position `Lat(50.8)`, "
    '`time("2020-06-01":"2020-06-30")`; `x` and `y` in a projected CRS; may be repeated',
)
SUBSET_CRS = text("subset-crs", "CRS of `subset`; default: CRS84 for Lat and Lon, the native one for x and y")
DATETIME = datetime(
    "An instant or an interval, either end of which may be open (`..`); default: all, or the newest that are 32 MiB"
)
CRS = text("crs", "CRS of the response; default: the native one")
INTERPOLATION = custom(
    "interpolation", "How cells that are not native ones are made", _resampling, schema=enum_of(("nearest", "bilinear"))
)
OF_COVERAGE: tuple[Parameter[object], ...] = (
    *(BBOX, BBOX_CRS, SUBSET, SUBSET_CRS, DATETIME, PROPERTIES, EXCLUDE_PROPERTIES, CRS),
    *(*SCALING, INTERPOLATION, F),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageQuery:
    """The contents of a request."""

    request: CoverageRequest
    """Without its scale."""
    scaling: Scaling | None


def coverage_query(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the parameters of a request for a coverage, in the names of the current draft.

    Raises:
        InvalidParameter: One is there twice with different values, or not one of ours.
    """
    query = query_of((OLDER_NAMES.get(name.lower(), name), value) for name, value in pairs)
    query.check_names(names_of(OF_COVERAGE))
    return query


def parse_coverage(query: Kvp, offered: Offered, catalogue: Catalogue) -> CoverageQuery:
    """Return the numbers of a request.

    Raises:
        ChronotileError: A parameter is not accepted, or two contradict one another.
    """
    layers = requested_layers(query, offered)
    first, has_time = layers[0], any(len(layer.times) for layer in layers)
    subset = requested_subset(query, first, catalogue, has_time=has_time)
    crs = CRS.given(query)
    request = CoverageRequest(
        layers=tuple(layer.id for layer in layers),
        trims=_trims(query, subset, first, catalogue),
        time=_time(query, subset, has_time=has_time),
        crs=None if crs is None else named_crs(crs, first, catalogue),
        resampling=INTERPOLATION.given(query),
    )
    return CoverageQuery(request=request, scaling=requested_scaling(query))


def _trims(query: Kvp, subset: Subset, layer: Layer, catalogue: Catalogue) -> tuple[Trim, ...]:
    """The one box of `bbox` or `subset`, in degrees that are such (clauses G and N)."""
    bbox = requested_bbox(query, layer, catalogue)
    if bbox is None:
        trims = () if subset.trim is None else (subset.trim,)
    else:
        if subset.trim is not None:
            raise InvalidParameter("bbox and subset both cut in space; give one of them", locator="subset")
        trims = (Trim(box=bbox[0], crs=bbox[1]),)
    for trim in trims:
        check_degrees(trim.box, trim.crs, locator=trim.locator)
    return trims


def _time(query: Kvp, subset: Subset, *, has_time: bool) -> TimeSelection:
    if query.optional(DATETIME.name) is None:
        return subset.time or ABSENT
    if subset.time is not None:
        raise InvalidParameter("datetime and subset=time(...) both select times; give one of them", locator="datetime")
    if not has_time:
        raise InvalidParameter("no requested field has times; leave datetime out", locator="datetime")
    return DATETIME.of(query)
