"""Swaths in the headers of items: a file is drawn without reading its positions again.

A header has the index of the cells, and the nearest cell of each pixel of coarse levels. Cells of neighbouring pixels
are near each other, so the differences of their rows and columns are stored compressed.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import orjson
from affine import Affine

from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import AnyArray
from chronotile.readers.cf.geolocation import Geolocation
from chronotile.readers.cf.nearest_cells import BLOCK, CellIndex, CellPositions
from chronotile.readers.cf.regular_grid import DEGREES, levels_over
from chronotile.readers.cf.swath import NearestCells, Swath, open_swath

VERSION = b"swath 1\n"
MAX_BYTES = 256 << 10
"""Maximum size of the compressed parts; finer levels are omitted."""
MAX_SIDE_PX = 1024
"""Longest side of a level whose nearest cells are stored."""
FLOATS, INTEGERS = "<f4", "<i4"


def header_of(swath: Swath, group: str | None, target: TargetGrid | None) -> bytes | None:
    """Return the header of a file with one swath; `None` if it would be too large.

    Args:
        swath: The swath, on its default grid or on a configured lattice.
        group: The configured group of the file.
        target: The configured lattice.
    """
    index, geolocation, grid = swath.index, swath.geolocation, swath.levels[0]
    arrays = np.concatenate([index.centres, index.radii[..., np.newaxis], index.reaches[..., np.newaxis]], axis=-1)
    parts, levels = [zlib.compress(arrays.astype(FLOATS).tobytes())], []
    for number in reversed(range(len(swath.levels))):
        level = swath.levels[number]
        if max(level.width, level.height) > MAX_SIDE_PX:
            break
        nearest = swath.find_nearest(number, range(level.height), range(level.width))
        steps = np.diff(np.stack(np.divmod(nearest.numbers.ravel(), nearest.width)), prepend=0)
        parts.append(zlib.compress(steps.astype(INTEGERS).tobytes()))
        levels.append([number, nearest.factors])
        if sum(map(len, parts)) > MAX_BYTES:
            del parts[-1], levels[-1]
            break
    document = {
        "key": _key_of(geolocation, group, target),
        "has_fill_zeros": geolocation.has_fill_zeros,
        "digest": swath.digest,
        "sides": index.sides,
        "grid": [list(grid.transform[:6]), grid.width, grid.height],
        "levels": levels,
        "lengths": [len(part) for part in parts],
    }
    text = orjson.dumps(document)
    is_small = sum(map(len, parts)) <= MAX_BYTES
    return VERSION + len(text).to_bytes(4, "little") + text + b"".join(parts) if is_small else None


def open_stored(header: bytes, group: str | None, geolocation: Geolocation, target: TargetGrid | None) -> Swath:
    """Return a swath from a header of its file, which may be in another version; then all positions are read.

    Raises:
        UnsupportedSource: The positions cannot be used.
    """
    try:
        return _swath_of(header, group, geolocation, target)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, zlib.error):
        return open_swath(geolocation, target)


def _key_of(geolocation: Geolocation, group: str | None, target: TargetGrid | None) -> list[Any]:
    """Return the configuration, names and size that a header is valid for."""
    names = geolocation.latitude.name, geolocation.longitude.name
    lattice = None if target is None else [target.crs, target.resolution]
    return [group, lattice, *names, geolocation.height, geolocation.width]


def _swath_of(header: bytes, group: str | None, geolocation: Geolocation, target: TargetGrid | None) -> Swath:
    start = len(VERSION) + 4
    if header[: len(VERSION)] != VERSION:
        raise ValueError("the header was stored by another version")
    parts_start = start + int.from_bytes(header[len(VERSION) : start], "little")
    document: Mapping[str, Any] = orjson.loads(header[start:parts_start])
    if document["key"] != _key_of(geolocation, group, target):
        raise ValueError("the header was stored with another configuration")
    stops = parts_start + np.cumsum(document["lengths"])
    parts = [header[stop - length : stop] for stop, length in zip(stops, document["lengths"], strict=True)]
    shape = -(-geolocation.height // BLOCK), -(-geolocation.width // min(BLOCK, geolocation.width)), 5
    arrays = _unpack(parts[0], FLOATS, shape)
    down, across = map(float, document["sides"])
    if not (0 < down < math.inf and 0 < across < math.inf):
        raise ValueError("the sides of cells are not lengths")
    transform, width, height = document["grid"]
    crs = crs_of(DEGREES if target is None else target.crs)
    levels = levels_over(NativeGrid(crs=crs, transform=Affine(*transform), width=width, height=height))
    geolocation = replace(geolocation, has_fill_zeros=bool(document["has_fill_zeros"]))
    return Swath(
        geolocation=geolocation,
        cells=geolocation,
        digest=str(document["digest"]),
        index=CellIndex(arrays[..., :3], arrays[..., 3], arrays[..., 4], (down, across)),
        levels=levels,
        stored={
            levels[number]: partial(_nearest_or_none, part, levels[number], (int(n), int(m)), geolocation)
            for part, (number, (n, m)) in zip(parts[1:], document["levels"], strict=True)
        },
    )


def _nearest_or_none(
    part: bytes, level: NativeGrid, factors: tuple[int, int], cells: CellPositions
) -> NearestCells | None:
    """Return the stored cells of a level; `None` if they are damaged."""
    height, width = -(-cells.height // factors[0]), -(-cells.width // factors[1])
    try:
        rows, columns = np.cumsum(_unpack(part, INTEGERS, (2, level.height * level.width)), axis=1, dtype=np.int64)
    except (ValueError, zlib.error):
        return None
    numbers = (rows * width + columns).reshape(level.height, level.width)
    if numbers.min() < -1 or numbers.max() >= height * width:
        return None
    return NearestCells(numbers, factors, width)


def _unpack(part: bytes, dtype: str, shape: tuple[int, ...]) -> AnyArray:
    """Return an array of this shape from its compressed bytes.

    Raises:
        ValueError: It has another shape.
        zlib.error: It is damaged.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    content = zlib.decompressobj().decompress(part, size + 1)  # no more than one byte too many is made
    return np.frombuffer(content, dtype).reshape(shape)
