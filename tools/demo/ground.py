"""Waters, roads, towns and forests as fields of distance on the half-pixel grid of the landscape."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.core.model.space.crs import CRS84, Crs, transformer
from tools.demo.geography import (
    DOCKS,
    FORESTS,
    LAKES,
    MOTORWAYS,
    RIVERS,
    TOWNS,
    Lake,
    Line,
    Path,
)
from tools.demo.noise import FloatArray, fractal_noise, smooth_noise, uniform_of

BoolArray = NDArray[np.bool_]

FAR_M: Final = 1e6
WARP_M: Final = 400.0
"""How far places are moved at most to bend straight lines."""

VILLAGE_CELL_M: Final = 2600.0
_SEED: Final = 4100


@dataclass(frozen=True, slots=True)
class Ground:
    """The half-pixel grid, and the coordinates for look-ups in its fields."""

    crs: Crs
    x: NDArray[np.float64]
    """(width,) in metres, ascending."""
    y: NDArray[np.float64]
    """(height,) in metres, descending."""
    bent_x: FloatArray
    """(height, width): x moved by smooth noise, so that straight lines become crooked."""
    bent_y: FloatArray


@dataclass(frozen=True, slots=True)
class Place:
    """A town or village in metres of the landscape."""

    x: float
    y: float
    radius_m: float


def bend_ground(crs: Crs, x: NDArray[np.float64], y: NDArray[np.float64]) -> Ground:
    """Return the ground that the axes `x` and `y` span."""
    moves = [
        90.0 * smooth_noise(x, y, cell_m=1400.0, seed=_SEED + part)
        + 35.0 * smooth_noise(x, y, cell_m=420.0, seed=_SEED + 2 + part)
        for part in range(2)
    ]
    bent_x, bent_y = (np.clip(move, -WARP_M, WARP_M) for move in moves)
    return Ground(crs, x, y, (bent_x + x[None, :]).astype(np.float32), (bent_y + y[:, None]).astype(np.float32))


def water_edge(ground: Ground) -> FloatArray:
    """Return metres to the nearest shore (height, width), negative in water."""
    edge = line_edge(ground, (*RIVERS, *DOCKS), reach_m=300.0)
    for lake in LAKES:
        _lower_to_lake(edge, ground, lake)
    return edge


def river_edge(ground: Ground) -> FloatArray:
    """Return metres to the nearest river bank (height, width), up to the width of valleys."""
    return line_edge(ground, RIVERS, reach_m=2500.0)


def motorway_edge(ground: Ground) -> FloatArray:
    """Return metres to the nearest motorway (height, width), negative on it."""
    return line_edge(ground, MOTORWAYS, reach_m=200.0)


def line_edge(ground: Ground, lines: Iterable[Line], *, reach_m: float) -> FloatArray:
    """Return metres to the edge of the nearest line, at least to `reach_m`, and `FAR_M` beyond."""
    edge = np.full(ground.bent_x.shape, FAR_M, dtype=np.float32)
    for line in lines:
        x, y = round_corners(*to_metres(ground.crs, line.path))
        for start in range(x.size - 1):
            ends = (x[start], y[start], x[start + 1], y[start + 1])
            _lower_to_segment(edge, ground, ends, reach_m=reach_m, half_width_m=line.half_width_m)
    return edge


def to_metres(crs: Crs, path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y in `crs` of points given in degrees."""
    degrees = np.array(path, dtype=np.float64)
    x, y = transformer(CRS84, crs).transform(degrees[:, 0], degrees[:, 1])
    return np.asarray(x), np.asarray(y)


