"""STAC items as values of the model (STAC 1.0 and 1.1, and the common parts of earlier versions)."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import orjson
from affine import Affine

from chronotile.core.errors import InvalidItem, InvalidParameter, UnsupportedCrs
from chronotile.core.model.items import Asset, AssetBand, Item
from chronotile.core.model.space.crs import Crs, crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import DAY, ONE_NS, TimeSpan
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Instant, JsonMapping
from chronotile.core.size_cache import cache_by_size
from chronotile.core.web.places import is_local
from chronotile.readers.stac.bands import PROPERTIES_OF_BANDS, bands_of
from chronotile.readers.stac.fields import (
    MAX_MEMBERS,
    absolute_address,
    bytes_of_key,
    has_netcdf,
    is_raster,
    key_of_values,
    media_type_of,
    number_of,
    numbers_of,
    object_of,
    objects_of,
    text_of,
    values_of_key,
    written_document,
)
from chronotile.readers.stac.footprints import footprint_of

MAX_SIDE = 1 << 31
"""Columns or rows of a raster."""
MAX_CRS_TEXT = 20_000
_CRS_KEYS = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
_SHAPE, _TRANSFORM, _BBOX = "proj:shape", "proj:transform", "proj:bbox"
_OF_ASSETS = (*_CRS_KEYS, _SHAPE, _TRANSFORM, _BBOX, "raster:spatial_resolution", "raster:bands")
PROPERTIES_OF_GRIDS = (*_CRS_KEYS, _SHAPE, _TRANSFORM, _BBOX)
"""Properties of an item that describe the grids of its assets."""
_TOLERANCE_PX = 1.5
"""Tolerance between edges of a grid and `proj:bbox`, which is often rounded."""
_RESOLUTION_TOLERANCE = 0.05
_SQUARE_TOLERANCE = 0.01
"""Pixels made of a box and a shape are square, or the two are not of one raster."""


def grid_of(asset: JsonMapping, properties: JsonMapping) -> NativeGrid | None:
    """Return the grid of an asset; `None` if it is not stated, or fields contradict each other.

    Fields of the asset override those of the item one by one. A transform and a shape, however, belong together: those
    of an item often describe only one of its assets.

    Raises:
        InvalidItem: A field is invalid, such as an unknown CRS code.
    """
    stated = (
        {name: asset[name] for name in _OF_ASSETS if name in asset},
        {name: properties[name] for name in PROPERTIES_OF_GRIDS if name in properties},
    )
    key = key_of_values(stated)
    return _known_grid(key) if key else _read_grid(*stated)


@cache_by_size(bytes_of_key)
def _known_grid(key: bytes) -> NativeGrid | None:
    # Parse equal statements of all items of a tile once.
    return _read_grid(*values_of_key(key))


def _read_grid(asset: JsonMapping, properties: JsonMapping) -> NativeGrid | None:
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


def _has(fields: JsonMapping, key: str) -> bool:
    return fields.get(key) is not None


def _crs(asset: JsonMapping, properties: JsonMapping) -> Crs | None:
    for level in (asset, properties):
        for key in _CRS_KEYS:
            if _has(level, key):
                return _crs_of_field(key, level[key])
        if any(key in level for key in _CRS_KEYS):  # a null value: the CRS of the raster cannot be named in STAC
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


def _shape(fields: JsonMapping) -> tuple[int, int] | None:
    if not _has(fields, _SHAPE):
        return None
    shape = numbers_of(fields[_SHAPE], 2)
    if shape is None or not all(1 <= side < MAX_SIDE and side == int(side) for side in shape):
        raise InvalidItem("proj:shape is not a pair of rows and columns")
    return int(shape[0]), int(shape[1])


def _transform(fields: JsonMapping) -> tuple[float, ...] | None:
    """Return a transform of six numbers; the last three of nine are the bottom row of a matrix."""
    if not _has(fields, _TRANSFORM):
        return None
    numbers = numbers_of(fields[_TRANSFORM], 6, 9)
    if numbers is None or numbers[6:] not in ((), (0, 0, 1)) or Affine(*numbers[:6]).is_degenerate:
        raise InvalidItem("proj:transform is not an affine transform of 6 or 9 numbers")
    return numbers[:6]


def _box(fields: JsonMapping) -> tuple[float, ...] | None:
    # The third and the last of six numbers are heights.
    box = numbers_of(fields.get(_BBOX), 4, 6)
    return (*box[:2], *box[3:5]) if box is not None and len(box) == 6 else box


@lru_cache(maxsize=16_384)
def _grid(crs: Crs, transform: tuple[float, ...], shape: tuple[int, int]) -> NativeGrid:
    # One object for all items of a tile, because it is compared often.
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


def _contradicts_resolution(grid: NativeGrid, asset: JsonMapping) -> bool:
    """Whether the asset states a size of its pixels, in metres, that is not the grid's."""
    stated = number_of(asset.get("raster:spatial_resolution"))
    for band in objects_of(asset.get("raster:bands")):
        stated = stated or number_of(band.get("spatial_resolution"))
    if not stated or grid.crs.is_geographic:
        return False
    return abs(grid.resolution * grid.crs.metres_per_unit / stated - 1) > _RESOLUTION_TOLERANCE


