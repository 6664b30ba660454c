"""The arrays of a serving cube, their positions in files, and their attributes."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.cf_bounds import BoundsForm
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import Json
from chronotile.optimise.arrays import ArraySpec, grid_mapping_attributes, group_attributes, multiscale_attributes
from chronotile.optimise.conversion import NumberConversion
from chronotile.pipeline.encoders.coverage.zarr3 import fill_attribute
from chronotile.readers.configured_encoding import CIRCLE
from chronotile.readers.zarr.commit import OVERLAY, SERIES, SOURCES, Commit

CHUNK_PX = 512
SERIES_CHUNK_PX = 16
SERIES_FILE_PX = 512
FILE_PX = 4096
"""Maximum native rows, and columns, of a file of the map layout."""

COARSEST_PX = 256
"""Overviews are added until the whole grid is no larger than this."""

TIME_CHUNK = 16_384
"""Times per file of an array along time: one file for 44 years of daily dates."""

GRID_MAPPING = "spatial_ref"

CLASS_OVERVIEWS = "area: mode"
"""`cell_methods` of overviews of classes (CF §7.3, Appendix E)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVariable:
    """One variable of the cube."""

    info: VariableInfo
    """Variable of the source."""
    conversion: NumberConversion

    @property
    def encoding(self) -> Encoding:
        """Encoding in the cube."""
        return self.conversion.target

    @property
    def fill_value(self) -> float:
        """Digital number in cells that are not written yet: nodata, or 0 if the encoding has none."""
        return 0.0 if self.encoding.nodata is None else self.encoding.nodata


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingCubePlan:
    """The contents of a serving cube, planned before it is written."""

    grid: NativeGrid
    variables: Mapping[str, PlannedVariable]
    shape: Commit
    """Block, region, levels and layouts."""
    time_unit: str
    """`seconds` or `nanoseconds`."""
    bounds: BoundsForm
    about: Mapping[str, str] = field(default_factory=dict)
    """Title, attribution and license."""

    def __post_init__(self) -> None:
        reserved = {"time", "y", "x", GRID_MAPPING, self.bounds.name or ""}
        if not self.shape.path_of(self.groups[0]):
            reserved |= {*self.groups[1:], SERIES, SOURCES, OVERLAY}
        if refused := sorted(reserved & self.variables.keys()):
            raise UnsupportedSource(
                f"a variable of a cube cannot be called {refused[0]}, the name of one of its coordinates or groups; "
                "rename it in the source"
            )

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of the variables, the native level first."""
        return self.shape.groups

    @property
    def series_files(self) -> tuple[int, int]:
        """Rows and columns of files of the series layout."""
        _, height, width = self.array(SERIES, next(iter(self.variables))).file
        return -(-self.grid.height // height), -(-self.grid.width // width)

    def grid_of(self, group: str) -> NativeGrid:
        """Return the grid of a group's cells."""
        return self.grid if group == SERIES else self.grid.coarser(2 ** int(group))

    def array(self, group: str, variable: str) -> ArraySpec:
        """Return the array of a variable in a group."""
        planned, grid = self.variables[variable], self.grid_of(group)
        dates, sides = self.shape.block, (SERIES_CHUNK_PX, SERIES_FILE_PX)
        if group != SERIES:
            dates, sides = 1, (CHUNK_PX, self.file_px(int(group)))
        rows, columns = (_chunk_and_file(length, *sides) for length in (grid.height, grid.width))
        is_mode = planned.info.is_categorical and group not in {"0", SERIES}
        return ArraySpec(
            dims=("time", "y", "x"),
            shape=(0, grid.height, grid.width),
            dtype=planned.encoding.dtype,
            file=(dates, rows[1], columns[1]),
            chunk=(dates, rows[0], columns[0]),
            fill=planned.fill_value,
            attributes=_variable_attributes(planned) | ({"cell_methods": CLASS_OVERVIEWS} if is_mode else {}),
        )

    def coordinates(self, group: str) -> Iterator[tuple[str, ArraySpec, np.ndarray]]:
        """Yield the constant coordinates: name, array, numbers."""
        grid = self.grid_of(group)
        mapping = ArraySpec(dims=(), shape=(), dtype="int64", file=(), fill=0, attributes=grid_mapping_attributes(grid))
        yield GRID_MAPPING, mapping, np.zeros((), dtype=np.int64)
        # Rotated cells have no coordinates along one axis, and the centre of a single cell does not show its width:
        # then readers use only the transform in the grid mapping.
        if grid.transform.b or grid.transform.d or min(grid.width, grid.height) < 2:
            return
        x, _ = grid.points_at(np.arange(grid.width) + 0.5, np.zeros(grid.width))
        _, y = grid.points_at(np.zeros(grid.height), np.arange(grid.height) + 0.5)
        for name, centres in (("y", y), ("x", x)):
            attributes, shape = _axis_attributes(name, grid), centres.shape
            spec = ArraySpec(dims=(name,), shape=shape, dtype="float64", file=shape, fill=0, attributes=attributes)
            yield name, spec, np.asarray(centres, dtype=np.float64)

    def time_arrays(self) -> dict[str, ArraySpec]:
        """Return the coordinates along time of every group."""
        attributes: Json = {
            "standard_name": "time",
            "axis": "T",
            "units": f"{self.time_unit} since 1970-01-01T00:00:00Z",
            "calendar": "proleptic_gregorian",
            **self.bounds.attributes,
        }
        if self.bounds.name is None:
            return {"time": _along_time("int64", attributes)}
        bounds = _along_time("int64", {})
        return {
            "time": _along_time("int64", attributes),
            self.bounds.name: replace(bounds, dims=("time", "bnds"), shape=(0, 2), file=(TIME_CHUNK, 2)),
        }

    def source_states(self) -> ArraySpec:
        """Return the array (time, variable) of the revision of the source from which each date was made."""
        states = _along_time("uint64", {"variables": list(self.variables)})
        count = len(self.variables)
        return replace(states, dims=("time", "variable"), shape=(0, count), file=(TIME_CHUNK, count))

    def root_attributes(self) -> Json:
        """Return the attributes of the root without the commit."""
        common: Json = {"Conventions": "CF-1.11", **self.about}
        if not self.shape.has_map:
            return common if self.shape.path_of(SERIES) else self.attributes_of(SERIES)
        paths = [self.shape.path_of(str(level)) or "." for level in range(self.shape.levels)]
        resampling = "mode" if all(variable.info.is_categorical for variable in self.variables.values()) else "average"
        return common | multiscale_attributes(self.grid, paths, resampling=resampling)

    def attributes_of(self, group: str) -> Json:
        """Return the attributes of a group."""
        return {"Conventions": "CF-1.11", **self.about, **group_attributes(self.grid_of(group))}

    def file_px(self, level: int) -> int:
        """Return the side of a file of a level in cells: of a region, if that fills a chunk at this level."""
        region = self.shape.region_px >> level
        return region if region >= CHUNK_PX else FILE_PX

    def is_regional(self, level: int) -> bool:
        """Return whether each file of a level is within one region."""
        return self.shape.region_px >> level >= CHUNK_PX


