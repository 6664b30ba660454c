"""Attributes by which others know where the pixels of a Zarr store are: CF for arrays, GeoZarr for groups."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chronotile.model.crs import Crs, are_alike, crs_of
from chronotile.model.grid import NativeGrid

Attributes = dict[str, Any]

_CONVENTIONS: Final = {
    "multiscales": ("d35379db-88df-4056-af3a-620245f8e347", "Multiscale layout of zarr datasets"),
    "proj": ("f17cb550-5864-4468-aeb7-f3180cfb622f", "Coordinate reference system information for geospatial data"),
    "spatial": ("689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "Spatial coordinate information"),
}
"""Zarr conventions that GeoZarr is made of: their ids and what they say of themselves at version 0.1."""


def multiscale_attributes(grid: NativeGrid, paths: Sequence[str], *, resampling: str) -> Attributes:
    """Return what the root of a store says of its levels.

    Args:
        grid: The native grid.
        paths: Of their groups, the native one first; `.` is the root itself.
        resampling: How a level is made of the one before, in GDAL's word.
    """
    return {
        "zarr_conventions": [_convention(name) for name in ("multiscales", "proj", "spatial")],
        "multiscales": {
            "layout": [_level_layout(grid, paths, level) for level in range(len(paths))],
            "resampling_method": resampling,
        },
        **_placed(grid),
    }


def group_attributes(grid: NativeGrid) -> Attributes:
    """Return what a group says of the place of its arrays' pixels."""
    return {
        "zarr_conventions": [_convention(name) for name in ("proj", "spatial")],
        **_placed(grid),
        **_placement(grid),
        "spatial:registration": "pixel",
    }


def grid_mapping_attributes(grid: NativeGrid) -> Attributes:
    """Return the attributes of the grid mapping variable (CF 5.6), with the transform in GDAL's words."""
    numbers = " ".join(f"{number:.17g}" for number in grid.transform.to_gdal())
    return {**grid.crs.definition.to_cf(), "GeoTransform": numbers}


def is_in_crs(attributes: Mapping[str, Any], crs: Crs) -> bool:
    """Return whether a group, as far as its attributes tell, is in a coordinate reference system."""
    named = attributes.get("proj:code", attributes.get("proj:wkt2"))
    return named is None or are_alike(crs_of(named), crs)


def _placed(grid: NativeGrid) -> Attributes:
    return {**_crs(grid.crs), "spatial:dimensions": ["y", "x"], "spatial:bbox": list(grid.bbox)}


def _crs(crs: Crs) -> Attributes:
    """A code where an authority has one."""
    return {"proj:code": crs.name} if len(crs.name) <= 20 else {"proj:wkt2": crs.definition.to_wkt()}


def _convention(name: str) -> Attributes:
    uuid, description = _CONVENTIONS[name]
    return {
        "uuid": uuid,
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{name}/refs/tags/v0.1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{name}/blob/v0.1/README.md",
        "name": name,
        "description": description,
    }


def _level_layout(grid: NativeGrid, paths: Sequence[str], level: int) -> Attributes:
    layout: Attributes = {"asset": paths[level], **_placement(grid.coarser(2**level))}
    scale = 1.0
    if level:
        layout["derived_from"] = paths[level - 1]
        scale = 2.0
    layout["transform"] = {"scale": [scale, scale], "translation": [0.0, 0.0]}
    return layout


def _placement(grid: NativeGrid) -> Attributes:
    return {"spatial:shape": [grid.height, grid.width], "spatial:transform": list(grid.transform)[:6]}
