"""From a source's numbers to those of the cube: the same ones, or values packed anew."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.errors import UnsupportedSource
from chronotile.model.raster import Encoding, Numbers, Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Values as whole numbers: `number * scale + offset`; the type's greatest number is nodata."""

    dtype: str
    scale: float
    offset: float

    def __post_init__(self) -> None:
        if np.dtype(self.dtype).kind not in "iu":
            raise UnsupportedSource(f"--dtype {self.dtype} is no integer type; say uint8, int16 or uint16")
        if self.scale == 0:
            raise UnsupportedSource("--scale must not be 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How one variable's numbers become the cube's."""

    source: Encoding
    target: Encoding

    def numbers(self, pixels: Pixels) -> Numbers:
        """Return the cube's numbers of pixels."""
        if self.source == self.target:
            return self._unmasked(pixels)
        valid = self.source.valid(pixels.numbers)
        if pixels.valid is not None:
            valid &= pixels.valid
        low, high = _limits(np.dtype(self.target.dtype))
        values = np.where(valid, self.source.values(pixels.numbers), self.target.offset)
        packed = np.rint((values - self.target.offset) / self.target.scale)
        clipped = np.clip(packed, low, high)
        return np.where(valid, clipped, self._nodata).astype(self.target.dtype)

    def _unmasked(self, pixels: Pixels) -> Numbers:
        """What the source's own mask takes away becomes nodata."""
        if pixels.valid is None:
            return pixels.numbers
        lost = pixels.valid & (pixels.numbers == self._nodata)
        if lost.any():
            raise UnsupportedSource(
                f"{int(lost.sum())} of its cells have the number {self._nodata:g}, which means nodata, "
                "though its mask shows them; write it with --dtype"
            )
        return np.where(pixels.valid, pixels.numbers, np.asarray(self._nodata, dtype=pixels.numbers.dtype))

    @property
    def _nodata(self) -> float:
        if self.target.nodata is None:
            raise UnsupportedSource("it has a mask but no number that stands for nodata; write it with --dtype")
        return self.target.nodata


def conversion_of(encoding: Encoding, packing: Packing | None) -> Conversion:
    """Return how numbers of an encoding are written."""
    if packing is None:
        target = encoding
        if encoding.nodata is None and np.dtype(encoding.dtype).kind == "f":
            target = replace(encoding, nodata=float("nan"))
        return Conversion(source=target, target=target)
    low, high = _limits(np.dtype(packing.dtype))
    target = Encoding(
        dtype=np.dtype(packing.dtype).name,
        scale=packing.scale,
        offset=packing.offset,
        nodata=float(high + 1),
        valid_range=(float(low), float(high)),
        units=encoding.units,
    )
    return Conversion(source=encoding, target=target)


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The numbers that may be values."""
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max) - 1
