"""The data queries of EDR: names, descriptions and parameters."""

from dataclasses import dataclass, replace
from functools import lru_cache

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.geometry.lengths import LENGTHS_M
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import Json
from chronotile.pipeline.series.places import meets_grid
from chronotile.protocols.common.openapi import BOX, INDEX, enum_of
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.parameter import F, Parameter, datetime, number, text, whole, whole_up_to
from chronotile.protocols.ogcapi.edr.formats import CELL_FORMATS, FEATURE_FORMATS, LOCATION_FORMATS, POSITION_FORMATS
from chronotile.protocols.ogcapi.paging import offset_parameter

DEFAULT_LIMIT, MAX_LIMIT = 100, 10_000
"""A larger `limit` is reduced to the maximum (requirement /req/edr/rc-limit-response C)."""
_SIZE: Json = {**INDEX, "maximum": 1 << 20, "default": 0}

DATETIME = datetime("An instant or an interval, with `..` for an open end, or several with commas; default: all")
PARAMETER_NAME = text("parameter-name", "Several, separated by commas; default: all")
CRS = text(
    "crs", "CRS of `coords` or `bbox`, in its axis order, and of the response; default: places in CRS84 and native ones"
)
Z = text("z", "Levels; the data have no levels, so all values are accepted")
SHARED_PARAMETERS: tuple[Parameter[object], ...] = (DATETIME, PARAMETER_NAME, CRS, Z, F)
DATA_PARAMETERS: tuple[Parameter[object], ...] = (*SHARED_PARAMETERS, *csv_options.OF_LAYERS)
"""Parameters of queries with CSV among their formats."""

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
LIMIT = whole_up_to("limit", "The most features of one answer", most=MAX_LIMIT, default=DEFAULT_LIMIT)
OFFSET = offset_parameter("How many features come before the first; links of `next` have it")
LIST_PARAMETERS: tuple[Parameter[object], ...] = (BBOX_OF_LISTS, LIMIT, OFFSET, *SHARED_PARAMETERS)


def coords_of(kind: str) -> Parameter[str]:
    """Return the parameter `coords` for a kind of geometry."""
    return replace(COORDS, description=f"Well-known text of a {kind}, in `crs`")


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuery:
    """A kind of data query."""

    name: str
    """Name in EDR, and last segment of the path."""
    title: str
    description: str
    formats: tuple[str, ...]
    """Format names; the first is the default."""
    parameters: tuple[Parameter[object], ...]
    """Parameters of the path's query."""
    is_list: bool = False
    """Whether the path without parameters returns a list of features."""


POSITION = DataQuery(
    name="position",
    title="Position query",
    description="The values of the native cell that contains a point, or of several points, along time",
    formats=POSITION_FORMATS,
    parameters=(coords_of("POINT, or MULTIPOINT for several places"), *DATA_PARAMETERS),
)
AREA = DataQuery(
    name="area",
    title="Area query",
    description="The native cells whose centres lie in a polygon, at each time",
    formats=CELL_FORMATS,
    parameters=(coords_of("POLYGON or MULTIPOLYGON"), *DATA_PARAMETERS),
)
CUBE = DataQuery(
    name="cube",
    title="Cube query",
    description="The native cells of a box at each time, or the requested numbers of columns and rows",
    formats=CELL_FORMATS,
    parameters=(BBOX, COLUMNS, ROWS, *DATA_PARAMETERS),
)
RADIUS = DataQuery(
    name="radius",
    title="Radius query",
    description="The native cells whose centres lie within a distance of a point, at each time",
    formats=CELL_FORMATS,
    parameters=(coords_of("POINT"), WITHIN, WITHIN_UNITS, *DATA_PARAMETERS),
)
LOCATIONS = DataQuery(
    name="locations",
    title="Locations query",
    description="Named places; of each the mean of the native cells whose centres lie in it, along time",
    formats=LOCATION_FORMATS,
    parameters=LIST_PARAMETERS,
    is_list=True,
)
ITEMS = DataQuery(
    name="items",
    title="Items query",
    description="The times of the data, as features",
    formats=FEATURE_FORMATS,
    parameters=LIST_PARAMETERS,
    is_list=True,
)


def queries_of(offered: OfferedCollection, catalogue: Catalogue) -> tuple[DataQuery, ...]:
    """Return the queries of a collection: none without values, locations only if places meet it."""
    if not offered.has_values:
        return ()
    places = (LOCATIONS,) if place_sets_of(offered, catalogue) else ()
    return (POSITION, AREA, CUBE, RADIUS, *places, ITEMS)


def place_sets_of(offered: OfferedCollection, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the place sets whose boxes meet a collection with values."""
    grid = offered.main_field.main_variable.grid
    return tuple(places for places in catalogue.places.values() if _meets(grid, places.bbox))


@lru_cache(maxsize=4096)
def _meets(grid: NativeGrid, box: BBox) -> bool:
    return bool(meets_grid([box], grid)[0])
