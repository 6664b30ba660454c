"""Cached reads of the blocks of a local raster file (docs/design/shared-blocks.md)."""

import os
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any

import numpy as np
from rasterio.enums import Compression, Interleaving

from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import NumberArray, UInt8Array
from chronotile.readers.caches.block_cache import KEY_BYTES, SLOT_BYTES, BlockCache
from chronotile.readers.deflate import inflate
from chronotile.readers.file_states import SETTLED_NS, FileState, file_state, state_or_none
from chronotile.readers.hrefs import split_member
from chronotile.readers.raster.band_plane import BandPlane
from chronotile.readers.raster.jpeg import require_jpeg_size
from chronotile.readers.raster.overviews.preview_files import GDAL_TYPES
from chronotile.readers.safe_zips import require_whole

DRIVERS = {"GTiff", "JP2OpenJPEG"}
"""GDAL drivers whose blocks are cached."""

SIDE_ENDS = (".ovr", ".msk", ".msk.ovr", ".aux.xml")
"""Ends of the names of side files with overviews, masks and nodata."""

_UNIT_KEY = Struct("<iii?")
"""First row and column of a unit, band, and whether it is of the mask."""


CHECKED_COMPRESSIONS = {Compression.deflate, Compression.jpeg}


class FileBlocks:
    """The blocks of a file at a level, decoded and cached in units.

    A unit is a block, or as many adjacent ones as fill a slot of the cache; if the bands are interleaved by pixel, it
    contains all bands. GDAL decodes every unit, so that cached and uncached numbers are equal.

    Args:
        dataset: The file, opened at the level; `can_cache` must be true.
        path: Path of the file.
        level: Number of the overview, or `NATIVE_LEVEL`.
        state: Fingerprint of the file when it was opened.
        cache: Cache of decoded units; `None` for a file that is read once.
    """

    def __init__(
        self,
        dataset: Any,  # noqa: ANN401 -- rasterio has no types
        path: str,
        *,
        level: int,
        state: FileState,
        cache: BlockCache | None,
    ) -> None:
        self._path, self._state, self._cache = path, state, cache
        self._extent = Window(0, dataset.height, 0, dataset.width)
        self._dtype = np.dtype(dataset.dtypes[0])
        self._bands = dataset.count if dataset.interleaving == Interleaving.pixel else 1
        self._unit = _unit_shape(dataset, self._dtype.itemsize * self._bands)
        self._block = dataset.block_shapes[0]
        self._compression = dataset.compression if dataset.driver == "GTiff" else None
        self._is_member = split_member(path) is not None
        self._digest = blake2b(digest_size=KEY_BYTES)
        if cache is not None:
            side_states = [state_or_none(path + ending) for ending in SIDE_ENDS]
            identity = (path, level, state, side_states, self._dtype.str, self._bands, self._unit)
            self._digest.update(repr(identity).encode())

    @staticmethod
    def can_cache(dataset: Any) -> bool:  # noqa: ANN401 -- rasterio has no types
        """Return whether blocks can be cached: a driver of `DRIVERS`, and one type of `GDAL_TYPES` for all bands."""
        dtypes = set(dataset.dtypes)
        return dataset.driver in DRIVERS and len(dtypes) == 1 and dtypes <= set(GDAL_TYPES)

    def read(self, plane: BandPlane, window: Window) -> NumberArray:
        """Return (y, x) numbers of a window, without its part beyond the edges of the level."""
        window = _common(window, self._extent)
        units = list(self._units_of(window))
        is_cached = self._is_cached(plane, len(units))
        numbers = np.empty((window.height, window.width), dtype=self._dtype_of(plane))
        for unit in units:
            part = _common(unit, window)
            # Units are read one by one even without a cache: GDAL's own cache may be too small for a row of units,
            # and would then decode the whole row again for each line.
            numbers[_at(part, window)] = self._part(plane, unit, part) if is_cached else self._read(plane, part)
        return numbers

    def read_bands(self, planes: Sequence[BandPlane], window: Window) -> NumberArray:
        """Return (band, y, x) numbers of a window of several bands."""
        if self._bands > 1 and not self._is_cached(planes[0], len(list(self._units_of(window)))):
            numbers = planes[0].read_bands([plane.band for plane in planes], window)  # each block contains all bands
            self._require_whole_blocks(planes[0], window)
            return numbers
        return np.stack([self.read(plane, window) for plane in planes])

    def _part(self, plane: BandPlane, unit: Window, part: Window) -> NumberArray:
        """Return (y, x) numbers of a part of a unit; from the cache, only the rows of the part are copied."""
        cache, dtype, bands = self._cache, self._dtype_of(plane), self._bands_of(plane)
        assert cache is not None  # noqa: S101 -- checked by `_is_cached`
        key = self._digest.copy()
        key.update(_UNIT_KEY.pack(unit.row_start, unit.column_start, plane.band if bands == 1 else 0, plane.is_mask))
        before = (plane.band - 1) * unit.height if bands > 1 else 0
        row_bytes = unit.width * dtype.itemsize
        requested = slice(
            (before + part.row_start - unit.row_start) * row_bytes,
            (before + part.row_stop - unit.row_start) * row_bytes,
        )
        size = bands * unit.height * row_bytes
        lines = cache.read(key.digest(), size, requested, lambda: self._decode_unit(plane, unit))
        return lines.view(dtype).reshape(part.height, unit.width)[:, _at(part, unit)[1]]

    def _decode_unit(self, plane: BandPlane, unit: Window) -> tuple[UInt8Array, bool]:
        """Return the bytes of a unit, and whether they may be cached: the file has not changed since it was opened."""
        bands = self._bands_of(plane)
        numbers = self._read(plane, unit) if bands == 1 else plane.read_bands(range(1, bands + 1), unit)
        if bands > 1:
            self._require_whole_blocks(plane, unit)
        is_settled = abs(time.time_ns() - self._state.mtime_ns) > SETTLED_NS
        return numbers.reshape(-1).view(np.uint8), is_settled and file_state(self._path) == self._state

    def _read(self, plane: BandPlane, window: Window) -> NumberArray:
        numbers = plane.read(window)
        self._require_whole_blocks(plane, window)
        return numbers

    def _require_whole_blocks(self, plane: BandPlane, window: Window) -> None:
        """Check a whole member of a ZIP file, or the blocks of a window that are compressed with deflate or JPEG.

        Decoders of JPEG 2000 return wrong numbers for damaged bytes. GDAL ignores the checksum of deflate, and returns
        uninitialised memory for missing pixels of a short JPEG.

        Raises:
            OSError: A block is damaged.
        """
        if self._is_member:
            require_whole(self._path, self._state)
        if self._compression not in CHECKED_COMPRESSIONS or plane.is_mask:
            return
        height, width = self._block
        with open(plane.dataset.name, "rb") as file:  # noqa: PTH123 -- of each unit; half the time of Path.open
            for row in range(window.row_start // height, -(-window.row_stop // height)):
                for column in range(window.column_start // width, -(-window.column_stop // width)):
                    start, size = (
                        plane.dataset.get_tag_item(f"BLOCK_{tag}_{column}_{row}", "TIFF", bidx=plane.band)
                        for tag in ("OFFSET", "SIZE")
                    )
                    if start is None or size is None:  # the block is not stored, because all its cells are missing
                        continue
                    stored = os.pread(file.fileno(), int(size), int(start))
                    if self._compression is Compression.deflate:
                        inflate(stored, height * width * self._dtype.itemsize * self._bands)
                    else:
                        right, bottom = self._extent.column_stop - column * width, self._extent.row_stop - row * height
                        require_jpeg_size(stored, min(width, right), min(height, bottom))

    def _units_of(self, window: Window) -> Iterator[Window]:
        """Yield the units that a window touches, cut at the edges of the level."""
        height, width = self._unit
        for row in range(window.row_start // height * height, window.row_stop, height):
            for column in range(window.column_start // width * width, window.column_stop, width):
                yield _common(Window(row, row + height, column, column + width), self._extent)

    def _is_cached(self, plane: BandPlane, units: int) -> bool:
        """Return whether `units` units may be cached without evicting too many others."""
        if self._cache is None:
            return False
        unit_bytes = self._unit[0] * self._unit[1] * self._bands_of(plane) * self._dtype_of(plane).itemsize
        return units * unit_bytes <= self._cache.largest_window_bytes

    def _bands_of(self, plane: BandPlane) -> int:
        return 1 if plane.is_mask else self._bands

    def _dtype_of(self, plane: BandPlane) -> np.dtype[Any]:
        return np.dtype(np.uint8) if plane.is_mask else self._dtype


def _unit_shape(dataset: Any, pixel_bytes: int) -> tuple[int, int]:  # noqa: ANN401 -- rasterio has no types
    """Return rows and columns of a unit: a block, or as many adjacent ones as fill a slot of the cache."""
    height, width = dataset.block_shapes[0]
    while height * width * pixel_bytes < SLOT_BYTES and (height < dataset.height or width < dataset.width):
        if width < dataset.width and (width <= height or height >= dataset.height):
            width *= 2
        else:
            height *= 2
    return height, width


def _common(window: Window, other: Window) -> Window:
    """Return the intersection of two windows that overlap."""
    return Window(
        max(window.row_start, other.row_start),
        min(window.row_stop, other.row_stop),
        max(window.column_start, other.column_start),
        min(window.column_stop, other.column_stop),
    )


def _at(part: Window, whole: Window) -> tuple[slice, slice]:
    # The slices that select a part in the array of the whole window.
    rows = slice(part.row_start - whole.row_start, part.row_stop - whole.row_start)
    return rows, slice(part.column_start - whole.column_start, part.column_stop - whole.column_start)
