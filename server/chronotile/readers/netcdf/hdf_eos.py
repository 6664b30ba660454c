"""Grids of HDF-EOS5, which the text `StructMetadata` describes in ODL (HDF-EOS Library User's Guide, volume 2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Attributes
from chronotile.readers.netcdf.cf_description import CfDescription, grid_attributes, number_of

if TYPE_CHECKING:
    import h5py
    import xarray

INFORMATION = "HDFEOS INFORMATION"
"""Group of the parts `StructMetadata.0`, `StructMetadata.1`, …"""
PLACE = f"{INFORMATION}/StructMetadata"
MAX_BYTES = 4 << 20
"""Maximum size of `StructMetadata.0`, `.1` and so on together; the HDF-EOS library writes 32,000 bytes to each."""
SINUSOIDAL, GEOGRAPHIC = "HE5_GCTP_SNSOID", "HE5_GCTP_GEO"

_DATA_FIELDS = re.compile("HDFEOS/GRIDS/([^/]+)/Data Fields")
_CF_DIMS = {"YDim": "y", "XDim": "x"}
_VEGETATION_INDICES = "_VI_"
"""Part of the names of grids in VNP13, VJ113 and VJ213."""


@dataclass(frozen=True, slots=True)
class OdlGrid:
    """Entries of one `GROUP=GRID_n`."""

    entries: dict[str, str] = field(default_factory=dict)
    fields: list[dict[str, str]] = field(default_factory=list)
    """Entries of each data field."""

    @property
    def size(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return int(number_of(self.entries, "YDim")), int(number_of(self.entries, "XDim"))

    def dims_of(self, name: str) -> list[str]:
        """Return the dimensions of a data field; empty if they are not stated."""
        stated = [entries for entries in self.fields if entries.get("DataFieldName", "").strip('"') == name]
        return [dim.strip('"') for entries in stated[:1] for dim in _list_parts(entries, "DimList")]

    def place_cells(self) -> dict[str, Any]:
        """Return the attributes that place the grid; its corners are outer edges for every `PixelRegistration`.

        Raises:
            UnsupportedSource: An entry is missing or contradicts others, or the projection is not read.
        """
        height, width = self.size
        if min(height, width) < 1:
            raise UnsupportedSource(f"its YDim {height} or XDim {width} is not above 0")
        x_edge, top = self._corner("UpperLeftPointMtrs")
        right, bottom = self._corner("LowerRightMtrs")
        if x_edge >= right or top == bottom:
            corners = f"({x_edge:g}, {top:g}) and ({right:g}, {bottom:g})"
            raise UnsupportedSource(f"its upper left and lower right corners {corners} contradict each other")
        x_step, y_step = (right - x_edge) / width, (bottom - top) / height
        origin = self.entries.get("GridOrigin", "HE5_HDFE_GD_UL")
        if origin.endswith("R"):
            x_edge, x_step = right, -x_step
        if origin.endswith(("LL", "LR")):
            top, y_step = bottom, -y_step
        return grid_attributes(self._crs(), x_edge=x_edge, top=top, x_step=x_step, y_step=y_step)

    def _corner(self, name: str) -> tuple[float, float]:
        x, y = self._numbers(name, 2)
        if self.entries.get("Projection") == GEOGRAPHIC:
            return unpack_degrees(x), unpack_degrees(y)
        return x, y

    def _numbers(self, name: str, count: int) -> list[float]:
        numbers = [number_of({name: part}, name) for part in _list_parts(self.entries, name)]
        if len(numbers) < count:
            raise UnsupportedSource(f"its {name} has {len(numbers)} numbers, not {count}")
        return numbers[:count]

    def _crs(self) -> str:
        projection = self.entries.get("Projection", "")
        if projection == GEOGRAPHIC:
            return "EPSG:4326"
        if projection != SINUSOIDAL:
            raise UnsupportedSource(
                f"its projection {projection[:40]} is not read; read are {SINUSOIDAL} and {GEOGRAPHIC}; write it as "
                "GeoTIFF (gdalwarp)"
            )
        radius, *_unused, longitude, _latitude, easting, northing = self._numbers("ProjParams", 8)
        if radius <= 0:
            raise UnsupportedSource("its ProjParams do not state the radius of the sphere")
        return f"+proj=sinu +lon_0={unpack_degrees(longitude)} +x_0={easting} +y_0={northing} +R={radius} +units=m"


class HdfEos:
    """The grids that the text `StructMetadata` of a file describes."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _grids(self) -> Mapping[str, OdlGrid] | UnsupportedSource:
        try:
            return parse_grids(self._text)
        except UnsupportedSource as error:
            return error

    def describe(self, group: str, name: str, array: "xarray.Variable") -> CfDescription | None:
        """Return the description of an array by CF; `None` if it is not a data field of a grid.

        Raises:
            UnsupportedSource: The text is damaged, contradicts the array, or describes a grid that is not read.
        """
        match = _DATA_FIELDS.fullmatch(group)
        if match is None or array.ndim < 2:
            return None
        attributes, note = _divide(array.attrs, array.dtype) if _VEGETATION_INDICES in match[1] else ({}, "")
        if "grid_mapping" in array.attrs and _has_dims(array):
            return CfDescription(dims=tuple(map(str, array.dims)), attrs={**array.attrs, **attributes}, note=note)
        grid = self._grid(match[1])
        if grid.entries.get("Projection") not in {SINUSOIDAL, GEOGRAPHIC} and (
            "coordinates" in array.attrs or _has_dims(array)
        ):
            return None  # attributes of CF may state the grid
        try:
            dims = grid.dims_of(name) or (*map(str, array.dims[:-2]), *_CF_DIMS)
            if len(dims) != array.ndim or not _CF_DIMS.keys() <= {*dims}:
                return None
            sizes = dict(zip(dims, array.shape, strict=True))
            if (sizes["YDim"], sizes["XDim"]) != grid.size:
                rows, columns = grid.size
                stated = f"YDim {rows} and XDim {columns}"
                raise UnsupportedSource(f"its {stated} contradict the shape {array.shape} of its array {name}")
            attributes = {**array.attrs, **grid.place_cells(), **attributes}
        except UnsupportedSource as error:
            raise UnsupportedSource(f"{PLACE}, grid {match[1]}: {error.message}") from error
        return CfDescription(dims=tuple(_CF_DIMS.get(dim, dim) for dim in dims), attrs=attributes, note=note)

    def _grid(self, name: str) -> OdlGrid:
        if isinstance(self._grids, UnsupportedSource):
            raise self._grids
        if name not in self._grids:
            raise UnsupportedSource(f"{PLACE} describes no grid {name}")
        return self._grids[name]