MAX_ID = 400
MAX_NAME = 200
_STATED = (*PROPERTIES_OF_GRIDS, *PROPERTIES_OF_BANDS)
_SIZES_DIFFER = 0.05
"""Tolerance of the sizes of grids of one item, as the logarithm of their ratio."""
_LEAST_PERIOD = np.timedelta64(23, "h")
"""Items that last as long are products of a period, such as a dekad; shorter ones were taken at their `datetime`."""


def item_of(document: JsonMapping, base: str) -> Item:
    """Return the item of a STAC document, with all its rasters.

    Only `href` is used, not `alternate`. The caller must check whether hrefs may be opened.

    Args:
        document: GeoJSON feature.
        base: Absolute path or URL of the document, for resolving relative hrefs.

    Raises:
        InvalidItem: It cannot be served.
    """
    item_id = text_of(document.get("id"), most=MAX_ID)
    if item_id is None:
        raise InvalidItem(f"it has no id of at most {MAX_ID} characters")
    properties = object_of(document.get("properties"))
    span = span_of(properties)
    assets = tuple(_assets(document, properties, base))
    grid, are_alike = _common_grid(tuple(asset.grid for asset in assets))
    footprint = footprint_of(document.get("geometry"), grid)
    if grid is not None and not (footprint.is_of_grid and all(are_alike)):
        assets = tuple(
            asset if footprint.is_of_grid and is_alike else replace(asset, grid=None)  # the file states the grid
            for asset, is_alike in zip(assets, are_alike, strict=True)
        )
    return Item(
        id=item_id,
        footprint=footprint.rings,
        bbox=footprint.bbox,
        start=span.start,
        end=span.end,
        updated=_instant(properties.get("updated")),
        assets=assets,
        properties=properties,
        document=written_document(document),
    )


def _assets(document: JsonMapping, properties: JsonMapping, base: str) -> Iterator[Asset]:
    written = object_of(document.get("assets"))
    if len(written) > MAX_MEMBERS:
        raise InvalidItem(f"it has {len(written)} assets; at most {MAX_MEMBERS} are accepted")
    stated = {name: properties[name] for name in _STATED if name in properties}
    rasters = {
        name: (object_of(asset), found)
        for name, asset in written.items()
        if 0 < len(name) <= MAX_NAME and (found := _raster(object_of(asset), stated)) is not None
    }
    reason = "it has no asset that is a raster"
    is_found = is_refused = False
    for name, (asset, bands) in rasters.items():
        try:
            href = _address_of(asset, base)
        except InvalidItem as error:
            reason = reason if is_refused else f"{reason} that can be read: {error.message}"
            is_refused = True
            continue
        is_found = True
        yield Asset(name=name, href=href, grid=grid_of(asset, stated), bands=bands, media_type=media_type_of(asset))
    if not is_found:
        raise InvalidItem(reason)


