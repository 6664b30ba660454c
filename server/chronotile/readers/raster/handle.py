"""Open raster files: how GDAL opens a file, which checks it passes first, and the object that reads it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Interleaving
from rasterio.errors import RasterioIOError

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import NumberArray
from chronotile.readers.block_limit import require_small_block
from chronotile.readers.caches.block_cache import BlockCache
from chronotile.readers.file_states import FileState
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.raster.band_plane import BandPlane
from chronotile.readers.raster.bands import FileBands, file_bands
from chronotile.readers.raster.blocks import FileBlocks
from chronotile.readers.raster.formats import (
    HEAD_BYTES,
    JPEG2000,
    format_of,
    require_self_contained,
    require_tiff_side_files,
)
from chronotile.readers.raster.georeference import native_grid
from chronotile.readers.raster.grib_fields import (
    GRIB,
    FileMessages,
    bands_on_other_grids,
    read_messages,
    require_placed,
)
from chronotile.readers.raster.overview_facts import OverviewFacts, overview_facts
from chronotile.readers.raster.png import require_whole_png
from chronotile.readers.raster.tiff_tags import require_whole_tags
from chronotile.readers.remote.buckets import CONNECT_S, REQUEST_S
from chronotile.readers.remote.files import RemoteFile
from chronotile.readers.remote.gdal_plugin import FileParts, GdalFile, gdal_files
from chronotile.readers.remote.requests import ObjectState
from chronotile.readers.safe_zips import MemberFile, open_member
from chronotile.readers.tiff import ReadBytes

NATIVE_LEVEL = -1
"""Number of the native level if overviews are counted from 0, as GDAL does."""
_LOCAL_OPTIONS = {
    # Side files (.ovr, .msk, .tfw) are opened by name: listing a folder of thousands at each opening is slow.
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
}
_REMOTE_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": False,
    # For files that a VRT names by URLs; all other remote files are read by `RemoteFile`.
    "GDAL_HTTP_CONNECTTIMEOUT": CONNECT_S,
    "GDAL_HTTP_TIMEOUT": REQUEST_S,
    "GDAL_HTTP_MAX_RETRY": 0,
}


_MISSING_CODEC = re.compile(r"missing codec (?:of code )?(?P<name>\w+)")
"""Part of GDAL's message about a GeoTIFF that it cannot decode."""


class FileLayout(NamedTuple):
    """Grid and overviews of a file at one level, which the files of one variable have in common."""

    width: int
    height: int
    transform: Affine
    crs: Any
    """In the form of rasterio, which compares faster than a text."""
    overviews: tuple[int, ...]
    """How many times coarser each overview is; empty for an overview."""

    def matches(self, other: "FileLayout") -> bool:
        """Return whether two files have the same cells; their overviews and encodings may differ."""
        return (
            (self.width, self.height) == (other.width, other.height)
            and (self.crs == other.crs)
            and all(abs(a - b) <= self._tolerance for a, b in zip(self.transform, other.transform, strict=True))
        )

    @property
    def _tolerance(self) -> float:
        # A ten-thousandth of a pixel: the precision that writers lose at the corner.
        return max(abs(self.transform.a), abs(self.transform.b)) * 1e-4


NO_MESSAGES = FileMessages()


class _FileAccess(NamedTuple):
    """Functions that return bytes of a file."""

    read: ReadBytes
    """For use while the file is opened."""
    read_later: ReadBytes
    """For use until the dataset is closed."""


