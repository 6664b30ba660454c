"""Polygons as Mapbox vector tiles (Mapbox Vector Tile Specification 2.1), encoded with NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import pack

import numpy as np
import shapely

from chronotile.core.model.places import Property
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Float64Array, Int64Array, ObjectArray, UInt32Array

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
MVT_VERSION = "1"
"""Part of the revision of places; increase it when the same places give different tiles."""

EXTENT = 4096
"""Units per side of a tile."""


_LAYER_VERSION = 2
_POLYGON = 3
_MOVE_TO_ONE = 1 << 3 | 1
_LINE_TO = 2
_CLOSE_PATH = 1 << 3 | 7
_VARINT_BYTES = 5
"""The maximum size of an unsigned number of 32 bits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TilePolygons:
    """The polygons in the layer of one tile."""

    polygons: ObjectArray
    """(polygon,): whole numbers in units of the tile, x to the east and y to the south; no polygon is empty."""
    owners: Int64Array
    """(polygon,): ascending numbers of the features of the polygons, which become feature ids."""


def encode_mvt(name: str, cut: TilePolygons, properties: Mapping[str, Sequence[Property]]) -> bytes:
    """Return a tile with one layer, or no bytes if there are no polygons.

    Args:
        name: The name of the layer.
        cut: The polygons, with rings in either direction.
        properties: For each key, one value for every feature, also for features outside the tile; `None` is omitted.
    """
    if not cut.polygons.size:
        return b""
    features, starts = np.unique(cut.owners, return_index=True)
    geometry, lengths = _geometry(cut, starts)
    ends = np.cumsum(lengths)
    vocabulary = _Vocabulary(properties)
    layer = [_field(1, name.encode())]
    for feature, start, end in zip(features.tolist(), (ends - lengths).tolist(), ends.tolist(), strict=True):
        message = b"".join(
            (
                *(b"\x08", _varint(feature)),
                _field(2, vocabulary.tags(feature)),
                *(b"\x18", _varint(_POLYGON)),
                _field(4, geometry[start:end]),
            )
        )
        layer.append(_field(2, message))
    layer += [_field(3, key.encode()) for key in vocabulary.keys]
    layer += [_field(4, value) for value in vocabulary.values]
    layer += [b"\x28", _varint(EXTENT), b"\x78", _varint(_LAYER_VERSION)]
    return _field(3, b"".join(layer))


class _Vocabulary:
    """The keys and values of a layer, each stored once (§4.4)."""

    def __init__(self, properties: Mapping[str, Sequence[Property]]) -> None:
        self.keys = list(properties)
        self._columns = [(_varint(index), column) for index, column in enumerate(properties.values())]
        self._numbers: dict[type, dict[Property, bytes]] = {}
        self.values: list[bytes] = []

    def tags(self, feature: int) -> bytes:
        """Return the alternating numbers of the keys and values of a feature."""
        return b"".join(
            key + self._number(value) for key, column in self._columns if (value := column[feature]) is not None
        )

    def _number(self, value: Property) -> bytes:
        numbers = self._numbers.setdefault(type(value), {})  # apart, since 1, 1.0 and True are equal
        number = numbers.get(value)
        if number is None:
            number = numbers[value] = _varint(len(self.values))
            self.values.append(_value(value))
        return number


def _value(value: Property) -> bytes:
    """Return a Value message (§4.1): string, bool, sint or double."""
    if isinstance(value, str):
        return _field(1, value.encode())
    if isinstance(value, bool):
        return b"\x38" + _varint(int(value))
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return b"\x30" + _varint((value << 1) ^ (value >> 63))
    return b"\x19" + pack("<d", value)


def _field(number: int, content: bytes) -> bytes:
    # A length-delimited field.
    return _varint(number << 3 | 2) + _varint(len(content)) + content


