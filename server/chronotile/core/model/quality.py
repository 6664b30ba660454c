"""Conditions on the numbers of a quality variable, and flags in their bits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.types import BoolArray, Int64Array, NumberArray
from chronotile.core.yaml_source import list_names, nearest


@dataclass(frozen=True, slots=True)
class NamedFlag:
    """A flag in the digital numbers of a variable (CF 1.10 §3.5)."""

    name: str
    mask: int = -1
    """Bits of the flag; -1: all bits."""
    value: int | None = None
    """Number in the bits of `mask` if the flag is set; `None`: set if any bit is 1."""

    def is_set(self, numbers: Int64Array) -> BoolArray:
        """Return an array that is true for numbers with the flag."""
        bits: Int64Array = numbers & self.mask
        return np.not_equal(bits, 0) if self.value is None else np.equal(bits, self.value)


def _single_bits(*names: str) -> tuple[NamedFlag, ...]:
    return tuple(NamedFlag(name, 1 << bit) for bit, name in enumerate(names))


def _two_bits(name: str, first_bit: int, *levels: str) -> tuple[NamedFlag, ...]:
    numbers = enumerate(levels)
    return tuple(NamedFlag(f"{name}_{level}", 3 << first_bit, number << first_bit) for number, level in numbers)


BitLayout = Literal["hls_fmask", "landsat_qa_pixel"]

BIT_LAYOUTS: Mapping[BitLayout, tuple[NamedFlag, ...]] = {
    "hls_fmask": (
        *_single_bits("cirrus", "cloud", "adjacent_to_cloud", "cloud_shadow", "snow", "water"),
        *_two_bits("aerosol", 6, "climatology", "low", "moderate", "high"),
    ),
    "landsat_qa_pixel": (
        *_single_bits("fill", "dilated_cloud", "cirrus", "cloud", "cloud_shadow", "snow", "clear", "water"),
        *_two_bits("cloud_confidence", 8, "none", "low", "medium", "high"),
        *_two_bits("cloud_shadow_confidence", 10, "none", "low", "reserved", "high"),
        *_two_bits("snow_confidence", 12, "none", "low", "reserved", "high"),
        *_two_bits("cirrus_confidence", 14, "none", "low", "reserved", "high"),
    ),
}
"""Flags of quality bands whose files do not state them: Fmask of HLS 2.0 (HLS Product User Guide 2.0, quality
assessment layer) and QA_PIXEL of Landsat Collection 2 (LSDS-1619, Landsat 8-9 Level 2 Science Product Guide)."""


NO_NAMES_REMEDY = f"set bits: {' or '.join(BIT_LAYOUTS)}, or list numbers in keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueBounds:
    """Smallest and largest value, both included."""

    at_least: float = -math.inf
    at_most: float = math.inf

    def contain(self, numbers: NumberArray, encoding: Encoding) -> BoolArray:
        """Return an array that is true for values within the bounds.

        Numbers are compared with packed bounds: 57 * 0.01 is more than 0.57 in floating point. Bounds are rounded if
        they differ from a whole number only because a scale such as 0.01 was stored as float32.
        """
        ends = np.array([(end - encoding.offset) / encoding.scale for end in (self.at_least, self.at_most)])
        if numbers.dtype.kind != "f":
            whole = np.rint(ends)
            ends = np.where(np.isclose(ends, whole, rtol=1e-7, atol=1e-6), whole, ends)
        low, high = sorted(ends.tolist())
        is_within: BoolArray = (numbers >= low) & (numbers <= high)
        return is_within & encoding.valid(numbers)


@dataclass(frozen=True, slots=True)
class AbsentFlags:
    """Flags that are not set."""

    names: tuple[str, ...]
    layout: BitLayout | None = None
    """Replaces the flags that the file states."""

    def select(self, stated: Sequence[NamedFlag]) -> tuple[NamedFlag, ...]:
        """Return the flags; several may have one name.

        Raises:
            InvalidParameter: A flag does not exist.
        """
        flags = BIT_LAYOUTS[self.layout] if self.layout else stated
        existing = dict.fromkeys(flag.name for flag in flags)
        unknown = next((name for name in self.names if name not in existing), None)
        if unknown is not None:
            accepted = f"accepted are {list_names(existing)}" if existing else f"the file names none; {NO_NAMES_REMEDY}"
            problem = f"flag {unknown[:60]!r} does not exist{nearest(unknown, existing)}; {accepted}"
            raise InvalidParameter(problem, locator="mask")
        return tuple(flag for flag in flags if flag.name in self.names)


def have_flags(flags: Sequence[NamedFlag], numbers: NumberArray, encoding: Encoding) -> BoolArray:
    """Return an array that is true for missing numbers and numbers with a flag."""
    is_missing = ~encoding.valid(numbers)
    whole = np.where(is_missing, 0, numbers).astype(np.int64)
    for flag in flags:
        is_missing |= flag.is_set(whole)
    return is_missing
