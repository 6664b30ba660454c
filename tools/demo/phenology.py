"""How green parcels are through the years: double-logistic seasons by kind, crops that rotate, years that differ."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tools.demo.landscape import ARABLE, Kind, Parcels
from tools.demo.noise import FloatArray, normal_of, uniform_of

NDVI_BUILT: Final = 0.07
NDVI_WATER: Final = -0.06

_SEED: Final = 7400


@dataclass(frozen=True, slots=True)
class Season:
    """One growth as a share of full cover: a logistic rise and a logistic fall."""

    rise_day: float
    """Day of the year of half rise, 1 January being 0; below 0 in the year before."""
    fall_day: float
    """Day of half fall; above 365 in the year after."""
    height: float
    """Share of full cover, 0 to 1."""
    rise_days: float = 9.0
    """A quarter of the time the rise takes."""
    fall_days: float = 9.0


@dataclass(frozen=True, slots=True)
class Growth:
    """How one kind of vegetation goes through a year."""

    bare: float
    """NDVI without any cover."""
    full: float
    """NDVI at full cover."""
    seasons: tuple[Season, ...]
    lasting: float = 0.0
    """Share of cover that never goes away."""
    spread_days: float = 6.0
    """Standard deviation of the timing among parcels."""


@dataclass(frozen=True, slots=True)
class Weather:
    """Causes of the difference between a year and the mean."""

    spring_days: float
    """Days that spring came late."""
    autumn_days: float
    """Days that autumn came late."""
    drought: float
    """Share of summer's green lost on sand, 0 to 1."""


GROWTHS: Final = {
    Kind.WATER: Growth(NDVI_WATER, NDVI_WATER, ()),
    Kind.GARDEN: Growth(0.25, 0.84, (Season(100, 300, 0.52, 14, 16),), lasting=0.42),
    Kind.GRASS: Growth(
        0.22,
        0.90,
        (
            Season(74, 146, 0.72, 13, 4),
            Season(160, 206, 0.62, 7, 5),
            Season(219, 322, 0.58, 9, 20),
        ),
        lasting=0.46,
        spread_days=11.0,
    ),
    Kind.DECIDUOUS: Growth(
        0.30,
        0.92,
        (Season(112, 307, 0.82, 6.5, 9), Season(114, 222, 0.62, 6, 26)),
        lasting=0.30,
        spread_days=3.5,
    ),
    Kind.CONIFER: Growth(0.35, 0.88, (Season(118, 300, 0.35, 18, 22),), lasting=0.68, spread_days=4.0),
    Kind.ORCHARD: Growth(
        0.24, 0.86, (Season(103, 305, 0.62, 9, 13), Season(106, 215, 0.4, 9, 24)), lasting=0.45, spread_days=5.0
    ),
    Kind.WHEAT: Growth(0.16, 0.91, (Season(-40, 150, 0.30, 12, 18), Season(84, 188, 0.94, 9.5, 6.5))),
    Kind.MAIZE: Growth(0.15, 0.90, (Season(166, 268, 0.95, 7, 7.5),), spread_days=8.0),
    Kind.BEET: Growth(0.16, 0.92, (Season(150, 296, 0.86, 8, 6), Season(152, 228, 0.6, 8, 22)), spread_days=9.0),
    Kind.POTATO: Growth(0.16, 0.90, (Season(154, 239, 0.95, 6.5, 7.5),), spread_days=9.0),
}

GREEN_MANURE: Final = {
    Kind.WHEAT: Season(239, 338, 0.62, 8, 14),
    Kind.POTATO: Season(282, 400, 0.38, 10, 16),
    Kind.MAIZE: Season(300, 455, 0.36, 12, 6),
}
"""Catch crops that many farmers sow after the harvest; they may stand until spring."""

ROTATION: Final = (Kind.WHEAT, Kind.BEET, Kind.WHEAT, Kind.POTATO, Kind.WHEAT, Kind.MAIZE)
"""Crops on loam; on sand maize follows maize."""

WEATHER: Final = {
    2019: Weather(0.0, 0.0, 0.0),
    2020: Weather(-7.0, 2.0, 0.30),
    2021: Weather(9.0, 1.0, 0.0),
    2022: Weather(-4.0, 9.0, 0.75),
    2023: Weather(3.0, 8.0, 0.12),
    2024: Weather(-8.0, 3.0, 0.0),
}
MEAN_WEATHER: Final = Weather(0.0, 0.0, 0.0)


def year_of(day: np.datetime64) -> int:
    """Return the calendar year of a day."""
    return int(day.astype("datetime64[Y]").astype(np.int64)) + 1970


def days_since(day: np.datetime64, year: int) -> float:
    """Return the days from 1 January of `year` to `day`, negative before."""
    return float((day - np.datetime64(f"{year}-01-01", "D")) / np.timedelta64(1, "D"))


