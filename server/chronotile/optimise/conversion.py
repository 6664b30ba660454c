"""From a source's numbers to those of the cube: the same ones, or values repacked."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.types import NumberArray
from chronotile.readers.joined.common_encoding import Recoding, float32_values, recoding_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Values as whole numbers: `number * scale + offset`; the type's greatest number is nodata."""

    dtype: str
    scale: float
    offset: float

    def __post_init__(self) -> None:
        try:
            is_integer = np.dtype(self.dtype).kind in {"i", "u"}
        except TypeError:  # no type of numpy
            is_integer = False
        if not is_integer:
            raise UnsupportedSource(f"--dtype {self.dtype} is not an integer type; use uint8, int16 or uint16")
        if self.scale == 0:
            raise UnsupportedSource("--scale must not be 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How one variable's numbers become the cube's: exactly, as float32 values, or packed as was requested."""

    source: Encoding
    target: Encoding

    def numbers(self, pixels: Pixels) -> NumberArray:
        """Return the cube's numbers of pixels.

        Raises:
            UnsupportedSource: The cube has no number for one of them.
        """
        recoding = recoding_of(self.source, self.target)
        if recoding is not None:
            return self._apply_mask(recoding.pixels(pixels))
        if np.dtype(self.target.dtype).kind == "f":
            codes = self.source.codes(pixels.numbers)
            with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are no values
                values = self.source.values(pixels.numbers).astype(self.target.dtype)
            numbers = np.where(codes == 0, values, Recoding(self.source, self.target).lacking()[codes])
            return self._apply_mask(Pixels(numbers, pixels.valid))
        return self._pack(pixels)

    @property
    def is_exact(self) -> bool:
        """Whether each value stays what it is."""
        return recoding_of(self.source, self.target) is not None

    def _pack(self, pixels: Pixels) -> NumberArray:
        valid = self.source.valid(pixels.numbers)
        if pixels.valid is not None:
            valid &= pixels.valid
        low, high = _limits(np.dtype(self.target.dtype))
        values = np.where(valid, self.source.values(pixels.numbers), self.target.offset)
        packed = np.rint((values - self.target.offset) / self.target.scale)
        outside = (packed < low) | (packed > high)
        if outside.any():
            ends = sorted(self.target.values(np.array([low, high])).tolist())
            raise UnsupportedSource(
                f"a value of {values[outside][0]:.6g} has no number in {self.target.dtype} with --scale "
                f"{self.target.scale:g} and --offset {self.target.offset:g}, which hold {ends[0]:.6g} to {ends[1]:.6g}"
            )
        return np.where(valid, packed, self._nodata).astype(self.target.dtype)

    def _apply_mask(self, pixels: Pixels) -> NumberArray:
        """What the source's own mask takes away becomes nodata."""
        if pixels.valid is None:
            return pixels.numbers
        lost = pixels.valid & (pixels.numbers == self._nodata)
        if self.source == self.target and lost.any():
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
        circle=encoding.circle,
    )
    return Conversion(source=encoding, target=target)


def conversion_of_files(encoding: Encoding, packing: Packing | None) -> Conversion:
    """Return how numbers of files are written: where they differ so that only floats hold all, as float32 values."""
    if packing is None and encoding.text_step is not None:
        return Conversion(source=encoding, target=float32_values(encoding))
    return conversion_of(encoding, packing)


def conversion_into(encoding: Encoding, there: Encoding) -> Conversion | None:
    """Return how numbers are added to those that a cube has; `None` where these cannot hold the values."""
    is_of_values = there == float32_values(encoding)
    return Conversion(source=encoding, target=there) if is_of_values or recoding_of(encoding, there) else None


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    # The numbers that may be values.
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max) - 1
