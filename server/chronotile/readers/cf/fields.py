"""Arrays with names, dimensions and attributes, as Zarr groups and NetCDF files hold them; no library's own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.core.finding import Finding
from chronotile.core.model.types import AnyArray, Attributes
from chronotile.core.yaml_source import list_names


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
        picks = tuple(slice(0, length, max(1, (length - 1) // (count - 1))) for length in self.shape)
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", self.levels or (self.attrs,))

    def coordinates_named_by(self, field: Field) -> list[Field]:
        """Return the fields that `field` names as its auxiliary coordinates (CF §5)."""
        return [self.fields[name] for name in field.text("coordinates").split() if name in self.fields]


# Groups of a NetCDF file or Zarr store that are not served, and how they could be.

MAX_LISTED_ARRAYS = 5
"""Maximum number of variables of a group that a finding names."""

SWATH = (
    "group {path} is a swath: each of its pixels has its own latitude and longitude, which is not served; resample its "
    "variables to regular latitudes and longitudes first"
)


def about(attrs: Attributes) -> dict[str, Any]:
    """Return the metadata of a store or file, by the names of `SourceInfo`."""
    texts = {name: attrs.get(name) for name in ("title", "attribution", "license")}
    return {name: text for name, text in texts.items() if isinstance(text, str) and text}


@dataclass(frozen=True, slots=True)
class Group:
    """A group with its arrays of two dimensions or more."""

    path: str
    """Path from the root; empty for the root itself."""
    arrays: tuple[str, ...]
    is_swath: bool = False
    """Whether it has a latitude for each pixel."""
    fault: str = ""
    """The reason if it could not be served as a separate source either."""


def group_findings(groups: Iterable[Group], remedy: str) -> tuple[Finding, ...]:
    """Return a warning for each group with arrays; for a swath only one, as its other groups are parts of it.

    Args:
        groups: Groups that are not served.
        remedy: How to serve one; `{path}` is that of the group.
    """
    groups = list(groups)
    swaths = sorted((group for group in groups if group.is_swath), key=lambda group: len(group.path))
    if swaths:
        return (Finding("warning", swaths[0].path, SWATH.format(path=swaths[0].path)),)
    return tuple(_finding(group, remedy) for group in groups if group.arrays)


def _finding(group: Group, remedy: str) -> Finding:
    names = list_names(group.arrays, most=MAX_LISTED_ARRAYS)
    where = f"group {group.path}" if group.path else "the root group"
    because = f": {group.fault}" if group.fault else f"; {remedy.format(path=group.path)}"
    message = f"{where} is not served, with its variables {names}{because}"
    return Finding("warning", group.path or "/", message)
