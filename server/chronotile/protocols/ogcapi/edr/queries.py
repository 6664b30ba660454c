"""The data queries that there are, and their documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.extras import has_extra, require_extra
from chronotile.core.model.formats import COVERAGE_JSON_TYPE, GEOTIFF_TYPE
from chronotile.core.model.geometry.area import LENGTHS_M
from chronotile.core.model.grid import BBox, NativeGrid
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.types import Json
from chronotile.pipeline.series.places import meets_grid
from chronotile.protocols.common.openapi import BOX, INDEX, enum_of
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import F, Parameter, clamped, datetime, number, text, whole
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.paging import offset_parameter

COVERAGE_JSON, GEOJSON, CSV, NETCDF, GEOTIFF = "CoverageJSON", "GeoJSON", "CSV", "NetCDF", "GeoTIFF"

MEDIA_TYPES: Mapping[str, str] = {
    COVERAGE_JSON: COVERAGE_JSON_TYPE,
    GEOJSON: "application/geo+json",
    CSV: "text/csv",
    NETCDF: "application/netcdf",
    GEOTIFF: GEOTIFF_TYPE,
}
OTHER_MEDIA_TYPES: Mapping[str, str] = {
    "application/vnd.cov+json": COVERAGE_JSON,
    "application/json": COVERAGE_JSON,
    "application/x-netcdf": NETCDF,
}
"""By which clients request the same: the first is the name that CoverageJSON was registered under."""
OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("json", "covjson"), COVERAGE_JSON),
    **dict.fromkeys(("netcdf4", "nc"), NETCDF),
    "gtiff": GEOTIFF,
}
EXTENSIONS: Mapping[str, str] = {CSV: "csv", NETCDF: "nc", GEOTIFF: "tif"}
"""Of files that a browser had better save than show."""

OF_POSITION = (COVERAGE_JSON, GEOJSON, CSV, NETCDF)
OF_CELLS = (COVERAGE_JSON, GEOJSON, CSV, NETCDF, GEOTIFF)
"""Of area, cube and radius."""
OF_LOCATION = (COVERAGE_JSON, GEOJSON, CSV)
OF_FEATURES = (GEOJSON,)
"""Of locations and items."""
ALL = OF_CELLS


def data_format(query: Kvp, accept: str, names: tuple[str, ...]) -> str:
    """Return the name of the format that a data query is answered in.

    Raises:
        InvalidParameter: `f` is not one of `names`.
        NotAcceptable: The header Accept takes none of them.
        MissingExtra: The library of the format is not installed.
    """
    offered = {name: MEDIA_TYPES[name] for name in names}
    others = {**OTHER_MEDIA_TYPES, **OTHER_NAMES}
    if names == OF_FEATURES:
        others = {"json": GEOJSON, "application/json": GEOJSON}
    name = negotiate_format(
        query,
        accept,
        offered,
        aliases={key: name for key, name in others.items() if name in names},
        lacking=set(names).difference(installed(names)),
    )
    if name == NETCDF:
        require_extra("netcdf", f"format {NETCDF}", locator="f")
    return name


def installed(names: Sequence[str]) -> list[str]:
    """Return those of some formats whose libraries are installed."""
    return [name for name in names if name != NETCDF or has_extra("netcdf")]


def media_type_of(name: str, accept: str) -> str:
    """Return the media type under which a format leaves: another name of it, where the client asks by that alone."""
    known = {MEDIA_TYPES[name], *(each for each, stands_for in OTHER_MEDIA_TYPES.items() if stands_for == name)}
    accepted = [
        each for each in (part.partition(";")[0].strip().lower() for part in accept.split(",")) if each in known
    ]
    return accepted[0] if accepted and MEDIA_TYPES[name] not in accepted else MEDIA_TYPES[name]


DEFAULT_LIMIT, MAX_LIMIT = 100, 10_000
"""What is more is as much (requirement /req/edr/rc-limit-response C)."""
_SIZE: Json = {**INDEX, "maximum": 1 << 20, "default": 0}

DATETIME = datetime(
    "An instant or an interval, either end of which may be open (`..`), or several with commas; default: all"
)
PARAMETER_NAME = text("parameter-name", "Several, separated by commas; default: all")
CRS = text(
    "crs", "CRS of `coords` or `bbox`, in its axis order, and of the response; default: places in CRS84 and native ones"
)
Z = text("z", "Levels; none of the data has any, and so any are accepted")
SHARED: tuple[Parameter[object], ...] = (DATETIME, PARAMETER_NAME, CRS, Z, F)
OF_DATA: tuple[Parameter[object], ...] = (*SHARED, *csv_options.OF_LAYERS)
"""Of queries that may be answered as CSV."""

COORDS = text("coords", "Well-known text, in `crs`")
BBOX = text("bbox", "Lower and upper corner, in `crs`; heights are left out", schema=BOX)
COLUMNS = replace(
    whole("resolution-x", "Number of columns; default, and for 0: native cells", least=0, default=0), schema=_SIZE
)
ROWS = replace(
    whole("resolution-y", "Number of rows; default, and for 0: native cells", least=0, default=0), schema=_SIZE
)
WITHIN = number("within", "How far from the point, along the ground")
WITHIN_UNITS = text("within-units", "Of `within`", schema=enum_of(tuple(LENGTHS_M)))
BBOX_OF_LISTS = text("bbox", "West, south, east, north in CRS84: features that reach into it", schema=BOX)
LIMIT = clamped("limit", "The most features of one answer", most=MAX_LIMIT, default=DEFAULT_LIMIT)
OFFSET = offset_parameter("How many features come before the first; links of `next` have it")
OF_LISTS: tuple[Parameter[object], ...] = (BBOX_OF_LISTS, LIMIT, OFFSET, *SHARED)


def coords_of(kind: str) -> Parameter[str]:
    """Return `coords` of a kind of geometry."""
    return replace(COORDS, description=f"Well-known text of a {kind}, in `crs`")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuery:
    """One kind of query."""

    name: str
    """That EDR gives it, and the last part of its path."""
    title: str
    description: str
    formats: tuple[str, ...]
    """Of the data; the first is the default."""
    parameters: tuple[Parameter[object], ...]
    """Of its path."""
    is_list: bool = False
    """Whether the path itself gives features, and needs no parameter."""


POSITION = DataQuery(
    name="position",
    title="Position query",
    description="The values of the native cell that holds a point, or of each of several points, along time",
    formats=OF_POSITION,
    parameters=(coords_of("POINT, or MULTIPOINT for several places"), *OF_DATA),
)
AREA = DataQuery(
    name="area",
    title="Area query",
    description="The native cells whose centres lie in a polygon, at each time",
    formats=OF_CELLS,
    parameters=(coords_of("POLYGON or MULTIPOLYGON"), *OF_DATA),
)
CUBE = DataQuery(
    name="cube",
    title="Cube query",
    description="The native cells of a box at each time, or as many columns and rows as are requested",
    formats=OF_CELLS,
    parameters=(BBOX, COLUMNS, ROWS, *OF_DATA),
)
RADIUS = DataQuery(
    name="radius",
    title="Radius query",
    description="The native cells whose centres lie within a distance of a point, at each time",
    formats=OF_CELLS,
    parameters=(coords_of("POINT"), WITHIN, WITHIN_UNITS, *OF_DATA),
)
LOCATIONS = DataQuery(
    name="locations",
    title="Locations query",
    description="Named places; of each the mean of the native cells whose centres lie in it, along time",
    formats=OF_LOCATION,
    parameters=OF_LISTS,
    is_list=True,
)
ITEMS = DataQuery(
    name="items",
    title="Items query",
    description="Which times there are, as features",
    formats=OF_FEATURES,
    parameters=OF_LISTS,
    is_list=True,
)


def queries_of(offered: OfferedCollection, catalogue: Catalogue) -> tuple[DataQuery, ...]:
    """Return the queries that a collection answers: locations only where there are places, none without values."""
    if not offered.has_values:
        return ()
    places = (LOCATIONS,) if sets_of(offered, catalogue) else ()
    return (POSITION, AREA, CUBE, RADIUS, *places, ITEMS)


def sets_of(offered: OfferedCollection, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the sets of places whose boxes meet a collection with values."""
    grid = offered.main_field.main_variable.grid
    return tuple(each for each in catalogue.places.values() if _meets(grid, each.bbox))


@lru_cache(maxsize=4096)
def _meets(grid: NativeGrid, box: BBox) -> bool:
    return bool(meets_grid([box], grid)[0])
