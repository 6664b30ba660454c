"""A cloud-optimised GeoTIFF of one time as a source, whose blocks are fetched and decoded without GDAL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from itertools import zip_longest
from struct import Struct
from time import time_ns

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, reinterpret_numbers
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import NO_TIME
from chronotile.readers.caches.block_cache import KEY_BYTES
from chronotile.readers.cog.block_decoding import is_decoded
from chronotile.readers.cog.blocks import Blocks
from chronotile.readers.cog.file_tags import tag_of_path
from chronotile.readers.cog.files import CogFile
from chronotile.readers.cog.parts import fetch_ahead, finish, start
from chronotile.readers.cog.planes import Caching, CogPlane, PlanePlan, uncached_parts
from chronotile.readers.deflate import DamagedBlock
from chronotile.readers.file_states import SETTLED_NS
from chronotile.readers.hrefs import is_any_there, local_path
from chronotile.readers.library_errors import reading_dates
from chronotile.readers.pixel_arrays import concatenate_pixels
from chronotile.readers.reader import Along, BlockShape, Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.files import FilePart, Found
from chronotile.readers.remote.requests import Refused, Replaced, one_read
from chronotile.readers.tiff import UnsupportedCog

STRIP_BYTES = 64 << 20
"""Maximum of decoded blocks of a window in memory."""

_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""Answers that mean that the file is missing."""
_BLOCK = Struct("<Bi?")
"""Level, number of the block, and whether it is of the mask."""
_ROWS = Struct("<ii")
"""Plane and first row, for rows that are cached separately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogVariable:
    """A band of a file as a variable."""

    band: int = 1
    """Counted from 1."""
    encoding: Encoding | None = None
    """Configured encoding, with a dtype of the same size; `None` for the encoding of the file."""
    title: str | None = None
    is_categorical: bool = False


class CogReader(Reader):
    """Reader of a file with one time.

    Args:
        collection: Its id, for messages.
        file: With its header, from `open_cog` or the index of items.
        variables: By their names.
        caches: Of the archive; `None` for new ones.

    Raises:
        UnsupportedSource: The band is missing, or the file cannot be decoded without GDAL.
    """

    def __init__(
        self, collection: str, file: CogFile, variables: Mapping[str, CogVariable], caches: ReaderCaches | None = None
    ) -> None:
        header = file.header
        if not all(is_decoded(blocks.compression) for blocks in (*header.images, *header.masks)):
            raise UnsupportedCog("its compression is not decoded on this machine")
        self.file = file
        self._path = local_path(file.href)
        self._collection = collection
        self._variables = dict(variables)
        self._caches = caches or ReaderCaches()
        self._info = SourceInfo(
            variables={name: _info(name, v, file) for name, v in variables.items()}, findings=(), is_of_files=True
        )
        self._fill = 0 if header.nodata is None else header.nodata
        self._digest = blake2b(repr((file.href, file.tag, file.size)).encode(), digest_size=KEY_BYTES)

    def revision(self, variable: str, index: int) -> str:  # noqa: ARG002 -- there is one time
        """Return the current fingerprint of a local file, or that of a remote one when it was opened."""
        path = self._path
        if path is None:
            return blake2b(f"{self.file.tag} {self.file.size}".encode(), digest_size=12).hexdigest()
        with self._reading(variable):
            return tag_of_path(path)

    def block_shape(self, variable: str, along: Along) -> BlockShape:  # noqa: ARG002 -- there is one layout
        """Return the shape of the native blocks."""
        native = self.file.header.images[0]
        return BlockShape(1, native.block_height, native.block_width)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        strips = list(_strips(self.file.header.images[level], window, step))
        parts = []
        for strip, following in zip_longest(strips, strips[1:]):
            plans = self.plan_window(variable, level=level, window=strip, step=step)
            started = start([part for plan in plans for part in plan.needed], self._caches.byte_blocks)
            if following is not None:  # fetched while this strip is decoded
                self.fetch_ahead(variable, index=index, level=level, window=following, step=step)
            parts.append(self.pixels(variable, plans, finish(started)))
        return concatenate_pixels(parts)

    def plan_window(self, variable: str, *, level: int, window: Window, step: int = 1) -> list[PlanePlan]:
        """Return plans for a window of a level; cached cells are copied immediately, the others must be fetched."""
        planes = (self.plane(variable, level=level, window=window, is_mask=is_mask) for is_mask in self.masks)
        return [PlanePlan(plane, window, step) for plane in planes]

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:  # noqa: ARG002 -- there is one time
        """Send the requests for a window of a remote file that will be read soon."""
        if self._path is not None:
            return
        planes = [self.plane(variable, level=level, window=window, is_mask=is_mask) for is_mask in self.masks]
        fetch_ahead(
            [part for plane in planes for part in uncached_parts(plane, window, step)], self._caches.byte_blocks
        )

    @property
    def masks(self) -> tuple[bool, ...]:
        """False for the band; in addition True for the mask, if the file has one."""
        return (False, True) if self.file.header.has_mask else (False,)

    def plane(self, variable: str, *, level: int, window: Window, is_mask: bool) -> CogPlane:
        """Return a variable's band at a level, or its mask, for reading a window."""
        header = self.file.header
        blocks = (header.masks if is_mask else header.images)[level]
        return CogPlane(
            blocks=blocks,
            band=1 if is_mask else self._variables[variable].band,
            fill=0 if is_mask else self._fill,
            part_of=partial(FilePart, self.file.href, self.file.tag, self.file.size),
            caching=self._caching(blocks, level, window, is_mask=is_mask),
        )

    def pixels(self, variable: str, plans: Sequence[PlanePlan], results: Mapping[FilePart, Found]) -> Pixels:
        """Return (y, x) pixels of planned windows, from the fetched parts.

        Raises:
            SourceUnavailable: It cannot be read.
        """
        with self._reading(variable):
            self._require_unchanged()
            numbers, *masks = (plan.numbers(results) for plan in plans)
            valid = masks[0] > 0 if masks else None
            return Pixels(reinterpret_numbers(numbers, self._info.variables[variable].encoding.dtype), valid)

    def _require_unchanged(self) -> None:
        """Check that a local file was not replaced; parts of remote files are checked when they are fetched.

        Raises:
            Replaced: It is another.
        """
        path = self._path
        if path is not None and self.file.tag and tag_of_path(path) != self.file.tag:
            raise Replaced("it was replaced")

    def _caching(self, blocks: Blocks, level: int, window: Window, *, is_mask: bool) -> Caching | None:
        """Return the cache for blocks; `None` if they would evict too much, or the file may still change."""
        cache = self._caches.blocks
        down = -(-window.row_stop // blocks.block_height) - window.row_start // blocks.block_height
        across = -(-window.column_stop // blocks.block_width) - window.column_start // blocks.block_width
        if down * across * blocks.decoded_bytes > cache.largest_window_bytes or not self._is_settled():
            return None

        def key_of(number: int, rows: tuple[int, int] | None) -> bytes:
            key = self._digest.copy()
            key.update(_BLOCK.pack(level, number, is_mask))
            if rows is not None:
                key.update(_ROWS.pack(*rows))
            return key.digest()

        return Caching(cache, key_of)

    def _is_settled(self) -> bool:
        """Return whether the tag identifies the content of the file."""
        if self._path is None or not self.file.tag:
            return bool(self.file.tag)
        modified_ns = int(self.file.tag.partition(":")[2].partition("-")[0], 16)
        return abs(time_ns() - modified_ns) > SETTLED_NS

    @contextmanager
    def _reading(self, variable: str) -> Iterator[None]:
        """Add the variable to errors about a damaged or missing file, or its server."""
        is_of_file = False

        def is_there() -> bool:
            return is_of_file or is_any_there([self.file.href])

        with reading_dates(self._collection, variable, is_source_reachable=is_there), one_read():
            try:
                yield
            except DamagedBlock:
                is_of_file = True
                raise
            except Refused as error:
                is_of_file = error.status in _GONE
                raise


def _info(name: str, variable: CogVariable, file: CogFile) -> VariableInfo:
    header = file.header
    file_encoding = header.encoding(variable.band)
    encoding = variable.encoding or file_encoding
    if np.dtype(encoding.dtype).itemsize != np.dtype(file_encoding.dtype).itemsize:
        raise UnsupportedSource(
            f"numbers of type {file_encoding.dtype} cannot be meant as {encoding.dtype}: the sizes differ"
        )
    return VariableInfo(
        name=name,
        encoding=encoding,
        levels=header.levels(),
        times=NO_TIME,
        title=variable.title or header.bands[variable.band - 1].title,
        is_categorical=variable.is_categorical,
    )


def _strips(image: Blocks, window: Window, step: int) -> Iterator[Window]:
    """Yield strips between edges of blocks whose decoded blocks fit into memory; each starts at a `step`-th row."""
    across = -(-window.column_stop // image.block_width) - window.column_start // image.block_width
    height = max(1, STRIP_BYTES // (across * image.decoded_bytes)) * image.block_height
    start = window.row_start
    while start < window.row_stop:
        stop = min((start // height + 1) * height, window.row_stop)
        yield window._replace(row_start=start, row_stop=stop)
        start = stop + (window.row_start - stop) % step
