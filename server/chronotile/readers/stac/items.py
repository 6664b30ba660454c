"""STAC items as values of the model (STAC 1.0 and 1.1, and what is alike in earlier ones)."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from chronotile.errors import InvalidItem, InvalidParameter
from chronotile.model.grid import NativeGrid
from chronotile.model.items import Asset, AssetBand, Item
from chronotile.model.time.instants import DAY, ONE_NS, Instant, TimeSpan
from chronotile.model.time.parser import parse_instant
from chronotile.readers.stac.addresses import absolute_address
from chronotile.readers.stac.assets import is_raster, media_type_of
from chronotile.readers.stac.bands import PROPERTIES_OF_BANDS, bands_of
from chronotile.readers.stac.fields import (
    MAX_MEMBERS,
    Document,
    key_of_values,
    object_of,
    text_of,
    values_of_key,
    written_document,
)
from chronotile.readers.stac.footprints import footprint_of
from chronotile.readers.stac.grids import PROPERTIES_OF_GRIDS, grid_of

MAX_ID = 400
MAX_NAME = 200
_STATED = (*PROPERTIES_OF_GRIDS, *PROPERTIES_OF_BANDS)
_SIZES_DIFFER = 0.05
"""Logarithm of the share by which grids of one item may differ in size."""
_LEAST_PERIOD = np.timedelta64(23, "h")
"""Items that last as long are products of a period, such as a dekad; shorter ones were taken at their `datetime`."""


def item_of(document: Document, base: str) -> Item:
    """Return the item that a STAC document describes, with all its rasters.

    Of rasters that may be read from several places (`alternate`), `href` alone counts. Whether hrefs may be opened is
    for the caller to check.

    Args:
        document: GeoJSON feature.
        base: Absolute path or URL of the document, from which hrefs count.

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
            asset if footprint.is_of_grid and is_alike else _unplaced(asset)
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


def _assets(document: Document, properties: Document, base: str) -> Iterator[Asset]:
    written = object_of(document.get("assets"))
    if len(written) > MAX_MEMBERS:
        raise InvalidItem(f"it has {len(written)} assets; at most {MAX_MEMBERS} are accepted")
    stated = {name: properties[name] for name in _STATED if name in properties}
    rasters = {
        name: (object_of(asset), found)
        for name, asset in written.items()
        if _is_named(name) and (found := _raster(object_of(asset), stated)) is not None
    }
    reason = "it has no asset that is a raster"
    is_found = is_refused = False
    for name, (asset, bands) in rasters.items():
        try:
            href = absolute_address(text_of(asset.get("href")) or "", base)
        except InvalidItem as error:
            reason = reason if is_refused else f"{reason} that can be read: {error.message}"
            is_refused = True
            continue
        is_found = True
        yield Asset(name=name, href=href, grid=grid_of(asset, stated), bands=bands, media_type=media_type_of(asset))
    if not is_found:
        raise InvalidItem(reason)


def _raster(asset: Document, stated: Document) -> tuple[AssetBand, ...] | None:
    """The bands of an asset; `None` if it is no raster."""
    rest = {name: value for name, value in asset.items() if name != "href" and not name.startswith("proj:")}
    key = key_of_values((rest, {name: stated[name] for name in PROPERTIES_OF_BANDS if name in stated}))
    if not key or media_type_of(asset) is None:
        return bands_of(asset, stated) if is_raster(asset) else None
    return _known_bands(key)


@lru_cache(maxsize=4096)
def _known_bands(key: bytes) -> tuple[AssetBand, ...] | None:
    """Read once what many assets state of their bands."""
    asset, stated = values_of_key(key)
    return bands_of(asset, stated) if is_raster(asset) else None


def _is_named(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME


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


def _unplaced(asset: Asset) -> Asset:
    """The asset, whose file alone tells its grid."""
    return asset if asset.grid is None else replace(asset, grid=None)


@lru_cache(maxsize=4096)
def _size(grid: NativeGrid) -> float:
    """In square metres."""
    return (grid.resolution * grid.crs.metres_per_unit) ** 2 * grid.width * grid.height


def span_of(properties: Document) -> TimeSpan:
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
    """Midnight, written to the second, is meant as the end; 23:59:59 lasts until midnight."""
    is_midnight = end.start == end.start.astype("datetime64[D]") and end.end - end.start < DAY
    return end.start if is_midnight else end.end


def _time(properties: Document, key: str) -> TimeSpan | None:
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
    """Return a time that no request depends on."""
    try:
        return parse_instant(value).start if isinstance(value, str) and len(value) <= 100 else None
    except InvalidParameter:
        return None
