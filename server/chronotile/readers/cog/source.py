"""A cloud-optimised GeoTIFF of one time as a source: its blocks are fetched and decoded here, without GDAL."""

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
from chronotile.core.model.collection import SourceInfo, SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.grid import Window
from chronotile.core.model.items import Asset
from chronotile.core.model.raster import Encoding, Pixels, as_meant
from chronotile.core.model.time.instants import NO_TIME
from chronotile.readers.caches.block_cache import KEY_BYTES
from chronotile.readers.cog.blocks import Blocks, is_decoded
from chronotile.readers.cog.files import CogFile, fetch_ahead, finish, open_cog, start, tag_of_path
from chronotile.readers.cog.header import CogHeader
from chronotile.readers.cog.planes import Caching, Plane, PlanePlan, lacking_parts
from chronotile.readers.deflate import DamagedBlock
from chronotile.readers.encoding import apply_configuration
from chronotile.readers.hrefs import SETTLED_NS, base_name, is_any_there, local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.overviews import means_fault
from chronotile.readers.reader import Along, BlockShape, Reader, concatenate_pixels, reading_dates
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.files import FilePart, Found
from chronotile.readers.remote.requests import Refused, Replaced, one_read
from chronotile.readers.tiff import UnsupportedCog

STRIP_BYTES = 64 << 20
"""Decoded blocks of a window that are in memory at once."""

_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
"""Answers of a server that is there, and has no such file."""
_BLOCK = Struct("<Bi?")
"""Level, number of the block, whether it is of the mask."""
_ROWS = Struct("<ii")
"""Of rows of a block that are cached by themselves: the plane, and the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogVariable:
    """A band of a file as a variable."""

    band: int = 1
    """Counted from 1."""
    encoding: Encoding | None = None
    """What its numbers mean in place of what the file says; a type of the same size."""
    title: str | None = None
    is_categorical: bool = False


class CogReader(Reader):
    """Reads a file, which has one time.

    Args:
        collection: Its id, for messages.
        file: With its header, from `open_cog` or the index of items.
        variables: By their names.
        caches: Of the archive; by default some of its own.

    Raises:
        UnsupportedSource: The file has no such band, or is not decoded here.
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
        """Return the state of the file: of one of this machine as it is now, of one elsewhere when it was opened."""
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
            if following is not None:  # it is fetched while this one is decoded
                self.fetch_ahead(variable, index=index, level=level, window=following, step=step)
            parts.append(self.pixels(variable, plans, finish(started)))
        return concatenate_pixels(parts)

    def plan_window(self, variable: str, *, level: int, window: Window, step: int = 1) -> list[PlanePlan]:
        """Return what a window of a level needs: what is cached was copied at once, the rest has to be fetched."""
        planes = (self.plane(variable, level=level, window=window, is_mask=is_mask) for is_mask in self.masks)
        return [PlanePlan(plane, window, step) for plane in planes]

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:  # noqa: ARG002 -- there is one time
        """Send the requests of a window of a file elsewhere that is read soon."""
        if self._path is not None:
            return
        planes = [self.plane(variable, level=level, window=window, is_mask=is_mask) for is_mask in self.masks]
        fetch_ahead([part for plane in planes for part in lacking_parts(plane, window, step)], self._caches.byte_blocks)

    @property
    def masks(self) -> tuple[bool, ...]:
        """What a window is read from: the band, and the mask if there is one."""
        return (False, True) if self.file.header.has_mask else (False,)

    def plane(self, variable: str, *, level: int, window: Window, is_mask: bool) -> Plane:
        """Return a variable's band at a level, or its mask, for reading a window."""
        header = self.file.header
        blocks = (header.masks if is_mask else header.images)[level]
        return Plane(
            blocks=blocks,
            band=1 if is_mask else self._variables[variable].band,
            fill=0 if is_mask else self._fill,
            part_of=partial(FilePart, self.file.href, self.file.tag, self.file.size),
            caching=self._caching(blocks, level, window, is_mask=is_mask),
        )

    def pixels(self, variable: str, plans: Sequence[PlanePlan], found: Mapping[FilePart, Found]) -> Pixels:
        """Return (y, x) pixels of what was planned, given what it needs.

        Raises:
            SourceUnavailable: It cannot be read.
        """
        with self._reading(variable):
            self._require_unchanged()
            numbers, *masks = (plan.numbers(found) for plan in plans)
            valid = masks[0] > 0 if masks else None
            return Pixels(as_meant(numbers, self._info.variables[variable].encoding.dtype), valid)

    def _require_unchanged(self) -> None:
        """Check that a file of this machine is the one that was opened; one elsewhere is checked as it is fetched.

        Raises:
            Replaced: It is another.
        """
        path = self._path
        if path is not None and self.file.tag and tag_of_path(path) != self.file.tag:
            raise Replaced("it was replaced")

    def _caching(self, blocks: Blocks, level: int, window: Window, *, is_mask: bool) -> Caching | None:
        """Where blocks are cached: not if they would push too much else out, or if the file may still change."""
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
        """Whether the tag tells the state of the file."""
        if self._path is None or not self.file.tag:
            return bool(self.file.tag)
        modified_ns = int(self.file.tag.partition(":")[2].partition("-")[0], 16)
        return abs(time_ns() - modified_ns) > SETTLED_NS

    @contextmanager
    def _reading(self, variable: str) -> Iterator[None]:
        """Name the variable in what goes wrong: of a file that is damaged or gone, or of its server."""
        is_of_file = False

        def is_there() -> bool:
            return is_of_file or is_any_there([self.file.href])

        with reading_dates(self._collection, variable, is_source_there=is_there), one_read():
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
    own = header.encoding(variable.band)
    encoding = variable.encoding or own
    if np.dtype(encoding.dtype).itemsize != np.dtype(own.dtype).itemsize:
        raise UnsupportedSource(f"numbers of type {own.dtype} cannot be meant as {encoding.dtype}: the sizes differ")
    return VariableInfo(
        name=name,
        encoding=encoding,
        levels=header.levels(),
        times=NO_TIME,
        title=variable.title or header.bands[variable.band - 1].title,
        is_categorical=variable.is_categorical,
    )


