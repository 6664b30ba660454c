"""A pool of open raster files, each lent to one thread at a time."""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import Interleaving
from rasterio.env import set_gdal_config
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.grid import NativeGrid, Window
from chronotile.core.model.raster import Pixels
from chronotile.core.model.types import NumberArray
from chronotile.readers.caches.block_cache import BlockCache
from chronotile.readers.caches.byte_cache import CacheSizes
from chronotile.readers.hrefs import FileState, base_name, file_state, local_path
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.raster.band_decoding import FileBands, file_bands, native_grid
from chronotile.readers.raster.blocks import FileBlocks, Plane
from chronotile.readers.raster.formats import (
    HEAD_BYTES,
    VRT,
    format_of,
    missing_codec,
    require_own_pixels,
    require_own_sides,
    require_whole_picture,
    require_whole_tags,
)
from chronotile.readers.raster.grib import GRIB, FileMessages, bands_elsewhere, read_messages, require_placed
from chronotile.readers.raster.overview_facts import OverviewFacts, overview_facts
from chronotile.readers.reader import require_small_block
from chronotile.readers.remote.files import RemoteFile
from chronotile.readers.remote.gdal_plugin import FileParts, gdal_files
from chronotile.readers.remote.requests import CONNECT_S, REQUEST_S, ObjectState, Replaced
from chronotile.readers.tiff import Read as ReadPart

# Files without a place are reported by messages of our own. Filters are the process's: one that a thread changes for
# itself is undone by another.
warnings.simplefilter("ignore", NotGeoreferencedWarning)

MAX_IDLE_HANDLES = 400
"""Open files that nothing reads at the moment, in a process: a year of days, and less than the usual 1024."""

MAX_SPARE_HANDLES = 12
"""Of those, how many are of files that are open already, for threads that read the same one at once."""

HANDLE_BYTES = 96 << 10
"""Of an open file, about: GDAL's own 20 kB, and a buffer for a compressed block once it was read."""

LEAST_FOR_BLOCKS = 4
"""This part of the budget for raster files is for decoded blocks, however many files are open."""

OWN_PART, MOST_OWN_BYTES = 8, 32 << 20
"""GDAL's own cache gets this part of what is left for blocks, at most so much: each block is read from it once, and we
keep it then. It must hold the blocks of all bands that some threads read at once."""

OWN_PART_OF_OTHERS = 2
"""The part where files were opened of which GDAL alone keeps blocks: those elsewhere, and those made of others."""

READINGS = 2
"""Of a file that is written while it is read."""

NATIVE_LEVEL = -1
"""GDAL counts overviews from 0."""

_PROCESS_OPTIONS = {
    # Numbers as they are stored (kelvin). Damage is an error, whatever the environment of the server has.
    "GRIB_NORMALIZE_UNITS": False,
    "GTIFF_IGNORE_READ_ERRORS": False,
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
}
"""GDAL looks them up at each read, in whichever thread."""
_LOCAL_OPTIONS = {
    # Side files (.ovr, .msk, .tfw) are looked up by name; listing a folder of thousands at each opening is what costs.
    "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
}
_REMOTE_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": False,
    # Of files that a VRT names by URLs; all others are read by `remote_files`.
    "GDAL_HTTP_CONNECTTIMEOUT": CONNECT_S,
    "GDAL_HTTP_TIMEOUT": REQUEST_S,
    "GDAL_HTTP_MAX_RETRY": 0,
}


Read = TypeVar("Read")


class Layout(NamedTuple):
    """Where the cells of a file lie, which files of one variable have in common."""

    width: int
    height: int
    transform: Affine
    crs: Any
    """As rasterio has it: comparing those is cheap, spelling them is not."""
    overviews: tuple[int, ...]
    """How much smaller each is; of an overview itself none."""

    def matches(self, other: "Layout") -> bool:
        """Whether two files hold the same cells; they may differ in overviews, and in what their numbers mean."""
        return (
            (self.width, self.height) == (other.width, other.height)
            and (self.crs == other.crs)
            and all(abs(a - b) <= self._tolerance for a, b in zip(self.transform, other.transform, strict=True))
        )

    @property
    def _tolerance(self) -> float:
        # A ten-thousandth of a pixel: what writers lose of the corner.
        return max(abs(self.transform.a), abs(self.transform.b)) * 1e-4


