"""Arrays with names, dimensions and attributes, as Zarr groups and NetCDF files hold them; no library's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.core.model.types import AnyArray, Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One array of a file or group."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    """Stored type."""
    attrs: Attributes
    load: Callable[[], AnyArray]
    """Reads all stored numbers; for coordinates."""
    fault: str | None = None
    """The reason if its numbers cannot be read."""
    part: Callable[[tuple[slice, ...]], AnyArray] | None = None
    """Reads a part of the stored numbers; `None` if all are in memory."""
    default_fill: float | None = None
    """The number of cells that were never written, if `_FillValue` does not state one."""

    def sampled(self, count: int) -> "Field":
        """Return the field with every n-th cell only, about `count` along each dimension, to read few of them."""
        return self.part_of(tuple(slice(0, length, max(1, (length - 1) // (count - 1))) for length in self.shape))

    def in_memory(self) -> "Field":
        """Return the field with all stored numbers in memory."""
        numbers = self.load()
        return replace(self, load=lambda: numbers, part=None)

    def part_of(self, picks: tuple[slice, ...]) -> "Field":
        """Return the field with a part of its cells, which alone is read."""
        shape = tuple(len(range(length)[pick]) for pick, length in zip(picks, self.shape, strict=True))

        def load() -> AnyArray:
            return self.load()[picks] if self.part is None else self.part(picks)

        return replace(self, shape=shape, load=load, part=None)

    @property
    def sizes(self) -> dict[str, int]:
        """The length of each dimension."""
        return dict(zip(self.dims, self.shape, strict=True))

    def text(self, attribute: str) -> str:
        """Return an attribute as text; empty if it is absent."""
        value = self.attrs.get(attribute)
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value) if value is not None else ""


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The arrays of one file or group, and their common attributes."""

    fields: Mapping[str, Field]
    attrs: Attributes
    """Attributes of the group, completed by the root's."""
    levels: tuple[Attributes, ...] = ()
    """Attributes of the group alone, then of each group above it; by default `attrs`."""
    borrowed: frozenset[str] = frozenset()
    """Names of coordinates and grid mappings that are stored in other groups."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", self.levels or (self.attrs,))

    def coordinates_named_by(self, field: Field) -> list[Field]:
        """Return the fields that `field` names as its auxiliary coordinates (CF §5)."""
        return [self.fields[name] for name in field.text("coordinates").split() if name in self.fields]


def about(attrs: Attributes) -> dict[str, Any]:
    """Return the metadata of a store or file, by the names of `SourceInfo`."""
    texts = {name: attrs.get(name) for name in ("title", "attribution", "license")}
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}
