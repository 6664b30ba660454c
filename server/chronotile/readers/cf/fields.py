"""Arrays with names, dimensions and attributes, as Zarr groups and NetCDF files hold them; no library's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Attributes = Mapping[str, Any]
"""CF attributes; numbers may be Python's or numpy's, sequences lists or arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One array of a file or group."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    """As stored."""
    attrs: Attributes
    load: Callable[[], NDArray[Any]]
    """Reads all of it, as stored; for coordinates."""

    @property
    def sizes(self) -> dict[str, int]:
        """The length of each dimension."""
        return dict(zip(self.dims, self.shape, strict=True))

    def text(self, attribute: str) -> str:
        """Return an attribute as text, empty where it is absent."""
        value = self.attrs.get(attribute)
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value) if value is not None else ""


@dataclass(frozen=True, slots=True)
class FieldSet:
    """The arrays of one file or group, and their common attributes."""

    fields: Mapping[str, Field]
    attrs: Attributes

    def coordinates_named_by(self, field: Field) -> list[Field]:
        """Return the fields that `field` names as its auxiliary coordinates (CF §5)."""
        return [self.fields[name] for name in field.text("coordinates").split() if name in self.fields]
