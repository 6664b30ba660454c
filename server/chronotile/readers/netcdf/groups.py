"""Groups of a NetCDF-4 or HDF5 file below its root: they are not served, and each gets the reason or a remedy."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from chronotile.core.errors import ChronotileError
from chronotile.core.model.encoding import DEFAULT_FILLS
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.types import NumberArray
from chronotile.readers.cf.dataset import understand
from chronotile.readers.cf.fields import Field, FieldSet, Group
from chronotile.readers.library_errors import one_line
from chronotile.readers.netcdf.hdf5 import OPTIONS

REMEDY = (
    "write it to a file of its own (Python: xarray.open_dataset('IN.nc', group='{path}', decode_cf=False)"
    ".to_netcdf('OUT.nc')) and serve that"
)
MAX_PROBED = 20
"""Groups of a file that are opened to check whether each could be served as a separate file."""
ODIM = "ODIM"
_IN_ROOT = "its coordinates are in the root group, apart from its variables"
_OF_ODIM = "a file of weather radars (ODIM), whose place is in attributes of the groups `where`, is not read"


def groups_below_root(path: Path, spec: SourceSpec) -> list[Group]:
    """Return groups that contain arrays of two or more dimensions, with the reason if one could not be served alone."""
    import h5py

    names_by_group: dict[str, list[str]] = {}
    swaths = set[str]()

    def look(name: str, node: object) -> None:
        folder, _slash, array = name.rpartition("/")
        if folder and isinstance(node, h5py.Dataset) and node.ndim > 1:
            names_by_group.setdefault(folder, []).append(array)
            if any(
                word in str(node.attrs.get(key)) for key, word in (("standard_name", "latitude"), ("units", "_north"))
            ):
                swaths.add(folder)

    with h5py.File(path, **OPTIONS) as file:
        file.visititems(look)
        is_odim = ODIM in str(file.attrs.get("Conventions", ""))
        has_places = {"x", "y"} <= {name.lower() for name in file}
    groups = []
    for number, (folder, names) in enumerate(names_by_group.items()):
        fault = _OF_ODIM if is_odim else _fault_of(path, folder, spec) if number < MAX_PROBED else ""
        is_apart, is_swath = has_places and bool(fault), folder in swaths and bool(fault)
        fault = _IN_ROOT if is_apart else fault
        groups.append(Group(folder, tuple(names), is_swath=is_swath and not is_apart, fault=fault))
    return groups


def _fault_of(path: Path, group: str, spec: SourceSpec) -> str:
    """Return why a group could not be served as the root of a file; empty if it could."""
    import xarray

    try:
        with xarray.open_dataset(
            path, engine="h5netcdf", group=group, decode_cf=False, cache=False, driver_kwds=OPTIONS
        ) as dataset:
            fields = {
                str(name): field_of(str(name), variable, partial(_part, variable))
                for name, variable in dataset.variables.items()
            }
            understand(FieldSet(fields, dict(dataset.attrs)), replace(spec, variables={}))
    except ChronotileError as error:
        return error.message
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        return f"xarray cannot open it: {one_line(error)}"
    return ""


def _part(variable: Any, picks: tuple[slice, ...]) -> NumberArray:  # noqa: ANN401 -- xarray's
    return np.asarray(variable[picks].values)


def field_of(
    name: str,
    variable: Any,  # noqa: ANN401 -- xarray's
    read: Callable[[tuple[slice, ...]], NumberArray],
    fault: str | None = None,
) -> Field:
    """Return an array of a file.

    Args:
        name: Name of the array.
        variable: The array in xarray.
        read: Reads a part of it, as stored numbers.
        fault: The reason if it cannot be read.
    """
    return Field(
        name=name,
        dims=tuple(map(str, variable.dims)),
        shape=variable.shape,
        dtype=variable.dtype,
        attrs=dict(variable.attrs),
        load=lambda: read((slice(None),) * variable.ndim),
        part=read,
        fault=fault,
        default_fill=DEFAULT_FILLS.get(variable.dtype.str[1:]),
    )