@dataclass(eq=False, slots=True)
class RasterHandle:
    """An open file; only one thread may use it at a time."""

    dataset: Any
    state: FileState
    layout: FileLayout
    blocks: FileBlocks | None
    """`None` if GDAL caches the blocks."""
    bands: FileBands | None
    """Bands of the native level. `None` for a file opened at an overview, until they are read from the native level."""
    overview: OverviewFacts | None = None
    """Metadata of the overview; `None` at the native level."""
    remote: RemoteFile | None = None
    """Reads a remote file for GDAL; `None` for a local one."""
    messages: FileMessages = NO_MESSAGES
    """The readable messages of a GRIB file, one per band."""

    def close(self) -> None:
        """Close the dataset, and end GDAL's access to the file through the server."""
        path = self.dataset.name
        self.dataset.close()
        gdal_files().remove(path)

    def native_grid(self, crs: str | None) -> NativeGrid:
        """Return the grid; the configured `crs` replaces the file's.

        Raises:
            UnsupportedSource: The file has no georeference, or an unsupported one.
        """
        return native_grid(self.dataset, self.layout.transform, crs)

    def read(self, band: int, window: Window, *, is_mask: bool = False) -> NumberArray:
        """Return (y, x) numbers of a window of a band, or of its mask, which is 0 for missing values."""
        plane = BandPlane(self.dataset, band, is_mask)
        return plane.read(window) if self.blocks is None else self.blocks.read(plane, window)

    def read_bands(self, bands: Sequence[int], window: Window, *, is_mask: bool = False) -> NumberArray:
        """Return (band, y, x) numbers of a window of several bands, or of their masks."""
        planes = [BandPlane(self.dataset, band, is_mask) for band in bands]
        return planes[0].read_bands(bands, window) if self.blocks is None else self.blocks.read_bands(planes, window)


def gdal_options(path: str) -> Any:  # noqa: ANN401 -- rasterio has no types
    """Return the context with GDAL's options for opening and reading a file."""
    extra = _REMOTE_OPTIONS if local_path(path) is None else _LOCAL_OPTIONS
    return rasterio.Env(GDAL_NUM_THREADS=1, **extra)


def open_handle(path: str, level: int, state: FileState, *, cache: BlockCache | None) -> RasterHandle:
    """Open a file at its native level or an overview, after checking that it is whole and self-contained.

    Args:
        path: Path or URL.
        level: Number of the overview, or `NATIVE_LEVEL`.
        state: Fingerprint of the file.
        cache: Cache of decoded blocks; `None` for a file that is read once.

    Raises:
        OSError: The file is missing, damaged, or leads to other files.
        UnsupportedSource: GDAL cannot decode the file or places its cells wrongly.
    """
    local = local_path(path)
    if local is None:
        return _open_remote(path, level, state)
    member = open_member(str(local))
    if member is not None:
        return _open_member(member, path, level, state, cache=cache)
    require_whole_tags(path)
    require_tiff_side_files(str(local))
    with gdal_options(path), local.open("rb") as file:
        read = partial(_read_at, file)
        require_whole_png(read)
        access = _FileAccess(read, partial(_read_file, str(local)))
        return _open_local(str(local), path, level, state, access=access, cache=cache)


def _open_local(
    name: str, path: str, level: int, state: FileState, *, access: _FileAccess, cache: BlockCache | None
) -> RasterHandle:
    """Open a file that GDAL opens by `name`."""
    dataset, messages = _open_dataset(name, level, access)
    blocks = None
    if FileBlocks.can_cache(dataset):
        blocks = FileBlocks(dataset, path, level=level, state=state, cache=cache)
    bands, facts = _metadata(dataset, name, level, messages)
    return RasterHandle(dataset, state, layout_of(dataset, messages), blocks, bands, facts, messages=messages)


def _open_member(
    member: MemberFile, path: str, level: int, state: FileState, *, cache: BlockCache | None
) -> RasterHandle:
    """Open a JPEG 2000 image in a ZIP file; files next to it and next to the ZIP file are ignored."""
    if not member.read(0, HEAD_BYTES).startswith(JPEG2000):
        raise OSError("it is not JPEG 2000, or damaged; copy the ZIP file again")
    with _adding(FileParts(member.read, [range(member.size)]), path) as name, gdal_options(path):
        return _open_local(name, path, level, state, access=_FileAccess(member.read, member.read), cache=cache)


@contextmanager
def _adding(file: GdalFile, name: str) -> Iterator[str]:
    """Yield the path of a file for GDAL; if opening it fails, the path is removed."""
    path = gdal_files().add(file, name)
    try:
        yield path
    except BaseException:  # GDAL would keep the registered file
        gdal_files().remove(path)
        raise


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _open_remote(path: str, level: int, state: FileState) -> RasterHandle:
    """Open a remote file. GDAL caches its blocks, because the handle is closed when the file is replaced."""
    remote = RemoteFile(path, ObjectState(state.mtime_ns, state.size, state.tag))
    with _adding(remote, base_name(path)) as name, read_remote(remote, path):
        dataset, messages = _open_dataset(name, level, _FileAccess(remote.read, remote.read))
        layout = layout_of(dataset, messages)
        bands, facts = _metadata(dataset, name, level, messages)
    return RasterHandle(dataset, state, layout, None, bands, facts, remote, messages)


