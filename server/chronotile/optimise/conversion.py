"""Conversion of a source's numbers to numbers of the cube: unchanged, or values packed again."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.types import NumberArray
from chronotile.readers.joined.common_encoding import float32_values
from chronotile.readers.joined.recoding import Recoding, recoding_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Values as whole numbers: `number * scale + offset`; the greatest number of the dtype is nodata."""

    dtype: str
    scale: float
    offset: float

    def __post_init__(self) -> None:
        try:
            is_integer = np.dtype(self.dtype).kind in {"i", "u"}
        except TypeError:  # not a dtype of numpy
            is_integer = False
        if not is_integer:
            raise UnsupportedSource(f"--dtype {self.dtype} is not an integer type; use uint8, int16 or uint16")
        if self.scale == 0:
            raise UnsupportedSource("--scale must not be 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberConversion:
    """Conversion of the numbers of one variable: exact, to float32 values, or packed as requested."""

    source: Encoding
    target: Encoding

    def numbers(self, pixels: Pixels) -> NumberArray:
        """Return the cube's numbers of pixels.

        Raises:
            UnsupportedSource: The cube has no number for a value.
        """
        recoding = recoding_of(self.source, self.target)
        if recoding is not None:
            return self._apply_mask(recoding.pixels(pixels))
        if np.dtype(self.target.dtype).kind == "f":
            codes = self.source.codes(pixels.numbers)
            with np.errstate(over="ignore", invalid="ignore"):  # nodata numbers may overflow
                values = self.source.values(pixels.numbers).astype(self.target.dtype)
            numbers = np.where(codes == 0, values, Recoding(self.source, self.target).lacking()[codes])
            return self._apply_mask(Pixels(numbers, pixels.valid))
        return self._pack(pixels)

    @property
    def is_exact(self) -> bool:
        """Whether all values stay the same."""
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
        """Replace pixels that the mask of the source hides by nodata."""
        if pixels.valid is None:
            return pixels.numbers
        is_lost = pixels.valid & (pixels.numbers == self._nodata)
        if self.source == self.target and is_lost.any():
            raise UnsupportedSource(
                f"{int(is_lost.sum())} of its cells have the number {self._nodata:g}, which means nodata, "
                "though its mask shows them; write it with --dtype"
            )
        return np.where(pixels.valid, pixels.numbers, np.asarray(self._nodata, dtype=pixels.numbers.dtype))

    @property
    def _nodata(self) -> float:
        if self.target.nodata is None:
            raise UnsupportedSource("it has a mask but no number that stands for nodata; write it with --dtype")
        return self.target.nodata


def conversion_of(encoding: Encoding, packing: Packing | None) -> NumberConversion:
    """Return the conversion of an encoding, packed if requested."""
    if packing is None:
        target = encoding
        if encoding.nodata is None and np.dtype(encoding.dtype).kind == "f":
            target = replace(encoding, nodata=float("nan"))
        return NumberConversion(source=target, target=target)
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
    return NumberConversion(source=encoding, target=target)


def conversion_of_files(encoding: Encoding, packing: Packing | None) -> NumberConversion:
    """Return the conversion of files: to float32 values if their encodings differ and only floats hold all values."""
    if packing is None and encoding.text_step is not None:
        return NumberConversion(source=encoding, target=float32_values(encoding))
    return conversion_of(encoding, packing)


def conversion_into(encoding: Encoding, existing: Encoding) -> NumberConversion | None:
    """Return the conversion into the encoding of an existing cube; `None` if it cannot hold the values."""
    is_of_values = existing == float32_values(encoding)
    return (
        NumberConversion(source=encoding, target=existing) if is_of_values or recoding_of(encoding, existing) else None
    )


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    # Smallest and greatest number of a value
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max) - 1
