"""The data queries that there are, and how they are told of."""

from dataclasses import dataclass
from functools import lru_cache

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.model.grid import BBox, NativeGrid
from chronotile.model.places import PlaceSet
from chronotile.pipeline.series.places import meets_grid
from chronotile.protocols.ogcapi.edr.formats import OF_CELLS, OF_FEATURES, OF_LOCATION, OF_POSITION

SHARED = ("datetime", "parameter-name", "crs", "z", "f")
PARAMETERS_OF_LISTS = ("bbox", "limit", "offset", *SHARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataQuery:
    """One kind of query."""

    name: str
    """That EDR gives it, and the last part of its path."""
    title: str
    description: str
    formats: tuple[str, ...]
    """Of the data; the first is what is given where none is asked for."""
    parameters: tuple[str, ...]
    """Of its path."""
    is_list: bool = False
    """Whether the path itself gives features, and needs no parameter."""


POSITION = DataQuery(
    name="position",
    title="Position query",
    description="The values of the native cell that holds a point, or of each of several points, along time",
    formats=OF_POSITION,
    parameters=("coords", *SHARED),
)
AREA = DataQuery(
    name="area",
    title="Area query",
    description="The native cells whose centres lie in a polygon, at each time",
    formats=OF_CELLS,
    parameters=("coords", *SHARED),
)
CUBE = DataQuery(
    name="cube",
    title="Cube query",
    description="The native cells of a box at each time, or as many columns and rows as are asked for",
    formats=OF_CELLS,
    parameters=("bbox", "resolution-x", "resolution-y", *SHARED),
)
RADIUS = DataQuery(
    name="radius",
    title="Radius query",
    description="The native cells whose centres lie within a distance of a point, at each time",
    formats=OF_CELLS,
    parameters=("coords", "within", "within-units", *SHARED),
)
LOCATIONS = DataQuery(
    name="locations",
    title="Locations query",
    description="Named places; of each the mean of the native cells whose centres lie in it, along time",
    formats=OF_LOCATION,
    parameters=PARAMETERS_OF_LISTS,
    is_list=True,
)
ITEMS = DataQuery(
    name="items",
    title="Items query",
    description="Which times there are, as features",
    formats=OF_FEATURES,
    parameters=PARAMETERS_OF_LISTS,
    is_list=True,
)


def queries_of(offered: Offered, catalogue: Catalogue) -> tuple[DataQuery, ...]:
    """Return the queries that a collection answers: locations only where there are places, none without values."""
    if not offered.has_values:
        return ()
    places = (LOCATIONS,) if sets_of(offered, catalogue) else ()
    return (POSITION, AREA, CUBE, RADIUS, *places, ITEMS)


def sets_of(offered: Offered, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the sets of places whose boxes meet a collection with values."""
    grid = offered.main_field.main_variable.grid
    return tuple(each for each in catalogue.places.values() if _meets(grid, each.bbox))


@lru_cache(maxsize=4096)
def _meets(grid: NativeGrid, box: BBox) -> bool:
    return bool(meets_grid([box], grid)[0])
