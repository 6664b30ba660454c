"""The bytes of a preview: a small COG whose image and overviews are made levels."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from chronotile.core.model.raster import Pixels

GDAL_TYPES = {
    "uint8": "Byte", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64", "float32": "Float32",
    "int8": "Int8", "int16": "Int16", "int32": "Int32", "int64": "Int64", "float64": "Float64",
}  # fmt: skip
"""GDAL's names of the numpy types that a preview may have."""

BLOCK_SIDE_PX = 256

_OPTIONS = {
    "COMPRESS": "DEFLATE",  # has a checksum, which reveals damage
    "LEVEL": 6,
    "PREDICTOR": "YES",
    "BLOCKSIZE": BLOCK_SIDE_PX,
    "OVERVIEWS": "FORCE_USE_EXISTING",
}


def preview_file(levels: Sequence[Pixels], transform: Affine) -> bytes:
    """Return a GeoTIFF with levels as image and overviews, each half as large as the one before.

    If the pixels have a mask, a second band is 1 for valid pixels.

    Args:
        levels: (y, x) pixels, the finest first.
        transform: Of the finest level.
    """
    with ExitStack() as stack:
        names = []
        for number, pixels in enumerate(levels):
            memory = stack.enter_context(MemoryFile(ext=".tif"))
            names.append(memory.name)
            _write_level(memory, pixels, transform @ Affine.scale(2**number))
        target = stack.enter_context(MemoryFile(ext=".tif"))
        copy(_virtual(levels[0], names, transform), target.name, driver="COG", **_OPTIONS)
        return bytes(target.getbuffer())


def _write_level(memory: Any, pixels: Pixels, transform: Affine) -> None:  # noqa: ANN401 -- rasterio has no types
    bands = [pixels.numbers] if pixels.valid is None else [pixels.numbers, pixels.valid.astype(pixels.numbers.dtype)]
    height, width = pixels.numbers.shape
    profile = {"count": len(bands), "height": height, "width": width, "dtype": bands[0].dtype, "transform": transform}
    with memory.open(driver="GTiff", interleave="band", **profile) as dataset:
        dataset.write(np.stack(bands))


def _virtual(finest: Pixels, names: Sequence[str], transform: Affine) -> str:
    """Return a VRT with the levels as its overviews, which GDAL copies unchanged."""
    height, width = finest.numbers.shape
    bands = "".join(
        _virtual_band(band, GDAL_TYPES[finest.numbers.dtype.name], names)
        for band in range(1, 2 if finest.valid is None else 3)
    )
    place = ", ".join(map(repr, transform.to_gdal()))
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><GeoTransform>{place}</GeoTransform>'
        f"{bands}</VRTDataset>"
    )


def _virtual_band(band: int, kind: str, names: Sequence[str]) -> str:
    image, *overviews = (
        f"<SourceFilename>{escape(name)}</SourceFilename><SourceBand>{band}</SourceBand>" for name in names
    )
    coarser = "".join(f"<Overview>{o}</Overview>" for o in overviews)
    return (
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource>{image}</SimpleSource>{coarser}</VRTRasterBand>'
    )
