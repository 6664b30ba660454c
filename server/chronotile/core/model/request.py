"""Requests from protocols to the pipeline, independent of any protocol."""

from dataclasses import dataclass, fields
from typing import Literal

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.series.analysis import Analysis, AnomalyKind
from chronotile.core.model.series.reducers import MEAN, Reducer
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour, Style
from chronotile.core.model.time.selection import ABSENT, TimeSelection

PictureReducer = Literal["latest", "earliest", "max", "min", "mean", "median", "clearest"]
PICTURE_REDUCERS: tuple[PictureReducer, ...] = ("latest", "earliest", "max", "min", "mean", "median", "clearest")
PIXEL_REDUCERS = PICTURE_REDUCERS[:-1]
"""Reducers that combine the values of all times per pixel; `clearest` selects a time instead."""


Extend = Literal["extend"]


Weights = Literal["pixel", "area", "auto"]
WEIGHTS: tuple[Weights, ...] = ("pixel", "area", "auto")
"""Cells of an area and their weights. `pixel`: cells whose centre is inside, equal weights. `area`: all cells that the
area touches, by their fraction inside and true area. `auto`: `area` if few cell centres are inside, else `pixel`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colouring:
    """Changes to the colours of a ramp over its range."""

    bands: int | None = None
    """Number of equal steps, each in one colour, instead of a continuous ramp."""
    is_logarithmic: bool = False
    is_reversed: bool = False
    """Whether the colours of the upper end are at the lower end."""
    is_stretched: bool = False
    """Whether the range of the values in the picture is used."""
    below: Colour | Extend | None = None
    """Colour of values below the range; `extend`: the colour of its lower end."""
    above: Colour | Extend | None = None


AS_STYLED = Colouring()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """Background of a picture that needs more than one opaque colour."""

    colour: Colour
    void: Colour
    """Colour of pixels that have no position on earth in the CRS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAnomaly:
    """A map of deviations from the usual values of the same time of the year."""

    kind: AnomalyKind
    reference: TimeSelection = ABSENT
    """Times of the usual values; absent: all times of the layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StyledLayer:
    """Values of a layer in the colours of a style."""

    layer: str
    """Id or alias."""
    style: str = ""
    """Id; empty or `default`: the layer's first style."""
    own_style: Style | None = None
    """A style that the request contains; replaces the layer's styles."""
    range: tuple[float, float] | None = None
    """Physical values at the ends of the ramp; replaces the range of the style."""
    ramp: str | None = None
    """Id of a style whose colours are stretched over the range; replaces the colours of the style."""
    colouring: Colouring = AS_STYLED
    reducer: PictureReducer = "latest"
    """Reducer of several times; only `latest` and `clearest` keep flags in a picture, and so in its legend."""
    anomaly: MapAnomaly | None = None
    """Shown in diverging colours, like differences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendRequest(StyledLayer):
    """Request for a legend of a style."""

    is_difference: bool = False
    """Whether the legend has the diverging colours of changes between two times."""
    time: TimeSelection = ABSENT
    """Time in the title of an anomaly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLayer(StyledLayer):
    """A styled layer at a time: the content of a map, or of a map whose values at a point are requested."""

    time: TimeSelection = ABSENT
    fills_gaps: bool = False
    """Whether a time in a gap between irregular times is replaced by the time before it (`resolve_picture_times`)."""
    difference: TimeSelection | None = None
    """A second time, whose values are subtracted: the picture shows the change in diverging colours."""

    @property
    def is_difference(self) -> bool:
        """Whether values are changes."""
        return self.difference is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest(ShownLayer):
    """Request for a picture of an area at a time."""

    grid: Grid
    format: MapFormat = MapFormat.PNG
    expression: str | None = None
    """Arithmetic over the variables of the layer's collection; replaces the values of the layer."""
    background: tuple[int, int, int] | Backdrop | None = None
    """Red, green and blue under transparent pixels; `None` keeps them transparent if the format can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point in a CRS, x before y."""

    x: float
    y: float
    crs: Crs = CRS84
    id: str | int | float | None = None
    """Id from the client."""

    @property
    def degrees(self) -> tuple[float, float]:
        """Longitude and latitude in CRS84."""
        if self.crs == CRS84:
            return self.x, self.y
        longitude, latitude = transformer(self.crs, CRS84).transform(self.x, self.y)
        return float(longitude), float(latitude)


def place_in_degrees(
    longitude: float, latitude: float, *, crs: Crs = CRS84, names: tuple[str, str] = ("lon", "lat"), hint: str = ""
) -> Point:
    """Return the point at a longitude and latitude; longitudes beyond 180 are converted to -180 ... 180.

    Args:
        longitude: Degrees, -360 to 360.
        latitude: Degrees.
        crs: A geographic CRS.
        names: Names of both coordinates, for error messages.
        hint: Text at the end of error messages.

    Raises:
        InvalidParameter: A coordinate is out of range.
    """
    for name, value, most in ((names[0], longitude, 360), (names[1], latitude, 90)):
        if abs(value) > most:
            raise InvalidParameter(f"{name} must be from -{most} to {most} degrees, got {value:g}{hint}", locator=name)
    if longitude > 180:
        longitude -= 360
    elif longitude < -180:
        longitude += 360
    return Point(x=longitude, y=latitude, crs=crs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRequest:
    """Request for values along time at a point."""

    layer: str
    """Id or alias."""
    point: Point
    time: TimeSelection = ABSENT
    analysis: Analysis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSeriesRequest:
    """Request for values along time at several points."""

    layer: str
    """Id or alias."""
    points: tuple[Point, ...]
    """In CRS84."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsRequest:
    """Request for values of several variables along time at several points."""

    layers: tuple[str, ...]
    """Ids or aliases, at least one."""
    points: tuple[Point, ...]
    """At least one."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class AreasRequest:
    """Request for values of several variables along time in several areas."""

    layers: tuple[str, ...]
    """Ids or aliases, at least one."""
    areas: tuple[Area, ...]
    """At least one."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyRequest(ShownLayer):
    """Request for the values of a cell that a picture shows: all its values, in the colours of a style."""

    point: Point
    stretched_over: MapRequest | None = None
    """Picture whose values determine the range, if colours are stretched."""

    @classmethod
    def from_map_request(cls, map_request: MapRequest, point: Point, *, layer: str) -> "IdentifyRequest":
        """Return the request for the values of a picture at a point; `layer` is the layer's name in the answer."""
        values = {field.name: getattr(map_request, field.name) for field in fields(ShownLayer)} | {"layer": layer}
        return cls(**values, point=point, stretched_over=map_request if map_request.colouring.is_stretched else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSeriesRequest:
    """Request for reduced values along time in areas."""

    layer: str
    """Id or alias."""
    areas: tuple[Area, ...]
    time: TimeSelection = ABSENT
    reducers: tuple[Reducer, ...] = (MEAN,)
    weights: Weights = "pixel"
    min_valid: float = 0.0
    """Minimum fraction of cells with a value, 0 to 1; below it, the reduced value is missing."""
    analysis: Analysis | None = None
    """Analysis of the values of each reducer, except counts of cells."""
    given_by: str = "geometry"
    """The parameter that selects the areas, for error messages."""
    may_be_outside: bool = False
    """Whether areas outside the layer have no cells. If false, a request with only such areas is refused."""