def _chunk_and_file(length: int, chunk: int, file: int) -> tuple[int, int]:
    # Sides of a chunk and of a file, no longer than the grid needs
    side = min(chunk, length)
    return side, min(-(-length // side) * side, file)


def level_count(grid: NativeGrid) -> int:
    """Return the number of levels, the native one included."""
    longest, levels = max(grid.width, grid.height), 1
    while longest > COARSEST_PX:
        longest, levels = -(-longest // 2), levels + 1
    return levels


def time_unit(times: TimeDomain) -> str:
    """Return the unit in which times are whole numbers, and their bounds if these differ from the intervals."""
    bounds = times.starts if times.bounds is None else times.bounds.ravel()
    nanoseconds = np.concatenate([times.starts, bounds]).astype("datetime64[ns]").astype(np.int64)
    return "nanoseconds" if (nanoseconds % 1_000_000_000).any() else "seconds"


def _along_time(dtype: str, attributes: Json) -> ArraySpec:
    return ArraySpec(dims=("time",), shape=(0,), dtype=dtype, file=(TIME_CHUNK,), fill=0, attributes=attributes)


def _axis_attributes(name: str, grid: NativeGrid) -> Json:
    if grid.crs.is_geographic:
        standard, unit = ("longitude", "degrees_east") if name == "x" else ("latitude", "degrees_north")
    else:
        axes = grid.crs.definition.axis_info
        standard, unit = f"projection_{name}_coordinate", axes[0].unit_name if axes else "metre"
    return {"standard_name": standard, "axis": name.upper(), "units": unit}


def _variable_attributes(variable: PlannedVariable) -> Json:
    """Return CF attributes.

    Only categorical variables lack scale and offset: readers take flags without these for classes.
    """
    info, encoding = variable.info, variable.encoding
    attributes: Json = {"units": encoding.units, "grid_mapping": GRID_MAPPING, "coordinates": GRID_MAPPING}
    attributes |= {"long_name": info.title} if info.title else {}
    attributes |= {"standard_name": info.standard_name} if info.standard_name else {}
    attributes |= {} if encoding.circle is None else {CIRCLE: encoding.circle}
    if encoding.nodata is not None:
        attributes["_FillValue"] = fill_attribute(encoding.nodata, encoding.dtype)
    if info.is_categorical:
        return attributes | _class_attributes(info)
    attributes |= {"scale_factor": encoding.scale, "add_offset": encoding.offset}
    attributes |= _range_attributes(encoding)
    if encoding.flags:
        is_float = np.dtype(encoding.dtype).kind == "f"  # flags of joined files may exceed all integers of JSON
        attributes["flag_values"] = [float(number) if is_float else number for number, _name in encoding.flags]
        attributes["flag_meanings"] = " ".join(name for _number, name in encoding.flags)
    return attributes


def _class_attributes(info: VariableInfo) -> Json:
    if info.bit_flags:
        values = [flag.value for flag in info.bit_flags if flag.value is not None]
        masks = {"flag_masks": [flag.mask for flag in info.bit_flags]} | ({"flag_values": values} if values else {})
        return masks | {"flag_meanings": " ".join(flag.name for flag in info.bit_flags)}
    colours = [
        f"#{style_class.colour.red:02x}{style_class.colour.green:02x}{style_class.colour.blue:02x}"
        for style_class in info.classes
    ]
    if not info.classes:
        return {}
    return {
        "flag_values": [int(style_class.value) for style_class in info.classes],
        "flag_meanings": " ".join("_".join(style_class.label.split()) for style_class in info.classes),
        "flag_colors": " ".join(colours),
    }


def _range_attributes(encoding: Encoding) -> Json:
    """Return the valid range in stored numbers and their type, as CF requires."""
    if encoding.valid_range is None:
        return {}
    low, high = encoding.valid_range
    is_float = np.dtype(encoding.dtype).kind == "f"
    attributes: Json = {} if np.isinf(low) else {"valid_min": low if is_float else math.ceil(low)}
    return attributes if np.isinf(high) else attributes | {"valid_max": high if is_float else math.floor(high)}


def written_encoding(node: Mapping[str, Any]) -> Encoding:
    """Return the encoding in the document of an array of a cube."""
    attributes = node["attributes"]
    low, high = attributes.get("valid_min"), attributes.get("valid_max")
    is_packed = "scale_factor" in attributes  # without it, `flag_meanings` are names of classes
    names = str(attributes.get("flag_meanings", "")).split() if is_packed else []
    return Encoding(
        dtype=node["data_type"],
        scale=attributes.get("scale_factor", 1.0),
        offset=attributes.get("add_offset", 0.0),
        nodata=float(node["fill_value"]) if "_FillValue" in attributes else None,
        valid_range=None if low is None and high is None else _range_of(low, high),
        flags=tuple(zip(attributes.get("flag_values", []), names, strict=False)),
        units=attributes["units"],
        circle=attributes.get(CIRCLE),
    )


def is_written_as(info: VariableInfo, encoding: Encoding, existing: Encoding) -> bool:
    """Return whether an encoding is written with the same attributes as an existing one."""
    plan = PlannedVariable(info=info, conversion=NumberConversion(source=encoding, target=encoding))
    document = {"attributes": _variable_attributes(plan), "data_type": encoding.dtype, "fill_value": plan.fill_value}
    return written_encoding(document) == existing


def _range_of(low: float | None, high: float | None) -> tuple[float, float]:
    return float(-math.inf if low is None else low), float(math.inf if high is None else high)
