"""Descriptions of arrays as CF would state them, from descriptions in other conventions."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CfDescription:
    """Dimensions and attributes of an array by CF."""

    dims: tuple[str, ...]
    attrs: Attributes
    note: str = ""
    """An interpretation that is reported to the operator."""


def grid_attributes(crs: str, *, x_edge: float, top: float, x_step: float, y_step: float) -> dict[str, Any]:
    """Return the attributes that place a grid.

    Args:
        crs: CRS in any notation of PROJ.
        x_edge: Outer edge of the first column, in units of the CRS.
        top: Outer edge of the first row.
        x_step: Distance from a column to the next.
        y_step: Distance from a row to the next; negative from north to south.
    """
    return {"crs_wkt": crs, "GeoTransform": (x_edge, x_step, 0.0, top, 0.0, y_step)}


def text_of(value: object) -> str:
    """Return an attribute as text; empty if it is absent or has no elements."""
    single = next(iter(np.ravel(np.asarray(value, dtype=object))), "") if value is not None else ""
    return single.decode(errors="replace") if isinstance(single, bytes) else str(single)


def number_of(attributes: Attributes, name: str, default: float | None = None) -> float:
    """Return the finite number of an attribute.

    Raises:
        UnsupportedSource: It is not a finite number, or it is absent and has no default.
    """
    value = attributes.get(name, default)
    try:
        number = float(text_of(value))
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise UnsupportedSource(f"its {name} is not a number: {text_of(value)[:40]!r}")
    return number
