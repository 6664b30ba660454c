"""What blocks a raster file of this machine has, and what is read of them (docs/design/shared-blocks.md)."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from rasterio.enums import Compression, Interleaving
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterioWindow

from chronotile.core.model.grid import Window
from chronotile.core.model.types import NumberArray, UInt8Array
from chronotile.readers.caches.block_cache import KEY_BYTES, SLOT_BYTES, BlockCache
from chronotile.readers.deflate import inflate
from chronotile.readers.hrefs import SETTLED_NS, FileState, file_state, state_or_none
from chronotile.readers.raster.formats import VRT
from chronotile.readers.raster.overview_facts import listed_files
from chronotile.readers.raster.overviews.implied import GDAL_TYPES

DRIVERS = {"GTiff", "JP2OpenJPEG"}
"""GDAL's formats of which blocks are cached."""

BESIDE = (".ovr", ".msk", ".msk.ovr", ".aux.xml")
"""Ends of the names of files with overviews, masks and nodata of another."""

JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
"""Markers with the size of a picture (ITU-T T.81, table B.1)."""

_PLACE = Struct("<iii?")
"""First row and column of a unit, band, whether it is of the mask."""


class Plane(NamedTuple):
    """A band of an open file, or its mask, in which 0 says that there is no number."""

    dataset: Any
    """Which no other thread uses."""
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
        place = RasterioWindow(window.column_start, window.row_start, window.width, window.height)
        try:
            numbers: NumberArray = read(bands, window=place)
            if self.dataset.driver == VRT and not self.is_mask:
                self._require_sources(bands if isinstance(bands, list) else [bands], place, numbers)
        except RasterioIOError:
            missing = None if self.dataset.driver != VRT else _missing_file(self.dataset.name)
            if missing is None:
                raise
            raise OSError(missing) from None  # GDAL's words have the whole path, or none
        return numbers

    def _require_sources(self, bands: Sequence[int], place: RasterioWindow, numbers: NumberArray) -> None:
        """Check that a VRT has no fill where a file is missing: GDAL tells of it once, and fails without words then.

        Raises:
            RasterioIOError: One cannot be read.
        """
        for band in bands:
            fill = self.dataset.nodatavals[band - 1]
            if fill is None or math.isnan(fill) or (numbers == fill).any():
                self.dataset.checksum(band, window=place)


def _missing_file(vrt: str) -> str | None:
    """Return which file on this machine a VRT lacks, as the VRT's folder has it."""
    folder = Path(vrt).parent
    for path in () if vrt.startswith("/vsi") else listed_files(vrt, ".//SourceFilename"):
        if not path.startswith("/vsi") and not (folder / path).exists():
            return f"{Path(vrt).name} names {os.path.relpath(path, folder)}, which is missing"
    return None


CHECKED = {Compression.deflate, Compression.jpeg}


def require_jpeg_size(stored: bytes, width: int, height: int) -> None:
    """Check that a block in the form of a JPEG has at least so many pixels.

    Raises:
        OSError: It has fewer, or does not state how many.
    """
    at = 2
    while stored[at : at + 1] == b"\xff":
        kind, size = stored[at + 1], int.from_bytes(stored[at + 2 : at + 4], "big")
        if kind in JPEG_FRAMES:
            rows, columns = (int.from_bytes(stored[at + 5 + k : at + 7 + k], "big") for k in (0, 2))
            if rows >= height and columns >= width:
                return
            break
        at += 2 + size
    raise OSError("a JPEG in it is damaged: it does not have the pixels of its block")


