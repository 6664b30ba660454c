"""The demo's landscape over five years, from a data file that `python -m tools.demo` computes by formulas."""

import io
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from chronotile.core.errors import ConfigurationError
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import (
    AnyArray,
    BoolArray,
    Float32Array,
    FloatArray,
    IndexArray,
    UInt8Array,
    UInt16Array,
)
from chronotile.demo.plan import AREA, PICTURE_DAYS, RESOLUTION_M
from chronotile.demo.variables import CLOUD, NODATA, SNOW, WATER, numbers_of

FILE: Final = Path(__file__).with_name("landscape.npz.xz")
COARSE_PX: Final = 200
"""Pixels per side of clouds, shadows and snow depths, over the whole landscape."""
NDVI_OFFSET: Final = -0.08
NDVI_STEP: Final = 0.004
TEXTURE_STEPS: Final = 24
CLOUD_STEPS: Final = 24
"""Steps per unit of cloudiness."""
CLOUD_RANGE: Final = (-0.5, 0.1)
"""Cloudiness: cloud above 0, haze below; values outside of the range look the same as its ends."""
COLOUR_SCALE: Final = 400.0
"""Digital number of the square root of reflectance 1."""
FULL_SCALE: Final = 10_000
"""Digital number of reflectance 1 in pictures; 0 is nodata."""

Arrays = Mapping[str, AnyArray]

