"""Storage of overviews of mosaics, made in the background within a limit of bytes, newest times first."""

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
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.raster.handle import NATIVE_LEVEL
from chronotile.readers.raster.overviews.implied import make_pixels
from chronotile.readers.raster.overviews.preview_files import preview_file
from chronotile.readers.raster.pool import HandlePool
from chronotile.readers.raster.thinning import read_made
from chronotile.readers.reader import Reader

_log = logging.getLogger(__name__)

END = ".mosaic"
"""Ending of file names."""
MOST_WAITING = 4096
"""Blocks in the queue; further ones are queued when they are requested again."""
MAX_ATTEMPTS = 3
"""Attempts to make a block that is composed of other blocks, which are made first."""

Make = Callable[[], Pixels | None]
"""Returns the cells of a block; `None` if it has requested other blocks that it is composed of."""


@dataclass(slots=True, kw_only=True)
class Wanted:
    """A queued block."""

    order: tuple[int, ...]
    """The smallest is made first."""
    make: Make
    levels: tuple[NativeGrid, ...]
    factors: tuple[int, ...]
    counting: Counting
    attempts: int = 0


class OverviewFiles(FilledFolder[Wanted]):
    """Overviews of mosaics on the local disk. Processes that share the folder make different files.

    Args:
        folder: Folder of the files.
        max_bytes: Limit for all files together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        files = DiskCache(folder, max_bytes, end=END)
        super().__init__(files, "overviews of mosaics", max_waiting=MOST_WAITING, log=_log)

    @property
    def waiting(self) -> int:
        """Number of queued blocks."""
        return len(self._waiting)

    def reader(self, name: str, info: VariableInfo, files: HandlePool) -> Reader:
        """Return a reader of a stored block; if the block is damaged, it is removed and reading raises `OSError`."""
        self._folder.touch(name)
        return _BlockReader(self._folder, name, info, files)

    def _first(self) -> str:
        return min(self._waiting, key=lambda name: self._waiting[name].order)

    def _make(self, name: str, recipe: Wanted) -> bool:
        recipe.attempts += 1
        try:
            pixels = recipe.make()
        except ChronotileError as error:
            _log.info("an overview of a mosaic was not made: %s", error.message)
            return True
        if pixels is None or self._closing.is_set():
            return recipe.attempts == MAX_ATTEMPTS
        data = preview_file(_levels(pixels, recipe), recipe.levels[0].transform)
        if not self._folder.put(name, data):
            _log.warning("an overview of a mosaic was not stored: %d bytes are more than there is room for", len(data))
        return True


def _levels(pixels: Pixels, recipe: Wanted) -> Sequence[Pixels]:
    """The pixels of a block at all of its levels, finest first."""
    height, width = pixels.numbers.shape

    def part(region: Window) -> Pixels:
        at = slice(region.row_start, region.row_stop), slice(region.column_start, region.column_stop)
        return Pixels(pixels.numbers[at], None if pixels.valid is None else pixels.valid[at])

    coarser = recipe.factors[1:]
    window = Window(0, height, 0, width)
    made = make_pixels(part, window, coarser, recipe.counting, block_width=width)
    return [pixels, *(made[factor] for factor in coarser)]


class _BlockReader(Reader):
    """Reader of the file of a block."""

    def __init__(self, folder: DiskCache, name: str, info: VariableInfo, files: HandlePool) -> None:
        self._folder, self._name, self._files = folder, name, files
        self._info = SourceInfo(variables={info.name: info})

    def revision(self, variable: str, index: int) -> str:  # noqa: ARG002 -- there is one
        """Return the name of the file, which differs for each state of its items."""
        return self._name

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:  # noqa: ARG002 -- there is one
        """Return (y, x) pixels of a window of a level.

        Raises:
            OSError: The file is damaged or missing; it will be made again.
        """
        try:
            with self._files.lend(str(self._folder.path_of(self._name)), level + NATIVE_LEVEL) as handle:
                return read_made(handle, window, step=step)
        except Exception as error:  # errors of GDAL have no common class
            self._folder.remove(self._name)
            raise OSError(one_line(error)) from error
