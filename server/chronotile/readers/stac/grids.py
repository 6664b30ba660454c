"""The grid of an asset, by the fields `proj:` of its item (STAC projection extension, 1.0 to 2.0)."""

from functools import lru_cache

import orjson
from affine import Affine

from chronotile.errors import InvalidItem, UnsupportedCrs
from chronotile.model.crs import Crs, crs_of
from chronotile.model.grid import NativeGrid
from chronotile.readers.stac.fields import Document, key_of_values, number_of, numbers_of, objects_of, values_of_key

MAX_SIDE = 1 << 31
"""Columns or rows of a raster."""
MAX_CRS_TEXT = 20_000
_CRS_KEYS = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
_SHAPE, _TRANSFORM, _BBOX = "proj:shape", "proj:transform", "proj:bbox"
_OF_ASSETS = (*_CRS_KEYS, _SHAPE, _TRANSFORM, _BBOX, "raster:spatial_resolution", "raster:bands")
PROPERTIES_OF_GRIDS = (*_CRS_KEYS, _SHAPE, _TRANSFORM, _BBOX)
"""Those of an item that say something of the grids of its assets."""
_TOLERANCE_PX = 1.5
"""By which edges of a grid may miss `proj:bbox`, which is often rounded."""
_RESOLUTION_TOLERANCE = 0.05
_SQUARE_TOLERANCE = 0.01
"""Pixels made of a box and a shape are square, or the two are not of one raster."""


def grid_of(asset: Document, properties: Document) -> NativeGrid | None:
    """Return the grid of an asset; `None` where it is not stated, or fields contradict one another.

    Fields of the asset replace those of the item one by one. A transform and a shape belong together, however: those of
    an item are often of one of its assets only.

    Raises:
        InvalidItem: A field is none, such as a code of no CRS.
    """
    stated = (
        {name: asset[name] for name in _OF_ASSETS if name in asset},
        {name: properties[name] for name in PROPERTIES_OF_GRIDS if name in properties},
    )
    key = key_of_values(stated)
    return _known_grid(key) if key else _read_grid(*stated)


@lru_cache(maxsize=16_384)
def _known_grid(key: bytes) -> NativeGrid | None:
    """Read once what all items of a tile state of a grid."""
    return _read_grid(*values_of_key(key))


def _read_grid(asset: Document, properties: Document) -> NativeGrid | None:
    crs = _crs(asset, properties)
    level = asset if _has(asset, _SHAPE) or _has(asset, _TRANSFORM) else properties
    shape, transform = _shape(level), _transform(level)
    if crs is None or shape is None:
        return None
    box = _box(asset if _has(asset, _BBOX) else properties)
    if transform is None:
        return _grid_of_box(crs, shape, box)
    grid = _grid(crs, transform, shape)
    is_contradicted = (box is not None and not _fits(grid, box)) or _contradicts_resolution(grid, asset)
    return None if is_contradicted else grid


def _has(fields: Document, key: str) -> bool:
    return fields.get(key) is not None


def _crs(asset: Document, properties: Document) -> Crs | None:
    for level in (asset, properties):
        for key in _CRS_KEYS:
            if _has(level, key):
                return _crs_of_field(key, level[key])
        if any(key in level for key in _CRS_KEYS):  # null: the raster has none that a document can name
            return None
    return None


def _crs_of_field(key: str, value: object) -> Crs:
    text: object = value
    if key == "proj:epsg":
        text = f"EPSG:{value}" if isinstance(value, int) and not isinstance(value, bool) else None
    elif key == "proj:projjson":
        try:
            text = orjson.dumps(value).decode() if isinstance(value, dict) else None
        except orjson.JSONEncodeError as error:
            raise InvalidItem(f"{key} cannot be read: {error}") from error
    if not isinstance(text, str) or len(text) > MAX_CRS_TEXT or text.lstrip()[:1] == "+":
        raise InvalidItem(f"{key} is not a coordinate reference system")
    try:
        return crs_of(text)
    except UnsupportedCrs as error:
        raise InvalidItem(f"{key} is not known: {error.message}") from error


def _shape(fields: Document) -> tuple[int, int] | None:
    if not _has(fields, _SHAPE):
        return None
    shape = numbers_of(fields[_SHAPE], 2)
    if shape is None or not all(1 <= side < MAX_SIDE and side == int(side) for side in shape):
        raise InvalidItem("proj:shape is not a pair of rows and columns")
    return int(shape[0]), int(shape[1])


def _transform(fields: Document) -> tuple[float, ...] | None:
    """Of nine numbers the last three are the bottom row of a matrix."""
    if not _has(fields, _TRANSFORM):
        return None
    numbers = numbers_of(fields[_TRANSFORM], 6, 9)
    if numbers is None or numbers[6:] not in ((), (0, 0, 1)) or Affine(*numbers[:6]).is_degenerate:
        raise InvalidItem("proj:transform is not an affine transform of 6 or 9 numbers")
    return numbers[:6]


def _box(fields: Document) -> tuple[float, ...] | None:
    """Of six numbers the third and the last are heights."""
    box = numbers_of(fields.get(_BBOX), 4, 6)
    return (*box[:2], *box[3:5]) if box is not None and len(box) == 6 else box


@lru_cache(maxsize=16_384)
def _grid(crs: Crs, transform: tuple[float, ...], shape: tuple[int, int]) -> NativeGrid:
    """One value for all items of a tile, as it is compared often."""
    return NativeGrid(crs=crs, transform=Affine(*transform), width=shape[1], height=shape[0])


def _grid_of_box(crs: Crs, shape: tuple[int, int], box: tuple[float, ...] | None) -> NativeGrid | None:
    if box is None or box[0] >= box[2] or box[1] >= box[3]:
        return None
    across, down = (box[2] - box[0]) / shape[1], (box[3] - box[1]) / shape[0]
    if abs(across / down - 1) > _SQUARE_TOLERANCE:
        return None
    return _grid(crs, (across, 0.0, box[0], 0.0, -down, box[3]), shape)


@lru_cache(maxsize=4096)
def _fits(grid: NativeGrid, box: tuple[float, ...]) -> bool:
    across, down = grid.steps
    reach = _TOLERANCE_PX * max(across, down)
    return all(abs(edge - stated) <= reach for edge, stated in zip(grid.bbox, box, strict=True))


def _contradicts_resolution(grid: NativeGrid, asset: Document) -> bool:
    """Whether the asset states a size of its pixels, in metres, that is not the grid's."""
    stated = number_of(asset.get("raster:spatial_resolution"))
    for band in objects_of(asset.get("raster:bands")):
        stated = stated or number_of(band.get("spatial_resolution"))
    if not stated or grid.crs.is_geographic:
        return False
    return abs(grid.resolution * grid.crs.metres_per_unit / stated - 1) > _RESOLUTION_TOLERANCE