class FileBlocks:
    """The blocks of a file at a level, as units that are decoded and cached together.

    A unit is a block of the file, or as many side by side as fill a slot; where the bands of a pixel lie together, of
    all bands. GDAL decodes it, so that a number is the same whether cached or not.

    Args:
        dataset: The file, opened at the level; `are_of` it is true.
        path: Where it is.
        level: Which.
        state: Of the file when it was opened.
        cache: Of blocks; `None` for a file that is read once.
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
        self._digest = blake2b(digest_size=KEY_BYTES)
        if cache is not None:
            beside = [state_or_none(path + ending) for ending in BESIDE]
            identity = (path, level, state, beside, self._dtype.str, self._bands, self._unit)
            self._digest.update(repr(identity).encode())

    @staticmethod
    def are_of(dataset: Any) -> bool:  # noqa: ANN401 -- rasterio has no types
        """Whether blocks can be cached: the driver is in `DRIVERS`, and all bands have one type of `GDAL_TYPES`."""
        dtypes = set(dataset.dtypes)
        return dataset.driver in DRIVERS and len(dtypes) == 1 and dtypes <= set(GDAL_TYPES)

    def read(self, plane: Plane, window: Window) -> NumberArray:
        """Return (y, x) numbers of a window of a level; what lies beyond its edges is left out."""
        window = _common(window, self._extent)
        units = list(self._units_of(window))
        is_cached = self._is_cached(plane, len(units))
        numbers = np.empty((window.height, window.width), dtype=self._dtype_of(plane))
        for unit in units:
            part = _common(unit, window)
            # Without a cache too, a unit is read at a time: for a row of more than its cache can hold GDAL would decode
            # all of them again for each line.
            numbers[_at(part, window)] = self._part(plane, unit, part) if is_cached else self._read(plane, part)
        return numbers

    def read_bands(self, planes: Sequence[Plane], window: Window) -> NumberArray:
        """Return (band, y, x) numbers of a window of several bands."""
        if self._bands > 1 and not self._is_cached(planes[0], len(list(self._units_of(window)))):
            numbers = planes[0].read_bands([plane.band for plane in planes], window)  # at once, as each takes all
            self._require_whole_blocks(planes[0], window)
            return numbers
        return np.stack([self.read(plane, window) for plane in planes])

    def _part(self, plane: Plane, unit: Window, part: Window) -> NumberArray:
        """(y, x) numbers of a part of a unit: of the whole rows, what of them is requested."""
        cache, dtype, bands = self._cache, self._dtype_of(plane), self._bands_of(plane)
        assert cache is not None  # noqa: S101 -- `_is_cached` says so
        key = self._digest.copy()
        key.update(_PLACE.pack(unit.row_start, unit.column_start, plane.band if bands == 1 else 0, plane.is_mask))
        before = (plane.band - 1) * unit.height if bands > 1 else 0
        row_bytes = unit.width * dtype.itemsize
        requested = slice(
            (before + part.row_start - unit.row_start) * row_bytes,
            (before + part.row_stop - unit.row_start) * row_bytes,
        )
        size = bands * unit.height * row_bytes
        lines = cache.read(key.digest(), size, requested, lambda: self._decoded(plane, unit))
        return lines.view(dtype).reshape(part.height, unit.width)[:, _at(part, unit)[1]]

    def _decoded(self, plane: Plane, unit: Window) -> tuple[UInt8Array, bool]:
        """The bytes of a unit, and whether the file is the expected one, and stays it."""
        bands = self._bands_of(plane)
        numbers = self._read(plane, unit) if bands == 1 else plane.read_bands(range(1, bands + 1), unit)
        if bands > 1:
            self._require_whole_blocks(plane, unit)
        is_settled = abs(time.time_ns() - self._state.mtime_ns) > SETTLED_NS
        return numbers.reshape(-1).view(np.uint8), is_settled and file_state(self._path) == self._state

    def _read(self, plane: Plane, window: Window) -> NumberArray:
        numbers = plane.read(window)
        self._require_whole_blocks(plane, window)
        return numbers

    def _require_whole_blocks(self, plane: Plane, window: Window) -> None:
        """Check the blocks of a window that are compressed with deflate or as JPEG.

        GDAL takes what is inflated before the checksum, and of a JPEG of fewer pixels those that it has: the others are
        memory that nothing has written.

        Raises:
            OSError: One is damaged.
        """
        if self._compression not in CHECKED or plane.is_mask:
            return
        height, width = self._block
        with open(plane.dataset.name, "rb") as file:  # noqa: PTH123 -- of each unit; half the time of Path.open
            for row in range(window.row_start // height, -(-window.row_stop // height)):
                for column in range(window.column_start // width, -(-window.column_stop // width)):
                    start, size = (
                        plane.dataset.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=plane.band)
                        for what in ("OFFSET", "SIZE")
                    )
                    if start is None or size is None:  # it is not stored, and has no values
                        continue
                    stored = os.pread(file.fileno(), int(size), int(start))
                    if self._compression is Compression.deflate:
                        inflate(stored, height * width * self._dtype.itemsize * self._bands)
                    else:
                        right, bottom = self._extent.column_stop - column * width, self._extent.row_stop - row * height
                        require_jpeg_size(stored, min(width, right), min(height, bottom))

    def _units_of(self, window: Window) -> Iterator[Window]:
        """The units that a window touches, without what lies beyond the edges."""
        height, width = self._unit
        for row in range(window.row_start // height * height, window.row_stop, height):
            for column in range(window.column_start // width * width, window.column_stop, width):
                yield _common(Window(row, row + height, column, column + width), self._extent)

    def _is_cached(self, plane: Plane, units: int) -> bool:
        """Whether so many units are cached: not if they would push too much else out."""
        if self._cache is None:
            return False
        unit_bytes = self._unit[0] * self._unit[1] * self._bands_of(plane) * self._dtype_of(plane).itemsize
        return units * unit_bytes <= self._cache.largest_window_bytes

    def _bands_of(self, plane: Plane) -> int:
        return 1 if plane.is_mask else self._bands

    def _dtype_of(self, plane: Plane) -> np.dtype[Any]:
        return np.dtype(np.uint8) if plane.is_mask else self._dtype


def _unit_shape(dataset: Any, pixel_bytes: int) -> tuple[int, int]:  # noqa: ANN401 -- rasterio has no types
    """Rows and columns of a block, or of as many as fill a slot."""
    height, width = dataset.block_shapes[0]
    while height * width * pixel_bytes < SLOT_BYTES and (height < dataset.height or width < dataset.width):
        if width < dataset.width and (width <= height or height >= dataset.height):
            width *= 2
        else:
            height *= 2
    return height, width


def _common(one: Window, other: Window) -> Window:
    """What lies in both of two windows that meet."""
    return Window(
        max(one.row_start, other.row_start),
        min(one.row_stop, other.row_stop),
        max(one.column_start, other.column_start),
        min(one.column_stop, other.column_stop),
    )


def _at(part: Window, whole: Window) -> tuple[slice, slice]:
    # Where a part of a window lies in it.
    rows = slice(part.row_start - whole.row_start, part.row_stop - whole.row_start)
    return rows, slice(part.column_start - whole.column_start, part.column_stop - whole.column_start)
