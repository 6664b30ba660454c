"""A year of NDVI every five days as Sentinel-2 sees it: parcels with seasons, noise, clouds without numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

EPSG = 32631
WEST, NORTH, RESOLUTION_M = 500_000.0, 5_700_000.0, 10.0
SIDE, PARCEL = 1024, 24
DATES, STEP_DAYS = 73, 5
FIRST_DAY = np.datetime64("2019-01-01")
SCALE, OFFSET, NODATA, MOST = 0.004, -0.08, 255, 250
NOISE, LARGE_NOISE = 1.6, 2.5
"""Standard deviations of digital numbers: noise per pixel, and waves over all pixels of a date."""
CLOUDY = 0.43
"""The mean share of a date under clouds."""

Picture = NDArray[np.floating]


def days() -> list[str]:
    """Return the days of the year's dates as `YYYY-MM-DD`."""
    return [str(FIRST_DAY + np.timedelta64(STEP_DAYS * number, "D")) for number in range(DATES)]


def season(seed: int = 7) -> Iterator[NDArray[np.uint8]]:
    """Yield (y, x) digital numbers of each date."""
    rng = np.random.default_rng(seed)
    parcels = _parcels(rng)
    start, end, low, high = (rng.uniform(*ends, parcels.max() + 1)[parcels] for ends in
                             ((70, 170), (200, 310), (30, 90), (140, 240)))  # fmt: skip
    texture = _waves(rng, 1.2) * 6
    for number in range(DATES):
        day = number * STEP_DAYS
        grown = 1 / (1 + np.exp((start - day) / 9)) - 1 / (1 + np.exp((end - day) / 12))
        numbers = low + (high - low) * grown + texture
        numbers += rng.normal(0, NOISE, numbers.shape) + _waves(rng, 1.5) * LARGE_NOISE
        whole = np.clip(np.rint(numbers), 0, MOST).astype(np.uint8)
        share = np.clip(rng.beta(0.6, 0.6 * (1 / CLOUDY - 1)), 0, 1)
        waves = _waves(rng, 1.4)
        whole[waves > np.quantile(waves, 1 - share)] = NODATA
        yield whole


def make_season(folder: Path, *, is_mirrored: bool = False) -> None:
    """Write a year as tiled GeoTIFFs with overviews, if it is missing; mirrored to twice the length and width."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"ndvi_{day.replace('-', '')}.tif" for day in days()]
    if all(path.exists() for path in paths):
        return
    for path, numbers in zip(paths, season(), strict=True):
        if not path.exists():
            _write(path, _mirrored(numbers) if is_mirrored else numbers)


def _mirrored(numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put (y, x) numbers and their images in mirrors side by side; no edge is seen between them."""
    wide = np.concatenate([numbers, numbers[:, ::-1]], axis=1)
    return np.concatenate([wide, wide[::-1]])


def _write(path: Path, numbers: NDArray[np.uint8]) -> None:
    profile = {
        "driver": "COG", "count": 1, "dtype": "uint8", "nodata": NODATA,
        "width": numbers.shape[1], "height": numbers.shape[0],
        "crs": f"EPSG:{EPSG}", "transform": Affine(RESOLUTION_M, 0, WEST, 0, -RESOLUTION_M, NORTH),
        "blocksize": 256, "compress": "DEFLATE", "overview_resampling": "average",
    }  # fmt: skip
    partial = path.with_suffix(".part")
    with rasterio.open(partial, "w", **profile) as file:
        file.write(numbers, 1)
        file.scales, file.offsets = (SCALE,), (OFFSET,)
    partial.replace(path)


def _parcels(rng: np.random.Generator) -> NDArray[np.int64]:
    """(y, x) numbers of parcels: cells of the nearest of scattered points, block by block."""
    across = SIDE // PARCEL + 1
    points = (np.mgrid[:across, :across].reshape(2, -1).T + rng.uniform(0, 1, (across**2, 2))) * PARCEL
    rows, columns = np.mgrid[:SIDE, :SIDE]
    nearest, parcels = np.full((SIDE, SIDE), np.inf), np.zeros((SIDE, SIDE), dtype=np.int64)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            row, column = rows // PARCEL + down, columns // PARCEL + right
            number = np.clip(row, 0, across - 1) * across + np.clip(column, 0, across - 1)
            distance = np.hypot(rows - points[number, 0], columns - points[number, 1])
            parcels = np.where(distance < nearest, number, parcels)
            nearest = np.minimum(distance, nearest)
    return parcels


def _waves(rng: np.random.Generator, power: float) -> Picture:
    """(y, x) noise of mean 0 and standard deviation 1 whose spectrum falls with that power of the frequency."""
    frequencies = np.hypot(np.fft.fftfreq(SIDE)[:, np.newaxis], np.fft.rfftfreq(SIDE)[np.newaxis])
    frequencies[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) / frequencies**power
    spectrum[0, 0] = 0.0
    waves: Picture = np.fft.irfft2(spectrum, (SIDE, SIDE))
    return np.asarray(waves / waves.std())
