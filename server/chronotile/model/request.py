"""What protocols ask of the pipeline, in the core's words."""

from dataclasses import dataclass
from typing import Literal

from chronotile.model.crs import CRS84, Crs
from chronotile.model.grid import Grid
from chronotile.model.time import ABSENT, TimeSelection

PictureFormat = Literal["image/png", "image/webp", "image/jpeg"]
ValueFormat = Literal["image/tiff", "application/x-npy"]
VALUE_FORMATS: tuple[ValueFormat, ...] = ("image/tiff", "application/x-npy")
"""Numbers on the grid instead of colours: float32 values, NaN where there is none."""

PICTURE_FORMATS: tuple[PictureFormat, ...] = ("image/png", "image/webp", "image/jpeg")

PictureReducer = Literal["latest", "earliest", "max", "min", "mean", "median"]
PICTURE_REDUCERS: tuple[PictureReducer, ...] = ("latest", "earliest", "max", "min", "mean", "median")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """Show this area at this time."""

    layer: str
    """Id or alias."""
    grid: Grid
    time: TimeSelection = ABSENT
    style: str = ""
    """Id, or nothing or `default` for the layer's first style."""
    format: PictureFormat | ValueFormat = "image/png"
    range: tuple[float, float] | None = None
    """Physical values at the ends of the ramp, in place of the style's own."""
    ramp: str | None = None
    """Id of a style whose colours are stretched over the range, in place of the style's own."""
    reducer: PictureReducer = "latest"
    """What a pixel shows of several times."""
    expression: str | None = None
    """Arithmetic over the variables of the layer's collection, shown in place of the layer's own values."""
    background: tuple[int, int, int] | None = None
    """Red, green and blue under transparent pixels; `None` keeps them transparent where the format can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A place in a CRS, x before y."""

    x: float
    y: float
    crs: Crs = CRS84


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRequest:
    """What happened at this place."""

    layer: str
    """Id or alias."""
    point: Point
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyRequest:
    """What is shown at this place: the values of the cell, and what the style makes of them."""

    layer: str
    """Id or alias."""
    point: Point
    time: TimeSelection = ABSENT
    """As of a picture; several times give all their values."""
    style: str = ""
    range: tuple[float, float] | None = None
    ramp: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendRequest:
    """Show what the colours of a style mean."""

    layer: str
    style: str = ""
    range: tuple[float, float] | None = None
    ramp: str | None = None
