"""Digital numbers of the four variables, from the green of the parcels and what the sky lets through."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.demo.landscape import Landscape
from chronotile.demo.noise import FloatArray
from chronotile.demo.phenology import Calendar, year_of
from chronotile.demo.sky import Sky, sky_of_dekad
from chronotile.model.raster import Encoding

NumberArray = NDArray[np.uint8]

SNOW: Final = 251
CLOUD: Final = 252
WATER: Final = 254
NODATA: Final = 255
LAST_VALID: Final = 250
FLAGS: Final = ((SNOW, "snow"), (CLOUD, "cloud"), (WATER, "water"))

_SEED: Final = 9600


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of the cube."""

    id: str
    title: str
    standard_name: str
    scale: float
    offset: float = 0.0

    @property
    def encoding(self) -> Encoding:
        """How its digital numbers become values."""
        return Encoding(
            dtype="uint8",
            scale=self.scale,
            offset=self.offset,
            nodata=NODATA,
            valid_range=(0, LAST_VALID),
            flags=FLAGS,
        )


VARIABLES: Final = (
    Variable(
        id="NDVI",
        title="Normalised difference vegetation index",
        standard_name="normalized_difference_vegetation_index",
        scale=0.004,
        offset=-0.08,
    ),
    Variable(
        id="FAPAR",
        title="Fraction of absorbed photosynthetically active radiation",
        standard_name="fraction_of_surface_downwelling_photosynthetic_radiative_flux_absorbed_by_vegetation",
        scale=0.005,
    ),
    Variable(
        id="FCOVER",
        title="Fraction of green vegetation cover",
        standard_name="vegetation_area_fraction",
        scale=0.005,
    ),
    Variable(id="LAI", title="Leaf area index", standard_name="leaf_area_index", scale=0.04),
)

_LEAFINESS: Final = np.array([0, 0.9, 0.8, 1.3, 1.45, 0.9, 1.1, 1.0, 0.95, 0.95], dtype=np.float32)
"""Leaf area of each kind beside what its green alone would give."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The landscape with all that is needed to date it."""

    landscape: Landscape
    calendar: Calendar

    def dekad_numbers(self, start: np.datetime64) -> dict[str, NumberArray]:
        """Return the digital numbers (height, width) of each variable for the dekad that starts on `start`."""
        sky = sky_of_dekad(self.landscape.grid, start)
        middle = start.astype("datetime64[D]") + np.timedelta64(5, "D")
        random = np.random.default_rng((_SEED, int(start.astype("datetime64[D]").astype(np.int64))))
        ndvi = self._hazy_ndvi(middle, sky, random)
        leafy = self._leafiness(middle)
        flags = self._flags(sky)
        values = {"NDVI": ndvi, **_derived_values(ndvi, leafy, random)}
        return {variable.id: _with_flags(_encode(values[variable.id], variable), flags) for variable in VARIABLES}

    def ndvi(self, day: np.datetime64) -> FloatArray:
        """Return NDVI (height, width) under a clear sky."""
        ndvi = self.landscape.spread(self.calendar.ndvi(day))
        lively = ndvi * (1 - ndvi) * np.float32(0.06) * self.landscape.vegetated
        return np.asarray(ndvi + lively * self.landscape.texture, dtype=np.float32)

    def _hazy_ndvi(self, day: np.datetime64, sky: Sky, random: np.random.Generator) -> FloatArray:
        """Return NDVI with what haze near clouds takes away and a little noise."""
        ndvi = self.ndvi(day)
        haze = np.clip(sky.cloud + np.float32(0.5), 0, 0.5) * np.float32(0.34)
        noise = random.standard_normal(ndvi.shape, dtype=np.float32) * np.float32(0.0018)
        return np.asarray(ndvi - haze * np.maximum(ndvi, 0) + noise, dtype=np.float32)

    def _leafiness(self, day: np.datetime64) -> FloatArray:
        return self.landscape.spread(_LEAFINESS[self.calendar.crops(year_of(day))])

    def _flags(self, sky: Sky) -> NumberArray:
        """Return the code of each pixel (height, width) that has no value, and 0 elsewhere."""
        flags = np.zeros(sky.snow.shape, dtype=np.uint8)
        flags[sky.snow & (self.landscape.vegetated > 0.5)] = SNOW
        flags[self.landscape.water] = WATER
        flags[sky.cloud > 0] = CLOUD
        flags[sky.gap] = NODATA
        return flags


def _derived_values(ndvi: FloatArray, leafy: FloatArray, random: np.random.Generator) -> dict[str, FloatArray]:
    """Return FAPAR, FCOVER and LAI (height, width): each rises with NDVI, by a curve and with noise of its own."""
    green = np.clip((ndvi - 0.11) / 0.83, 0.0, 1.0)
    noise = random.standard_normal((3, *ndvi.shape), dtype=np.float32) * np.float32(0.003)
    cover = 0.98 * green**1.55
    return {
        "FAPAR": 0.94 * green**1.2 * (0.86 + 0.14 * leafy) + noise[0] * (0.4 + green),
        "FCOVER": cover + noise[1] * (0.3 + green),
        "LAI": leafy * (-2.3 * np.log1p(-0.955 * np.clip(cover, 0.0, 1.0))) * (1 + 5.0 * noise[2]),
    }


def _encode(values: FloatArray, variable: Variable) -> NumberArray:
    numbers = np.rint((values - np.float32(variable.offset)) / np.float32(variable.scale))
    return np.asarray(np.clip(numbers, 0, LAST_VALID), dtype=np.uint8)


def _with_flags(numbers: NumberArray, flags: NumberArray) -> NumberArray:
    return np.asarray(np.where(flags > 0, flags, numbers), dtype=np.uint8)
