"""Footprints of items as bytes, and tests whether they meet boxes."""

import struct
from collections.abc import Iterator, Sequence
from itertools import chain

from chronotile.core.model.space.boxes import BBox, boxes_of

Ring = tuple[tuple[float, float], ...]
"""(longitude, latitude) without a repeated first vertex; longitudes continue beyond ±180."""

THE_BOX = b""
"""Bytes of a footprint that equals the item's box."""


def pack(rings: Sequence[Sequence[tuple[float, float]]], box: BBox) -> bytes:
    """Return outer rings as bytes, which `unpack` reads."""
    opened = [_open(ring) for ring in rings]
    if box.xmin > box.xmax:
        opened = [_unwrap_ring(ring) for ring in opened]
    if not opened or any(len(ring) < 3 for ring in opened) or _is_box(opened, box):
        return THE_BOX
    parts = [struct.pack("<H", len(opened))]
    parts += [struct.pack(f"<H{2 * len(ring)}d", len(ring), *chain.from_iterable(ring)) for ring in opened]
    return b"".join(parts)


def unpack(data: bytes, box: BBox) -> tuple[Ring, ...]:
    """Return the rings of a footprint; `box` is the box of its item."""
    if data == THE_BOX:
        return tuple(_box_ring(part) for part in boxes_of(box))
    (count,) = struct.unpack_from("<H", data)
    at, rings = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        numbers = struct.unpack_from(f"<{2 * length}d", data, at + 2)
        rings.append(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
        at += 2 + 16 * length
    return tuple(rings)


def meets(rings: Sequence[Ring], boxes: Sequence[BBox]) -> bool:
    """Return whether any ring or its inside shares a point with any box; the boxes are within ±180 degrees."""
    for ring in rings:
        xs, ys = [x for x, _y in ring], [y for _x, y in ring]
        west, east, south, north = min(xs), max(xs), min(ys), max(ys)
        for box in boxes:
            if south > box.ymax or north < box.ymin:
                continue
            for turn in (0.0, 360.0, -360.0):
                turned = BBox(box.xmin + turn, box.ymin, box.xmax + turn, box.ymax) if turn else box
                if west <= turned.xmax and east >= turned.xmin and _ring_meets(ring, turned):
                    return True
    return False


def _ring_meets(ring: Ring, box: BBox) -> bool:
    """Return whether an edge of the ring meets the box, or the box lies inside (its first corner is tested)."""
    start = ring[-1]
    is_inside = False
    for end in ring:
        if _segment_meets(start, end, box):
            return True
        (x0, y0), (x1, y1) = start, end
        if (y0 > box.ymin) != (y1 > box.ymin) and box.xmin < (x1 - x0) * (box.ymin - y0) / (y1 - y0) + x0:
            is_inside = not is_inside
        start = end
    return is_inside


def _segment_meets(start: tuple[float, float], end: tuple[float, float], box: BBox) -> bool:
    """Return whether a segment shares a point with a box, by separating axes: x, y and the normal of the segment."""
    (x0, y0), (x1, y1) = start, end
    if (x0 < box.xmin and x1 < box.xmin) or (x0 > box.xmax and x1 > box.xmax):
        return False
    if (y0 < box.ymin and y1 < box.ymin) or (y0 > box.ymax and y1 > box.ymax):
        return False
    dx, dy = x1 - x0, y1 - y0
    sides = [dx * (y - y0) - dy * (x - x0) for x in (box.xmin, box.xmax) for y in (box.ymin, box.ymax)]
    return min(sides) <= 0 <= max(sides)


def _open(ring: Sequence[tuple[float, float]]) -> Ring:
    vertices = tuple((float(x), float(y)) for x, y in ring)
    return vertices[:-1] if len(vertices) > 1 and vertices[0] == vertices[-1] else vertices


def _unwrap_ring(ring: Ring) -> Ring:
    """Return a ring whose longitudes continue across the antimeridian instead of jumping by 360 degrees.

    A ring around a pole is returned unchanged, as its longitudes would not return to the first one.
    """
    if not ring or any(abs(x) > 180 for x, _y in ring):
        return ring
    run_on = tuple(zip(_run_on([x for x, _y in ring]), (y for _x, y in ring), strict=True))
    return ring if abs(run_on[0][0] - run_on[-1][0]) > 180 else run_on


def _run_on(longitudes: Sequence[float]) -> Iterator[float]:
    turn, before = 0.0, None
    for longitude in longitudes:
        if before is not None and abs(longitude - before) > 180:
            turn += 360.0 if longitude < before else -360.0
        before = longitude
        yield longitude + turn


def _is_box(rings: Sequence[Ring], box: BBox) -> bool:
    return len(rings) == 1 and len(rings[0]) == 4 and set(rings[0]) == set(_box_ring(box)) and box.xmin <= box.xmax


def _box_ring(box: BBox) -> Ring:
    return ((box.xmin, box.ymin), (box.xmax, box.ymin), (box.xmax, box.ymax), (box.xmin, box.ymax))
