"""Reasons of missing values: clouds that drift and fade, snow, and gaps between orbits."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.core.model.space.grid import Grid
from chronotile.demo.plan import AREA, CENTRE, pixel_centres
from tools.demo.ground import BoolArray
from tools.demo.noise import FloatArray, blended_noise, fractal_noise, uniform_of

Axis = NDArray[np.float64]

CLOUD_CELLS_M: Final = (21_000.0, 9_300.0, 4_300.0, 2_000.0, 900.0, 420.0)
CLOUD_FADE: Final = 0.66

DRIFT_M_PER_DAY: Final = (760.0, 310.0)
"""How far cloud banks move east and north a day: slowly, so that an animation of dekads shows them move."""
LIFE_DAYS: Final = 17.0
"""Days after which a pattern of clouds is replaced by the next."""

SNOW_SHARES: Final = {
    "2021-01-11": 0.22,
    "2021-02-01": 0.55,
    "2021-02-11": 0.35,
    "2022-04-01": 0.12,
    "2023-01-11": 0.30,
    "2024-01-11": 0.62,
}
"""Share of the ground that was white, by first day of the dekad."""

GAP_CHANCE: Final = 0.05
"""How many dekads lack a strip between two orbits."""

_SEED: Final = 8500


@dataclass(frozen=True, slots=True)
class Sky:
    """Masks of hidden ground on one date, all (height, width)."""

    cloud: FloatArray
    """How far clouds are from breaking up: above 0 is cloud, a little below 0 is haze."""
    snow: BoolArray
    gap: BoolArray


def sky_of_dekad(grid: Grid, start: np.datetime64) -> Sky:
    """Return the masks of pixels that were hidden during the whole dekad that starts on the day `start`."""
    field = cloud_field(*pixel_centres(grid), day=day_number(start))
    cloud = field - np.float32(cloud_threshold(day_number(start), dekad_cloud_share(start)))
    return Sky(cloud, snow_margin(grid, start) > 0, orbit_gap(grid, start))


def dekad_cloud_share(start: np.datetime64) -> float:
    """Return the share of the area without one clear day in a dekad: 10 to 35 % in winter, less in summer."""
    number = int(day_number(start))
    luck = float(uniform_of(_SEED, number))
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * (_day_of_year(start) - 5) / 365.25)
    mean = 0.04 + 0.19 * winter
    if luck > 0.965 and winter > 0.25:
        return 0.88
    return float(np.clip(mean * (0.25 + 1.5 * luck), 0.0, 0.6))


def cloud_field(x: Axis, y: Axis, *, day: float) -> FloatArray:
    """Return drifting noise (height, width) of variance about 1; clouds are values above a threshold."""
    moved_x, moved_y = x - DRIFT_M_PER_DAY[0] * day, y - DRIFT_M_PER_DAY[1] * day
    weights = CLOUD_FADE ** np.arange(len(CLOUD_CELLS_M))
    weights /= np.sqrt(np.sum(weights**2))
    total = np.zeros((y.size, x.size), dtype=np.float32)
    for octave, (cell_m, weight) in enumerate(zip(CLOUD_CELLS_M, weights, strict=True)):
        # Small clouds live shorter than large ones; each octave passes from one pattern to the next.
        age = day / LIFE_DAYS * (1 + 0.6 * octave)
        pattern, part = int(age // 1), (age % 1) * np.pi / 2
        seed = _SEED + 100 * (octave + 1) + 7919 * pattern
        shares = {seed: weight * np.cos(part), seed + 7919: weight * np.sin(part)}
        total += blended_noise(moved_x, moved_y, cell_m=cell_m, shares=shares)
    return total


def cloud_threshold(day: float, share: float) -> float:
    """Return the threshold that the cloud field exceeds over `share` of the whole area."""
    return float(np.quantile(cloud_field(*_whole_area(), day=day), 1 - share))


def _whole_area() -> tuple[Axis, Axis]:
    return np.linspace(AREA.xmin, AREA.xmax, 90), np.linspace(AREA.ymax, AREA.ymin, 90)


def snow_margin(grid: Grid, start: np.datetime64) -> FloatArray:
    """Return the snow depth (height, width) in the dekad that starts on `start`: snow lies if it is above 0."""
    share = SNOW_SHARES.get(str(start.astype("datetime64[D]")), 0.0)
    if not share:
        return np.full((grid.height, grid.width), -1.0, dtype=np.float32)
    threshold = np.quantile(_snow_field(*_whole_area(), start), 1 - share)
    return _snow_field(*pixel_centres(grid), start) - np.float32(threshold)


def _snow_field(x: Axis, y: Axis, start: np.datetime64) -> FloatArray:
    seed = _SEED + 50 + int(day_number(start))
    rough = fractal_noise(x, y, cells_m=(11_000.0, 2_600.0, 500.0), fade=0.45, seed=seed)
    south = (3_112_000.0 - y[:, None]) / 30_000.0  # higher land, with the longest snow cover
    return np.asarray(rough + 0.8 * south, dtype=np.float32)


def orbit_gap(grid: Grid, start: np.datetime64) -> BoolArray:
    """Return a mask of pixels without an overpass (height, width): a slanting strip in a few dekads."""
    number = int(day_number(start))
    x, y = pixel_centres(grid)
    if float(uniform_of(_SEED + 60, number)) >= GAP_CHANCE:
        return np.zeros((y.size, x.size), dtype=bool)
    middle = CENTRE[0] + 44_000.0 * (float(uniform_of(_SEED + 61, number)) - 0.5)
    width = 3_000.0 + 9_000.0 * float(uniform_of(_SEED + 62, number))
    across = x[None, :] - middle + 0.24 * (y[:, None] - CENTRE[1])
    return np.asarray(np.abs(across) < width / 2, dtype=bool)


def day_number(day: np.datetime64) -> float:
    """Return the days from 1970-01-01."""
    return float(day.astype("datetime64[D]").astype(np.int64))


def _day_of_year(day: np.datetime64) -> float:
    return float((day.astype("datetime64[D]") - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64))