def _address_of(asset: JsonMapping, base: str) -> str:
    href = absolute_address(text_of(asset.get("href")) or "", base)
    if not is_local(href) and has_netcdf(media_type_of(asset), href):
        raise InvalidItem("NetCDF and HDF5 files are read only from this machine")
    return href


def _raster(asset: JsonMapping, stated: JsonMapping) -> tuple[AssetBand, ...] | None:
    """The bands of an asset; `None` if it is no raster."""
    rest = {name: value for name, value in asset.items() if name != "href" and not name.startswith("proj:")}
    key = key_of_values((rest, {name: stated[name] for name in PROPERTIES_OF_BANDS if name in stated}))
    if not key or media_type_of(asset) is None:
        return bands_of(asset, stated) if is_raster(asset) else None
    return _known_bands(key)


@cache_by_size(bytes_of_key)
def _known_bands(key: bytes) -> tuple[AssetBand, ...] | None:
    # Parse equal statements of many assets about their bands once.
    asset, stated = values_of_key(key)
    return bands_of(asset, stated) if is_raster(asset) else None


@lru_cache(maxsize=4096)
def _common_grid(of_assets: tuple[NativeGrid | None, ...]) -> tuple[NativeGrid | None, tuple[bool, ...]]:
    """Return a grid that is as large as most others, and which are: others have the transform of another asset."""
    grids = Counter(grid for grid in of_assets if grid is not None)
    sizes = Counter[float]()
    for grid, count in grids.items():
        sizes[round(math.log(_size(grid)) / _SIZES_DIFFER)] += count
    common = max(grids, key=lambda grid: sizes[round(math.log(_size(grid)) / _SIZES_DIFFER)], default=None)
    if common is None:
        return None, tuple(False for _grid in of_assets)
    size = _size(common)
    alike = (grid is not None and abs(math.log(_size(grid) / size)) < _SIZES_DIFFER for grid in of_assets)
    return common, tuple(alike)


@lru_cache(maxsize=4096)
def _size(grid: NativeGrid) -> float:
    # In square metres.
    return (grid.resolution * grid.crs.metres_per_unit) ** 2 * grid.width * grid.height


def span_of(properties: JsonMapping) -> TimeSpan:
    """Return when an item was observed: at `datetime`, or from `start_datetime` to `end_datetime` of a period.

    Raises:
        InvalidItem: It has no time.
    """
    nominal = _time(properties, "datetime")
    start, end = _time(properties, "start_datetime"), _time(properties, "end_datetime")
    if start is not None and end is not None:
        period = TimeSpan(start.start, max(_exclusive(end), start.start + ONE_NS))
        if end.start < start.start:
            raise InvalidItem("end_datetime is before start_datetime")
        if nominal is None or period.end - period.start >= _LEAST_PERIOD:
            return period
    if nominal is None:
        raise InvalidItem("it has neither datetime nor start_datetime and end_datetime")
    return TimeSpan(nominal.start, nominal.end if nominal.end - nominal.start >= DAY else nominal.start + ONE_NS)


def _exclusive(end: TimeSpan) -> Instant:
    # Midnight, written to the second, is meant as the end; 23:59:59 lasts until midnight.
    is_midnight = end.start == end.start.astype("datetime64[D]") and end.end - end.start < DAY
    return end.start if is_midnight else end.end


def _time(properties: JsonMapping, key: str) -> TimeSpan | None:
    value = properties.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 100:
        raise InvalidItem(f"{key} is not a time")
    try:
        return parse_instant(value)
    except InvalidParameter as error:
        raise InvalidItem(f"{key} {value[:40]!r} is not a time of the years 1678 to 2261") from error


def _instant(value: object) -> Instant | None:
    """Return a time that is only shown, or `None` if it cannot be read: no request selects by it."""
    try:
        return parse_instant(value).start if isinstance(value, str) and len(value) <= 100 else None
    except InvalidParameter:
        return None