NO_MESSAGES = FileMessages()


@dataclass(eq=False, slots=True)
class Handle:
    """An open file; only one thread at a time may use it."""

    dataset: Any
    state: FileState
    layout: Layout
    blocks: FileBlocks | None
    """`None` where GDAL keeps them."""
    bands: FileBands | None
    """Bands of the native level; of a file opened at an overview `None` until they are read from the native level."""
    overview: OverviewFacts | None = None
    """Metadata of the overview that it is opened at."""
    remote: RemoteFile | None = None
    """What GDAL reads a file elsewhere through."""
    messages: FileMessages = NO_MESSAGES
    """Of a GRIB file; of those that can be read, one a band."""

    def close(self) -> None:
        """Close the file."""
        path = self.dataset.name
        self.dataset.close()
        gdal_files().remove(path)

    def native_grid(self, crs: str | None) -> NativeGrid:
        """Return the grid, with the system of the configuration in place of the file's own.

        Raises:
            UnsupportedSource: The file has no georeference, or one that is not supported.
        """
        return native_grid(self.dataset, self.layout.transform, crs)

    def read(self, band: int, window: Window, *, is_mask: bool = False) -> NumberArray:
        """Return (y, x) numbers of a window of a band, or of its mask, in which 0 says that there is no number."""
        plane = Plane(self.dataset, band, is_mask)
        return plane.read(window) if self.blocks is None else self.blocks.read(plane, window)

    def read_bands(self, bands: Sequence[int], window: Window, *, is_mask: bool = False) -> NumberArray:
        """Return (band, y, x) numbers of a window of several bands, or of their masks."""
        planes = [Plane(self.dataset, band, is_mask) for band in bands]
        return planes[0].read_bands(bands, window) if self.blocks is None else self.blocks.read_bands(planes, window)


_Key = tuple[str, int]


