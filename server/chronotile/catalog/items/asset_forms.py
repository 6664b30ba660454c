"""Assets of items as bytes. Their common parts (names, grids, bands, layouts) are stored once, as forms."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
from affine import Affine
from isal import isal_zlib

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import Asset, AssetBand, BandLayout
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import JsonValue
from chronotile.core.size_cache import cache_by_size

_FormAsset = tuple[str, str | None, NativeGrid | None, tuple[AssetBand, ...], tuple[BandLayout, ...]]
"""Name, media type, grid, bands and layouts of an asset."""


@dataclass(frozen=True, slots=True)
class AssetForm:
    """The assets of an item without URLs, ETags and sizes. Most items of a tile have the same form."""

    digest: str
    """Digest of `body`, which identifies the form."""
    body: bytes
    """JSON."""


def form_of(assets: Sequence[Asset]) -> AssetForm:
    """Return the form of the assets of an item."""
    return _write_form(
        tuple((asset.name, asset.media_type, asset.grid, asset.bands, asset.layouts) for asset in assets)
    )


@cache_by_size(lambda form, _assets: 1000 + 6 * len(form.body))
def _write_form(assets: tuple[_FormAsset, ...]) -> AssetForm:
    """Return a form; cached, because all items of a tile have the same."""
    body = orjson.dumps(
        [
            {
                "name": name,
                "media_type": media_type,
                "grid": None if grid is None else _grid_json(grid),
                "bands": [_band_json(band) for band in bands],
                "layouts": [_layout_json(layout) for layout in layouts],
            }
            for name, media_type, grid, bands, layouts in assets
        ]
    )
    return AssetForm(hashlib.blake2b(body, digest_size=8).hexdigest(), body)


@cache_by_size(lambda _assets, body: 1000 + 6 * len(body))
def assets_of_form(body: bytes) -> tuple[Asset, ...]:
    """Return the assets in the body of an `AssetForm`, with empty URLs."""
    return tuple(
        Asset(
            name=members["name"],
            href="",
            media_type=members["media_type"],
            grid=None if members["grid"] is None else _grid(members["grid"]),
            bands=tuple(_band(band) for band in members["bands"]),
            layouts=tuple(_layout(layout) for layout in members["layouts"]),
        )
        for members in orjson.loads(body)
    )


def layouts_of(asset: Asset) -> tuple[BandLayout, ...]:
    """Return the layouts of an asset, from its header or else from the item; empty if its grid is unknown."""
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
    """Return the URLs, ETags and sizes of assets as compressed bytes; other fields are in the `AssetForm`.

    Args:
        assets: Assets of one item.
        digest: Digest of the `AssetForm` of the assets, stored in the bytes.
    """
    return isal_zlib.compress(orjson.dumps([digest, [[asset.href, asset.etag, asset.size] for asset in assets]]), 1)


def packed_digest(data: bytes) -> str:
    """Return the digest of the `AssetForm` of packed assets."""
    digest: str = orjson.loads(isal_zlib.decompress(data))[0]
    return digest


def packed_hrefs(data: bytes) -> tuple[str, ...]:
    """Return the URLs of packed assets."""
    return tuple(href for href, _etag, _size in orjson.loads(isal_zlib.decompress(data))[1])


def unpack_assets(data: bytes, forms: Mapping[str, bytes]) -> tuple[Asset, ...]:
    """Return the assets of an item, without headers.

    Args:
        data: Bytes that `pack_assets` returned.
        forms: Bodies of forms by digest.
    """
    digest, files = orjson.loads(isal_zlib.decompress(data))
    return tuple(
        replace(asset, href=href, etag=etag, size=size)
        for asset, (href, etag, size) in zip(assets_of_form(forms[digest]), files, strict=True)
    )


def _grid_json(grid: NativeGrid) -> JsonValue:
    affine = grid.transform
    numbers = (affine.a, affine.b, affine.c, affine.d, affine.e, affine.f)
    return [grid.crs.name, [float(number) for number in numbers], grid.width, grid.height]


def _grid(value: JsonValue) -> NativeGrid:
    crs, transform, width, height = value
    return NativeGrid(crs=crs_of(crs), transform=Affine(*transform), width=width, height=height)


def _band_json(band: AssetBand) -> JsonValue:
    return [band.name, band.dtype, *map(_number_json, (band.scale, band.offset, band.nodata)), band.unit]


def _band(value: JsonValue) -> AssetBand:
    name, dtype, scale, offset, nodata, unit = value
    scale, offset, nodata = map(_number, (scale, offset, nodata))
    return AssetBand(name=name, dtype=dtype, scale=scale, offset=offset, nodata=nodata, unit=unit)


def _layout_json(layout: BandLayout) -> JsonValue:
    encoding = layout.encoding
    assert encoding is not None  # noqa: S101 -- headers state it
    return {
        "levels": [_grid_json(level) for level in layout.levels],
        "band": layout.band,
        "dtype": encoding.dtype,
        "numbers": [_number_json(number) for number in (encoding.scale, encoding.offset, encoding.nodata)],
        "valid_range": None if encoding.valid_range is None else list(map(_number_json, encoding.valid_range)),
        "flags": encoding.flags,
        "units": encoding.units,
        "text_step": encoding.text_step,
        # Without these the bytes are those of older indexes, so digests stay equal.
        **({} if encoding.circle is None else {"circle": encoding.circle}),
        **({} if layout.array is None else {"array": layout.array}),
    }


def _layout(value: JsonValue) -> BandLayout:
    scale, offset, nodata = map(_number, value["numbers"])
    low_high = value["valid_range"]
    return BandLayout(
        levels=tuple(_grid(level) for level in value["levels"]),
        band=value["band"],
        array=value.get("array"),
        encoding=Encoding(
            dtype=value["dtype"],
            scale=1.0 if scale is None else scale,
            offset=0.0 if offset is None else offset,
            nodata=nodata,
            valid_range=None if low_high is None else (float(low_high[0]), float(low_high[1])),
            flags=tuple((number, name) for number, name in value["flags"]),
            units=value["units"],
            text_step=value["text_step"],
            circle=value.get("circle"),
        ),
    )


def _number_json(number: float | None) -> float | str | None:
    # NaN and infinities are not valid JSON.
    return number if number is None or math.isfinite(number) else repr(float(number))


def _number(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, str) else value
