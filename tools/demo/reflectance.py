"""The landscape from above on one day: red, green and blue reflectance under clouds."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.core.model.space.grid import Grid
from chronotile.demo.plan import CENTRE, PICTURE_DAYS, pixel_centres
from tools.demo.landscape import Kind, Landscape
from tools.demo.noise import FloatArray, normal_of, smooth_step, uniform_of
from tools.demo.phenology import Calendar, days_since, year_of
from tools.demo.sky import cloud_field, cloud_threshold, day_number, snow_margin

CLOUD_SHARES: Final = (0.10, 0.22, 0.04, 0.30, 0.02, 0.13, 0.0, 0.07, 0.17, 0.05, 0.26, 0.12)
"""Cloud-covered fraction of the area per picture day."""

PARTIAL_DAYS: Final = ("2024-03-10", "2024-09-17")
"""Days when the orbit covered only the east."""

_GREEN: Final = {
    Kind.WATER: (0.030, 0.042, 0.040),
    Kind.GARDEN: (0.042, 0.070, 0.036),
    Kind.GRASS: (0.046, 0.088, 0.036),
    Kind.DECIDUOUS: (0.022, 0.046, 0.018),
    Kind.CONIFER: (0.019, 0.032, 0.018),
    Kind.ORCHARD: (0.036, 0.066, 0.030),
    Kind.WHEAT: (0.033, 0.070, 0.028),
    Kind.MAIZE: (0.030, 0.062, 0.026),
    Kind.BEET: (0.034, 0.082, 0.028),
    Kind.POTATO: (0.040, 0.078, 0.034),
}
_BARE: Final = {
    Kind.WATER: (0.030, 0.042, 0.040),
    Kind.GARDEN: (0.105, 0.100, 0.075),
    Kind.GRASS: (0.135, 0.125, 0.075),
    Kind.DECIDUOUS: (0.070, 0.058, 0.043),
    Kind.CONIFER: (0.055, 0.048, 0.035),
    Kind.ORCHARD: (0.110, 0.100, 0.065),
}
LOAM: Final = (0.150, 0.112, 0.077)
SAND: Final = (0.190, 0.152, 0.112)
STRAW: Final = (0.245, 0.195, 0.115)
ROOFS: Final = (0.150, 0.128, 0.117)
WORKS: Final = (0.250, 0.248, 0.240)

_SEED: Final = 10_700


@dataclass(frozen=True, slots=True)
class Light:
    """Effect of clouds on the light of one day, both (height, width) from 0 to 1."""

    opacity: FloatArray
    shade: FloatArray


def parcel_colours(landscape: Landscape, calendar: Calendar, day: np.datetime64) -> FloatArray:
    """Return the reflectance of each parcel (band, parcel) on a day."""
    parcels = landscape.parcels
    key = parcels.key.view(np.int64)
    kinds = calendar.crops(year_of(day))
    cover = calendar.cover(day)
    built = np.where(kinds == Kind.WATER, np.float32(0), parcels.built)
    works = (parcels.built > 0.86) & (uniform_of(_SEED + 1, key) < 0.22)
    roofs = np.where(works, _column(WORKS), _column(ROOFS)) * (1 + 0.14 * normal_of(_SEED + 2, key))
    green = _table(_GREEN)[:, kinds] * (1 + 0.07 * normal_of(_SEED + 6, key))
    open_ground = green * cover + _bare_colours(landscape, day, kinds) * (1 - cover)
    return np.asarray(open_ground * (1 - built) + roofs * built, dtype=np.float32)


def _bare_colours(landscape: Landscape, day: np.datetime64, kinds: NDArray[np.int64]) -> FloatArray:
    """Return the reflectance (band, parcel) of the ground between plants: soil, straw, boughs."""
    parcels = landscape.parcels
    key = parcels.key.view(np.int64)
    soil = _column(LOAM) + (np.array(SAND, dtype=np.float32) - LOAM).astype(np.float32)[:, None] * parcels.sand
    since = days_since(day, year_of(day))
    straw = float(np.exp(-(((since - 205) / 30) ** 2)))
    ripe = np.where(kinds == Kind.WHEAT, np.float32(straw), np.float32(0))
    soil = soil * (1 - ripe) + _column(STRAW) * ripe
    tilled = kinds >= Kind.WHEAT
    dry = 0.82 + 0.30 * np.exp(-(((since - 190) / 80) ** 2))
    bare = np.where(tilled, soil, _table({**_GREEN, **_BARE})[:, kinds])
    return np.asarray(bare * np.float32(dry) * (1 + 0.13 * normal_of(_SEED + 10, key)), dtype=np.float32)


def snow_depth(grid: Grid, day: np.datetime64) -> FloatArray:
    """Return how white the open ground is (height, width), 0 to 1."""
    dekad = day.astype("datetime64[M]").astype("datetime64[D]") + np.timedelta64(10 * _dekad_of_month(day), "D")
    return smooth_step(snow_margin(grid, dekad), -0.25, 0.6)


def _dekad_of_month(day: np.datetime64) -> int:
    days = int((day.astype("datetime64[D]") - day.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64))
    return min(days // 10, 2)


def light_of(grid: Grid, day: np.datetime64) -> Light:
    """Return clouds and their shadows, which fall to the north-west, longer in winter."""
    share = dict(zip(PICTURE_DAYS, CLOUD_SHARES, strict=True)).get(str(day), 0.1)
    x, y = pixel_centres(grid)
    number = day_number(day)
    threshold = cloud_threshold(number, share) if share else 100.0
    winter = 0.5 + 0.5 * np.cos(2 * np.pi * (days_since(day, year_of(day)) - 5) / 365.25)
    reach_m = 500.0 + 900.0 * winter
    opacity, shade = (
        smooth_step(cloud_field(x + east, y - east, day=number), threshold - 0.12, threshold + 0.55)
        for east in (0.0, reach_m)
    )
    return Light(opacity, shade)


def unseen(grid: Grid, day: np.datetime64) -> NDArray[np.bool_]:
    """Return a mask of pixels west of the orbit's edge (height, width)."""
    x, y = pixel_centres(grid)
    if str(day) not in PARTIAL_DAYS:
        return np.zeros((y.size, x.size), dtype=bool)
    return np.asarray(x[None, :] - CENTRE[0] + 0.24 * (y[:, None] - CENTRE[1]) < -17_000.0, dtype=bool)


def _table(colours: dict[Kind, tuple[float, float, float]]) -> FloatArray:
    """Return (band, kind); kinds without a colour are black."""
    return np.array([colours.get(kind, (0.0, 0.0, 0.0)) for kind in Kind], dtype=np.float32).T


def _column(colour: tuple[float, float, float]) -> FloatArray:
    """Return (band, 1)."""
    return np.array(colour, dtype=np.float32)[:, None]
