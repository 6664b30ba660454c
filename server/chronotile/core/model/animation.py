"""The request for a time-lapse, and the frames it is made of."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.crs import Crs
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.grid import BBox, Grid, require_place
from chronotile.core.model.raster import Picture
from chronotile.core.model.request import MapRequest
from chronotile.core.model.time.instants import Period
from chronotile.core.model.types import UInt8Array

AnimationLabel = Literal["date", "legend", "attribution"]
ANIMATION_LABELS: tuple[AnimationLabel, ...] = ("date", "legend", "attribution")

DEFAULT_FPS = 4.0
"""Frames a second: flashes of more than three a second may harm (WCAG 2.2 §2.3.1), and clouds flash half as often."""
LEAST_FPS, MOST_FPS = 0.1, 30.0
"""Viewers of GIF slow down what is faster than 50."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationRequest:
    """Show this area at these times, one after the other."""

    shown: MapRequest
    """Layer, area and colours; its `time` is all that is requested, of which each frame shows a part, and its `format`
    is of no account."""
    format: AnimationFormat
    step: int | Period = 1
    """Every so many times one is a frame; or each such period is, of all its times."""
    fps: float = DEFAULT_FPS
    """Frames a second."""
    labels: frozenset[AnimationLabel] = frozenset(ANIMATION_LABELS)
    """What is written on the frames."""
    newest: int | None = None
    """How many frames there are at most, of which the newest; `None`: all."""


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A label with what lies behind it, as it is laid on a picture."""

    x: int
    """Columns from the western edge."""
    y: int
    """Rows from the northern edge."""
    pixels: UInt8Array
    """(y, x, 3), opaque; wholly inside the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture of a time-lapse, opaque, with the cards that lie on it; they do not overlap."""

    picture: Picture
    cards: tuple[Card, ...]

    def rgb(self) -> UInt8Array:
        """Return (y, x, 3)."""
        return np.ascontiguousarray(self.rgba()[..., :3])

    def rgba(self) -> UInt8Array:
        """Return (y, x, 4), opaque."""
        pixels = self.picture.rgba().copy()
        for card in self.cards:
            height, width, _bands = card.pixels.shape
            pixels[card.y : card.y + height, card.x : card.x + width, :3] = card.pixels
        return pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What all frames of a time-lapse have in common."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fps: float
    """Frames a second."""
    count: int
    """Frames."""


# Grids of pictures whose pixels are square on the ground.

DEFAULT_WIDTH_PX = 640
LEAST_SIDE_PX = 16
"""Of a block of H.264."""
MOST_DEFAULT_PX = 2560
"""High, where no side is given: what is narrower is not square."""
MOST_SIDE_PX = 65_535
"""Past which nothing is reckoned: all limits are below."""
LEAST_COSINE = 0.1
"""Of a latitude: near a pole pixels are ten times as long as wide at most."""


def grid_of_picture(crs: Crs, box: BBox, *, width: int | None, height: int | None) -> Grid:
    """Return the grid over a box; pixels are square on the ground unless both sides are given, or none of a narrow box.

    Raises:
        InvalidParameter: The box is not a place, or so narrow that the side which is not given would be none.
    """
    require_place(box, crs)
    ratio = _ratio(box, crs)
    if height is None:
        if width is not None:
            return Grid(crs=crs, bbox=box, width=width, height=_other_side(width / ratio, "width"))
        width = DEFAULT_WIDTH_PX
        height = round(min(max(DEFAULT_WIDTH_PX / ratio, LEAST_SIDE_PX), MOST_DEFAULT_PX))
    return Grid(crs=crs, bbox=box, width=width or _other_side(height * ratio, "height"), height=height)


def _ratio(box: BBox, crs: Crs) -> float:
    """How much wider than high the box is on the ground."""
    ratio = (box.xmax - box.xmin) / (box.ymax - box.ymin)
    if not crs.is_geographic:
        return ratio
    return ratio * max(LEAST_COSINE, math.cos(math.radians((box.ymin + box.ymax) / 2)))


def _other_side(pixels: float, given: str) -> int:
    """The side that is not requested."""
    if not LEAST_SIDE_PX - 0.5 <= pixels <= MOST_SIDE_PX:
        raise InvalidParameter(
            f"the shape of bbox would make the other side {pixels:.5g} pixels; give both width and height",
            locator=given,
        )
    return round(pixels)
