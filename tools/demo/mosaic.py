"""The mosaic of fields: blocks between roads, each cut into rows of rectangles along the direction of the block."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chronotile.demo.plan import CENTRE
from tools.demo.noise import FloatArray, KeyArray, mix_keys, uniform_of

_SEED: Final = 5200


@dataclass(frozen=True, slots=True)
class Cells:
    """For each point, its Voronoi cell."""

    key: KeyArray
    """(n,): one number a cell."""
    edge_m: FloatArray
    """(n,): metres to the border with the nearest other cell."""


def voronoi_cells(x: FloatArray, y: FloatArray, *, cell_m: float, seed: int) -> Cells:
    """Return the cells of points (n,) among seeds; each square of `cell_m` has a seed at a random position."""
    column, row = np.floor(x / cell_m).astype(np.int64), np.floor(y / cell_m).astype(np.int64)
    first_column, first_row = int(column.min()) - 1, int(row.min()) - 1
    columns = np.arange(first_column, int(column.max()) + 2)[None, :]
    rows = np.arange(first_row, int(row.max()) + 2)[:, None]
    seed_x = ((columns + uniform_of(seed, columns, rows)) * cell_m).astype(np.float32).ravel()
    seed_y = ((rows + uniform_of(seed + 1, columns, rows)) * cell_m).astype(np.float32).ravel()
    centre = (row - first_row) * columns.size + (column - first_column)
    nearest = np.full(x.shape, np.inf, dtype=np.float32)
    second = nearest.copy()
    owner = np.zeros(x.shape, dtype=np.int64)
    for step in (up * columns.size + across for up in (-1, 0, 1) for across in (-1, 0, 1)):
        candidate = centre + step
        away = np.hypot(x - seed_x[candidate], y - seed_y[candidate])
        second = np.minimum(second, np.maximum(nearest, away))
        closer = away < nearest
        owner[closer] = candidate[closer]
        nearest[closer] = away[closer]
    keys = mix_keys(seed + 2, columns, rows).ravel()
    return Cells(keys[owner], (second - nearest) / np.float32(2.0))


def field_keys(x: FloatArray, y: FloatArray, block: KeyArray) -> KeyArray:
    """Return one number a field for places (n,) in blocks (n,)."""
    blocks, index = np.unique(block, return_inverse=True)
    turn = uniform_of(_SEED, blocks) * np.float32(np.pi)
    cosine, sine = np.cos(turn)[index], np.sin(turn)[index]
    narrow = (330.0 + 620.0 * uniform_of(_SEED + 1, blocks) ** 2)[index]
    long = (700.0 + 1300.0 * uniform_of(_SEED + 2, blocks))[index]
    along, across = x - np.float32(CENTRE[0]), y - np.float32(CENTRE[1])
    row = _uneven_steps((across * cosine - along * sine) / long, block, _SEED + 3)
    column = _uneven_steps((along * cosine + across * sine) / narrow, mix_keys(_SEED + 4, block, row), _SEED + 5)
    return mix_keys(_SEED + 6, block, row, column)


def _uneven_steps(position: FloatArray, key: KeyArray, seed: int) -> NDArray[np.int64]:
    """Return the whole part of `position`, with borders moved by up to 0.45 differently in each `key`."""
    shifted = position + uniform_of(seed, key)
    step = np.floor(shifted).astype(np.int64)
    border = np.float32(0.45) * uniform_of(seed + 1, key, step)
    return np.asarray(step - (shifted - step < border), dtype=np.int64)
