"""The request for a time-lapse, and the frames it is made of."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.picture import Picture
from chronotile.core.model.request import MapRequest
from chronotile.core.model.time.periods import Period
from chronotile.core.model.types import UInt8Array

AnimationLabel = Literal["date", "legend", "attribution"]
ANIMATION_LABELS: tuple[AnimationLabel, ...] = ("date", "legend", "attribution")

DEFAULT_FPS = 4.0
"""Frames a second: flashes of more than three a second may harm (WCAG 2.2 §2.3.1), and clouds flash half as often."""
MIN_FPS, MAX_FPS = 0.1, 30.0
"""Viewers of GIF slow down what is faster than 50."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationRequest:
    """Show this area at these times, one after the other."""

    map_request: MapRequest
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
class FrameCard:
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
    cards: tuple[FrameCard, ...]

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
