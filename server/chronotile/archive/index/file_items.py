"""An item of raster files, whose headers take the place of STAC metadata."""

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
from chronotile.readers.encoding import with_stored_nodata
from chronotile.readers.hrefs import base_name
from chronotile.readers.library_errors import opening
from chronotile.readers.mosaic.local_files import require_image
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.stac.items import item_of
from chronotile.readers.tiff import UnsupportedCog

BEFORE = np.timedelta64(-1, "s")
"""From the end of a period, which is the first instant after it, to what `end_datetime` says, which belongs to it."""
SIDE = 8
"""Points along each side of the outline of a grid."""
PROJECTION = "https://stac-extensions.github.io/projection/v1.2.0/schema.json"
"""The last version with `proj:epsg` beside `proj:code`: stackstac and older drivers of GDAL look for it."""
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"


def read_files(id_: str, paths: Mapping[str, str], span: TimeSpan, *, crs: str | None = None) -> Item:
    """Return the item of some files.

    Args:
        id_: Its id.
        paths: By name of the asset.
        span: Its time.
        crs: That of the configuration, which overrides those of the files.

    Raises:
        InvalidItem: A file cannot be read, or lies in no place of the Earth.
    """
    assets = tuple(describe_file(name, path, crs=crs) for name, path in sorted(paths.items()))
    for asset in assets:
        if asset.header is None:  # GDAL opened it, which takes any format; items are read as images alone
            try:
                require_image(asset.href)
            except UnsupportedSource as error:
                raise InvalidItem(error.message) from error
    newest: Instant = np.datetime64(max(Path(path).stat().st_mtime_ns for path in paths.values()), "ns")
    document = document_of(id_, assets, span, updated=newest)
    item = item_of(document, next(iter(paths.values())))
    return replace(item, start=span.start, end=span.end, assets=assets, document=orjson.dumps(document))


def describe_file(name: str, path: str, *, crs: str | None) -> Asset:
    """Return a file as an asset, with its header, or with what GDAL says of one that only GDAL reads.

    Raises:
        InvalidItem: It cannot be read.
    """
    try:
        return _by_header(name, path) if crs is None else _by_gdal(name, path, crs)
    except UnsupportedCog:
        return _by_gdal(name, path, crs)
    except OSError as error:
        raise InvalidItem(f"it cannot be read: {error.strerror or error}") from error


def _by_header(name: str, path: str) -> Asset:
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


def _by_gdal(name: str, path: str, crs: str | None) -> Asset:
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
            BandLayout(levels=tuple(levels), encoding=with_stored_nodata(band.encoding), band=band.number)
            for band in bands
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
    """Return files as a STAC item."""
    ring = outline_of(next(grid for asset in assets if (grid := asset.grid) is not None))
    xs, ys = [x for x, _y in ring], [y for _x, y in ring]
    is_exact = span.end - span.start <= ONE_NS
    last = format_instant(span.end + BEFORE) if not is_exact else None
    period = {} if last is None else {"start_datetime": format_instant(span.start), "end_datetime": last}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
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
        "type": GEOTIFF_TYPE,
        "roles": ["data"],
        "bands": [band_json(band) for band in asset.bands],
        **({} if asset.grid is None else projection_of(asset.grid)),
    }


def band_json(band: AssetBand) -> Json:
    """Return what a file states of a band, as bands of STAC 1.1 have it."""
    known = {
        "name": band.name,
        "data_type": band.dtype,
        "raster:scale": json_number(band.scale),
        "raster:offset": json_number(band.offset),
        "nodata": json_nodata(band.nodata),
        "unit": None if band.unit == "1" else band.unit,
    }
    return {name: value for name, value in known.items() if value is not None}


def projection_of(grid: NativeGrid) -> Json:
    """Return a grid as the `proj:` fields of an item or asset."""
    crs, transform = grid.crs, [float(each) for each in grid.transform[:6]]
    code: Json = {"proj:wkt2": crs.definition.to_wkt()} if crs.uri is None else {"proj:code": crs.name}
    if crs.epsg is not None:
        code["proj:epsg"] = crs.epsg
    return {**code, "proj:shape": [grid.height, grid.width], "proj:transform": transform}


@lru_cache(maxsize=1024)
def outline_of(grid: NativeGrid) -> tuple[tuple[float, float], ...]:
    """Return longitudes and latitudes around a grid, closed; the whole circle where it holds a pole or goes around.

    Raises:
        InvalidItem: It lies nowhere on the Earth.
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
