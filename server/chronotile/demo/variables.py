"""The four variables of the demo: their computation from NDVI, and their digital numbers."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.types import Float32Array, InstantArray, Int64Array, Json, UInt8Array
from chronotile.demo.plan import affine_of
from chronotile.optimise.arrays import grid_mapping_attributes, group_attributes, multiscale_attributes

SNOW: Final = 251
CLOUD: Final = 252
WATER: Final = 254
NODATA: Final = 255
LAST_VALID: Final = 250
FLAGS: Final = ((SNOW, "snow"), (CLOUD, "cloud"), (WATER, "water"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoVariable:
    """One variable of the cube."""

    id: str
    title: str
    standard_name: str
    scale: float
    offset: float = 0.0


VARIABLES: Final = (
    DemoVariable(
        id="NDVI",
        title="Normalised difference vegetation index",
        standard_name="normalized_difference_vegetation_index",
        scale=0.004,
        offset=-0.08,
    ),
    DemoVariable(
        id="FAPAR",
        title="Fraction of absorbed photosynthetically active radiation",
        standard_name="fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation",
        scale=0.005,
    ),
    DemoVariable(
        id="FCOVER", title="Fraction of green vegetation cover", standard_name="vegetation_area_fraction", scale=0.005
    ),
    DemoVariable(id="LAI", title="Leaf area index", standard_name="leaf_area_index", scale=0.04),
)


def numbers_of(
    ndvi: Float32Array, leafy: Float32Array, flags: UInt8Array, random: np.random.Generator
) -> dict[str, UInt8Array]:
    """Return the digital numbers (height, width) of each variable.

    FAPAR, FCOVER and LAI rise with NDVI, each by a separate curve and with separate noise.

    Args:
        ndvi: (height, width).
        leafy: (height, width): leaf area factor, independent of NDVI.
        flags: (height, width): codes of pixels without a value, 0 for other pixels.
        random: Generator of the noise.
    """
    green = np.clip((ndvi - 0.11) / 0.83, 0.0, 1.0)
    noise = random.standard_normal((3, *ndvi.shape), dtype=np.float32) * np.float32(0.003)
    cover = 0.98 * green**1.55
    values = {
        "NDVI": ndvi,
        "FAPAR": 0.94 * green**1.2 * (0.86 + 0.14 * leafy) + noise[0] * (0.4 + green),
        "FCOVER": cover + noise[1] * (0.3 + green),
        "LAI": leafy * (-2.3 * np.log1p(-0.955 * np.clip(cover, 0.0, 1.0))) * (1 + 5.0 * noise[2]),
    }
    return {variable.id: np.where(flags > 0, flags, _encode(values[variable.id], variable)) for variable in VARIABLES}


def _encode(values: Float32Array, variable: DemoVariable) -> UInt8Array:
    numbers = np.rint((values - np.float32(variable.offset)) / np.float32(variable.scale))
    return np.asarray(np.clip(numbers, 0, LAST_VALID), dtype=np.uint8)


# Attributes of the demo cube for readers: CF for arrays, GeoZarr for groups

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
    return {**_about(), **multiscale_attributes(_native(grid), paths, resampling="average")}


def level_attributes(grid: Grid) -> Json:
    """Return the attributes of the group of a level, by its grid."""
    return {**_about(), **group_attributes(_native(grid))}


def mapping_attributes(grid: Grid) -> Json:
    """Return the attributes of the grid mapping variable."""
    return grid_mapping_attributes(_native(grid))


def _native(grid: Grid) -> NativeGrid:
    return NativeGrid(crs=grid.crs, transform=affine_of(grid), width=grid.width, height=grid.height)


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
