"""The size of the demo archive: its grid, its dekads and the days of its true-colour pictures."""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import TimeDomain, domain_of_periods
from chronotile.core.model.time.periods import DEKAD
from chronotile.core.model.types import Float64Array

CRS_NAME: Final = "EPSG:3035"
RESOLUTION_M: Final = 100.0

AREA: Final = BBox(3_900_000.0, 3_082_000.0, 3_960_000.0, 3_142_000.0)
"""The whole landscape in EPSG:3035: Brussels in the south, Antwerp in the north, Aalst to Leuven from west to east."""

CENTRE: Final = (3_930_000.0, 3_112_000.0)
"""Centre of a demo smaller than the landscape: just south-west of Mechelen."""

PICTURE_DAYS: Final = (
    *("2024-01-15", "2024-02-14", "2024-03-10", "2024-04-09", "2024-05-12", "2024-06-01"),
    *("2024-06-26", "2024-07-29", "2024-08-13", "2024-09-17", "2024-10-27", "2024-12-04"),
)
"""Days of the true-colour pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """Size of a demo archive; tests use less than the default."""

    size_px: int = 600
    """Rows, and columns, of the square grid."""
    first_day: str = "2020-01-01"
    """First day of the first dekad."""
    dekads: int = 180
    levels: int = 4
    """Number of levels, the native one included."""
    picture_days: tuple[str, ...] = PICTURE_DAYS

    def __post_init__(self) -> None:
        if not 1 <= self.size_px <= 600:
            raise InvalidParameter(f"the demo has 1 to 600 pixels per side, got {self.size_px}", locator="size_px")
        if self.dekads < 1 or self.levels < 1:
            raise InvalidParameter("the demo needs at least one dekad and one level", locator="dekads")

    @property
    def grid(self) -> Grid:
        """The native grid, a part of the landscape around its centre."""
        half = self.size_px // 2 * RESOLUTION_M
        xmin, ymax = CENTRE[0] - half, CENTRE[1] + half
        side = self.size_px * RESOLUTION_M
        bbox = BBox(xmin, ymax - side, xmin + side, ymax)
        return Grid(crs=crs_of(CRS_NAME), bbox=bbox, width=self.size_px, height=self.size_px)

    @property
    def time_domain(self) -> TimeDomain:
        """The dekads, each from its first day to the start of the next."""
        return domain_of_periods(np.datetime64(self.first_day, "ns"), DEKAD, self.dekads)

    def describe(self) -> dict[str, object]:
        """Return the plan as JSON members."""
        return {**asdict(self), "picture_days": list(self.picture_days)}


def level_grid(grid: Grid, level: int) -> Grid:
    """Return the grid of an overview: pixels `2 ** level` as large, with the same north-west corner."""
    factor = 2**level
    width, height = -(-grid.width // factor), -(-grid.height // factor)
    x_size, y_size = (size * factor for size in grid.resolution)
    xmin, ymax = grid.bbox.xmin, grid.bbox.ymax
    bbox = BBox(xmin, ymax - height * y_size, xmin + width * x_size, ymax)
    return Grid(crs=grid.crs, bbox=bbox, width=width, height=height)


def pixel_centres(grid: Grid, *, parts: int = 1) -> tuple[Float64Array, Float64Array]:
    """Return x, west to east, and y, north to south, of the centres of pixels cut into `parts` by `parts`."""
    columns = (np.arange(grid.width * parts) + 0.5) / parts
    rows = (np.arange(grid.height * parts) + 0.5) / parts
    return np.asarray(grid.x_of(columns), dtype=np.float64), np.asarray(grid.y_of(rows), dtype=np.float64)
