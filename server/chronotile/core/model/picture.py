"""Pictures: pixels with colours, before they are encoded as PNG or another format."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chronotile.core.model.types import UInt8Array


@dataclass(frozen=True, slots=True)
class IndexPicture:
    """A picture with one band of indexes into a palette."""

    index: UInt8Array
    """(y, x)."""
    palette: UInt8Array
    """(256, 4), red, green, blue, alpha."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.index.shape
        return height, width

    def part(self, rows: slice) -> "IndexPicture":
        """Return a view of some rows."""
        return IndexPicture(self.index[rows], self.palette)

    def rgba(self) -> UInt8Array:
        """Return (y, x, 4)."""
        colours = np.ascontiguousarray(self.palette).view(np.uint32)[:, 0]  # whole colours: four times as fast as bands
        return colours.take(self.index)[..., np.newaxis].view(np.uint8)


@dataclass(frozen=True, slots=True)
class RgbaPicture:
    """A picture with a colour per pixel instead of a palette: a composite, several layers, or over 256 colours."""

    pixels: UInt8Array
    """(y, x, 4)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width, _bands = self.pixels.shape
        return height, width

    def part(self, rows: slice) -> "RgbaPicture":
        """Return a view of some rows."""
        return RgbaPicture(self.pixels[rows])

    def rgba(self) -> UInt8Array:
        """Return (y, x, 4)."""
        return self.pixels


Picture = IndexPicture | RgbaPicture

STRIP_PIXELS = 1 << 18


def picture_strips(shape: tuple[int, int]) -> Iterator[slice]:
    """Return slices of rows that are processed together, so that copies stay small; a tile is one slice."""
    height, width = shape
    step = max(1, STRIP_PIXELS // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))
