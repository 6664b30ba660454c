"""Cells of longitude and latitude, by which the index finds items.

The cells of each level are half as large as those of the level above. An item lies in cells of the finest level whose
cells are at least as large as its box, so in at most four. A search visits the cells of all levels that occur.
"""

import math
from collections.abc import Iterator, Sequence

from chronotile.core.model.space.boxes import WORLD, BBox, boxes_of

FINEST = 20
"""Finest level: its cells have 38 m at the equator; smaller items use it too."""
MAX_CELLS = 256
"""Cells that a search visits one by one; for a larger box, items are found by time."""
MILLIONTHS = 1_000_000


def level_of(box: BBox) -> int:
    """Return the finest level whose cells are at least as large as a CRS84 box."""
    size = max(box.unwound().xmax - box.xmin, box.ymax - box.ymin)
    if size <= 360 / (1 << FINEST):
        return FINEST
    level = max(0, math.floor(math.log2(360 / size)))
    return level if 360 / (1 << level) >= size else level - 1


def cells_at(box: BBox, level: int) -> Iterator[int]:
    """Yield the cells of a level that a box meets, edges included; the box does not cross the antimeridian."""
    columns, rows = _ranges(box, level)
    for column in columns:
        first = level << 52 | column << 26
        yield from range(first | rows.start, (first | rows.stop - 1) + 1)


def cell_boxes(box: BBox) -> dict[int, BBox]:
    """Return the cells of an item with a CRS84 box, each with the part of the box on its side of the antimeridian."""
    level = level_of(box)
    parts = dict[int, BBox]()
    for part in boxes_of(box):
        for cell in cells_at(part, level):
            other = parts.get(cell)
            parts[cell] = part if other is None else BBox(WORLD.xmin, part.ymin, WORLD.xmax, part.ymax)
    return parts


def cells_meeting(box: BBox, levels: int, *, most: int) -> Sequence[int] | None:
    """Return the cells that a box meets; bit n of `levels` selects level n. `None` if there are more than `most`."""
    cells = list[int]()
    for level in range(FINEST + 1):
        if not levels >> level & 1:
            continue
        columns, rows = _ranges(box, level)
        if len(cells) + len(columns) * len(rows) > most:
            return None
        cells += cells_at(box, level)
    return cells


def outward(box: BBox) -> tuple[int, int, int, int]:
    """Return west, south, east and north in millionths of a degree, rounded outwards."""
    return (
        math.floor(box.xmin * MILLIONTHS),
        math.floor(box.ymin * MILLIONTHS),
        math.ceil(box.xmax * MILLIONTHS),
        math.ceil(box.ymax * MILLIONTHS),
    )


def search_boxes(box: BBox) -> tuple[BBox, ...]:
    """Return a CRS84 box as one or two boxes within ±180 and ±90 degrees; empty if it is off the earth."""
    south, north = max(box.ymin, WORLD.ymin), min(box.ymax, WORLD.ymax)
    if south > north:
        return ()
    return tuple(boxes_of(wrap_box(BBox(box.xmin, south, box.xmax, north))))


def wrap_box(box: BBox) -> BBox:
    """Return a CRS84 box with longitudes within ±180; west > east if it crosses the antimeridian."""
    west, east = box.xmin, box.xmax
    if -180 <= west <= 180 and -180 <= east <= 180:
        return box
    if east - west >= 360:
        return BBox(WORLD.xmin, box.ymin, WORLD.xmax, box.ymax)
    return BBox(_wrap_longitude(west), box.ymin, _wrap_longitude(east), box.ymax)


def _wrap_longitude(longitude: float) -> float:
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def _ranges(box: BBox, level: int) -> tuple[range, range]:
    """Return columns and rows of cells; a box beyond the last edge is in the last cell."""
    size = 360 / (1 << level)
    last_column, last_row = (1 << level) - 1, max(0, (1 << level) // 2 - 1)
    west, east = (min(max(math.floor((x + 180) / size), 0), last_column) for x in (box.xmin, box.xmax))
    south, north = (min(max(math.floor((y + 90) / size), 0), last_row) for y in (box.ymin, box.ymax))
    return range(west, east + 1), range(south, north + 1)
