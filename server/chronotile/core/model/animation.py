"""Requests for animations, and the frames of an animation."""

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
"""More than three flashes per second may harm (WCAG 2.2 §2.3.1); clouds flash at half the frame rate."""
MIN_FPS, MAX_FPS = 0.1, 30.0
"""Viewers slow down GIFs with more than 50 frames per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnimationRequest:
    """Request for pictures of one area at successive times."""

    map_request: MapRequest
    """Layer, area, colours and all requested times. Each frame has a part of `time`; `format` is ignored."""
    format: AnimationFormat
    step: int | Period = 1
    """A number n: every n-th time is a frame. A period: all times of a period are one frame."""
    fps: float = DEFAULT_FPS
    labels: frozenset[AnimationLabel] = frozenset(ANIMATION_LABELS)
    newest: int | None = None
    """Maximum number of frames; the newest are kept. `None`: all frames."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameCard:
    """An opaque label that is drawn on a picture."""

    x: int
    """Column of its left edge."""
    y: int
    """Row of its upper edge, counted from the north."""
    pixels: UInt8Array
    """(y, x, 3) colours; no part is beyond the edge of the frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An opaque picture of an animation with its cards, which do not overlap."""

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
    """Properties that all frames of an animation share."""

    width: int
    """Pixels."""
    height: int
    """Pixels."""
    fps: float
    count: int
    """Number of frames."""
