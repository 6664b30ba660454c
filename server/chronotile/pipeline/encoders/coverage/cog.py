"""Cloud optimised GeoTIFFs, written while pixels arrive; no pixel is read again.

GDAL makes one from a complete GeoTIFF on disk, with interleaved bands: with a thousand times, one tile would need half
a gigabyte. Here bands are separate, and each is written with its overviews when it arrives.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from chronotile.core.errors import UnsupportedFormat
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import BoolArray, NumberArray, UInt8Array
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles
from chronotile.pipeline.encoders.coverage.attributes import definition_of
from chronotile.pipeline.encoders.coverage.strips import CHUNK_SIDE, chunk_rows
from chronotile.pipeline.encoders.deflated import deflate
from chronotile.pipeline.encoders.scratch_files import TEMPORARY, Scratch, ScratchFile

TILE_UNIT = 16
"""Sides of tiles are multiples of this number of cells (TIFF 6.0, TileWidth)."""
MAX_BANDS = 65535
"""Samples per pixel are counted in 16 bits (TIFF 6.0, SamplesPerPixel)."""
MAX_CLASSIC_BYTES = 4_000_000_000
"""Maximum size of pixels with overviews, uncompressed; larger files are BigTIFFs."""

SHORT, LONG, DOUBLE, ASCII, LONG8 = 3, 4, 12, 2, 16
NUMPY_TYPES = {SHORT: "<u2", LONG: "<u4", DOUBLE: "<f8", ASCII: "<u1", LONG8: "<u8"}
"""Types of numpy by type of TIFF."""
ADOBE_DEFLATE, MIN_IS_BLACK, CONTIGUOUS, SEPARATE, REDUCED = 8, 1, 1, 2, 1
NO_PREDICTOR, HORIZONTAL, FLOATING_POINT = 1, 2, 3
SAMPLE_FORMATS = {"u": 1, "i": 2, "f": 3}
"""Sample formats by kind of numpy."""
NODATA_TAG = 42113

LAYOUT = (
    b"LAYOUT=IFDS_BEFORE_DATA\n"
    b"BLOCK_ORDER=ROW_MAJOR\n"
    b"BLOCK_LEADER=SIZE_AS_UINT4\n"
    b"BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
    b"KNOWN_INCOMPATIBLE_EDITION=NO\n "
)
"""GDAL recognises the layout by this text. It may replace `NO` by `YES`; the blank leaves space for it."""
GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n%s" % (len(LAYOUT), LAYOUT)


class Tag(NamedTuple):
    """An entry of a directory."""

    number: int
    type: int
    values: bytes
    """Little endian."""

    @property
    def length(self) -> int:
        """Number of values."""
        return len(self.values) // np.dtype(NUMPY_TYPES[self.type]).itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class CogProfile:
    """Properties of a file that are needed before the first pixel."""

    width: int
    height: int
    bands: int
    dtype: np.dtype[Any]
    nodata: float | None
    predictor: int
    tags: Sequence[Tag]
    """Tags of the first directory: position, and metadata of bands."""

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of a tile. One row of tiles is in memory, so those of wide pictures have few rows."""
        rows, columns = (min(CHUNK_SIDE, -(-side // TILE_UNIT) * TILE_UNIT) for side in (self.height, self.width))
        return min(rows, chunk_rows(self.width * self.dtype.itemsize)), columns

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Rows and columns of each level; each level has half of the previous one, down to a single tile."""
        sizes = [(self.height, self.width)]
        while max(sizes[-1]) > CHUNK_SIDE:
            rows, columns = sizes[-1]
            sizes.append((-(-rows // 2), -(-columns // 2)))
        return sizes

    @property
    def is_big(self) -> bool:
        """Whether the file is a BigTIFF, with offsets of 64 bits."""
        return sum(self.bytes_of(rows, columns) for rows, columns in self.sizes) > MAX_CLASSIC_BYTES

    def bytes_of(self, rows: int, columns: int) -> int:
        """Return the uncompressed size of all bands of a level."""
        return rows * columns * self.bands * self.dtype.itemsize


class CogWriter:
    """Writes bands one after the other, each from north to south.

    Args:
        profile: Properties of the file.
        scratch: Location of the file.
    """

    def __init__(self, profile: CogProfile, scratch: Scratch = TEMPORARY) -> None:
        self.profile = profile
        self._scratch = scratch
        with ExitStack() as opened:
            self._levels = [
                _CogLevel(profile, rows, columns, opened.enter_context(scratch.file(profile.bytes_of(rows, columns))))
                for rows, columns in profile.sizes
            ]
            self._opened = opened.pop_all()

    def write(self, band: int, numbers: NumberArray, *, is_last: bool, has_means: bool) -> None:
        """Write the next rows of a band.

        Args:
            band: Counted from 0.
            numbers: (y, x) in the type of the profile.
            is_last: Whether these are the last rows of the band.
            has_means: Whether overviews have means instead of the numbers of some cells.
        """
        self._write(0, band, numbers, is_last=is_last, has_means=has_means)

    def _write(self, number: int, band: int, numbers: NumberArray, *, is_last: bool, has_means: bool) -> None:
        level = self._levels[number]
        strips = level.cut(numbers, is_last=is_last)
        for strip in strips:
            level.write(band, strip)
            if number + 1 < len(self._levels):
                half = average_cells(strip, self.profile.nodata) if has_means else pick_cells(strip)
                self._write(number + 1, band, half, is_last=is_last and strip is strips[-1], has_means=has_means)

    def finish(self) -> ConcatenatedFiles:
        """Return the file: directories, then the levels, coarsest first."""
        start, starts = len(self._directories([0] * len(self._levels))), list[int]()
        for level in reversed(self._levels):
            starts.append(start)
            start += level.file.size
        directories = self._directories(starts[::-1])
        header = self._opened.enter_context(self._scratch.file(len(directories)))
        header.write(directories)
        self._opened.pop_all()
        return ConcatenatedFiles([header, *(level.file for level in reversed(self._levels))])

    def close(self) -> None:
        """Delete the file, unless it was finished."""
        self._opened.close()

    def _directories(self, starts: Sequence[int]) -> bytes:
        """Return all directories, for the offsets of the tiles of each level."""
        form = _BIG if self.profile.is_big else _CLASSIC
        written = bytearray(form.head(len(form.head(0)) + len(GHOST) + len(GHOST) % 2) + GHOST)
        written += bytes(len(GHOST) % 2)
        for number, (level, start) in enumerate(zip(self._levels, starts, strict=True)):
            tags = level.tags(start, form.offset_type)
            tags += self.profile.tags if number == 0 else [Tag(254, LONG, _pack(LONG, REDUCED))]
            written += form.directory(tags, len(written), is_last=number == len(self._levels) - 1)
        return bytes(written)


class _CogLevel:
    """The tiles of one resolution."""

    def __init__(self, profile: CogProfile, rows: int, columns: int, file: ScratchFile) -> None:
        self.file = file
        self._profile, self._rows, self._columns = profile, rows, columns
        tile_rows, tile_columns = profile.tile
        self._across = -(-columns // tile_columns)
        tiles = -(-rows // tile_rows) * self._across
        self._offsets = np.zeros((profile.bands, tiles), dtype=np.uint64)
        self._counts = np.zeros((profile.bands, tiles), dtype=np.uint32)
        self._remainder: NumberArray | None = None
        self._next_tile = 0

    def cut(self, numbers: NumberArray, *, is_last: bool) -> list[NumberArray]:
        """Return strips as high as tiles; the remaining rows are stored for the next call."""
        if self._remainder is not None and len(self._remainder):
            numbers = np.concatenate([self._remainder, numbers])
        rows, _ = self._profile.tile
        whole = len(numbers) if is_last else len(numbers) // rows * rows
        self._remainder = None if is_last else numbers[whole:].copy()  # a view would keep all rows in memory
        return [numbers[start : min(start + rows, whole)] for start in range(0, whole, rows)]

    def write(self, band: int, strip: NumberArray) -> None:
        """Write a row of tiles."""
        rows, columns = self._profile.tile
        for start in range(0, self._columns, columns):
            part = strip[:, start : start + columns]
            if part.shape != (rows, columns):
                lacking = ((0, rows - part.shape[0]), (0, columns - part.shape[1]))
                part = np.pad(part, lacking, constant_values=self._profile.nodata or 0)
            body = deflate.compress(_predict(part, self._profile.predictor), 1)
            self._offsets[band, self._next_tile] = self.file.size + _LEADER.size
            self._counts[band, self._next_tile] = len(body)
            self.file.write(b"".join([_LEADER.pack(len(body)), body, body[-_LEADER.size :]]))
            self._next_tile = (self._next_tile + 1) % self._offsets.shape[1]

    def tags(self, start: int, offset_type: int) -> list[Tag]:
        """Return the tags of the level, whose tiles start at an offset."""
        profile, bands = self._profile, self._profile.bands
        rows, columns = profile.tile
        tags = [
            Tag(256, LONG, _pack(LONG, self._columns)),
            Tag(257, LONG, _pack(LONG, self._rows)),
            Tag(258, SHORT, _pack(SHORT, [profile.dtype.itemsize * 8] * bands)),
            Tag(259, SHORT, _pack(SHORT, ADOBE_DEFLATE)),
            Tag(262, SHORT, _pack(SHORT, MIN_IS_BLACK)),
            Tag(277, SHORT, _pack(SHORT, bands)),
            Tag(284, SHORT, _pack(SHORT, SEPARATE if bands > 1 else CONTIGUOUS)),
            Tag(317, SHORT, _pack(SHORT, profile.predictor)),
            Tag(322, SHORT, _pack(SHORT, columns)),
            Tag(323, SHORT, _pack(SHORT, rows)),
            Tag(324, offset_type, _pack(offset_type, (self._offsets + start).ravel())),
            Tag(325, LONG, _pack(LONG, self._counts.ravel())),
            Tag(339, SHORT, _pack(SHORT, [SAMPLE_FORMATS[profile.dtype.kind]] * bands)),
        ]
        if bands > 1:
            tags.append(Tag(338, SHORT, _pack(SHORT, [0] * (bands - 1))))
        if profile.nodata is not None:
            nodata = int(profile.nodata) if profile.dtype.kind in "iu" else float(profile.nodata)
            tags.append(Tag(NODATA_TAG, ASCII, text_of(repr(nodata))))
        return tags


_LEADER = struct.Struct("<I")


class _DirectoryLayout(NamedTuple):
    """Layout of directories: that of TIFF 6.0, or with counts and offsets of 64 bits."""

    offset_type: int
    number: str
    entry: str
    offset: str
    inline: int
    """Maximum size of values inside an entry, in bytes."""

    def head(self, directory: int) -> bytes:
        """Return the header of a file."""
        if self.offset_type == LONG8:
            return struct.pack("<2sHHHQ", b"II", 43, 8, 0, directory)
        return struct.pack("<2sHI", b"II", 42, directory)

    def directory(self, tags: Sequence[Tag], start: int, *, is_last: bool) -> bytes:
        """Return a directory at an offset, followed by the values that do not fit into its entries."""
        size = struct.calcsize(self.number) + len(tags) * struct.calcsize(self.entry) + struct.calcsize(self.offset)
        entries, values = [struct.pack(self.number, len(tags))], bytearray()
        for tag in sorted(tags):
            inline = tag.values
            if len(inline) > self.inline:
                inline = struct.pack(self.offset, start + size + len(values))
                values += tag.values + bytes(-len(tag.values) % 8)
            entries.append(struct.pack(self.entry, tag.number, tag.type, tag.length, inline))
        following = 0 if is_last else start + size + len(values)
        return b"".join([*entries, struct.pack(self.offset, following), values])


_CLASSIC = _DirectoryLayout(LONG, "<H", "<HHI4s", "<I", 4)
_BIG = _DirectoryLayout(LONG8, "<Q", "<HHQ8s", "<Q", 8)


def text_of(text: str) -> bytes:
    """Return the value of a text tag."""
    return text.encode() + b"\0"


def _pack(kind: int, values: Any) -> bytes:  # noqa: ANN401 -- a number or many
    return np.asarray(values).astype(NUMPY_TYPES[kind]).tobytes()


def _predict(tile: NumberArray, predictor: int) -> bytes:
    """Return a tile as differences between neighbours in a row (TIFF 6.0 §14; Technical Note 3)."""
    if predictor == HORIZONTAL:
        whole = tile.astype(f"<u{tile.itemsize}") if tile.dtype.kind == "u" else tile.view(f"<u{tile.itemsize}")
        differences = np.array(whole)
        differences[:, 1:] -= whole[:, :-1]
        return differences.tobytes()
    if predictor == FLOATING_POINT:
        rows, columns = tile.shape
        planes = np.ascontiguousarray(tile.astype(tile.dtype.newbyteorder(">"))).view(np.uint8)
        apart = np.ascontiguousarray(planes.reshape(rows, columns, tile.itemsize).transpose(0, 2, 1))
        flat = apart.reshape(rows, columns * tile.itemsize)
        differences = flat.copy()
        differences[:, 1:] -= flat[:, :-1]
        return differences.tobytes()
    return tile.astype(tile.dtype.newbyteorder("<")).tobytes()


MODEL_PIXEL_SCALE, MODEL_TIEPOINT = 33550, 33922
KEY_TAGS = frozenset({34735, 34736, 34737})
"""GeoKeyDirectory, GeoDoubleParams and GeoAsciiParams."""
DOUBLE_TYPE = 12
SOMEWHERE = Affine(1, 0, 1, 0, -1, 1)
"""Any position except cells of size 1 from (0, 0), which rasterio takes for a missing position."""
_SIZES = {2: 1, 3: 2, 12: 8}
"""Bytes per value, by field type (TIFF 6.0: ASCII, SHORT, DOUBLE); other types have 4."""


def geo_tags(grid: Grid) -> list[Tag]:
    """Return the tags with the position of a grid.

    Raises:
        UnsupportedFormat: GeoTIFF cannot express the CRS.
    """
    x_size, y_size = grid.resolution
    scale = struct.pack("<3d", x_size, y_size, 0)
    corner = struct.pack("<6d", 0, 0, 0, grid.bbox.xmin, grid.bbox.ymax, 0)
    keys = [tag for tag in _tags_of(_file_in(grid.crs)) if tag.number in KEY_TAGS]
    return [Tag(MODEL_PIXEL_SCALE, DOUBLE_TYPE, scale), Tag(MODEL_TIEPOINT, DOUBLE_TYPE, corner), *keys]


@lru_cache(maxsize=64)
def has_geo_tags(crs: Crs) -> bool:
    """Return whether GeoTIFF can express a CRS."""
    try:
        _file_in(crs)
    except UnsupportedFormat:
        return False
    return True


@lru_cache(maxsize=64)
def _file_in(crs: Crs) -> bytes:
    """Return a file with one pixel whose keys state a CRS: only GDAL can make them."""
    with MemoryFile() as memory:
        definition = CRS.from_wkt(definition_of(crs).to_wkt())
        with memory.open(
            driver="GTiff", count=1, width=1, height=1, dtype="uint8", crs=definition, transform=SOMEWHERE
        ):
            pass
        body = bytes(memory.read())
    with MemoryFile(body) as alone, alone.open() as read:  # without the side file that GDAL writes for other CRSs
        if not read.crs:
            raise UnsupportedFormat(f"GeoTIFF cannot store {crs.name[:40]}; NetCDF and zarr can", locator="f")
    return body


def _tags_of(body: bytes) -> Iterator[Tag]:
    """Yield the tags of a small classic TIFF whose values are text, 16-bit numbers or doubles."""
    (start,) = struct.unpack_from("<I", body, 4)
    (count,) = struct.unpack_from("<H", body, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        number, kind, values, offset = struct.unpack_from("<HHII", body, entry)
        size = _SIZES.get(kind, 4) * values
        begin = entry + 8 if size <= 4 else offset
        yield Tag(number, kind, body[begin : begin + size])


def pick_cells(numbers: NumberArray) -> NumberArray:
    """Return the north-western of each four cells (y, x), for numbers that have no mean."""
    return numbers[::2, ::2]


def average_cells(numbers: NumberArray, nodata: float | None) -> NumberArray:
    """Return the mean of the valid cells among each four cells (y, x); `nodata` if none is valid.

    Integers are rounded half up; a mean that is equal to `nodata` is moved by 1. At an odd edge, one or two cells
    replace four.
    """
    rows, columns = numbers.shape
    if rows % 2 or columns % 2:
        numbers = np.pad(numbers, ((0, rows % 2), (0, columns % 2)), mode="edge")
    dtype = numbers.dtype
    is_exact = dtype.kind != "f" and dtype.itemsize < 8
    half = (numbers.shape[0] // 2, numbers.shape[1] // 2)
    total = np.zeros(half, dtype=f"{dtype.kind}{2 * dtype.itemsize}" if is_exact else np.float64)
    count = np.zeros(half, dtype=np.uint8)
    for row in (0, 1):
        for column in (0, 1):
            part = np.ascontiguousarray(numbers[row::2, column::2])
            valid = _valid(part, nodata)
            total += part * valid if is_exact else np.where(valid, part, 0)
            count += valid
    mean = _quotient(total, count, dtype)
    if nodata is not None:
        if dtype.kind != "f":
            mean[mean == int(nodata)] = int(nodata) + (1 if nodata <= 0 else -1)
        mean[count == 0] = nodata
    return mean


def _valid(part: NumberArray, nodata: float | None) -> BoolArray:
    valid = np.isfinite(part) if part.dtype.kind == "f" else np.ones(part.shape, dtype=np.bool_)
    if nodata is not None and not np.isnan(nodata):
        valid &= part != (nodata if part.dtype.kind == "f" else int(nodata))
    return valid


def _quotient(total: NumberArray, count: UInt8Array, dtype: np.dtype[Any]) -> NumberArray:
    """Return means; NaN, or 0 for integers, if nothing is counted. `float32` is exact enough for 16 bits."""
    if dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            mean: NumberArray = (total / count).astype(dtype)
        return mean
    real = np.float32 if dtype.itemsize <= 2 else np.float64
    rounded = np.floor(total.astype(real) / np.maximum(count, 1).astype(real) + real(0.5))
    whole: NumberArray = rounded.astype(dtype)
    return whole
