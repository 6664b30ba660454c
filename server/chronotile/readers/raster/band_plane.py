"""Uncached reads of a band of an open raster file, or of its mask."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterioWindow

from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import NumberArray
from chronotile.readers.raster.formats import VRT
from chronotile.readers.raster.overview_facts import listed_files


class BandPlane(NamedTuple):
    """A band of an open file, or its mask, which is 0 for missing values."""

    dataset: Any
    """No other thread may use it."""
    band: int
    """Counted from 1."""
    is_mask: bool = False

    def read(self, window: Window) -> NumberArray:
        """Return (y, x) numbers of a window."""
        return self._read(self.band, window)

    def read_bands(self, bands: Sequence[int], window: Window) -> NumberArray:
        """Return (band, y, x) numbers of several bands of the file, or of their masks."""
        return self._read(list(bands), window)

    def _read(self, bands: int | list[int], window: Window) -> NumberArray:
        read = self.dataset.read_masks if self.is_mask else self.dataset.read
        rasterio_window = RasterioWindow(window.column_start, window.row_start, window.width, window.height)
        try:
            numbers: NumberArray = read(bands, window=rasterio_window)
            if self.dataset.driver == VRT and not self.is_mask:
                self._require_sources(bands if isinstance(bands, list) else [bands], rasterio_window, numbers)
        except RasterioIOError:
            missing = None if self.dataset.driver != VRT else _missing_file(self.dataset.name)
            if missing is None:
                raise
            raise OSError(missing) from None  # GDAL's message has the whole path, or none
        return numbers

    def _require_sources(self, bands: Sequence[int], rasterio_window: RasterioWindow, numbers: NumberArray) -> None:
        """Check that nodata of a VRT is not due to a missing file, which GDAL reports only at the first read.

        Raises:
            RasterioIOError: A source file of the VRT cannot be read.
        """
        for band in bands:
            fill = self.dataset.nodatavals[band - 1]
            if fill is None or math.isnan(fill) or (numbers == fill).any():
                self.dataset.checksum(band, window=rasterio_window)


def _missing_file(vrt: str) -> str | None:
    """Return a message about a missing local source file of a VRT, with a path relative to the VRT."""
    folder = Path(vrt).parent
    for path in () if vrt.startswith("/vsi") else listed_files(vrt, ".//SourceFilename"):
        if not path.startswith("/vsi") and not (folder / path).exists():
            return f"{Path(vrt).name} names {os.path.relpath(path, folder)}, which is missing"
    return None
