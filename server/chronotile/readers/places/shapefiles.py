"""Shapefiles (ESRI 1998) with their tables of dBASE, read from memory."""

import codecs
import io
from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import shapely

from chronotile.core.errors import UnsupportedSource, require_at_most
from chronotile.core.model.places import Shapes
from chronotile.readers.places.crs_texts import crs_of_file
from chronotile.readers.places.table import Table

PARTS = (".shp", ".dbf", ".prj", ".cpg")
"""Suffixes of files that are read: not the index, which some programs do not write."""
POINT, LINES, POLYGONS, POINTS = 1, 3, 5, 8
"""Types of shapes; those with heights are 10 more, those with measures 20 more."""
MULTIPATCH = 31
ENCODINGS = ("utf-8", "utf8", "big5", "gbk", *(f"iso-8859-{number}" for number in range(1, 10)))
CODE_PAGES = ("437", "850", "852", "866", "932", "936", "949", "950", *(f"125{number}" for number in range(9)))
"""What `.cpg` may name. Texts of others are read as Latin-1."""
MAX_PAIRS = 1_000_000
"""Of a hole and an outline around its first point, in one shape."""
HOLES_AT_ONCE = 64
FEWER = "send fewer shapes, or simpler ones"


def prepare_shapefiles() -> None:
    """Import all that reading takes, as a process that parses a file opens no other."""
    import shapefile  # noqa: F401

    for name in (*ENCODINGS, *(f"cp{page}" for page in CODE_PAGES)):
        codecs.lookup(name)


def read_shapefile(parts: Mapping[str, bytes], *, most: int, max_vertices: int) -> Table:
    """Return at most `most` features of a shapefile.

    Args:
        parts: Contents of its files by suffix.
        most: Features that are read.
        max_vertices: Vertices of these features.

    Raises:
        UnsupportedSource: It has no CRS.
        LimitExceeded: It has more vertices, or too many outlines around holes.
    """
    import shapefile

    if ".prj" not in parts:
        raise UnsupportedSource("it has no CRS: the .prj is missing")
    crs = crs_of_file(parts[".prj"].decode("utf-8", "replace").strip("\ufeff\0 \r\n"))
    named = parts.get(".cpg", b"").decode("ascii", "replace").strip().lower().removeprefix("ansi ")
    encoding = f"cp{named}" if named in CODE_PAGES else named if named in ENCODINGS else "latin-1"
    table = io.BytesIO(parts[".dbf"]) if ".dbf" in parts else None
    file = shapefile.Reader(shp=io.BytesIO(parts[".shp"]), dbf=table, encoding=encoding, encodingErrors="replace")
    count = file.numRecords or 0
    shapes, rows, vertices = list[Any](), list[Any](), 0
    for number, shape in enumerate(islice(file.iterShapes(), most)):
        vertices += len(getattr(shape, "points", ()))
        require_at_most("max_vertices", vertices, max_vertices, alternative=FEWER)
        row = file.record(number) if number < count else ()
        if row is not None:  # else it was deleted
            shapes.append(_geometry(shape))
            rows.append([None if value == "" else value for value in row])
    names = [str(field[0]) for field in file.fields if field[0] != "DeletionFlag"]
    columns = {name: [row[at] if row else None for row in rows] for at, name in enumerate(names)}
    return Table(crs=crs, shapes=np.array(shapes, dtype=object), columns=columns)


def _geometry(shape: Any) -> Any:  # noqa: ANN401 -- of pyshp and of shapely
    """The geometry of a shape; `None` of one without points. Parts of too few points are left out."""
    kind = shape.shapeType % 10
    if shape.shapeType in {0, MULTIPATCH} or not shape.points:
        return None
    points = np.array(shape.points, dtype=np.float64)[:, :2]
    if kind in {POINT, POINTS}:
        return shapely.points(points[0]) if kind == POINT else shapely.multipoints(points)
    least = 4 if kind == POLYGONS else 2
    lines = [line for line in np.split(points, list(shape.parts)[1:]) if len(line) >= least]
    if not lines:
        return None
    if kind == POLYGONS:
        closed = [line if (line[0] == line[-1]).all() else np.vstack([line, line[:1]]) for line in lines]
        return _polygons(np.array(list(map(shapely.linearrings, closed)), dtype=object))
    return shapely.multilinestrings(list(map(shapely.linestrings, lines)))


def _polygons(rings: Shapes) -> Any:  # noqa: ANN401 -- of shapely
    """Outlines, which turn right, with their holes, which turn left: each is of the smallest outline around it."""
    is_hole = shapely.is_ccw(rings)
    if is_hole.all():
        is_hole[:] = False  # of programs that write all rings the other way
    outlines, holes = rings[~is_hole], rings[is_hole]
    owners = np.zeros(len(holes), dtype=int) if len(outlines) == 1 else _owners(outlines, holes)
    order = np.argsort(owners, kind="stable")
    ends = np.searchsorted(owners[order], np.arange(-1, len(outlines)), side="right")
    alone = [shapely.polygons(hole) for hole in holes[order[: ends[0]]]]
    owned = np.split(holes[order], ends)[1:-1]
    polygons = [*map(shapely.polygons, outlines, owned), *alone]
    return polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)


def _owners(outlines: Shapes, holes: Shapes) -> Any:  # noqa: ANN401 -- array of numbers
    """(hole,): the number of the smallest outline that has its first point; -1 where none has."""
    polygons = shapely.polygons(outlines)
    shapely.prepare(polygons)
    tree, areas, firsts = shapely.STRtree(polygons), shapely.area(polygons), shapely.get_point(holes, 0)
    owners, pairs = np.full(len(holes), -1), 0
    for start in range(0, len(holes), HOLES_AT_ONCE):
        some = firsts[start : start + HOLES_AT_ONCE]
        pairs += tree.query(some).shape[1]
        require_at_most("outlines around holes", pairs, MAX_PAIRS, alternative=FEWER)
        hole, outline = tree.query(some, predicate="intersects")
        order = np.argsort(-areas[outline], kind="stable")
        owners[start + hole[order]] = outline[order]  # of several the last, which is the smallest
    return owners
