"""Products of Sentinel-3: the NetCDF files of a `.SEN3` folder as one group of arrays.

Files with the same dimensions have the same cells. Files of SLSTR have the same names of dimensions for all grids, and
the suffix of the file names its grid: the positions of the cells in `S8_BT_in.nc` are in `geodetic_in.nc`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding
from chronotile.readers.cf.axes import COVERAGE, role_by_attributes
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.scope import GroupTree
from chronotile.readers.cf.tie_points import add_cell_positions
from chronotile.readers.hrefs import product_of
from chronotile.readers.library_errors import opening
from chronotile.readers.netcdf.hdf5 import require_few_arrays
from chronotile.readers.netcdf.source import NetcdfArray, NetcdfFile, is_hdf5, shared_files, survey_inside

MAX_FILES = 300
"""Maximum number of files of a folder; products of SLSTR have about 110."""
MAX_REASONS = 3
"""Maximum number of damaged files that a message explains."""
IMAGE = ("rows", "columns")
"""Names of the dimensions of images, the same on all grids of SLSTR."""
ORPHANS = "orphan_pixels"
"""Dimension of pixels of SLSTR that have no cell in the image."""
_GRID = re.compile(r".*_([abcfit][nox]|ds)")
_SAME_GRIDS = {"tn": "tx", "to": "tx", "ds": "in"}
"""Suffixes of tie points of both views of SLSTR, and of auxiliary data of LST, by other suffixes of the same grid."""
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class Sentinel3Folder:
    """The arrays of a product."""

    fields: FieldSet
    homes: Mapping[str, tuple[NetcdfFile, str]]
    """The file of each array, and its name there."""
    notes: Mapping[str, list[Finding]]
    """Findings about files that cannot be read, for the root group."""

    def tree(self) -> GroupTree:
        """Return all arrays as the root group."""
        return GroupTree({}, lambda _path: self.fields)

    def array(self, name: str, *, growing: str | None) -> NetcdfArray:
        """Return an array of a file."""
        file, stored_name = self.homes[name]
        return file.array(stored_name, growing=growing)


def open_folder(path: Path, names: AbstractSet[str], *, may_lack: bool) -> Sentinel3Folder:
    """Return the arrays of a product. Only files with requested arrays or positions are opened.

    Args:
        path: The folder, or a file in it: then other files have positions only.
        names: Names of the requested arrays; empty for all.
        may_lack: Whether unreadable requested arrays are skipped if others are readable.

    Raises:
        UnsupportedSource: It has too many files, or no readable one, or lacks a requested array.
    """
    folder, parts = product_of(path) or path, _FolderParts()
    stored_names = {name.rpartition("/")[2] for name in names}
    file_paths = sorted(file for file in folder.glob("[!.]*.nc") if file.is_file())
    if len(file_paths) > MAX_FILES:
        raise UnsupportedSource(f"it has {len(file_paths)} NetCDF files, at most {MAX_FILES} are read")
    surveys = {file: shapes for file in file_paths if (shapes := parts.attempt(file, _survey)) is not None}
    for file_path in _in_order(surveys):
        stored = surveys[file_path]
        is_requested = path in {folder, file_path} and (not names or not stored_names.isdisjoint(stored))
        if is_requested or _has_positions(stored):
            parts.attempt(file_path, parts.add)
    if parts.damaged and not parts.fields:
        raise UnsupportedSource("; ".join(("its files cannot be read", *parts.reasons)))
    fields = add_cell_positions(FieldSet(parts.fields, parts.common_attrs()))
    faults = parts.explain(fields.fields, names)
    lacking = {name: faults[name] for name in sorted(names & faults.keys())}
    if lacking and not (may_lack and lacking.keys() < names):
        name, fault = next(iter(lacking.items()))
        raise UnsupportedSource(f"{name}: {fault}")
    arrays = {name: replace(array, fault=faults.get(name)) for name, array in fields.fields.items()}
    served = {name: array for name, array in arrays.items() if name not in lacking}
    borrowed = {name for name, (file, _stored_name) in parts.homes.items() if path not in {folder, file.path}}
    notes = [Finding("warning", name, f"{LEFT_OUT}{reason}") for name, reason in (parts.damaged | lacking).items()]
    return Sentinel3Folder(replace(fields, fields=served, borrowed=frozenset(borrowed)), parts.homes, {"": notes})


def _survey(path: Path) -> Mapping[str, tuple[int, ...]]:
    if not is_hdf5(path):
        return {name: array.shape for name, array in NetcdfFile(path, shared_files()).fields().fields.items()}
    shapes = survey_inside(path).shapes.get("", {})
    require_few_arrays(path)
    return shapes


def _has_positions(stored: Iterable[str]) -> bool:
    return any("lat" in name.lower() for name in stored)


def _in_order(surveys: Mapping[Path, Mapping[str, tuple[int, ...]]]) -> list[Path]:
    """Return the files in the order of naming their dimensions and arrays: only the first one gets the plain name.

    Positions come first, and shapes of many files before others. A copy comes after the original, which has the name
    of its array.
    """
    counts = Counter(shape for shapes in surveys.values() for shape in set(shapes.values()) if len(shape) > 1)

    def rank(path: Path) -> tuple[bool, int, bool, Path]:
        stored = surveys[path]
        is_namesake = path.stem.lower() in map(str.lower, stored)
        return not _has_positions(stored), -max((counts[s] for s in stored.values()), default=0), not is_namesake, path

    return sorted(surveys, key=rank)


@dataclass(slots=True)
class _FolderParts:
    """The arrays of the files that were opened so far."""

    fields: dict[str, Field] = field(default_factory=dict)
    attrs: list[Mapping[str, Any]] = field(default_factory=list)
    """Global attributes of each file."""
    homes: dict[str, tuple[NetcdfFile, str]] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    """Reasons by name of the files that cannot be read."""
    sizes: dict[str, int] = field(default_factory=dict)
    """Lengths of dimensions."""

    @property
    def reasons(self) -> list[str]:
        """Names of the first damaged files with the reasons."""
        return [f"{name}: {reason}" for name, reason in self.damaged.items()][:MAX_REASONS]

    def attempt(self, path: Path, read: Callable[[Path], Content]) -> Content | None:
        """Return the content of a file; `None` if it cannot be read, which is noted."""
        try:
            with opening("it"):
                return read(path)
        except UnsupportedSource as error:
            self.damaged[path.name] = error.message
            return None

    def add(self, path: Path) -> None:
        """Add the arrays of a file, except arrays along a single dimension."""
        file = NetcdfFile(path, shared_files())
        stored = file.fields()
        sizes = {dim: size for array in stored.fields.values() for dim, size in array.sizes.items()}
        dims = {dim: self._dim_of(path.stem, dim, size, stored.fields.get(dim)) for dim, size in sizes.items()}
        for array in stored.fields.values():
            is_axis = array.dims == (array.name,)
            name = dims[array.name] if is_axis else array.name
            is_known = is_axis and name in self.fields
            if is_known or (len(array.dims) == 1 and not is_axis) or ORPHANS in array.dims:
                continue
            name = f"/{path.stem}/{name}" if name in self.fields else name
            attrs = {key: value for key, value in array.attrs.items() if key != "coordinates"}
            self.fields[name] = replace(array, name=name, dims=tuple(dims[dim] for dim in array.dims), attrs=attrs)
            self.homes[name] = file, array.name
        self.attrs.append(stored.attrs)

    def common_attrs(self) -> dict[str, Any]:
        """Return the most frequent value of each global attribute, except titles."""
        keys = dict.fromkeys(key for attrs in self.attrs for key in attrs if key != "title")
        common = {key: _most_frequent([attrs[key] for attrs in self.attrs if key in attrs]) for key in keys}
        times = zip(COVERAGE, ("start_time", "stop_time"), strict=True)
        return common | {name: common[key] for name, key in times if key in common}

    def _dim_of(self, stem: str, dim: str, size: int, axis: Field | None) -> str:
        """Return the name in the product of a dimension of a file."""
        suffix = _GRID.fullmatch(stem) if dim in IMAGE else None
        name = f"{dim}_{_SAME_GRIDS.get(suffix[1], suffix[1])}" if suffix else dim
        other, is_same = self.fields.get(name), True
        if axis is not None and other is not None and (axis.dims, other.dims) == ((dim,), (name,)):
            is_same = np.array_equal(axis.load(), other.load())
        return name if is_same and self.sizes.setdefault(name, size) == size else f"{name}_{stem}"

    def explain(self, fields: Mapping[str, Field], names: AbstractSet[str]) -> dict[str, str]:
        """Return the reasons of arrays that cannot be served: they or their positions are in no readable file."""
        unplaced = "; ".join(("no file of the folder has the latitudes and longitudes of its cells", *self.reasons))
        placed = [set(array.dims) for array in fields.values() if _is_position(array)]
        lost = "; ".join(("no file of the folder that can be read has it", *self.reasons))
        return {name: lost for name in names - fields.keys() if self.damaged} | {
            name: array.fault or unplaced
            for name, array in fields.items()
            if array.fault or (len(array.dims) > 1 and not any(dims <= set(array.dims) for dims in placed))
        }


def _most_frequent(values: Sequence[Any]) -> Any:  # noqa: ANN401 -- attributes have any type
    counts = Counter(map(repr, values))
    return max(values, key=lambda value: counts[repr(value)])


def _is_position(array: Field) -> bool:
    is_projected = array.text("standard_name").startswith("projection_") and len(array.dims) > 1
    return role_by_attributes(array) in {"x", "y"} and not is_projected
