"""Readers of files, and GDAL's reading of the same files."""

import os

import numpy as np
import rasterio
from rasterio.windows import Window as RasterioWindow

from chronotile.readers.cog.files import open_cog
from chronotile.readers.cog.source import CogReader, CogVariable


def reader_of(path, bands=1, caches=None) -> CogReader:
    """Return a reader of the first bands as variables `1`, `2`, …"""
    variables = {str(band): CogVariable(band=band) for band in range(1, bands + 1)}
    return CogReader("made", open_cog(str(path)), variables, caches)


def settle(path):
    """Let a file be old enough for its blocks to be cached."""
    os.utime(path, (1e9, 1e9))


def by_gdal(path, level, window, band=1, step=1):
    """Return numbers and the mask by GDAL, at every `step`-th cell; `None` without a mask."""
    options = {"overview_level": level - 1} if level else {}
    place = RasterioWindow(window.column_start, window.row_start, window.width, window.height)
    with rasterio.open(path, **options) as file:
        numbers = file.read(band, window=place)[::step, ::step]
        has_mask = rasterio.enums.MaskFlags.per_dataset in file.mask_flag_enums[band - 1]
        return numbers, file.read_masks(band, window=place)[::step, ::step] > 0 if has_mask else None


def assert_equal(pixels, expected):
    numbers, mask = expected
    assert pixels.numbers.dtype == numbers.dtype
    assert np.array_equal(pixels.numbers, numbers, equal_nan=numbers.dtype.kind == "f")
    assert (pixels.valid is None) == (mask is None)
    assert mask is None or np.array_equal(pixels.valid, mask)