_SEED: Final = 9600
_LEAFINESS: Final = np.array([0, 0.9, 0.8, 1.3, 1.45, 0.9, 1.1, 1.0, 0.95, 0.95], dtype=np.float32)
"""Leaf area factor of each kind of parcel, independent of its greenness."""
_SNOW_COLOUR: Final = np.array([0.620, 0.640, 0.660], dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoScene:
    """A part of the landscape, from which each date is computed."""

    grid: Grid
    parts: IndexArray
    """(4, height, width): indexes of the parcels of each quarter of a pixel."""
    water: BoolArray
    """(height, width): pixels that are mostly water."""
    texture: Float32Array
    """(height, width): variation inside parcels, mean 0, variance 1."""
    vegetated: Float32Array
    """(height, width): fraction that is neither built nor water, 0 to 1."""
    rows: slice
    columns: slice
    """Rows and columns of this part in the whole landscape."""
    arrays: Arrays
    """Arrays of the data file by parcel, dekad or day of a picture."""

    def dekad_numbers(self, start: np.datetime64) -> dict[str, UInt8Array]:
        """Return the digital numbers (height, width) of each variable for the dekad that starts on `start`."""
        day = start.astype("datetime64[D]")
        dekad = int(np.searchsorted(self.arrays["days"], day))
        random = np.random.default_rng((_SEED, int(day.astype(np.int64))))
        cloud = self._enlarge(self.arrays["clouds"][dekad], 1 / CLOUD_STEPS)
        ndvi = self.ndvi(dekad)
        haze = np.clip(cloud + np.float32(0.5), 0, 0.5) * np.float32(0.34)
        noise = random.standard_normal(ndvi.shape, dtype=np.float32) * np.float32(0.0018)
        hazy = np.asarray(ndvi - haze * np.maximum(ndvi, 0) + noise, dtype=np.float32)
        year = int((day.astype("datetime64[Y]") - self.arrays["days"][0].astype("datetime64[Y]")).astype(np.int64))
        leafy = _spread(_LEAFINESS[self.arrays["kinds"][year]], self.parts)
        return numbers_of(hazy, leafy, self._flags(dekad, cloud), random)

    def ndvi(self, dekad: int) -> Float32Array:
        """Return NDVI (height, width) of a dekad under a clear sky."""
        ndvi = _spread(self.arrays["ndvi"][dekad] * np.float32(NDVI_STEP) + np.float32(NDVI_OFFSET), self.parts)
        lively = ndvi * (1 - ndvi) * np.float32(0.06) * self.vegetated
        return np.asarray(ndvi + lively * self.texture, dtype=np.float32)

    def true_colour(self, day: str) -> UInt16Array:
        """Return reflectance times `FULL_SCALE` (band, height, width) in red, green and blue; 0 is nodata."""
        number = PICTURE_DAYS.index(day)
        colours = (self.arrays["colours"][:, :, number].T / np.float32(COLOUR_SCALE)).astype(np.float32) ** 2
        ground = np.stack([_spread(band, self.parts) for band in colours]) * (1 + np.float32(0.055) * self.texture)
        opacity, shade, depth = (
            self._enlarge(self.arrays[name][number], 1 / 255) for name in ("opacity", "shade", "depth")
        )
        trees = _spread(self.arrays["trees"].astype(np.float32), self.parts)
        white = depth * ~self.water * self.vegetated * (1 - np.float32(0.72) * trees)
        ground += (_SNOW_COLOUR[:, None, None] - ground) * white
        reflectance = ground * (1 - np.float32(0.55) * shade) * (1 - opacity)
        reflectance += opacity * (np.float32(0.40) + np.float32(0.45) * opacity)
        random = np.random.default_rng((_SEED, number))
        reflectance += random.standard_normal(reflectance.shape, dtype=np.float32) * np.float32(0.0016)
        numbers = np.asarray(np.clip(np.rint(reflectance * FULL_SCALE), 1, FULL_SCALE), dtype=np.uint16)
        numbers[:, self._bits("unseen", number)] = 0
        return numbers

    def _flags(self, dekad: int, cloud: Float32Array) -> UInt8Array:
        """Return the code (height, width) of each pixel without a value; 0 for other pixels."""
        flags = np.zeros(self.water.shape, dtype=np.uint8)
        flags[self._bits("snow", dekad) & (self.vegetated > 0.5)] = SNOW
        flags[self.water] = WATER
        flags[cloud > 0] = CLOUD
        flags[self._bits("gaps", dekad)] = NODATA
        return flags

    def _bits(self, name: str, number: int) -> BoolArray:
        return np.unpackbits(self.arrays[name][number][self.rows], axis=-1)[:, self.columns].astype(bool)

    def _enlarge(self, coarse: AnyArray, step: float) -> Float32Array:
        """Interpolate (COARSE_PX, COARSE_PX) numbers in units of `step` linearly to (height, width)."""
        rows, down = _neighbours(self.rows)
        columns, right = _neighbours(self.columns)
        values = coarse.astype(np.float32) * np.float32(step)
        across = values[:, columns] * (1 - right) + values[:, columns + 1] * right
        mixed = across[rows] * (1 - down[:, None]) + across[rows + 1] * down[:, None]
        return np.asarray(mixed, dtype=np.float32)


def open_scene(grid: Grid, path: Path = FILE) -> DemoScene:
    """Return the part of the landscape within `grid`, which must be aligned with it.

    Raises:
        ConfigurationError: The data file is missing.
    """
    try:
        with lzma.open(path) as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError as error:
        missing = f"{path.name}, the landscape of the demo, is not built: run `make demo-data`, or install a wheel"
        raise ConfigurationError([missing]) from error
    for name in ("ndvi", "kinds"):  # stored by parcel, which compresses best
        arrays[name] = np.ascontiguousarray(arrays[name].T)
    row = round((AREA.ymax - grid.bbox.ymax) / RESOLUTION_M)
    column = round((grid.bbox.xmin - AREA.xmin) / RESOLUTION_M)
    rows, columns = slice(row, row + grid.height), slice(column, column + grid.width)
    parts = arrays.pop("parts")[:, rows, columns].astype(np.intp)
    return DemoScene(
        grid=grid,
        parts=parts,
        water=arrays.pop("water")[rows, columns],
        texture=arrays.pop("texture")[rows, columns] / np.float32(TEXTURE_STEPS),
        vegetated=_spread(arrays.pop("green") / np.float32(255), parts),
        rows=rows,
        columns=columns,
        arrays=arrays,
    )


def _spread(numbers: FloatArray, parts: IndexArray) -> Float32Array:
    """Return the mean (height, width) of `numbers` (parcel,) over the quarters of each pixel."""
    total = numbers[parts[0]]
    for part in parts[1:]:
        total += numbers[part]
    return np.asarray(total / len(parts), dtype=np.float32)


def _neighbours(pixels: slice) -> tuple[IndexArray, Float32Array]:
    """Return, per pixel, the coarse pixel before it and the distance to that as a fraction, 0 to 1."""
    size = round((AREA.xmax - AREA.xmin) / RESOLUTION_M)
    at = (np.arange(pixels.start, pixels.stop) + 0.5) * COARSE_PX / size - 0.5
    before = np.clip(np.floor(at), 0, COARSE_PX - 2).astype(np.intp)
    return before, np.clip(at - before, 0, 1).astype(np.float32)
