"""Attributes of the demo cube for readers: CF for arrays, GeoZarr for groups."""

from typing import Final

import numpy as np

from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import InstantArray, Int64Array, Json
from chronotile.demo.variables import FLAGS, LAST_VALID, NODATA, DemoVariable
from chronotile.optimise.arrays import grid_mapping_attributes, group_attributes, multiscale_attributes

TITLE: Final = "Synthetic vegetation of central Belgium (demo)"
ATTRIBUTION: Final = "Synthetic data made by chronotile; not observations"
LICENSE: Final = "CC0-1.0"
_DESCRIPTION: Final = (
    "SYNTHETIC data for demonstrations: computed from formulas, not observed. "
    "Towns, rivers and forests lie roughly where they are; fields, crops, clouds and snow are made up."
)


def root_attributes(grid: Grid, levels: int) -> Json:
    """Return the attributes of the root: title, source and levels (multiscales, spatial, proj)."""
    paths = [".", *map(str, range(1, levels))]
    return {**_about(), **multiscale_attributes(grid.native, paths, resampling="average")}


def level_attributes(grid: Grid) -> Json:
    """Return the attributes of the group of a level, by its grid."""
    return {**_about(), **group_attributes(grid.native)}


def mapping_attributes(grid: Grid) -> Json:
    """Return the attributes of the grid mapping variable."""
    return grid_mapping_attributes(grid.native)


def _about() -> Json:
    return {
        "Conventions": "CF-1.11",
        "title": TITLE,
        "summary": _DESCRIPTION,
        "source": "synthetic: made by chronotile, not observed",
        "attribution": ATTRIBUTION,
        "license": LICENSE,
    }


def variable_attributes(variable: DemoVariable) -> Json:
    """Return the CF attributes of a variable's array: valid numbers, flags, scale and offset."""
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


TIME_ATTRIBUTES: Final[Json] = {
    "standard_name": "time",
    "long_name": "first day of the dekad",
    "axis": "T",
    "units": "days since 1970-01-01",
    "calendar": "proleptic_gregorian",
    "bounds": "time_bnds",
}


def axis_attributes(axis: str) -> Json:
    """Return the attributes of the coordinate array `x` or `y`."""
    return {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{axis} of pixel centres",
        "axis": axis.upper(),
        "units": "m",
    }


def days_of(instants: InstantArray) -> Int64Array:
    """Return the instants in the units of `TIME_ATTRIBUTES`."""
    return instants.astype("datetime64[D]").astype(np.int64)