def _read_file(path: str, offset: int, size: int) -> bytes:
    with Path(path).open("rb") as file:
        return _read_at(file, offset, size)


def _metadata(
    dataset: Any,  # noqa: ANN401 -- rasterio has no types
    name: str,
    level: int,
    messages: FileMessages,
) -> tuple[FileBands | None, OverviewFacts | None]:
    """Return the bands of a file opened at its native level, or else the metadata of the overview."""
    if level == NATIVE_LEVEL:
        return file_bands(dataset, bands_on_other_grids(messages.fields), fault=messages.fault_text), None
    return None, overview_facts(dataset, name)


def _open_dataset(path: str, level: int, access: _FileAccess) -> tuple[Any, FileMessages]:
    """Open a file; unreadable messages of a GRIB file are hidden from GDAL.

    Args:
        path: The file, as GDAL opens it.
        level: Number of the overview, or `NATIVE_LEVEL`.
        access: Reads the file.

    Raises:
        OSError: The file is damaged or has an unsupported format.
        UnsupportedSource: GDAL places its cells wrongly.
    """
    options = {} if level == NATIVE_LEVEL else {"OVERVIEW_LEVEL": level}
    head = access.read(0, HEAD_BYTES)
    driver = format_of(path, head)
    messages = read_messages(access.read) if driver in {GRIB, None} and GRIB.encode() in head else NO_MESSAGES
    with ExitStack() as undo:
        if messages.faults:
            path = gdal_files().add(FileParts(access.read_later, messages.parts), base_name(path))
            undo.callback(gdal_files().remove, path)  # after a failure, GDAL would keep the registered name
        dataset = _open_with_gdal(path, driver, messages, options)
        undo.pop_all()
    return dataset, messages if dataset.driver == GRIB else NO_MESSAGES


def _open_with_gdal(path: str, driver: str | None, messages: FileMessages, options: Mapping[str, int]) -> Any:  # noqa: ANN401 -- rasterio has no types
    # GDAL stores metadata of GRIB files in side files, in other units than the messages.
    metadata_context = rasterio.Env(GDAL_PAM_ENABLED=False) if messages.fields else nullcontext()
    with metadata_context:
        try:
            dataset = rasterio.open(path, driver=driver, **options)
        except RasterioIOError as error:
            fault = messages.fields[0].grid.fault if messages.fields else _codec_fault(str(error))
            if fault is not None:
                raise UnsupportedSource(fault) from None
            raise
    require_self_contained(dataset)
    height, width = dataset.block_shapes[0]
    bands = dataset.count if dataset.interleaving is Interleaving.pixel else 1
    dtype = np.dtype("complex128" if dataset.dtypes[0].startswith("complex") else dataset.dtypes[0])
    require_small_block(height * width * bands, dtype, remedy="tile it (gdal_translate -of COG)")
    if dataset.driver == GRIB:
        require_placed(messages.fields, dataset.count)
    return dataset


def _codec_fault(message: str) -> str | None:
    """Return the fault if GDAL's message is about a codec that it lacks, else `None`."""
    match = _MISSING_CODEC.search(message)
    if match is None:
        return None
    return (
        f"it is compressed with {match['name']}, which the GDAL of rasterio lacks; write it again with another "
        "compression (gdal_translate -of COG -co COMPRESS=ZSTD IN OUT)"
    )


@contextmanager
def read_remote(remote: RemoteFile, path: str) -> Iterator[None]:
    """Let GDAL read a remote file in this block; a failed request raises its own error instead of GDAL's."""
    with gdal_options(path), remote.reading():
        yield


def layout_of(dataset: Any, messages: FileMessages = NO_MESSAGES) -> FileLayout:  # noqa: ANN401 -- rasterio has no types
    """Return the layout of an open dataset; the rows of Gaussian GRIB grids are corrected."""
    transform = dataset.transform
    return FileLayout(
        dataset.width,
        dataset.height,
        messages.fields[0].grid.correct_transform(transform, height=dataset.height) if messages.fields else transform,
        dataset.crs,
        tuple(dataset.overviews(1)),
    )
