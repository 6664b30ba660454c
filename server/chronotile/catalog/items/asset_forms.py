"""Assets of items as bytes: what many items have in common (grid, bands, layouts) is stored once, as a form."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson
from affine import Affine
from isal import isal_zlib

from chronotile.model.crs import crs_of
from chronotile.model.grid import NativeGrid
from chronotile.model.items import Asset, AssetBand, BandLayout, Item
from chronotile.model.raster import Encoding

Json = Any


@dataclass(frozen=True, slots=True)
class Form:
    """All of the assets of an item but where they are."""

    digest: str
    body: bytes


def form_of(assets: Sequence[Asset]) -> Form:
    """Return the form of assets."""
    body = orjson.dumps(
        [
            {
                "name": asset.name,
                "media_type": asset.media_type,
                "grid": None if asset.grid is None else _grid_json(asset.grid),
                "bands": [_band_json(band) for band in asset.bands],
                "layouts": [_layout_json(layout) for layout in asset.layouts],
            }
            for asset in assets
        ]
    )
    return Form(hashlib.blake2b(body, digest_size=8).hexdigest(), body)


@lru_cache(maxsize=4096)
def assets_of_form(body: bytes) -> tuple[Asset, ...]:
    """Return assets of a form, without their addresses."""
    return tuple(
        Asset(
            name=told["name"],
            href="",
            media_type=told["media_type"],
            grid=None if told["grid"] is None else _grid(told["grid"]),
            bands=tuple(_band(each) for each in told["bands"]),
            layouts=tuple(_layout(each) for each in told["layouts"]),
        )
        for told in orjson.loads(body)
    )


def layouts_of(asset: Asset) -> tuple[BandLayout, ...]:
    """Return the layouts that an asset states, by its header or else by the item; empty where no grid is known."""
    if asset.layouts or asset.grid is None:
        return asset.layouts
    return tuple(
        BandLayout(levels=(asset.grid,), encoding=_stated_encoding(band), band=number)
        for number, band in enumerate(asset.bands or (AssetBand(),), start=1)
    )


def _stated_encoding(band: AssetBand) -> Encoding | None:
    if band.dtype is None:
        return None
    return Encoding(
        dtype=band.dtype,
        scale=1.0 if band.scale is None else band.scale,
        offset=0.0 if band.offset is None else band.offset,
        nodata=band.nodata,
        units=band.unit or "1",
    )


def pack_assets(assets: Sequence[Asset], digest: str) -> bytes:
    """Return the assets of an item as bytes, which refer to their form."""
    return isal_zlib.compress(orjson.dumps([digest, [[asset.href, asset.etag, asset.size] for asset in assets]]), 1)


def packed_digest(data: bytes) -> str:
    """Return the digest of the form of packed assets."""
    digest: str = orjson.loads(isal_zlib.decompress(data))[0]
    return digest


def packed_hrefs(data: bytes) -> tuple[str, ...]:
    """Return where packed assets are."""
    return tuple(href for href, _etag, _size in orjson.loads(isal_zlib.decompress(data))[1])


def unpack_assets(data: bytes, forms: Mapping[str, bytes]) -> tuple[Asset, ...]:
    """Return the assets of an item, without headers.

    Args:
        data: As `pack_assets` returned them.
        forms: Bodies of forms, by digest.
    """
    digest, places = orjson.loads(isal_zlib.decompress(data))
    return tuple(
        replace(asset, href=href, etag=etag, size=size)
        for asset, (href, etag, size) in zip(assets_of_form(forms[digest]), places, strict=True)
    )


def item_digest(item: Item, form: Form) -> bytes:
    """Return what differs if anything in an item does."""
    digest = hashlib.blake2b(item.document, digest_size=16)
    told = (
        item.footprint,
        tuple(item.bbox),
        (str(item.start), str(item.end), str(item.updated)),
        form.digest,
        [(asset.href, asset.etag, asset.size) for asset in item.assets],
        [None if asset.header is None else hashlib.blake2b(asset.header).hexdigest() for asset in item.assets],
        sorted(item.properties.items(), key=lambda pair: pair[0]),
    )
    digest.update(repr(told).encode("utf-8", "surrogatepass"))
    return digest.digest()


def _grid_json(grid: NativeGrid) -> Json:
    affine = grid.transform
    numbers = (affine.a, affine.b, affine.c, affine.d, affine.e, affine.f)
    return [grid.crs.name, [float(number) for number in numbers], grid.width, grid.height]


def _grid(told: Json) -> NativeGrid:
    crs, transform, width, height = told
    return NativeGrid(crs=crs_of(crs), transform=Affine(*transform), width=width, height=height)


def _band_json(band: AssetBand) -> Json:
    return [band.name, band.dtype, *map(_number_json, (band.scale, band.offset, band.nodata)), band.unit]


def _band(told: Json) -> AssetBand:
    name, dtype, scale, offset, nodata, unit = told
    return AssetBand(
        name=name, dtype=dtype, scale=_number(scale), offset=_number(offset), nodata=_number(nodata), unit=unit
    )


def _layout_json(layout: BandLayout) -> Json:
    encoding = layout.encoding
    assert encoding is not None  # noqa: S101 -- of a file that was opened
    return {
        "levels": [_grid_json(level) for level in layout.levels],
        "band": layout.band,
        "dtype": encoding.dtype,
        "numbers": [_number_json(each) for each in (encoding.scale, encoding.offset, encoding.nodata)],
        "valid_range": None if encoding.valid_range is None else [_number_json(each) for each in encoding.valid_range],
        "flags": encoding.flags,
        "units": encoding.units,
        "text_step": encoding.text_step,
    }


def _layout(told: Json) -> BandLayout:
    scale, offset, nodata = map(_number, told["numbers"])
    low_high = told["valid_range"]
    return BandLayout(
        levels=tuple(_grid(level) for level in told["levels"]),
        band=told["band"],
        encoding=Encoding(
            dtype=told["dtype"],
            scale=1.0 if scale is None else scale,
            offset=0.0 if offset is None else offset,
            nodata=nodata,
            valid_range=None if low_high is None else (float(low_high[0]), float(low_high[1])),
            flags=tuple((number, name) for number, name in told["flags"]),
            units=told["units"],
            text_step=told["text_step"],
        ),
    )


def _number_json(number: float | None) -> float | str | None:
    """JSON has neither NaN nor infinities."""
    return number if number is None or math.isfinite(number) else repr(float(number))


def _number(told: float | str | None) -> float | None:
    return float(told) if isinstance(told, str) else told
