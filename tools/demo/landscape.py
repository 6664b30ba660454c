"""The landscape that stays through the years: parcels with their kinds, waters, texture."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.core.model.space.grid import Grid
from chronotile.demo.plan import pixel_centres
from tools.demo.geography import CONIFERS
from tools.demo.ground import (
    BoolArray,
    Ground,
    bend_ground,
    forest_mask,
    motorway_edge,
    river_edge,
    street_edge,
    to_metres,
    town_density,
    water_edge,
)
from tools.demo.mosaic import field_keys, voronoi_cells
from tools.demo.noise import (
    FloatArray,
    KeyArray,
    fractal_noise,
    mix_keys,
    normal_of,
    smooth_step,
    uniform_of,
)

PARTS: Final = 2
"""Each pixel is made of 2 by 2 parts, so that borders between parcels give mixed pixels."""

_SEED: Final = 6300


class Kind(IntEnum):
    """Kinds of vegetation of a parcel; the kinds from `WHEAT` to `POTATO` rotate on arable land."""

    WATER = 0
    GARDEN = 1
    GRASS = 2
    DECIDUOUS = 3
    CONIFER = 4
    ORCHARD = 5
    WHEAT = 6
    MAIZE = 7
    BEET = 8
    POTATO = 9


ARABLE: Final = Kind.WHEAT
"""The kind of a parcel whose crop changes with the year."""


@dataclass(frozen=True, slots=True)
class Parcels:
    """Properties of the parcels, all (parcel,)."""

    key: KeyArray
    """Mixed bits that name the parcel."""
    kind: NDArray[np.int64]
    """A `Kind`; `ARABLE` stands for all crops."""
    built: FloatArray
    """Share of roofs and roads, 0 to 1."""
    sand: FloatArray
    """0 on loam, 1 on sand."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """The parcels and their pixels."""

    grid: Grid
    parcels: Parcels
    parts: NDArray[np.int64]
    """(4, height, width): the parcels that the quarters of each pixel belong to."""
    water: BoolArray
    """(height, width): pixels that are mostly water."""
    texture: FloatArray
    """(height, width): variation of growth inside parcels, mean 0, variance 1."""
    vegetated: FloatArray
    """(height, width): fraction of the pixel without buildings and water, 0 to 1."""


@dataclass(frozen=True, slots=True)
class _Cover:
    """The classes of the half-pixels, all (height, width) of the half-pixel grid."""

    key: KeyArray
    kind: NDArray[np.int64]
    built: FloatArray


def make_landscape(grid: Grid) -> Landscape:
    """Return the part of the landscape that lies in `grid`."""
    ground = bend_ground(grid.crs, *pixel_centres(grid, parts=PARTS))
    sand = sandiness(ground)
    cover = _cover_fields(ground, sand)
    _cover_forests(cover, ground, sand)
    _cover_towns(cover, ground)
    water = water_edge(ground) < 0
    cover.key[water] = mix_keys(_SEED, int(Kind.WATER))
    cover.kind[water] = Kind.WATER
    cover.built[water] = 0.0
    return _gather(grid, cover, sand)


def sandiness(ground: Ground) -> FloatArray:
    """Return 0 on the loam of the south to 1 on the sands of the north and east (height, width)."""
    north = (ground.y[:, None] - 3_106_000.0) / 22_000.0
    east = (ground.x[None, :] - 3_935_000.0) / 45_000.0
    bumps = 0.35 * fractal_noise(ground.x, ground.y, cells_m=(9000.0, 3100.0), fade=0.6, seed=_SEED + 1)
    return smooth_step((north + 0.45 * east + bumps).astype(np.float32), -0.25, 1.05)


def _cover_fields(ground: Ground, sand: FloatArray) -> _Cover:
    """Return farmland everywhere: fields, hedges and the verges of roads between blocks."""
    x, y = ground.bent_x.ravel(), ground.bent_y.ravel()
    blocks = voronoi_cells(x, y, cell_m=1700.0, seed=_SEED + 2)
    fields = field_keys(x, y, blocks.key)
    kind = _field_kinds(ground, fields, sand.ravel())
    built = np.zeros(x.shape, dtype=np.float32)
    verge = blocks.edge_m < 24.0
    fields[verge] = mix_keys(_SEED + 3, blocks.key[verge].view(np.int64))
    kind[verge] = np.where(uniform_of(_SEED + 4, fields[verge]) < 0.45, Kind.DECIDUOUS, Kind.GRASS)
    built[verge] = 0.28
    shape = ground.bent_x.shape
    return _Cover(fields.reshape(shape), kind.reshape(shape), built.reshape(shape))


def _field_kinds(ground: Ground, fields: KeyArray, sand: FloatArray) -> NDArray[np.int64]:
    """Return the kind of each field (n,): one for the whole field, by soil, valley and woods round its middle."""
    names, index = np.unique(fields, return_inverse=True)
    size = np.bincount(index)
    valley = np.exp(-np.maximum(river_edge(ground).ravel(), 0.0) / 650.0)
    woods = fractal_noise(ground.x, ground.y, cells_m=(4100.0, 1700.0, 700.0), fade=0.85, seed=_SEED + 5).ravel()
    east = np.broadcast_to(ground.x[None, :] > 3_944_000.0, ground.bent_x.shape).ravel()
    mean_valley, mean_woods, mean_sand, mean_east = (
        np.bincount(index, weights=field) / size for field in (valley, woods, sand, east)
    )
    draw = uniform_of(_SEED + 6, names)
    grass = 0.16 + 0.26 * mean_sand + 0.6 * mean_valley
    orchard = np.where(mean_sand < 0.6, 0.012 + 0.06 * mean_east, 0.006)
    kind = np.full(names.shape, int(ARABLE), dtype=np.int64)
    kind[draw < grass + orchard] = Kind.ORCHARD
    kind[draw < grass] = Kind.GRASS
    lone = uniform_of(_SEED + 7, names) < 0.03 + 0.05 * mean_valley
    wooded = (mean_woods + 0.35 * mean_sand > 1.45) | lone
    pine = uniform_of(_SEED + 8, names) < 1.25 * mean_sand - 0.2
    kind[wooded] = np.where(pine, Kind.CONIFER, Kind.DECIDUOUS)[wooded]
    return np.asarray(kind[index], dtype=np.int64)


def _cover_forests(cover: _Cover, ground: Ground, sand: FloatArray) -> None:
    """Put stands of trees over the named forests, and over pine woods on sand."""
    forest = forest_mask(ground) | _pine_woods(ground, sand)
    if not forest.any():
        return
    stands = voronoi_cells(ground.bent_x[forest], ground.bent_y[forest], cell_m=420.0, seed=_SEED + 10)
    rides = stands.edge_m < 9.0
    cover.key[forest] = stands.key
    pine = uniform_of(_SEED + 11, stands.key) < np.clip(1.5 * sand[forest] - 0.2, 0.1, 0.85)
    cover.kind[forest] = np.where(pine, Kind.CONIFER, Kind.DECIDUOUS)
    cover.built[forest] = np.where(rides, np.float32(0.08), np.float32(0.0))


def _pine_woods(ground: Ground, sand: FloatArray) -> BoolArray:
    x, y = to_metres(ground.crs, CONIFERS)
    near = np.zeros(sand.shape, dtype=np.float32)
    for point_x, point_y in zip(x, y, strict=True):
        away = np.hypot(ground.bent_x - np.float32(point_x), ground.bent_y - np.float32(point_y))
        np.maximum(near, 1.0 - away / np.float32(9000.0), out=near)
    bumps = fractal_noise(ground.x, ground.y, cells_m=(2600.0, 1100.0, 500.0), fade=0.7, seed=_SEED + 12)
    return np.asarray(bumps + 1.3 * np.maximum(near, 0.0) > 1.9, dtype=bool)


def _cover_towns(cover: _Cover, ground: Ground) -> None:
    """Put street blocks with roofs and gardens over towns, houses along roads, and motorways."""
    density = town_density(ground)
    street = street_edge(ground)
    ribbon = 0.48 * np.exp(-np.maximum(street, 0.0) / 210.0)
    forest = (cover.kind == Kind.DECIDUOUS) | (cover.kind == Kind.CONIFER)
    density = np.maximum(density, ribbon) * np.where(forest, np.float32(0.72), np.float32(1.0))
    maybe = density > 0.10
    if maybe.any():
        _cover_blocks(cover, ground, density, maybe)
    for edge, built in ((street - 16.0, 0.45), (motorway_edge(ground), 0.8)):
        road = edge < 0
        cover.built[road] = np.maximum(cover.built[road], np.float32(built))


def _cover_blocks(cover: _Cover, ground: Ground, density: FloatArray, maybe: BoolArray) -> None:
    """Put street blocks on the half-pixels `maybe`, for blocks that a random number selects."""
    blocks = voronoi_cells(ground.bent_x[maybe], ground.bent_y[maybe], cell_m=230.0, seed=_SEED + 20)
    dense = density[maybe]
    town = dense > 0.14 + 0.30 * uniform_of(_SEED + 21, blocks.key)
    park = uniform_of(_SEED + 22, blocks.key) < 0.07
    works = uniform_of(_SEED + 23, blocks.key) < 0.10
    built = np.clip(0.22 + 0.62 * dense + 0.13 * normal_of(_SEED + 24, blocks.key), 0.12, 0.93)
    built = np.where(works, np.maximum(built, 0.88), np.where(park, np.minimum(built, 0.08), built))
    kind = np.where(park & (uniform_of(_SEED + 25, blocks.key) < 0.6), Kind.DECIDUOUS, Kind.GARDEN)
    where = maybe.copy()
    where[maybe] = town
    cover.key[where] = blocks.key[town]
    cover.kind[where] = kind[town]
    cover.built[where] = built[town].astype(np.float32)


def _gather(grid: Grid, cover: _Cover, sand: FloatArray) -> Landscape:
    """Return the landscape whose parcels are the half-pixels with equal key and kind; built-up land counts by steps."""
    steps = np.round(cover.built * 20).astype(np.int64)
    code = mix_keys(_SEED + 30, cover.key.view(np.int64), cover.kind, steps)
    _, first, index = np.unique(code, return_index=True, return_inverse=True)
    parcels = Parcels(
        key=cover.key.ravel()[first],
        kind=cover.kind.ravel()[first],
        built=cover.built.ravel()[first],
        sand=sand.ravel()[first],
    )
    index = index.reshape(cover.key.shape)
    parts = np.stack([index[row::PARTS, column::PARTS] for row in range(PARTS) for column in range(PARTS)])
    texture = fractal_noise(*pixel_centres(grid), cells_m=(1300.0, 520.0), fade=0.7, seed=_SEED + 31)
    is_water = parcels.kind == Kind.WATER
    green = np.where(is_water, np.float32(0.0), 1 - parcels.built)
    water = np.mean(is_water[parts], axis=0) >= 0.5
    return Landscape(grid, parcels, parts, water, texture, vegetated=np.mean(green[parts], axis=0))
