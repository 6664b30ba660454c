"""What protocols ask of the pipeline, in the core's words."""

from dataclasses import dataclass, fields
from typing import Literal

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.series.analysis import MEAN, Analysis, AnomalyKind, Reducer
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour, Style
from chronotile.core.model.time.selection import ABSENT, TimeSelection

PictureReducer = Literal["latest", "earliest", "max", "min", "mean", "median", "clearest"]
PICTURE_REDUCERS: tuple[PictureReducer, ...] = ("latest", "earliest", "max", "min", "mean", "median", "clearest")
PIXEL_REDUCERS = PICTURE_REDUCERS[:-1]
"""Those that take each pixel's values of all times; `clearest` chooses one of the times."""


Extend = Literal["extend"]


Weights = Literal["pixel", "area", "auto"]
WEIGHTS: tuple[Weights, ...] = ("pixel", "area", "auto")
"""Which cells an area has, and how much each weighs: those whose centre lies inside, each as much; or all that it
touches, by their share inside and their true area; or by area if it has the centres of few cells, else by centres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Colouring:
    """What a request changes of how a ramp's colours lie over its range."""

    bands: int | None = None
    """As many equal steps of one colour each, in place of a continuous ramp."""
    is_logarithmic: bool = False
    is_reversed: bool = False
    """The colours of the upper end lie at the lower one."""
    is_stretched: bool = False
    """The range is that of the values in the picture."""
    below: Colour | Extend | None = None
    """The colour of values below the range; `extend` means that of its lower end."""
    above: Colour | Extend | None = None


AS_STYLED = Colouring()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """What lies under a picture, where one opaque colour does not say it."""

    colour: Colour
    void: Colour
    """Where the CRS has no place on earth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAnomaly:
    """A map of deviations from the usual values of the same time of the year."""

    kind: AnomalyKind
    reference: TimeSelection = ABSENT
    """The times of the usual values; all of the layer where none are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StyledLayer:
    """Values of a layer in the colours of a style."""

    layer: str
    """Id or alias."""
    style: str = ""
    """Id, or nothing or `default` for the layer's first style."""
    own_style: Style | None = None
    """A style that the request brings along, in place of the layer's."""
    range: tuple[float, float] | None = None
    """Physical values at the ends of the ramp, instead of the style's own."""
    ramp: str | None = None
    """Id of a style whose colours are stretched over the range, instead of the style's own."""
    colouring: Colouring = AS_STYLED
    reducer: PictureReducer = "latest"
    """Of several times to one pixel; only `latest` and `clearest` leave flags in a picture, and so in its legend."""
    anomaly: MapAnomaly | None = None
    """In diverging colours, as differences are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendRequest(StyledLayer):
    """Show what the colours of a style mean."""

    is_difference: bool = False
    """In the diverging colours that changes between two times have."""
    time: TimeSelection = ABSENT
    """That the title of an anomaly names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLayer(StyledLayer):
    """The content of a picture, or of the values at one of its places."""

    time: TimeSelection = ABSENT
    fills_gaps: bool = False
    """Whether a time in a gap between irregular ones is answered by the one before it (`resolve_picture_times`)."""
    difference: TimeSelection | None = None
    """A second time, whose values are subtracted: the picture shows the change since then in diverging colours."""

    @property
    def is_difference(self) -> bool:
        """Whether values are changes."""
        return self.difference is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest(ShownLayer):
    """Show this area at this time."""

    grid: Grid
    format: MapFormat = MapFormat.PNG
    expression: str | None = None
    """Arithmetic over the variables of the layer's collection, shown in place of the layer's own values."""
    background: tuple[int, int, int] | Backdrop | None = None
    """Red, green and blue under transparent pixels; `None` keeps them transparent where the format can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in a CRS, x before y."""

    x: float
    y: float
    crs: Crs = CRS84
    id: str | int | float | None = None
    """As the client called it."""

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
    """Return the place there; longitudes of a second turn are taken back to -180 ... 180.

    Args:
        longitude: In degrees.
        latitude: In degrees.
        crs: A geographic one.
        names: What messages call the two.
        hint: What they add.

    Raises:
        InvalidParameter: One is no such degree.
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
    """What happened at this place."""

    layer: str
    """Id or alias."""
    point: Point
    time: TimeSelection = ABSENT
    analysis: Analysis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSeriesRequest:
    """What happened at these places."""

    layer: str
    """Id or alias."""
    points: tuple[Point, ...]
    """In CRS84."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsRequest:
    """What happened at these places, by several variables."""

    layers: tuple[str, ...]
    """Ids or aliases, at least one."""
    points: tuple[Point, ...]
    """At least one."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class AreasRequest:
    """What happened in these areas, by several variables."""

    layers: tuple[str, ...]
    """Ids or aliases, at least one."""
    areas: tuple[Area, ...]
    """At least one."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyRequest(ShownLayer):
    """What is shown at this place: the values of the cell, all of them if there are several, as the style has them."""

    point: Point
    stretched_over: MapRequest | None = None
    """The picture over whose values the colours are stretched, where they are."""

    @classmethod
    def from_map_request(cls, shown: MapRequest, point: Point, *, layer: str) -> "IdentifyRequest":
        """Return the request for the values that a picture shows at a point, under the name `layer` goes by there."""
        own = {each.name: getattr(shown, each.name) for each in fields(ShownLayer)} | {"layer": layer}
        return cls(**own, point=point, stretched_over=shown if shown.colouring.is_stretched else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSeriesRequest:
    """What happened in these areas."""

    layer: str
    """Id or alias."""
    areas: tuple[Area, ...]
    time: TimeSelection = ABSENT
    reducers: tuple[Reducer, ...] = (MEAN,)
    weights: Weights = "pixel"
    min_valid: float = 0.0
    """The least share of cells with a value, 0 to 1, for which there is a reduced one."""
    analysis: Analysis | None = None
    """Of each reducer but counts of cells."""
    given_by: str = "geometry"
    """The parameter that selects the areas, for error messages."""
    may_be_outside: bool = False
    """Whether areas that all lie outside the layer have no cells, as one beside others has, rather than be refused."""
