"""Paths and sizes of the data, and creation of missing data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data.cog import make_big, make_many, make_real, make_stack
from benchmarks.data.cube import make_cube, make_serving_cube

FIRST_DAY = np.datetime64("2023-01-01")
DAYS = 365
FIRST_YEAR, YEARS = 2004, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much data there are."""

    big_side: int = 10_980
    stack_dates: int = 36
    stack_side: int = 4096
    cube_side: int = 2048
    many_side: int = 512
    dekads_side: int = 1024


SIZES = {"small": Size(stack_side=2048, cube_side=1024, many_side=256), "full": Size()}


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of one size."""

    folder: Path
    size: Size

    @property
    def big(self) -> Path:
        """A COG of 10980² pixels in UTM."""
        return self.folder / "ndvi_20240601.tif"

    @property
    def big_cube(self) -> Path:
        """The output of `chronotile optimise` for it."""
        return self.folder / "big_serving.zarr"

    @property
    def real(self) -> Path:
        """A COG of as many pixels, of real NDVI; absent without the data it is made of."""
        return self.folder / "real_20240601.tif"

    @property
    def stack(self) -> list[Path]:
        """COGs of every tenth day, in UTM."""
        return [self.folder / "stack" / f"ndvi_{_compact(day)}.tif" for day in self.stack_days]

    @property
    def stack_days(self) -> list[str]:
        """Days as `YYYY-MM-DD`."""
        return [str(FIRST_DAY + 10 * number) for number in range(self.size.stack_dates)]

    @property
    def many(self) -> list[Path]:
        """Small COGs of every day, in UTM."""
        return [self.folder / "many" / f"ndvi_{_compact(day)}.tif" for day in self.days]

    @property
    def days(self) -> list[str]:
        """Every day of the cubes and of the many files, as `YYYY-MM-DD`."""
        return [str(FIRST_DAY + number) for number in range(DAYS)]

    @property
    def map_cube(self) -> Path:
        """Plain Zarr v3, chunks of one date."""
        return self.folder / "cube_map.zarr"

    @property
    def series_cube(self) -> Path:
        """Plain Zarr v3, chunks of all dates."""
        return self.folder / "cube_series.zarr"

    @property
    def serving_cube(self) -> Path:
        """The output of `chronotile optimise` for the first."""
        return self.folder / "cube_serving.zarr"

    @property
    def dekads(self) -> list[str]:
        """First days of the dekads of twenty years, as `YYYY-MM-DD`."""
        months = ((year, month) for year in range(FIRST_YEAR, FIRST_YEAR + YEARS) for month in range(1, 13))
        return [f"{year}-{month:02}-{day:02}" for year, month in months for day in (1, 11, 21)]

    @property
    def dekads_map_cube(self) -> Path:
        """Plain Zarr v3, chunks of one dekad."""
        return self.folder / "dekads_map.zarr"

    @property
    def dekads_series_cube(self) -> Path:
        """Plain Zarr v3, chunks of all dekads."""
        return self.folder / "dekads_series.zarr"

    @property
    def dekads_serving_cube(self) -> Path:
        """The output of `chronotile optimise` for the first."""
        return self.folder / "dekads_serving.zarr"

    def make(self) -> None:
        """Write missing data; interrupted files are written again."""
        self.folder.mkdir(parents=True, exist_ok=True)
        make_big(self.big, self.size.big_side)
        make_real(self.real, self.size.big_side)
        make_stack(self.stack, self.stack_days, self.size.stack_side)
        make_many(self.many, self.days, self.size.many_side)
        make_cube(self.map_cube, self.series_cube, self.days, self.size.cube_side)
        make_serving_cube(self.map_cube, self.serving_cube, layout="both")
        make_serving_cube(self.big, self.big_cube, layout="map")
        make_cube(self.dekads_map_cube, self.dekads_series_cube, self.dekads, self.size.dekads_side)
        make_serving_cube(self.dekads_map_cube, self.dekads_serving_cube, layout="both")


def archive(folder: Path, size: str) -> Archive:
    """Return the archive of a size below a folder."""
    return Archive(folder / size, SIZES[size])


def _compact(day: str) -> str:
    return day.replace("-", "")
