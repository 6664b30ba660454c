"""Arrays of PROBA-V in HDF5: value = (number - OFFSET) / SCALE (PROBA-V Products User Manual)."""

from typing import TYPE_CHECKING, Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.netcdf.cf_description import CfDescription, grid_attributes, number_of, text_of

if TYPE_CHECKING:
    import xarray

LEVELS = ("LEVEL3", "LEVEL2A")
"""Groups of products, synthesis and projected segment."""
MAPPING = "MAPPING"
"""Attribute with the projection, the reference point in a pixel, its longitude and latitude, and the steps."""
GEOGRAPHIC = "geographic lat/lon"


class ProbaV:
    """The description of arrays in their attributes."""

    def describe(self, _group: str, _name: str, array: "xarray.Variable") -> CfDescription | None:
        """Return the description of an array by CF; `None` if it has no `MAPPING`, or CF attributes (collection 1).

        Raises:
            UnsupportedSource: Attributes are not understood.
        """
        attributes = array.attrs
        if MAPPING not in attributes or "grid_mapping" in attributes or array.ndim != 2:
            return None
        changed: dict[str, Any] = _place_cells(attributes[MAPPING])
        if "SCALE" in attributes and "scale_factor" not in attributes:
            scale = number_of(attributes, "SCALE")
            if scale == 0:
                raise UnsupportedSource("its SCALE is 0")
            changed |= {"scale_factor": 1 / scale, "add_offset": 0.0 - number_of(attributes, "OFFSET", 0.0) / scale}
        if "NO_DATA" in attributes:
            changed["missing_value" if "_FillValue" in attributes else "_FillValue"] = number_of(attributes, "NO_DATA")
        changed["units"] = text_of(attributes.get("UNITS")).strip("-")
        return CfDescription(dims=("y", "x"), attrs={**attributes, **changed})


def _place_cells(mapping: object) -> dict[str, Any]:
    """Return the attributes that place a grid whose `MAPPING` names a point of its first pixel."""
    parts = [text_of(part).strip() for part in np.ravel(np.asarray(mapping, dtype=object))]
    if len(parts) == 1:
        parts = [part.strip() for part in parts[0].split(",")]
    if len(parts) < 7 or parts[0].lower() != GEOGRAPHIC:
        raise UnsupportedSource(f"its {MAPPING} states no grid of longitudes and latitudes: {', '.join(parts)[:80]!r}")
    in_x, in_y, x, y, x_step, y_step = (number_of({MAPPING: part}, MAPPING) for part in parts[1:7])
    if not (0 <= in_x <= 0.5 and 0 <= in_y <= 0.5 and x_step > 0 and y_step > 0):
        raise UnsupportedSource(f"its {MAPPING} is not understood: {', '.join(parts)[:80]!r}")
    x_edge, top = x - in_x * x_step, y + in_y * y_step
    return grid_attributes("EPSG:4326", x_edge=x_edge, top=top, x_step=x_step, y_step=-y_step)
