"""What a STAC item states of the bands of an asset: `bands` of STAC 1.1, `raster:bands` and `eo:bands` before."""

import math
from collections.abc import Sequence
from dataclasses import replace

from chronotile.model.items import AssetBand
from chronotile.readers.stac.fields import MAX_MEMBERS, Document, list_of, number_of, object_of, objects_of, text_of

_DTYPES = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | {"float32", "float64"}
_NAN = {"nan", "NaN"}
_OFFSET_IS_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINES = ("s2:processing_baseline", "processing:version")
PROPERTIES_OF_BANDS = ("eo:bands", *_OFFSET_IS_APPLIED, *_BASELINES)
"""Those of an item that say something of the bands of its assets."""
_FIRST_WITH_OFFSET = 4.0
"""The processing baseline of Sentinel-2 since which its reflectances have an offset."""


def bands_of(asset: Document, properties: Document) -> tuple[AssetBand, ...]:
    """Return the bands of an asset, in order; none where nothing is stated.

    Of an asset that states something and lists no bands there is one.
    """
    rasters = [_of_raster_band(band) for band in objects_of(asset.get("raster:bands"))]
    names = [text_of(band.get("name")) for band in eo_bands(asset, properties)]
    common = _of_band(asset)
    bands = [_of_band(band, common) for band in objects_of(asset.get("bands"))]
    if not bands and common != AssetBand():
        bands = [common]
    count = max(len(rasters), len(names), len(bands))
    merged = [
        _merged(
            bands[index] if index < len(bands) else AssetBand(),
            rasters[index] if index < len(rasters) else AssetBand(),
            names[index] if index < len(names) else None,
        )
        for index in range(count)
    ]
    return tuple(_without_applied_offset(band, properties) for band in merged)


def eo_bands(asset: Document, properties: Document) -> Sequence[Document]:
    """Return the members of `eo:bands`; before STAC 1.0 they may be positions in those of the item."""
    of_item = list(list_of(properties.get("eo:bands")))
    found = []
    for band in list_of(asset.get("eo:bands")):
        is_position = isinstance(band, int) and not isinstance(band, bool) and 0 <= band < len(of_item)
        found.append(object_of(of_item[band] if is_position and isinstance(band, int) else band))
    return found[:MAX_MEMBERS]


def _of_raster_band(band: Document) -> AssetBand:
    return AssetBand(
        dtype=_dtype(band.get("data_type")),
        scale=_scale(band.get("scale")),
        offset=number_of(band.get("offset")),
        nodata=_nodata(band.get("nodata")),
        unit=text_of(band.get("unit"), most=100),
    )


def _of_band(band: Document, common: AssetBand | None = None) -> AssetBand:
    """Of STAC 1.1, where fields of an asset are those of all its bands."""
    common = common or AssetBand()
    dtype, scale = _dtype(band.get("data_type")), _scale(band.get("raster:scale"))
    offset, nodata = number_of(band.get("raster:offset")), _nodata(band.get("nodata"))
    return AssetBand(
        name=text_of(band.get("name"), most=200),
        dtype=common.dtype if dtype is None else dtype,
        scale=common.scale if scale is None else scale,
        offset=common.offset if offset is None else offset,
        nodata=common.nodata if nodata is None else nodata,
        unit=text_of(band.get("unit"), most=100) or common.unit,
    )


def _merged(band: AssetBand, raster: AssetBand, name: str | None) -> AssetBand:
    return AssetBand(
        name=band.name or name,
        dtype=raster.dtype or band.dtype,
        scale=band.scale if raster.scale is None else raster.scale,
        offset=band.offset if raster.offset is None else raster.offset,
        nodata=band.nodata if raster.nodata is None else raster.nodata,
        unit=raster.unit or band.unit,
    )


def _without_applied_offset(band: AssetBand, properties: Document) -> AssetBand:
    """Earth Search states the offset of reflectances also in items whose files have it applied already."""
    flags = [properties[key] for key in _OFFSET_IS_APPLIED if isinstance(properties.get(key), bool)]
    if not flags or not band.offset:
        return band
    is_before = any(_baseline(properties.get(key)) < _FIRST_WITH_OFFSET for key in _BASELINES)
    return replace(band, offset=0.0) if any(flags) or is_before else band


def _baseline(value: object) -> float:
    """Infinite where it is none: `05.09` is 5.09."""
    text = text_of(value, most=5) or ""
    return float(text) if text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit() else math.inf


def _dtype(value: object) -> str | None:
    return value if isinstance(value, str) and value in _DTYPES else None


def _scale(value: object) -> float | None:
    return number_of(value) or None


def _nodata(value: object) -> float | None:
    """Infinity needs not be said: it is no value of any raster."""
    return math.nan if isinstance(value, str) and value in _NAN else number_of(value)
