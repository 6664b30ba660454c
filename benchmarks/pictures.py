"""Whether servers drew the same: pictures in the same ramp, turned back into places on that ramp."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

RAMP = "viridis"
LEAST_CORRELATION = 0.5
"""Noise and half a pixel of another place take something; another date or place leaves nothing."""


class BlankPicture(Exception):
    """A server drew nothing for an area with data."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like two pictures are."""

    valid_agreement: float
    """Share of pixels that both show or both leave out."""
    correlation: float
    """Correlation of the ranks of values on the ramp, for pixels with data in both pictures."""


def decode(body: bytes) -> np.ndarray:
    """Return a picture as (y, x, 4) uint8."""
    with Image.open(io.BytesIO(body)) as picture:
        return np.asarray(picture.convert("RGBA"))


def require_drawn(rgba: np.ndarray, what: str) -> None:
    """Refuse a picture that shows nothing.

    Raises:
        BlankPicture: All is transparent, or of one colour.
    """
    shown = rgba[rgba[..., 3] > 0]
    if len(shown) == 0 or (shown == shown[0]).all():
        raise BlankPicture(f"{what} drew nothing")


def likeness(ours: np.ndarray, theirs: np.ndarray) -> Likeness:
    """Return how like two pictures (y, x, 4) of one size and one ramp are; the ramp gets lighter all the way."""
    if ours.shape != theirs.shape:
        return Likeness(0.0, 0.0)
    shown, shown_by_them = ours[..., 3] > 127, theirs[..., 3] > 127
    both = shown & shown_by_them
    if both.sum() < 2:
        return Likeness(float((shown == shown_by_them).mean()), 0.0)
    ranks = [_ranks(_lightness(picture[both])) for picture in (ours, theirs)]
    # Constant ranks have no correlation: one picture has a single colour in the common pixels.
    varied = all(np.ptp(each) > 0 for each in ranks)
    correlation = float(np.corrcoef(ranks[0], ranks[1])[0, 1]) if varied else 0.0
    return Likeness(float((shown == shown_by_them).mean()), correlation)


def _lightness(colours: np.ndarray) -> np.ndarray:
    """Rec. 709 luma of (pixel, 4), which grows along viridis."""
    return np.asarray(colours[:, :3].astype(np.float64) @ (0.2126, 0.7152, 0.0722))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])
