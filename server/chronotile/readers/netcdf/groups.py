"""Groups of a NetCDF-4 or HDF5 file."""

from collections.abc import Callable
from typing import Any

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import DEFAULT_FILLS
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.types import NumberArray
from chronotile.readers.cf.fields import Field
from chronotile.readers.cf.groups import Group, inspect_group
from chronotile.readers.cf.scope import GroupTree, fields_in_scope
from chronotile.readers.library_errors import one_line
from chronotile.readers.netcdf.hdf5 import MAX_ARRAYS


def probe_group(tree: GroupTree, path: str, spec: SourceSpec) -> Group:
    """Return a group with the reason if it has no raster."""
    shapes = tree.shapes.get(path, {})
    arrays = tuple(name for name, shape in shapes.items() if len(shape) > 1)
    if len(shapes) > MAX_ARRAYS:
        return Group(path, arrays, fault=f"it has {len(shapes)} arrays, and {MAX_ARRAYS} are accepted")
    try:
        fields = fields_in_scope(tree, path)
    except UnsupportedSource as error:
        return Group(path, arrays, fault=error.message)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        return Group(path, arrays, fault=f"xarray cannot open it: {one_line(error)}")
    return inspect_group(path, arrays, fields, spec)


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
