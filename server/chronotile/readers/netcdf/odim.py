"""Composites and images of weather radars in HDF5 (OPERA Data Information Model, ODIM_H5 2.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.types import Attributes
from chronotile.readers.cf.axes import COVERAGE
from chronotile.readers.cf.scope import groups_above
from chronotile.readers.native_crs import source_crs
from chronotile.readers.netcdf.cf_description import CfDescription, grid_attributes, number_of, text_of

if TYPE_CHECKING:
    import h5py
    import xarray

CONVENTION = "ODIM"
DATA = "data"
"""Name of each array of measurements."""
OBJECTS = ("COMP", "IMAGE")
NAMES = (
    "object", "date", "time", "quantity", "gain", "offset", "nodata", "undetect", "projdef", "xsize", "ysize", "xscale",
    "yscale", "UL_lon", "UL_lat", "LR_lon", "LR_lat",
)  # fmt: skip
"""Names of the attributes in use."""
MAX_BYTES = 64 << 10
"""Maximum size of an attribute; all others are skipped."""
UNITS = {
    **dict.fromkeys(("TH", "TV", "DBZH", "DBZV"), "dBZ"), "ZDR": "dB", "RATE": "mm/h", "ACRR": "mm", "HGHT": "km",
    "VIL": "kg m-2", **dict.fromkeys(("VRAD", "VRADH", "VRADV"), "m/s"),
}  # fmt: skip
"""Units by quantity (table 16)."""
RAIN = {"RATE", "ACRR"}
"""Quantities whose cells without a detected echo have the value 0."""
MAX_DISTANCE_PX = 1.0
"""Maximum distance of the stated lower right corner from the corner by size and scale."""


@dataclass(frozen=True, slots=True)
class Odim:
    """Attributes of the groups `what` and `where`, which apply to the arrays of their level and of all levels below."""

    statements: Mapping[str, Attributes]
    """Attributes by path of the group; the path of the root is empty."""

    @property
    def times(self) -> dict[str, str]:
        """Nominal time, in the global attribute of ACDD."""
        root = self.statements[""]
        return {COVERAGE[0]: f"{text_of(root['date'])}T{text_of(root['time'])}"} if {"date", "time"} <= {*root} else {}

    def describe(self, group: str, name: str, array: "xarray.Variable") -> CfDescription | None:
        """Return the description of an array by CF; `None` if it has no measurements.

        Raises:
            UnsupportedSource: It is not a composite, or attributes are missing or contradict each other.
        """
        if name != DATA or array.ndim != 2 or group not in self.statements:
            return None
        stated = self.statements[group]
        product = text_of(stated.get("object"))
        if product not in OBJECTS:
            accepted = " and ".join(OBJECTS)
            raise UnsupportedSource(f"its object {product[:20]!r} is not read; read are {accepted}, not polar volumes")
        attributes = {**array.attrs, **_place_cells(stated, array.shape), **_values(stated)}
        return CfDescription(dims=("y", "x"), attrs=attributes)


def read_odim(file: "h5py.File", groups: Iterable[str]) -> Odim:
    """Return the attributes that apply to each group; lower levels override higher levels (§3)."""

    @cache
    def collect(group: str) -> Attributes:
        above = list(groups_above(group))[1:2]
        return {**(collect(above[0]) if above else {}), **_read_level(file[group or "/"])}

    return Odim({group: collect(group) for group in ("", *groups)})


def _read_level(group: "h5py.Group") -> Attributes:
    import h5py

    parts = [
        group[name].attrs for name in ("what", "where") if isinstance(group.get(name, getlink=True), h5py.HardLink)
    ]
    return {
        name: part[name]
        for part in parts
        for name in NAMES
        if name in part and part.get_id(name).get_storage_size() <= MAX_BYTES
    }


def _place_cells(stated: Attributes, shape: tuple[int, ...]) -> dict[str, Any]:
    size = int(number_of(stated, "ysize")), int(number_of(stated, "xsize"))
    if size != shape:
        raise UnsupportedSource(f"its where/ysize {size[0]} and where/xsize {size[1]} contradict its shape {shape}")
    text = text_of(stated.get("projdef"))
    crs = source_crs(text)
    x_step, y_step = (number_of(stated, name) for name in ("xscale", "yscale"))
    if min(x_step, y_step) <= 0:
        raise UnsupportedSource("its xscale and yscale are not positive")
    x_edge, top = _corner(stated, "UL", crs)
    right, bottom = _corner(stated, "LR", crs)
    apart = abs(right - x_edge - size[1] * x_step) / x_step, abs(top - bottom - size[0] * y_step) / y_step
    if not max(apart) <= MAX_DISTANCE_PX:  # also true if a corner outside the projection is infinite or NaN
        raise UnsupportedSource("its corners UL and LR contradict xscale, yscale, xsize and ysize")
    return grid_attributes(text, x_edge=x_edge, top=top, x_step=x_step, y_step=-y_step)


def _corner(stated: Attributes, name: str, crs: Crs) -> tuple[float, float]:
    x, y = transformer(CRS84, crs).transform(number_of(stated, f"{name}_lon"), number_of(stated, f"{name}_lat"))
    return float(x), float(y)


def _values(stated: Attributes) -> dict[str, Any]:
    """Return the attributes about numbers; value = gain * number + offset, nodata is missing."""
    quantity = text_of(stated.get("quantity"))
    gain, offset = number_of(stated, "gain", 1.0), number_of(stated, "offset", 0.0)
    if gain == 0:
        raise UnsupportedSource("its gain is 0")
    is_stated = text_of(stated.get("nodata", "nan")).lower() != "nan"
    nodata = number_of(stated, "nodata") if is_stated else np.nan
    attributes: dict[str, Any] = {"scale_factor": gain, "add_offset": offset, "_FillValue": nodata}
    attributes |= {"long_name": quantity, "units": UNITS.get(quantity, "1")}
    if "undetect" in stated:
        undetect = number_of(stated, "undetect")
        is_zero = quantity in RAIN and undetect * gain + offset == 0
        if undetect != nodata and not is_zero:
            attributes |= {"flag_values": np.array([undetect]), "flag_meanings": "undetect"}
    return attributes
