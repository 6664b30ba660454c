"""Overviews of mosaics on disk: made in the background, newest times first, within a bound."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chronotile.core.errors import ChronotileError
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.caches.filled_folder import FilledFolder
from chronotile.readers.library_errors import one_line
from chronotile.readers.overviews import Counting
from chronotile.readers.raster.handle import NATIVE_LEVEL
from chronotile.readers.raster.overviews.implied import make_pixels
from chronotile.readers.raster.overviews.preview_files import preview_file
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.thinning import read_made
from chronotile.readers.reader import Reader

_log = logging.getLogger(__name__)

END = ".mosaic"
"""Of the names of files."""
MOST_WAITING = 4096
"""Blocks that wait to be made; others are queued when they are requested again."""
MOST_ATTEMPTS = 3
"""At a block whose parts are made first."""

Make = Callable[[], Pixels | None]
"""Makes the cells of a block; `None`: not yet, as blocks that it is made of are lacking, which were requested."""


@dataclass(slots=True, kw_only=True)
class Wanted:
    """A block that waits to be made."""

    order: tuple[int, ...]
    """The least is made first."""
    make: Make
    levels: tuple[NativeGrid, ...]
    factors: tuple[int, ...]
    counting: Counting
    attempts: int = 0


class OverviewFiles(FilledFolder[Wanted]):
    """The overviews of mosaics of this machine, of which this process makes some.

    Args:
        folder: Of the files.
        max_bytes: The most that they take together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        files = DiskCache(folder, max_bytes, end=END)
        super().__init__(files, "overviews of mosaics", max_waiting=MOST_WAITING, log=_log)

    @property
    def waiting(self) -> int:
        """How many blocks wait to be made."""
        return len(self._waiting)

    def reader(self, name: str, info: VariableInfo, files: HandlePool) -> Reader:
        """Return a reader of a block that is there; one that is damaged is removed, and reading it an error."""
        self._folder.touch(name)
        return _BlockReader(self._folder, name, info, files)

    def _first(self) -> str:
        return min(self._waiting, key=lambda name: self._waiting[name].order)

    def _make(self, name: str, wanted: Wanted) -> bool:
        wanted.attempts += 1
        try:
            pixels = wanted.make()
        except ChronotileError as error:
            _log.info("an overview of a mosaic was not made: %s", error.message)
            return True
        if pixels is None or self._closing.is_set():
            return wanted.attempts == MOST_ATTEMPTS
        data = preview_file(_levels(pixels, wanted), wanted.levels[0].transform)
        if not self._folder.put(name, data):
            _log.warning("an overview of a mosaic was not stored: %d bytes are more than there is room for", len(data))
        return True


def _levels(pixels: Pixels, wanted: Wanted) -> Sequence[Pixels]:
    """A block at all of its levels."""
    height, width = pixels.numbers.shape

    def part(region: Window) -> Pixels:
        at = slice(region.row_start, region.row_stop), slice(region.column_start, region.column_stop)
        return Pixels(pixels.numbers[at], None if pixels.valid is None else pixels.valid[at])

    coarser = wanted.factors[1:]
    window = Window(0, height, 0, width)
    made = make_pixels(part, window, coarser, wanted.counting, block_width=width)
    return [pixels, *(made[factor] for factor in coarser)]


class _BlockReader(Reader):
    """Reads the file of a block."""

    def __init__(self, folder: DiskCache, name: str, info: VariableInfo, files: HandlePool) -> None:
        self._folder, self._name, self._files = folder, name, files
        self._info = SourceInfo(variables={info.name: info})

    def revision(self, variable: str, index: int) -> str:  # noqa: ARG002 -- there is one
        """Return the name, another for each state of the items that it is made of."""
        return self._name

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:  # noqa: ARG002 -- there is one
        """Return (y, x) pixels of a window of a level.

        Raises:
            OSError: The file is damaged or gone; it will be made again.
        """
        try:
            with self._files.lend(str(self._folder.path_of(self._name)), level + NATIVE_LEVEL) as handle:
                return read_made(handle, window, step=step)
        except Exception as error:  # GDAL's errors have no class in common
            self._folder.remove(self._name)
            raise OSError(one_line(error)) from error