def _strips(image: Blocks, window: Window, step: int) -> Iterator[Window]:
    """Cut a window at edges of blocks into parts whose decoded blocks fit into memory, each from a `step`-th row on."""
    across = -(-window.column_stop // image.block_width) - window.column_start // image.block_width
    height = max(1, STRIP_BYTES // (across * image.decoded_bytes)) * image.block_height
    start = window.row_start
    while start < window.row_stop:
        stop = min((start // height + 1) * height, window.row_stop)
        yield window._replace(row_start=start, row_stop=stop)
        start = stop + (window.row_start - stop) % step


BESIDE = (".ovr", ".msk", ".aux.xml")
"""Ends of the names of files beside a file of this machine that only GDAL reads."""
MOST_COARSE_PX = 2048
"""Longest side of the coarsest level; of files that lack overviews, GDAL's way makes levels and previews."""


def open_cog_asset(spec: SourceSpec, asset: Asset, variable: VariableSpec, caches: ReaderCaches) -> CogReader:
    """Return a reader of one variable of an asset; one whose header is in the index is not opened.

    Args:
        spec: Of the collection.
        asset: The file.
        variable: With the number of its band, and what replaces what the file says.
        caches: Of the archive.

    Raises:
        UnsupportedCog: GDAL has to read this file.
        UnsupportedSource: The file cannot be opened, or does not have the band.
    """
    if spec.crs is not None:
        raise UnsupportedCog("its CRS is configured")
    path = local_path(asset.href)
    if path is not None and any(path.with_name(path.name + end).exists() for end in BESIDE):
        raise UnsupportedCog("a file beside it has overviews, a mask or metadata")
    file = _known(asset)
    if file is None:
        with opening(base_name(asset.href)):
            file = open_cog(asset.href)
    coarsest = file.header.images[-1]
    if max(coarsest.width, coarsest.height) > MOST_COARSE_PX:
        raise UnsupportedCog("it lacks overviews")
    band = variable.band or 1
    encoding = apply_configuration(file.header.encoding(band), variable)
    if encoding.circle is not None:
        raise UnsupportedCog("its overviews may be plain means of directions")
    fault = means_fault(file.header.resampling, file.header.nodata, encoding, is_categorical=bool(variable.has_classes))
    if fault is not None:
        raise UnsupportedCog(f"its overviews are not used: {fault}")
    return CogReader(
        spec.collection,
        file,
        {
            variable.id: CogVariable(
                band=band, encoding=encoding, title=variable.title, is_categorical=bool(variable.has_classes)
            )
        },
        caches,
    )


def _known(asset: Asset) -> CogFile | None:
    """The file by the index; `None` where it knows too little."""
    if asset.header is None or asset.size is None:
        return None
    try:
        header = CogHeader.from_bytes(asset.header)
    except ValueError:  # of another version
        return None
    return CogFile(href=asset.href, header=header, tag=asset.etag, size=asset.size)