def _has_dims(array: "xarray.Variable") -> bool:
    # h5netcdf invents names for dimensions that the file does not name.
    return not any(str(dim).startswith("phony_dim_") for dim in array.dims)


def read_hdf_eos(file: "h5py.File", names: Sequence[str]) -> HdfEos:
    """Return the description of a file from the parts of its text.

    Args:
        file: The file.
        names: Names of the arrays in the group `INFORMATION`.
    """
    group, text = file[INFORMATION], b""
    for number in range(len(names)):
        name = f"StructMetadata.{number}"
        if name not in names or group[name].shape is None or group[name].nbytes > MAX_BYTES - len(text):
            break
        text += b"".join(bytes(part) for part in np.ravel(group[name][()]))
    return HdfEos(text.decode(errors="replace").replace("\0", ""))


def parse_grids(text: str) -> Mapping[str, OdlGrid]:
    """Return the grids of an ODL text by name.

    Raises:
        UnsupportedSource: A group is not closed, so the text is cut short.
    """
    grids, path = list[OdlGrid](), list[str]()
    for line in text.splitlines():
        key, _sign, value = map(str.strip, line.partition("="))
        if key in {"GROUP", "OBJECT"}:
            path.append(value)
            if path[0] == "GridStructure" and len(path) == 2:
                grids.append(OdlGrid())
            elif path[0] == "GridStructure" and len(path) == 4 and path[2] == "DataField":
                grids[-1].fields.append({})
        elif key in {"END_GROUP", "END_OBJECT"}:
            if not path or path.pop() != value:
                raise UnsupportedSource(f"{PLACE} is damaged: it closes {value[:40]}, which is not open")
        elif path[:1] == ["GridStructure"] and len(path) == 2:
            grids[-1].entries[key] = value
        elif path[:1] == ["GridStructure"] and len(path) == 4 and path[2] == "DataField":
            grids[-1].fields[-1][key] = value
    if path:
        raise UnsupportedSource(f"{PLACE} is cut short in {path[-1][:40]}; copy the file again")
    return {grid.entries.get("GridName", "").strip('"'): grid for grid in grids}


def unpack_degrees(packed: float) -> float:
    """Return the degrees of an angle in the form DDDMMMSSS.SS.

    Raises:
        UnsupportedSource: It has more than 59 minutes or seconds.
    """
    degrees, rest = divmod(abs(packed), 1_000_000)
    minutes, seconds = divmod(rest, 1000)
    if minutes >= 60 or seconds >= 60:
        raise UnsupportedSource(f"its angle {packed:.2f} is not of the form DDDMMMSSS.SS")
    angle = degrees + minutes / 60 + seconds / 3600
    return -angle if packed < 0 else angle


def _list_parts(entries: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in entries.get(name, "").strip("()").split(",") if part.strip()]


def _divide(attributes: Attributes, dtype: "np.dtype[Any]") -> tuple[dict[str, Any], str]:
    """Return attributes for a scale that divides, and a note about them; empty if the scale multiplies.

    A scale of 10,000 divides in VNP13, as in MOD13 (user guides of the products). In other products it multiplies: the
    latent heat of VNP16 has 10,000.
    """
    if "scale_factor" not in attributes or dtype.kind not in "iu":
        return {}, ""
    divisor = number_of(attributes, "scale_factor")
    if divisor <= 1:
        return {}, ""
    changed: dict[str, Any] = {
        "scale_factor": 1 / divisor,
        "add_offset": 0.0 - number_of(attributes, "add_offset", 0.0) / divisor,
    }
    if "valid_range" in attributes:
        try:
            changed["valid_range"] = np.asarray(attributes["valid_range"]).astype(dtype)  # in digital numbers
        except (ValueError, TypeError, OverflowError) as error:
            raise UnsupportedSource("its valid_range has no numbers") from error
    return changed, f"its scale_factor {divisor:g} divides its numbers, as VNP13 specifies; set scale: if it multiplies"