@dataclass(frozen=True, slots=True)
class Calendar:
    """How each parcel departs from its kind, all (parcel,)."""

    parcels: Parcels
    timing: FloatArray
    """Standard normal: late or early, each year."""
    vigour: FloatArray
    """Standard normal: good or poor soil."""
    manured: NDArray[np.bool_]
    """Whether green manure follows the harvest."""
    turn: NDArray[np.int64]
    """Place in the rotation in year 0."""
    only_maize: NDArray[np.bool_]
    """Whether maize follows maize."""

    def crops(self, year: int) -> NDArray[np.int64]:
        """Return the vegetation of each parcel (parcel,) in `year`: its kind, or the crop of the rotation."""
        crop = _ROTATION[(self.turn + year) % len(ROTATION)]
        crop[self.only_maize] = Kind.MAIZE
        return np.where(self.parcels.kind == ARABLE, crop, self.parcels.kind)

    def ndvi(self, day: np.datetime64) -> FloatArray:
        """Return NDVI of each parcel (parcel,) on a day, roofs and roads counted in."""
        kinds = self.crops(year_of(day))
        growing = self.cover(day)
        bare, full = _per_kind("bare")[kinds], _per_kind("full")[kinds]
        green = bare + (full + np.float32(0.015) * self.vigour - bare) * growing
        built = np.where(kinds == Kind.WATER, np.float32(0.0), self.parcels.built)
        return np.asarray(green * (1 - built) + np.float32(NDVI_BUILT) * built, dtype=np.float32)

    def cover(self, day: np.datetime64) -> FloatArray:
        """Return the green fraction of unbuilt land (parcel,): its permanent part, and the seasons of three years."""
        year = year_of(day)
        kinds = self.crops(year)
        bare_share = 1 - _per_kind("lasting")[kinds]
        for season_year in (year - 1, year, year + 1):
            bare_share = bare_share * (1 - self._season_cover(day, season_year))
        drought = WEATHER.get(year, MEAN_WEATHER).drought * float(np.exp(-(((days_since(day, year) - 215) / 32) ** 2)))
        thirst = np.float32(drought) * _THIRST[kinds] * (np.float32(0.35) + np.float32(0.65) * self.parcels.sand)
        return np.asarray((1 - bare_share) * (1 - thirst), dtype=np.float32)

    def _season_cover(self, day: np.datetime64, year: int) -> FloatArray:
        """Return the green share (parcel,) that the seasons counted to `year` give on `day`."""
        since = days_since(day, year)
        bare_share = np.ones(self.timing.shape, dtype=np.float32)
        if not -120 < since < 480:
            return 1 - bare_share
        kinds = self.crops(year)
        weather = WEATHER.get(year, MEAN_WEATHER)
        luck = normal_of(_SEED + 2, self.parcels.key.view(np.int64), year)
        late = (np.float32(0.7) * self.timing + np.float32(0.7) * luck) * _per_kind("spread_days")[kinds]
        for table, mask in ((_SEASONS, None), (_MANURES, self.manured)):
            for rise, fall, height, rise_days, fall_days in table:
                start = (rise + _shift(rise, weather))[kinds] + late
                end = (fall + _shift(fall, weather))[kinds] + late
                share = _logistic((since - start) / rise_days[kinds]) * _logistic((end - since) / fall_days[kinds])
                share *= height[kinds]
                bare_share = bare_share * (1 - (share if mask is None else np.where(mask, share, np.float32(0.0))))
        return np.asarray(1 - bare_share, dtype=np.float32)


def make_calendar(parcels: Parcels) -> Calendar:
    """Return how the parcels depart from their kinds, drawn from their keys."""
    key = parcels.key.view(np.int64)
    return Calendar(
        parcels=parcels,
        timing=normal_of(_SEED + 3, key),
        vigour=normal_of(_SEED + 7, key),
        manured=uniform_of(_SEED + 11, key) < np.float32(0.62),
        turn=(uniform_of(_SEED, key) * len(ROTATION)).astype(np.int64),
        only_maize=uniform_of(_SEED + 1, key) < 0.12 + 0.62 * parcels.sand,
    )


def _logistic(steps: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-np.clip(steps, -30, 30))), dtype=np.float32)


def _shift(days: FloatArray, weather: Weather) -> FloatArray:
    """Return the delay in days that the weather causes for events due on `days` of the year."""
    spring = np.exp(-(((days - 105) / 70) ** 2))
    autumn = np.exp(-(((days - 300) / 55) ** 2))
    return np.asarray(weather.spring_days * spring + weather.autumn_days * autumn, dtype=np.float32)


def _per_kind(name: str) -> FloatArray:
    """Return a property of all growths, (kind,)."""
    return np.array([getattr(GROWTHS[kind], name) for kind in Kind], dtype=np.float32)


def _season_table(seasons: list[Season]) -> tuple[FloatArray, ...]:
    """Return day of rise, day of fall, height, and the lengths of rise and fall, each (kind,)."""
    names = ("rise_day", "fall_day", "height", "rise_days", "fall_days")
    return tuple(np.array([getattr(season, name) for season in seasons], dtype=np.float32) for name in names)


def _season_tables() -> list[tuple[FloatArray, ...]]:
    most = max(len(growth.seasons) for growth in GROWTHS.values())
    none = Season(0, 0, 0.0)
    padded = {kind: (*GROWTHS[kind].seasons, *(none,) * most)[:most] for kind in Kind}
    return [_season_table([padded[kind][number] for kind in Kind]) for number in range(most)]


_ROTATION: Final = np.array(ROTATION, dtype=np.int64)
_SEASONS: Final = _season_tables()
_MANURES: Final = [_season_table([GREEN_MANURE.get(kind, Season(0, 0, 0.0)) for kind in Kind])]
_THIRST: Final = np.array([0, 0.35, 0.6, 0.12, 0.05, 0.15, 0.1, 0.45, 0.3, 0.4], dtype=np.float32)
"""How much each kind suffers from drought."""
