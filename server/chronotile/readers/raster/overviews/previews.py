"""Previews of raster files without overviews: built in the background, stored on disk, read in place of the files."""

import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from affine import Affine
from rasterio.errors import RasterioError

from chronotile.core.errors import ChronotileError
from chronotile.core.model.grid import Window
from chronotile.core.model.raster import Pixels, as_meant
from chronotile.readers.caches.disk import DiskCache, FilledFolder
from chronotile.readers.hrefs import FileState, file_state, local_path
from chronotile.readers.library_errors import one_line, opening
from chronotile.readers.overviews import Counting
from chronotile.readers.raster.overviews.implied import make_pixels, preview_file
from chronotile.readers.raster.pool import NATIVE_LEVEL, Handle, HandlePool, Layout, read_made, read_pixels

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Of previews and of how they are made; those of other versions are not found, and make room in time."""

END = ".preview"
"""Of the names of files."""

LEAST_FACTOR = 8
"""Cells along a side that a previewed cell stands for at least: what is finer takes few reads, and much room."""

MAX_WAITING = 256
"""Previews that wait to be built; others are queued when they are requested again."""

MAX_HOPELESS = 10_000
"""Previews known not to be of use, so that they are not tried again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a preview is of: one band of a file, at the levels made of one that is stored."""

    path: str
    band: int
    stored: int
    layout: Layout
    """Of the stored level."""
    factors: tuple[int, ...]
    """Ascending, each twice the one before."""
    counting: Counting
    has_mask: bool

    def name(self, state: FileState) -> str:
        """Return the name under which it is stored, another for each state of the file."""
        parts = (FORMAT_VERSION, self.path, *state, self.band, self.stored, self.factors, self.counting, self.has_mask)
        return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewsState:
    """The state of the cache and what was done, for metrics."""

    bytes: int
    max_bytes: int
    count: int
    waiting: int
    built: int
    failed: int


class Previews(FilledFolder[tuple[Preview, FileState]]):
    """The previews of this machine, of which this process builds some.

    Args:
        folder: Of the files.
        max_bytes: The most that they take together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        super().__init__(DiskCache(folder, max_bytes, end=END), "previews", most_waiting=MAX_WAITING, log=_log)
        self._built = self._failed = 0

    def read(self, preview: Preview, factor: int, window: Window, *, step: int = 1, files: HandlePool) -> Pixels | None:
        """Return (y, x) pixels of a window of the level of that factor, of every `step`-th row and column.

        `None` where there is no preview of the file as it is now: one will be built. `files` opens previews.

        Raises:
            OSError: The file itself is gone.
        """
        if local_path(preview.path) is None:
            return None  # all of a file elsewhere would have to be fetched
        state = file_state(preview.path)
        name = preview.name(state)
        try:
            pixels = self._read(name, preview, factor, window, step=step, files=files)
        except (RasterioError, _Misfit) as error:
            _log.warning("a preview is damaged and will be recreated: %s", one_line(error))
            self._folder.remove(name)
            pixels = None
        except OSError:
            pixels = None  # it is not there
        if pixels is not None:
            self._folder.touch(name)
        else:
            self.want(name, (preview, state))
        return pixels

    @property
    def state(self) -> PreviewsState:
        """The state of the cache now, of all processes, and what this one has done since it began."""
        count, size = self._folder.usage()
        with self._changed:
            return PreviewsState(
                bytes=size,
                max_bytes=self._folder.max_bytes,
                count=count,
                waiting=len(self._waiting),
                built=self._built,
                failed=self._failed,
            )

    def _read(
        self, name: str, preview: Preview, factor: int, window: Window, *, step: int, files: HandlePool
    ) -> Pixels:
        number = preview.factors.index(factor)
        with files.lend(str(self._folder.path_of(name)), number + NATIVE_LEVEL) as handle:
            _require_shape(handle, preview, factor)
            return read_made(handle, window, step=step)

    def _make(self, name: str, wanted: tuple[Preview, FileState]) -> bool:
        try:
            with opening("a file"):
                data = self._made(*wanted)
        except ChronotileError as error:
            if not self._closing.is_set():
                _log.info("a preview was not made: %s", error.message)
                self._give_up(name)
            return True
        if self._folder.put(name, data):
            with self._changed:
                self._built += 1
        else:
            _log.info("a preview was not stored: %d bytes are more than there is room for", len(data))
            self._give_up(name)
        return True

    def _made(self, preview: Preview, state: FileState) -> bytes:
        """The bytes of a preview of a file that is in this state, before and after."""
        layout = preview.layout
        # Of its own, so that what is read here stays open, and in GDAL's cache, no longer than it takes.
        with HandlePool(max_idle=0).lend(preview.path, preview.stored + NATIVE_LEVEL) as handle:
            if handle.state != state or not handle.layout.matches(layout):
                raise ChronotileError("the file was replaced")
            levels = make_pixels(
                lambda region: self._stored(handle, preview, region),
                Window(0, layout.height, 0, layout.width),
                preview.factors,
                preview.counting,
                block_width=handle.dataset.block_shapes[preview.band - 1][1],
            )
        if file_state(preview.path) != state:
            raise ChronotileError("the file was rewritten in the meantime")
        finest = layout.transform @ Affine.scale(preview.factors[0])
        return preview_file([levels[factor] for factor in preview.factors], finest)

    def _stored(self, handle: Handle, preview: Preview, region: Window) -> Pixels:
        if self._closing.is_set():
            raise ChronotileError("the server is shutting down")
        pixels = read_pixels(handle, preview.band, region, has_mask=preview.has_mask)
        return Pixels(as_meant(pixels.numbers, preview.counting.encoding.dtype), pixels.valid)

    def _give_up(self, name: str) -> None:
        """Never try that one again, which is of one state of one file."""
        with self._changed:
            self._failed += 1
            if len(self._hopeless) >= MAX_HOPELESS:
                self._hopeless.clear()
            self._hopeless.add(name)

    def _turn_off(self, error: OSError) -> None:
        super()._turn_off(error)
        with self._changed:
            self._failed += 1


class _Misfit(Exception):
    """A preview is not what its name says."""


def _require_shape(handle: Handle, preview: Preview, factor: int) -> None:
    shape = -(-preview.layout.height // factor), -(-preview.layout.width // factor)
    kinds = (preview.counting.encoding.dtype,) * (2 if preview.has_mask else 1)
    if handle.dataset.shape != shape or handle.dataset.dtypes != kinds:
        raise _Misfit(f"it has {handle.dataset.shape} pixels of {handle.dataset.dtypes}")
