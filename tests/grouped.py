"""Scenes in groups of NetCDF-4, HDF5 and Zarr files: arrays in one group, their coordinates in any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import rasterio
import zarr

from chronotile.core.model.source import SourceSpec
from chronotile.readers.cf.scope import groups_above
from tests.scenes import NODATA, PROJECTED_AXES, Scene, make_spec

STORES = ("netcdf-4", "hdf5", "zarr-2", "zarr-3")
LOCATIONS = ("group", "above", "root", "absolute", "relative", "sister")
"""Locations of coordinates relative to the group `a/product`."""
ABOVE = ("group", "above", "root")
PRODUCT = "a/product"


@dataclass(frozen=True)
class Stored:
    """An array, its dimensions and attributes."""

    dims: tuple[str, ...]
    numbers: np.ndarray
    attrs: Mapping[str, Any] = field(default_factory=dict)


Content = Mapping[str, Mapping[str, Stored]]
"""Arrays by path of the group and name."""


def scene_in_groups(scene: Scene, location: str, group: str = PRODUCT) -> Content:
    """Return a scene whose array NDVI is in `group`, with coordinates at a location."""
    x, y = scene.coordinates()
    hours = (scene.times - np.datetime64("2000-01-01", "ns")) // np.timedelta64(1, "h")
    crs = {"crs_wkt": rasterio.crs.CRS.from_user_input(scene.crs).to_wkt()}
    coordinates = {
        "time": Stored(("time",), hours.astype("i4"), {"units": "hours since 2000-01-01", "standard_name": "time"}),
        "y": Stored(("y",), y, PROJECTED_AXES[0]),
        "x": Stored(("x",), x, PROJECTED_AXES[1]),
        "spatial_ref": Stored((), np.int32(0), crs),
    }
    attrs = {"scale_factor": scene.scale, "add_offset": scene.offset, "_FillValue": np.uint8(NODATA)}
    array = Stored(("time", "y", "x"), scene.cube(), attrs)
    parent = group.rpartition("/")[0]
    home = {"group": group, "above": parent, "root": "", "sister": f"{parent}/geolocation".lstrip("/")}
    if location in home:
        content = {group: {"NDVI": Stored(array.dims, array.numbers, attrs | {"grid_mapping": "spatial_ref"})}}
        return {**content, home[location]: {**coordinates, **content.get(home[location], {})}}
    start = "/b/places" if location == "absolute" else "../" * (group.count("/") + 1) + "b/places"
    names = {"time": "t", "y": "northing", "x": "easting", "spatial_ref": "crs"}
    references = {
        "coordinates": f"{start}/t {start}/northing {start}/easting",
        "grid_mapping": f"{start}/crs",
    }
    return {
        group: {"NDVI": Stored(array.dims, array.numbers, attrs | references)},
        "b/places": {names[name]: stored for name, stored in coordinates.items()},
    }


def write_groups(content: Content, path: Path, store: str) -> Path:
    """Write groups to a file or store; dimensions of NetCDF are defined in the deepest group above all their uses."""
    if store == "netcdf-4":
        _write_netcdf(content, path)
    elif store == "hdf5":
        _write_hdf5(content, path)
    else:
        _write_zarr(content, path, int(store[-1]))
    return path


def write_scene_in_groups(folder: Path, scene: Scene, location: str, store: str, **rest: Any) -> SourceSpec:
    """Write a scene with its array in the group `a/product`."""
    path = folder / ("made.zarr" if store.startswith("zarr") else "made.nc")
    kind = "zarr" if store.startswith("zarr") else "netcdf"
    return make_spec(kind, write_groups(scene_in_groups(scene, location), path, store), **rest)


def _write_netcdf(content: Content, path: Path) -> None:
    with h5netcdf.File(path, "w") as file:
        for dim, (length, home) in _dimensions(content).items():
            _group(file, home).dimensions[dim] = length
        for group, arrays in content.items():
            for name, stored in arrays.items():
                attrs = dict(stored.attrs)
                fill = attrs.pop("_FillValue", None)
                variable = _group(file, group).create_variable(
                    name, stored.dims, stored.numbers.dtype, data=stored.numbers, fillvalue=fill
                )
                variable.attrs.update(attrs)


def _group(group: h5netcdf.Group, path: str) -> h5netcdf.Group:
    for name in filter(None, path.split("/")):
        group = group.groups[name] if name in group.groups else group.create_group(name)
    return group


def _dimensions(content: Content) -> dict[str, tuple[int, str]]:
    """Return the length of each dimension, and the deepest group above all its arrays."""
    dimensions: dict[str, tuple[int, str]] = {}
    for group, arrays in content.items():
        for stored in arrays.values():
            for dim, length in zip(stored.dims, np.shape(stored.numbers), strict=True):
                parts = [part.split("/") for part in (group, dimensions[dim][1] if dim in dimensions else group)]
                common = [a for a, b in zip(*parts, strict=False) if a == b]
                dimensions[dim] = length, "/".join(common)
    return dimensions


def _write_hdf5(content: Content, path: Path) -> None:
    """Write plain HDF5; coordinates are dimension scales of arrays in their group and below."""
    with h5py.File(path, "w") as file:
        for group, arrays in content.items():
            for name, stored in arrays.items():
                file.require_group(group or "/").create_dataset(name, data=stored.numbers).attrs.update(stored.attrs)
        scales = {
            (group, name): file[f"{group}/{name}"]
            for group, arrays in content.items()
            for name, stored in arrays.items()
            if stored.dims == (name,)
        }
        for (_group, name), scale in scales.items():
            scale.make_scale(name)
        for group, arrays in content.items():
            for name, stored in arrays.items():
                for axis, dim in enumerate(stored.dims if len(stored.dims) > 1 else ()):
                    for home in groups_above(group):
                        if (home, dim) in scales:
                            file[f"{group}/{name}"].dims[axis].attach_scale(scales[home, dim])
                            break


def _write_zarr(content: Content, path: Path, version: int) -> None:
    zarr.create_group(path, zarr_format=version)
    root = zarr.open_group(path, mode="a")
    for group, arrays in content.items():
        target = root.require_group(group) if group else root
        for name, stored in arrays.items():
            attrs = {
                key: value.item() if isinstance(value, np.generic) else value for key, value in stored.attrs.items()
            }
            numbers = np.asarray(stored.numbers)
            options = {"dimension_names": stored.dims} if version == 3 else {}
            array = target.create_array(name, data=numbers, chunks=numbers.shape or (), **options)
            array.attrs.update(attrs | ({"_ARRAY_DIMENSIONS": list(stored.dims)} if version == 2 else {}))