@lru_cache(maxsize=1 << 14)
def _varint(value: int) -> bytes:
    """Return a varint, cached since ids and value numbers are the same few thousand in every tile."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _geometry(cut: TilePolygons, starts: Int64Array) -> tuple[bytes, Int64Array]:
    """Return the command integers of all features as consecutive varints (§4.3), and the number of bytes per feature.

    With y to the south, exterior rings must have a positive area by the surveyor's formula, and interior rings a
    negative one (§4.3.4.4). If the same numbers are read with y to the north, they are anticlockwise and clockwise.
    """
    oriented = shapely.orient_polygons(cut.polygons, exterior_cw=False)
    rings, polygon_of_ring = shapely.get_rings(oriented, return_index=True)
    ring_points, ring_of_vertex = shapely.get_coordinates(rings, return_index=True)
    is_last = np.append(np.diff(ring_of_vertex) > 0, True)
    vertices = ring_points[~is_last].astype(np.int64)  # ClosePath replaces the last vertex
    counts = np.bincount(ring_of_vertex) - 1
    first_vertex = np.cumsum(counts) - counts
    first_ring = np.searchsorted(polygon_of_ring, starts)

    steps = np.diff(vertices, axis=0, prepend=0)
    at_start = first_vertex[first_ring]
    steps[at_start] = vertices[at_start]  # each feature begins at the corner of the tile
    parameters = ((steps << 1) ^ (steps >> 63)).astype(np.uint32)

    # A ring is MoveTo, a step, LineTo, steps, ClosePath.
    sizes = 2 * counts + 3
    first_integer = np.cumsum(sizes) - sizes
    integers = np.empty(int(sizes.sum()), dtype=np.uint32)
    integers[first_integer] = _MOVE_TO_ONE
    integers[first_integer + 3] = (counts - 1) << 3 | _LINE_TO
    integers[first_integer + sizes - 1] = _CLOSE_PATH
    ring = np.repeat(np.arange(counts.size), counts)
    place = np.arange(len(vertices)) - first_vertex[ring]
    where = first_integer[ring] + 1 + 2 * place + (place > 0)
    integers[where], integers[where + 1] = parameters[:, 0], parameters[:, 1]

    written, lengths = _varints(integers)
    return written, np.add.reduceat(lengths, first_integer[first_ring])


def _varints(integers: UInt32Array) -> tuple[bytes, Int64Array]:
    """Return numbers as consecutive varints, and the number of bytes of each."""
    lengths = np.ones(integers.shape, dtype=np.int64)
    for byte in range(1, _VARINT_BYTES):
        lengths += integers >= np.uint32(1 << 7 * byte)
    starts = np.cumsum(lengths) - lengths
    written = np.empty(int(lengths.sum()), dtype=np.uint8)
    for byte in range(_VARINT_BYTES):
        has_byte = lengths > byte
        follows = np.where(lengths[has_byte] > byte + 1, 0x80, 0)
        written[starts[has_byte] + byte] = integers[has_byte] >> np.uint32(7 * byte) & np.uint32(0x7F) | follows
    return written.tobytes(), lengths


# Polygons cut to a tile, in whole units of the tile.

BUFFER = 64
"""The margin in units around a tile that polygons extend into, so that their outlines do not follow its edges."""

TOLERANCE = 0.5
"""The maximum error of a simplified outline in units; a tile of 256 pixels has 16 units per pixel."""

_POLYGON_ID = 3
_COLLECTION_ID = 7


def cut_to_tile(shapes: ObjectArray, bounds: Float64Array, tile: BBox) -> TilePolygons:
    """Return the polygons that a tile shows: valid ones, without polygons smaller than a unit.

    Args:
        shapes: (feature,): valid polygons and multipolygons in the CRS of the tile.
        bounds: (feature, 4): their boxes; NaN for a shape without a position.
        tile: The box of the tile without its buffer.
    """
    unit = (tile.xmax - tile.xmin) / EXTENT, (tile.ymax - tile.ymin) / EXTENT
    margin = BUFFER * unit[0], BUFFER * unit[1]
    box = BBox(tile.xmin - margin[0], tile.ymin - margin[1], tile.xmax + margin[0], tile.ymax + margin[1])
    west, south, east, north = bounds.T
    meets = (west < box.xmax) & (east > box.xmin) & (south < box.ymax) & (north > box.ymin)
    is_visible = (east - west >= unit[0]) | (north - south >= unit[1])
    near = np.flatnonzero(meets & is_visible)
    scaled = shapely.transform(
        _clip(shapes[near], bounds[near], box),
        lambda xy: np.column_stack(((xy[:, 0] - tile.xmin) / unit[0], (tile.ymax - xy[:, 1]) / unit[1])),
    )
    polygons, sources = shapely.get_parts(_round_to_units(scaled), return_index=True)
    is_polygon = (shapely.get_type_id(polygons) == _POLYGON_ID) & ~shapely.is_empty(polygons)
    return TilePolygons(polygons=polygons[is_polygon], owners=near[sources[is_polygon]])


def _clip(shapes: ObjectArray, bounds: Float64Array, box: BBox) -> ObjectArray:
    """Clip shapes to the box; a shape that only touches it becomes points or lines."""
    west, south, east, north = bounds.T
    crosses = (west < box.xmin) | (east > box.xmax) | (south < box.ymin) | (north > box.ymax)
    cut = shapes.copy()
    cut[crosses] = shapely.clip_by_rect(shapes[crosses], *box)
    for index in np.flatnonzero(shapely.get_type_id(cut) == _COLLECTION_ID):
        cut[index] = shapely.MultiPolygon(
            [geometry for geometry in cut[index].geoms if shapely.get_type_id(geometry) == _POLYGON_ID]
        )
    return cut


def _round_to_units(shapes: ObjectArray) -> ObjectArray:
    """Return simplified, valid shapes with coordinates rounded to whole units; a shape may become empty.

    Rounding and simplification make few shapes invalid. Only these are snapped by GEOS, which keeps them valid but
    takes ten times as long.
    """
    rounded = shapely.transform(shapely.simplify(shapes, TOLERANCE, preserve_topology=False), np.rint)
    quick: ObjectArray = shapely.remove_repeated_points(rounded)
    wrong = ~shapely.is_valid(quick)
    quick[wrong] = shapely.set_precision(shapes[wrong], 1.0)
    return quick
