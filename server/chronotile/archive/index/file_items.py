"""Items of raster files without STAC metadata, made from the headers of the files."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import orjson

from chronotile.core.errors import InvalidItem, InvalidParameter, UnsupportedSource, raised_instead
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.formats import GEOTIFF_TYPE
from chronotile.core.model.items import Asset, AssetBand, BandLayout, Item
from chronotile.core.model.number_text import json_nodata, json_number
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import ONE_NS, TimeSpan, format_instant
from chronotile.core.model.types import Instant, Json
from chronotile.readers.cog.file_tags import tag_of_path
from chronotile.readers.cog.files import open_cog
from chronotile.readers.configured_encoding import round_nodata
from chronotile.readers.hrefs import base_name
from chronotile.readers.library_errors import opening
from chronotile.readers.mosaic.local_files import require_image
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.stac.items import item_of
from chronotile.readers.tiff import UnsupportedCog

BEFORE = np.timedelta64(-1, "s")
"""Difference between the exclusive end of a period and `end_datetime`, which is inclusive."""
SIDE = 8
"""Points per side of the outline of a grid."""
STAC_VERSION = "1.1.0"
PROJECTION = "https://stac-extensions.github.io/projection/v1.2.0/schema.json"
"""The last version with `proj:epsg` in addition to `proj:code`; stackstac and older GDAL drivers need it."""
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"


def read_files(id_: str, paths: Mapping[str, str], span: TimeSpan, *, crs: str | None = None) -> Item:
    """Return the item of some files.

    Args:
        id_: Its id.
        paths: Paths by name of the asset.
        span: Its time.
        crs: The configured CRS, which overrides those of the files.

    Raises:
        InvalidItem: A file cannot be read, or its pixels have no position on the earth.
    """
    assets = tuple(describe_file(name, path, crs=crs) for name, path in sorted(paths.items()))
    for asset in assets:
        if asset.header is None:  # GDAL opened it, which reads any format; items must be images
            try:
                require_image(asset.href)
            except UnsupportedSource as error:
                raise InvalidItem(error.message) from error
    newest: Instant = np.datetime64(max(Path(path).stat().st_mtime_ns for path in paths.values()), "ns")
    document = document_of(id_, assets, span, updated=newest)
    item = item_of(document, next(iter(paths.values())))
    return replace(item, start=span.start, end=span.end, assets=assets, document=orjson.dumps(document))


def describe_file(name: str, path: str, *, crs: str | None) -> Asset:
    """Return a file as an asset, with its header, or with the properties that GDAL reports if only GDAL can read it.

    Raises:
        InvalidItem: It cannot be read.
    """
    try:
        return _describe_by_header(name, path) if crs is None else _describe_by_gdal(name, path, crs)
    except UnsupportedCog:
        return _describe_by_gdal(name, path, crs)
    except OSError as error:
        raise InvalidItem(f"it cannot be read: {error.strerror or error}") from error


def _describe_by_header(name: str, path: str) -> Asset:
    file = open_cog(path)
    header = file.header
    layouts = tuple(header.layout(band) for band in range(1, header.count + 1))
    encodings = [header.encoding(band) for band in range(1, header.count + 1)]
    return Asset(
        name=name,
        href=path,
        grid=header.levels()[0],
        bands=tuple(_band(band.title, encoding) for band, encoding in zip(header.bands, encodings, strict=True)),
        layouts=layouts,
        media_type=GEOTIFF_TYPE,
        header=header.to_bytes(),
        etag=file.tag,
        size=file.size,
    )


def _describe_by_gdal(name: str, path: str, crs: str | None) -> Asset:
    pool = HandlePool(max_idle=0)
    try:
        with opening(base_name(path)), pool.lend(path) as handle:
            bands = () if handle.bands is None else handle.bands.bands
            levels = [handle.native_grid(crs)]
            for level in range(len(handle.layout.overviews)):
                with pool.lend(path, level) as overview:
                    levels.append(overview.native_grid(crs))
            size, tag = handle.state.size, tag_of_path(Path(path))
    except UnsupportedSource as error:
        reason = error.message.removeprefix(base_name(path)).removeprefix(": ").strip()
        raise InvalidItem(reason) from error
    return Asset(
        name=name,
        href=path,
        grid=levels[0],
        bands=tuple(_band(band.title, band.encoding) for band in bands),
        layouts=tuple(
            BandLayout(levels=tuple(levels), encoding=round_nodata(band.encoding), band=band.number) for band in bands
        ),
        media_type=GEOTIFF_TYPE,
        etag=tag,
        size=size,
    )


def _band(title: str | None, encoding: Encoding) -> AssetBand:
    return AssetBand(
        name=title,
        dtype=encoding.dtype,
        scale=encoding.scale,
        offset=encoding.offset,
        nodata=encoding.nodata,
        unit=encoding.units,
    )


def document_of(id_: str, assets: tuple[Asset, ...], span: TimeSpan, *, updated: Instant) -> Json:
    """Return the STAC item of some files."""
    ring = outline_of(next(grid for asset in assets if (grid := asset.grid) is not None))
    xs, ys = [x for x, _y in ring], [y for _x, y in ring]
    is_exact = span.end - span.start <= ONE_NS
    last = format_instant(span.end + BEFORE) if not is_exact else None
    period = {} if last is None else {"start_datetime": format_instant(span.start), "end_datetime": last}
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [PROJECTION, RASTER],
        "id": id_,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [min(xs), min(ys), max(xs), max(ys)],
        "properties": {"datetime": format_instant(span.start), "updated": format_instant(updated), **period},
        "links": [],
        "assets": {asset.name: _asset_json(asset) for asset in assets},
    }


def _asset_json(asset: Asset) -> Json:
    return {
        "href": asset.href,
        "type": asset.media_type,
        "roles": ["data"],
        "bands": [band_json(band) for band in asset.bands],
        **({} if asset.grid is None else projection_of(asset.grid)),
    }


def band_json(band: AssetBand) -> Json:
    """Return the properties of a band in a file as a member of `bands` (STAC 1.1)."""
    members = {
        "name": band.name,
        "data_type": band.dtype,
        "raster:scale": json_number(band.scale),
        "raster:offset": json_number(band.offset),
        "nodata": json_nodata(band.nodata),
        "unit": None if band.unit == "1" else band.unit,
    }
    return {name: value for name, value in members.items() if value is not None}


def projection_of(grid: NativeGrid) -> Json:
    """Return a grid as the `proj:` fields of an item or asset."""
    crs, transform = grid.crs, [float(coefficient) for coefficient in grid.transform[:6]]
    code: Json = {"proj:wkt2": crs.definition.to_wkt()} if crs.uri is None else {"proj:code": crs.name}
    if crs.epsg is not None:
        code["proj:epsg"] = crs.epsg
    return {**code, "proj:shape": [grid.height, grid.width], "proj:transform": transform}


@lru_cache(maxsize=1024)
def outline_of(grid: NativeGrid) -> tuple[tuple[float, float], ...]:
    """Return the closed outline of a grid in longitudes and latitudes.

    If the grid contains a pole or the whole circle, the outline is its box.

    Raises:
        InvalidItem: It has no position on the earth.
    """
    with raised_instead(InvalidParameter, InvalidItem("its pixels have no longitudes and latitudes")):
        box = grid.unwound_box_in(CRS84)
    edges = grid.edges_in(CRS84)
    step = max(1, (len(edges[0]) - 1) // SIDE)
    # Half of the first row lies beyond the pole if its centres lie on it.
    points = [(float(x), float(np.clip(y, -90, 90))) for edge in edges for x, y in edge[:-1:step]]
    is_plain = all(np.isfinite(point).all() for point in points) and box.xmax - box.xmin < 180
    if not is_plain or box.xmax > 180:
        points = [(box.xmin, box.ymin), (box.xmax, box.ymin), (box.xmax, box.ymax), (box.xmin, box.ymax)]
    return (*points, points[0])
