"""Previews of raster files without overviews: built in the background, stored on disk, read instead of the files."""

import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from affine import Affine
from rasterio.errors import RasterioError

from chronotile.core.errors import ChronotileError
from chronotile.core.model.raster import Pixels, reinterpret_numbers
from chronotile.core.model.space.grid import Window
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.caches.filled_folder import FilledFolder
from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.hrefs import local_path
from chronotile.readers.library_errors import one_line, opening
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.raster.handle import NATIVE_LEVEL, FileLayout, RasterHandle
from chronotile.readers.raster.overviews.implied import make_pixels
from chronotile.readers.raster.overviews.preview_files import preview_file
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.thinning import read_made, read_pixels

_log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Version of previews and how they are made; previews of other versions are ignored, and evicted in time."""

END = ".preview"
"""End of the names of preview files."""

MIN_FACTOR = 8
"""Finest previewed level, in native cells along a side of a cell: finer levels need few reads and much space."""

MAX_WAITING = 256
"""Previews in the queue; others are queued when they are requested again."""

MAX_HOPELESS = 10_000
"""Previews that failed and are not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The identity of a preview: one band of a file, at the levels made from one stored level."""

    path: str
    band: int
    stored: int
    layout: FileLayout
    """Layout of the stored level."""
    factors: tuple[int, ...]
    """Ascending, each twice the one before."""
    counting: Counting
    has_mask: bool

    def name(self, state: FileState) -> str:
        """Return the name of the stored preview, which depends on the fingerprint of the file."""
        parts = (FORMAT_VERSION, self.path, *state, self.band, self.stored, self.factors, self.counting, self.has_mask)
        return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewsState:
    """Size of the cache and number of built previews, for metrics."""

    bytes: int
    max_bytes: int
    count: int
    waiting: int
    built: int
    failed: int


class Previews(FilledFolder[tuple[Preview, FileState]]):
    """Stored overviews of files that have none. A process builds a preview that it needs and does not find.

    Args:
        folder: Folder of the previews, shared by the processes of this machine.
        max_bytes: Maximum size of all previews together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        super().__init__(DiskCache(folder, max_bytes, end=END), "previews", max_waiting=MAX_WAITING, log=_log)
        self._built = self._failed = 0

    def read(self, preview: Preview, factor: int, window: Window, *, step: int = 1, files: HandlePool) -> Pixels | None:
        """Return (y, x) pixels of a window of the level of that factor, of every `step`-th row and column.

        `None` if the current file has no preview; one is queued. `files` opens previews.

        Raises:
            OSError: The file is missing.
        """
        if local_path(preview.path) is None:
            return None  # building it would read the whole remote file
        state = file_state(preview.path)
        name = preview.name(state)
        try:
            pixels = self._read(name, preview, factor, window, step=step, files=files)
        except (RasterioError, _MisfitPreview) as error:
            _log.warning("a preview is damaged and will be recreated: %s", one_line(error))
            self._folder.remove(name)
            pixels = None
        except OSError:
            pixels = None  # the preview is missing
        if pixels is not None:
            self._folder.touch(name)
        else:
            self.request(name, (preview, state))
        return pixels

    @property
    def state(self) -> PreviewsState:
        """Size of the cache of all processes, and the work of this process since it started."""
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

    def _make(self, name: str, request: tuple[Preview, FileState]) -> bool:
        try:
            with opening("a file"):
                data = self._build(*request)
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

    def _build(self, preview: Preview, state: FileState) -> bytes:
        """Return the bytes of a preview of a file that has this fingerprint before and after."""
        layout = preview.layout
        # In a separate pool, so that the file stays open and in GDAL's cache no longer than necessary.
        with HandlePool(max_idle=0).lend(preview.path, preview.stored + NATIVE_LEVEL) as handle:
            if handle.state != state or not handle.layout.matches(layout):
                raise ChronotileError("the file was replaced")
            levels = make_pixels(
                lambda region: self._read_stored(handle, preview, region),
                Window(0, layout.height, 0, layout.width),
                preview.factors,
                preview.counting,
                block_width=handle.dataset.block_shapes[preview.band - 1][1],
            )
        if file_state(preview.path) != state:
            raise ChronotileError("the file was rewritten in the meantime")
        finest = layout.transform @ Affine.scale(preview.factors[0])
        return preview_file([levels[factor] for factor in preview.factors], finest)

    def _read_stored(self, handle: RasterHandle, preview: Preview, region: Window) -> Pixels:
        if self._closing.is_set():
            raise ChronotileError("the server is shutting down")
        pixels = read_pixels(handle, preview.band, region, has_mask=preview.has_mask)
        return Pixels(reinterpret_numbers(pixels.numbers, preview.counting.encoding.dtype), pixels.valid)

    def _give_up(self, name: str) -> None:
        """Never try this preview again; its name contains the fingerprint of the file."""
        with self._changed:
            self._failed += 1
            if len(self._hopeless) >= MAX_HOPELESS:
                self._hopeless.clear()
            self._hopeless.add(name)

    def _turn_off(self, error: OSError) -> None:
        super()._turn_off(error)
        with self._changed:
            self._failed += 1


class _MisfitPreview(Exception):
    """A preview does not have the expected size or type."""


def _require_shape(handle: RasterHandle, preview: Preview, factor: int) -> None:
    shape = -(-preview.layout.height // factor), -(-preview.layout.width // factor)
    kinds = (preview.counting.encoding.dtype,) * (2 if preview.has_mask else 1)
    if handle.dataset.shape != shape or handle.dataset.dtypes != kinds:
        raise _MisfitPreview(f"it has {handle.dataset.shape} pixels of {handle.dataset.dtypes}")
