"""Attributes by which others understand the demo cube: CF for arrays, GeoZarr for groups."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chronotile.ingest.demo.biophysics import FLAGS, LAST_VALID, NODATA, Variable
from chronotile.ingest.demo.plan import affine_of, level_grid
from chronotile.model.grid import Grid

Attributes = dict[str, Any]

TITLE: Final = "Synthetic vegetation of central Belgium (demo)"
ATTRIBUTION: Final = "Synthetic data made by chronotile; not observations"
LICENSE: Final = "CC0-1.0"

_DESCRIPTION: Final = (
    "SYNTHETIC data for demonstrations: computed from formulas, not observed. "
    "Towns, rivers and forests lie roughly where they are; fields, crops, clouds and snow are made up."
)

_CONVENTIONS: Final = {
    "multiscales": ("d35379db-88df-4056-af3a-620245f8e347", "Multiscale layout of zarr datasets"),
    "proj": ("f17cb550-5864-4468-aeb7-f3180cfb622f", "Coordinate reference system information for geospatial data"),
    "spatial": ("689b58e2-cf7b-45e0-9fff-9cfc0883d6b4", "Spatial coordinate information"),
}
"""Zarr conventions that GeoZarr is made of: their ids and what they say of themselves at version 0.1."""


def root_attributes(grid: Grid, levels: int) -> Attributes:
    """Return the attributes of the root group: what the cube is, and its levels (multiscales, spatial, proj)."""
    return {
        **_about(),
        "zarr_conventions": [_convention(name) for name in ("multiscales", "proj", "spatial")],
        "multiscales": {
            "layout": [_level_layout(grid, level) for level in range(levels)],
            "resampling_method": "average",
        },
        "proj:code": grid.crs.name,
        "spatial:dimensions": ["y", "x"],
        "spatial:bbox": list(grid.bbox),
    }


def level_attributes(grid: Grid) -> Attributes:
    """Return the attributes of the group of the level whose pixels are `grid`."""
    return {
        **_about(),
        "zarr_conventions": [_convention(name) for name in ("proj", "spatial")],
        "proj:code": grid.crs.name,
        "spatial:dimensions": ["y", "x"],
        "spatial:bbox": list(grid.bbox),
        **_placement(grid),
        "spatial:registration": "pixel",
    }


def _about() -> Attributes:
    return {
        "Conventions": "CF-1.11",
        "title": TITLE,
        "summary": _DESCRIPTION,
        "source": "synthetic: made by chronotile, not observed",
        "attribution": ATTRIBUTION,
        "license": LICENSE,
    }


def _convention(name: str) -> Attributes:
    uuid, description = _CONVENTIONS[name]
    return {
        "uuid": uuid,
        "schema_url": f"https://raw.githubusercontent.com/zarr-conventions/{name}/refs/tags/v0.1/schema.json",
        "spec_url": f"https://github.com/zarr-conventions/{name}/blob/v0.1/README.md",
        "name": name,
        "description": description,
    }


def _level_layout(grid: Grid, level: int) -> Attributes:
    layout: Attributes = {"asset": str(level), **_placement(level_grid(grid, level))}
    scale = 1.0
    if level:
        layout["derived_from"] = str(level - 1)
        scale = 2.0
    layout["transform"] = {"scale": [scale, scale], "translation": [0.0, 0.0]}
    return layout


def _placement(grid: Grid) -> Attributes:
    return {"spatial:shape": [grid.height, grid.width], "spatial:transform": list(affine_of(grid))[:6]}


def grid_mapping_attributes(grid: Grid) -> Attributes:
    """Return the attributes of the grid mapping variable (CF 5.6), with the transform in GDAL's words."""
    x_size, y_size = grid.resolution
    transform = (grid.bbox.xmin, x_size, 0.0, grid.bbox.ymax, 0.0, -y_size)
    return {**grid.crs.definition.to_cf(), "GeoTransform": " ".join(f"{number:.12g}" for number in transform)}


def variable_attributes(variable: Variable) -> Attributes:
    """Return the CF attributes of a variable's array: valid numbers, flags, and how numbers become values."""
    return {
        "long_name": variable.title,
        "standard_name": variable.standard_name,
        "units": "1",
        "scale_factor": variable.scale,
        "add_offset": variable.offset,
        "_FillValue": NODATA,
        "valid_range": [0, LAST_VALID],
        "flag_values": [code for code, _ in FLAGS],
        "flag_meanings": " ".join(name for _, name in FLAGS),
        "grid_mapping": "spatial_ref",
        "coordinates": "spatial_ref",
        "comment": ATTRIBUTION,
    }


TIME_ATTRIBUTES: Final[Attributes] = {
    "standard_name": "time",
    "long_name": "first day of the dekad",
    "axis": "T",
    "units": "days since 1970-01-01",
    "calendar": "proleptic_gregorian",
    "bounds": "time_bnds",
}


def axis_attributes(axis: str) -> Attributes:
    """Return the attributes of the coordinate array `x` or `y`."""
    return {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{axis} of pixel centres",
        "axis": axis.upper(),
        "units": "m",
    }


def days_of(instants: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the instants in the units of `TIME_ATTRIBUTES`."""
    return instants.astype("datetime64[D]").astype(np.int64)