class HandlePool:
    """Lends open files by path and overview level, and opens them again when they change.

    A file is opened as often as threads request it at once: blocks are cached beside the handles, for all of them.

    Args:
        max_idle: Open files that nothing reads; the longest unused are closed first.
        blocks: Cache of decoded blocks, for files that allow for it; `None` for none.
        sizes: How much open files and blocks may take together.
    """

    def __init__(
        self, max_idle: int = MAX_IDLE_HANDLES, *, blocks: BlockCache | None = None, sizes: CacheSizes | None = None
    ) -> None:
        self._max_idle, self._blocks = max_idle, blocks
        self._sizes = sizes or CacheSizes()
        self._gdal_keeps = False
        """Whether a file was opened of which GDAL keeps blocks for long."""
        self._idle: OrderedDict[_Key, list[Handle]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()
        gdal_files()  # before any file is opened
        for name, value in _PROCESS_OPTIONS.items():
            set_gdal_config(name, value)
        set_part(self, 0)

    @contextmanager
    def lend(self, path: str, level: int = NATIVE_LEVEL) -> Iterator[Handle]:
        """Lend the file, opened at an overview, as it is now.

        Raises:
            OSError: It is gone or cannot be opened.
        """
        state = file_state(path)
        handle = self._take((path, level), state) or self._open(path, level, state)
        with self._using((path, level), handle):
            yield handle

    def read(self, path: str, read: Callable[[Handle], Read], *, level: int = NATIVE_LEVEL) -> Read:
        """Return what is read of the file by one look at it: of one that was written meanwhile, it is read once more.

        Raises:
            BeingWritten: It was written again.
            Exception: Whatever `read` raised of a file that stayed as it was.
        """
        for _ in range(READINGS):
            opened: FileState | None = None
            try:
                with self.lend(path, level) as handle:
                    opened = handle.state
                    found = read(handle)
            except Replaced:
                continue
            except Exception:  # GDAL and codecs fail in many ways at a file that is being written
                if opened is None or file_state(path) == opened:
                    raise
            else:
                if file_state(path) == opened:
                    return found
        raise BeingWritten("the file is being written")

    @contextmanager
    def _using(self, key: _Key, handle: Handle) -> Iterator[None]:
        """Give the handle back afterwards; one that failed is closed."""
        try:
            # For a file of this machine GDAL took its options at opening; for one elsewhere it asks at each read.
            with nullcontext() if handle.remote is None else _reading_elsewhere(handle.remote, key[0]):
                yield
        except BaseException:  # whatever it is: a handle that failed is not lent again
            is_vrt = handle.dataset.driver == VRT
            handle.close()
            if is_vrt:
                self._close_vrts()
            raise
        self._give_back(key, handle)

    def _close_vrts(self) -> None:
        """Close the VRTs that nothing reads: until none is open, GDAL does not try again a file that did not open."""
        with self._lock:
            paths = {path for (path, _level), idle in self._idle.items() if idle[0].dataset.driver == VRT}
        self.close(paths)

    @property
    def idle_count(self) -> int:
        """How many files are open that nothing reads."""
        return self._count

    def close(self, paths: Collection[str]) -> None:
        """Close those of the files that are not lent."""
        handles: list[Handle] = []
        with self._lock:
            for key in [key for key in self._idle if key[0] in paths]:
                handles += self._idle.pop(key)
            self._count -= len(handles)
        _close(handles)

    def _open(self, path: str, level: int, state: FileState) -> Handle:
        handle = _open(path, level, state, cache=self._blocks)
        if self._blocks is not None:
            self._gdal_keeps |= handle.blocks is None
            # What there is for blocks beside open files is divided between GDAL and us.
            total = block_bytes(self._count + 1, self._sizes)
            own = total // OWN_PART_OF_OTHERS if self._gdal_keeps else min(total // OWN_PART, MOST_OWN_BYTES)
            set_part(self, own)
            self._blocks.leave(total - own)
        return handle

    def _take(self, key: _Key, state: FileState | None) -> Handle | None:
        """An idle handle on the file as it is now; those on an older state are closed."""
        with self._lock:
            idle = self._idle.pop(key, [])
            self._count -= len(idle)
            current = [handle for handle in idle if handle.state == state]
            handle = current.pop() if current else None
            if current:
                self._idle[key] = current
                self._count += len(current)
        _close([old for old in idle if old.state != state])
        return handle

    def _give_back(self, key: _Key, handle: Handle) -> None:
        surplus = []
        with self._lock:
            self._idle.setdefault(key, []).append(handle)
            self._idle.move_to_end(key)
            self._count += 1
            if self._count - len(self._idle) > MAX_SPARE_HANDLES:
                surplus.append(next(idle.pop(0) for idle in self._idle.values() if len(idle) > 1))
                self._count -= 1
            while self._count > self._max_idle:
                oldest, idle = next(iter(self._idle.items()))
                surplus.append(idle.pop(0))
                self._count -= 1
                if not idle:
                    del self._idle[oldest]
        _close(surplus)


def block_bytes(handles: int, sizes: CacheSizes) -> int:
    """Return how many bytes of decoded blocks may be cached beside so many open files, out of one budget."""
    total = sizes.raster_bytes
    return max(total - handles * HANDLE_BYTES, total // LEAST_FOR_BLOCKS)


def gdal_options(path: str) -> Any:  # noqa: ANN401 -- rasterio has no types
    """Return the context in which GDAL opens and reads a file."""
    extra = _REMOTE_OPTIONS if local_path(path) is None else _LOCAL_OPTIONS
    return rasterio.Env(GDAL_NUM_THREADS=1, **extra)


def _open(path: str, level: int, state: FileState, *, cache: BlockCache | None) -> Handle:
    local = local_path(path)
    if local is None:
        return _open_elsewhere(path, level, state)
    require_whole_tags(path)
    require_own_sides(str(local))
    with gdal_options(path), local.open("rb") as file:
        read = partial(_read_at, file)
        require_whole_picture(read)
        dataset, messages = _dataset(str(local), level, read, read_later=partial(_read_file, str(local)))
        blocks = None
        if FileBlocks.are_of(dataset):
            blocks = FileBlocks(dataset, path, level=level, state=state, cache=cache)
        bands, facts = _metadata(dataset, str(local), level, messages)
    return Handle(dataset, state, layout_of(dataset, messages), blocks, bands, facts, messages=messages)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _open_elsewhere(path: str, level: int, state: FileState) -> Handle:
    """Open a file elsewhere, of which GDAL keeps the blocks: its handle is closed when the file is replaced."""
    remote = RemoteFile(path, ObjectState(state.mtime_ns, state.size, state.tag))
    name = gdal_files().add(remote, base_name(path))
    try:
        with _reading_elsewhere(remote, path):
            dataset, messages = _dataset(name, level, remote.read, read_later=remote.read)
            layout = layout_of(dataset, messages)
            bands, facts = _metadata(dataset, name, level, messages)
    except BaseException:  # whatever it is: GDAL would hold the name for ever
        gdal_files().remove(name)
        raise
    return Handle(dataset, state, layout, None, bands, facts, remote, messages)


def _read_file(path: str, offset: int, size: int) -> bytes:
    with Path(path).open("rb") as file:
        return _read_at(file, offset, size)


def _metadata(
    dataset: Any,  # noqa: ANN401 -- rasterio has no types
    name: str,
    level: int,
    messages: FileMessages,
) -> tuple[FileBands | None, OverviewFacts | None]:
    """The bands of a file, or the metadata of the overview that it is opened at."""
    if level == NATIVE_LEVEL:
        return file_bands(dataset, bands_elsewhere(messages.fields), fault=messages.fault_text), None
    return None, overview_facts(dataset, name)


def _dataset(path: str, level: int, read: ReadPart, *, read_later: ReadPart) -> tuple[Any, FileMessages]:
    """Open a file; GDAL is given a GRIB file without the messages that cannot be read.

    Args:
        path: The file, as GDAL opens it.
        level: The overview.
        read: Reads the file now.
        read_later: The same, as long as the dataset is open.

    Raises:
        OSError: It is damaged, or not of a format that is read.
        UnsupportedSource: GDAL does not place its cells.
    """
    options = {} if level == NATIVE_LEVEL else {"OVERVIEW_LEVEL": level}
    head = read(0, HEAD_BYTES)
    driver = format_of(path, head)
    messages = read_messages(read) if driver in {GRIB, None} and GRIB.encode() in head else NO_MESSAGES
    with ExitStack() as undo:
        if messages.faults:
            path = gdal_files().add(FileParts(read_later, messages.parts), base_name(path))
            undo.callback(gdal_files().remove, path)  # else GDAL would hold the name for ever
        dataset = _open_dataset(path, driver, messages, options)
        undo.pop_all()
    return dataset, messages if dataset.driver == GRIB else NO_MESSAGES


def _open_dataset(path: str, driver: str | None, messages: FileMessages, options: Mapping[str, int]) -> Any:  # noqa: ANN401 -- rasterio has no types
    # GDAL writes GRIB files with metadata beside them, in other units than those of the messages.
    without_side_metadata = rasterio.Env(GDAL_PAM_ENABLED=False) if messages.fields else nullcontext()
    with without_side_metadata:
        try:
            dataset = rasterio.open(path, driver=driver, **options)
        except RasterioIOError as error:
            fault = messages.fields[0].grid.fault if messages.fields else missing_codec(str(error))
            if fault is not None:
                raise UnsupportedSource(fault) from None
            raise
    require_own_pixels(dataset)
    height, width = dataset.block_shapes[0]
    bands = dataset.count if dataset.interleaving is Interleaving.pixel else 1
    dtype = np.dtype("complex128" if dataset.dtypes[0].startswith("complex") else dataset.dtypes[0])
    require_small_block(height * width * bands, dtype, remedy="tile it (gdal_translate -of COG)")
    if dataset.driver == GRIB:
        require_placed(messages.fields, dataset.count)
    return dataset


@contextmanager
def _reading_elsewhere(remote: RemoteFile, path: str) -> Iterator[None]:
    # Raise the original failure of a remote read in place of GDAL's error.
    with gdal_options(path), remote.reading():
        yield


def layout_of(dataset: Any, messages: FileMessages = NO_MESSAGES) -> Layout:  # noqa: ANN401 -- rasterio has no types
    """Return what other files of the same variable must have too."""
    transform = dataset.transform
    return Layout(
        dataset.width,
        dataset.height,
        messages.fields[0].grid.placed(transform, height=dataset.height) if messages.fields else transform,
        dataset.crs,
        tuple(dataset.overviews(1)),
    )


def _close(handles: list[Handle]) -> None:
    for handle in handles:
        handle.close()


STRIP_VALUES = 4 << 20
"""Values held at once while a window is thinned."""


def read_pixels(handle: Handle, band: int, window: Window, *, has_mask: bool, step: int = 1) -> Pixels:
    """Return (y, x) pixels of a window of a file or of the overview it is opened at, of every `step`-th row and column.

    Args:
        handle: An open file.
        band: Counted from 1.
        window: What to read.
        has_mask: Whether the file says beside the numbers which are present.
        step: 1 for all.
    """
    numbers = _thinned(handle, band, window, step=step)
    valid = _thinned(handle, band, window, step=step, is_mask=True) > 0 if has_mask else None
    return Pixels(numbers, valid)


def read_made(handle: Handle, window: Window, *, step: int) -> Pixels:
    """Return (y, x) pixels of a preview or an overview, whose mask is its second band."""
    numbers = read_pixels(handle, 1, window, has_mask=False, step=step).numbers
    if handle.dataset.count == 1:
        return Pixels(numbers)
    return Pixels(numbers, read_pixels(handle, 2, window, has_mask=False, step=step).numbers > 0)


def strips_of(window: Window, step: int) -> Iterator[Window]:
    """Cut a window into strips of rows that hold few values each and begin at a `step`-th row."""
    rows = max(1, STRIP_VALUES // window.width // step) * step
    for start in range(window.row_start, window.row_stop, rows):
        yield window._replace(row_start=start, row_stop=min(start + rows, window.row_stop))


def every(pixels: Pixels, step: int) -> Pixels:
    """Return every `step`-th row and column of (y, x) pixels, without holding on to the others."""
    if step == 1:
        return pixels
    valid = None if pixels.valid is None else pixels.valid[::step, ::step].copy()
    return Pixels(pixels.numbers[::step, ::step].copy(), valid)


def _thinned(handle: Handle, band: int, window: Window, *, step: int, is_mask: bool = False) -> NumberArray:
    """Every `step`-th row and column, exactly (GDAL's own thinning takes others); no strip is held whole."""
    if step == 1:
        return handle.read(band, window, is_mask=is_mask)
    strips = (handle.read(band, strip, is_mask=is_mask) for strip in strips_of(window, step))
    return np.concatenate([strip[::step, ::step].copy() for strip in strips])


# The size of GDAL's cache of decoded blocks.
#
# GDAL has one for the whole process: this module alone sets its size, to the sum of what the pools of open files
# leave to it.

UNSHARED_BYTES = 16 << 20
"""While no pool keeps files open; GDAL itself would take a twentieth of the machine's memory."""

_parts: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""Bytes by pool, as long as that is there."""
_lock = threading.Lock()


def set_part(pool: object, size: int) -> None:
    """Let GDAL keep `size` bytes of blocks for a pool, beside those for others."""
    with _lock:
        _parts[pool] = size
        # Not an option of a context, which at its end would set the cache back to a share of the whole memory.
        set_gdal_config("GDAL_CACHEMAX", sum(_parts.values()) or UNSHARED_BYTES)