def round_corners(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the line with each corner cut three times at a quarter of its sides (Chaikin), its ends kept."""
    points = np.stack([x, y])
    for _ in range(3):
        before, after = points[:, :-1], points[:, 1:]
        cuts = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=2).reshape(2, -1)
        points = np.concatenate([points[:, :1], cuts, points[:, -1:]], axis=1)
    return points[0], points[1]


def _part(ground: Ground, xs: Sequence[float], ys: Sequence[float], reach_m: float) -> tuple[slice, slice]:
    """Return the rows and columns within `reach_m` of the box round some points."""
    reach = reach_m + WARP_M
    columns = np.searchsorted(ground.x, [min(xs) - reach, max(xs) + reach])
    rows = np.searchsorted(-ground.y, [-max(ys) - reach, -min(ys) + reach])
    return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))


def _lower_to_segment(
    edge: FloatArray,
    ground: Ground,
    ends: tuple[float, float, float, float],
    *,
    reach_m: float,
    half_width_m: float,
) -> None:
    """Lower `edge` in place to the distance from the segment between two `ends` (x, y, x, y)."""
    x0, y0, x1, y1 = ends
    part = _part(ground, (x0, x1), (y0, y1), reach_m + half_width_m)
    if edge[part].size == 0:
        return
    dx, dy = x1 - x0, y1 - y0
    from_x, from_y = ground.bent_x[part] - np.float32(x0), ground.bent_y[part] - np.float32(y0)
    along = np.clip((from_x * dx + from_y * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    away = np.hypot(from_x - along * dx, from_y - along * dy) - half_width_m
    np.minimum(edge[part], away.astype(np.float32), out=edge[part])


def _lower_to_lake(edge: FloatArray, ground: Ground, lake: Lake) -> None:
    (x,), (y,) = to_metres(ground.crs, ((lake.lon, lake.lat),))
    part = _part(ground, (x,), (y,), lake.long_m)
    turn = np.deg2rad(lake.turn_deg)
    from_x, from_y = ground.bent_x[part] - np.float32(x), ground.bent_y[part] - np.float32(y)
    along = (from_x * np.cos(turn) + from_y * np.sin(turn)) / lake.long_m
    across = (from_y * np.cos(turn) - from_x * np.sin(turn)) / lake.short_m
    away = (np.hypot(along, across) - 1.0) * lake.short_m
    np.minimum(edge[part], away.astype(np.float32), out=edge[part])


def forest_mask(ground: Ground) -> BoolArray:
    """Return a mask of half-pixels (height, width) in the named forests."""
    inside = np.zeros(ground.bent_x.shape, dtype=bool)
    ragged_x, ragged_y = (
        bent + 260.0 * fractal_noise(ground.x, ground.y, cells_m=(1300.0, 500.0), fade=0.6, seed=_SEED + 5 + part)
        for part, bent in enumerate((ground.bent_x, ground.bent_y))
    )
    for ring in FORESTS:
        x, y = to_metres(ground.crs, ring)
        part = _part(ground, list(x), list(y), 800.0)
        inside[part] |= _within_ring(ragged_x[part], ragged_y[part], x, y)
    return inside


def _within_ring(x: FloatArray, y: FloatArray, ring_x: NDArray[np.float64], ring_y: NDArray[np.float64]) -> BoolArray:
    """Return a mask of points whose ray to the east crosses the ring an odd number of times."""
    inside = np.zeros(x.shape, dtype=bool)
    for x0, y0, x1, y1 in zip(ring_x, ring_y, np.roll(ring_x, -1), np.roll(ring_y, -1), strict=True):
        spans = (y0 > y) != (y1 > y)
        inside ^= spans & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return inside


def town_density(ground: Ground) -> FloatArray:
    """Return how densely places are built up (height, width): 0 in the open, 1 in the middle of a city."""
    density = np.zeros(ground.bent_x.shape, dtype=np.float32)
    x, y = to_metres(ground.crs, tuple((town.lon, town.lat) for town in TOWNS))
    shape = 1.0 + 0.24 * fractal_noise(ground.x, ground.y, cells_m=(2300.0, 900.0), fade=0.7, seed=_SEED + 10)
    for town_x, town_y, town in zip(x, y, TOWNS, strict=True):
        _raise_to_place(density, ground, Place(town_x, town_y, town.radius_m), shape)
    for place in villages(ground).values():
        if place.radius_m > 0:
            _raise_to_place(density, ground, place, shape)
    return density


def _raise_to_place(density: FloatArray, ground: Ground, place: Place, shape: FloatArray) -> None:
    part = _part(ground, (place.x,), (place.y,), 2.0 * place.radius_m)
    away = np.hypot(ground.bent_x[part] - np.float32(place.x), ground.bent_y[part] - np.float32(place.y))
    rise = 0.85 + place.radius_m / 18_000.0
    inner = np.clip((shape[part] - away / place.radius_m) * rise, 0.0, 1.0)
    np.maximum(density[part], inner.astype(np.float32), out=density[part])


def villages(ground: Ground) -> dict[tuple[int, int], Place]:
    """Return the made-up villages in and round the ground by lattice column and row; some are empty places."""
    columns = np.arange(ground.x[0] // VILLAGE_CELL_M - 1, ground.x[-1] // VILLAGE_CELL_M + 3).astype(np.int64)
    rows = np.arange(ground.y[-1] // VILLAGE_CELL_M - 2, ground.y[0] // VILLAGE_CELL_M + 3).astype(np.int64)
    column, row = (axis.ravel() for axis in np.meshgrid(columns, rows))
    across, up, size, there = (uniform_of(_SEED + 20 + part, column, row).astype(np.float64) for part in range(4))
    x = (column + 0.15 + 0.7 * across) * VILLAGE_CELL_M
    y = (row + 0.15 + 0.7 * up) * VILLAGE_CELL_M
    radius = np.where(there < 0.82, 320.0 + 650.0 * size**2, 0.0)
    cells = zip(column.tolist(), row.tolist(), strict=True)
    places = zip(x.tolist(), y.tolist(), radius.tolist(), strict=True)
    return {cell: Place(*place) for cell, place in zip(cells, places, strict=True)}


def street_edge(ground: Ground) -> FloatArray:
    """Return metres to the nearest road between neighbouring villages, at least to 500, and `FAR_M` beyond."""
    edge = np.full(ground.bent_x.shape, FAR_M, dtype=np.float32)
    places = villages(ground)
    column, row = np.array(list(places)).T
    for number, (east, north) in enumerate(((1, 0), (0, 1), (1, -1))):
        roads = uniform_of(_SEED + 30 + number, column, row) < 0.72
        for cell in zip(column[roads].tolist(), row[roads].tolist(), strict=True):
            there = places.get((cell[0] + east, cell[1] + north))
            if there is not None:
                ends = (places[cell].x, places[cell].y, there.x, there.y)
                _lower_to_segment(edge, ground, ends, reach_m=500.0, half_width_m=0.0)
    return edge
