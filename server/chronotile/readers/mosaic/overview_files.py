"""Overviews of mosaics on disk: made in the background, newest times first, within a bound."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import SourceInfo, VariableInfo
from chronotile.core.model.grid import NativeGrid, Window
from chronotile.core.model.raster import Pixels
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.library_errors import one_line
from chronotile.readers.overviews import Counting
from chronotile.readers.raster.overviews.implied import make_pixels, preview_file
from chronotile.readers.raster.pool import NATIVE_LEVEL, HandlePool, read_pixels
from chronotile.readers.reader import Reader

_log = logging.getLogger(__name__)

END = ".mosaic"
"""Of the names of files."""
MOST_WAITING = 4096
"""Blocks that wait to be made; others are queued when they are requested again."""
MOST_ATTEMPTS = 3
"""At a block whose parts are made first."""
CLOSING_S = 2.0
RETRY_S = 1.0
NICENESS = 10

Make = Callable[[], Pixels | None]
"""Makes the cells of a block; `None`: not yet, as blocks that it is made of are lacking, which were requested."""


@dataclass(order=True, slots=True)
class _Wanted:
    """A block that waits to be made."""

    order: tuple[int, ...]
    name: str = field(compare=False)
    make: Make = field(compare=False)
    levels: tuple[NativeGrid, ...] = field(compare=False)
    factors: tuple[int, ...] = field(compare=False)
    counting: Counting = field(compare=False)
    attempts: int = field(default=0, compare=False)


class OverviewFiles:
    """The overviews of mosaics of this machine, of which this process makes some.

    Args:
        folder: Of the files.
        max_bytes: The most that they take together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = DiskCache(folder, max_bytes, end=END)
        self._waiting: dict[str, _Wanted] = {}
        self._is_off = False
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._maker: threading.Thread | None = None

    def start(self) -> None:
        """Begin to make the blocks that wait, in the background."""
        self._maker = threading.Thread(target=self._make_all, name="overviews", daemon=True)
        self._maker.start()

    def close(self) -> None:
        """Stop; what is half done is forgotten."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._maker is not None:
            self._maker.join(CLOSING_S)

    @property
    def waiting(self) -> int:
        """How many blocks wait to be made."""
        return len(self._waiting)

    def has(self, name: str) -> bool:
        """Return whether a block is there."""
        return self._folder.path_of(name).exists()

    def reader(self, name: str, info: VariableInfo, files: HandlePool) -> Reader:
        """Return a reader of a block that is there; one that is damaged is removed, and reading it an error."""
        self._folder.touch(name)
        return _BlockReader(self._folder, name, info, files)

    def want(
        self,
        name: str,
        make: Make,
        *,
        order: tuple[int, ...],
        levels: tuple[NativeGrid, ...],
        factors: tuple[int, ...],
        counting: Counting,
    ) -> None:
        """Let a block be made, those of the least `order` first."""
        with self._changed:
            is_full = len(self._waiting) >= MOST_WAITING
            if not (is_full or self._is_off or self._closing.is_set() or name in self._waiting):
                self._waiting[name] = _Wanted(order, name, make, levels, factors, counting)
                self._changed.notify()

    def make_next(self) -> bool:
        """Make the first of the blocks that wait; return whether another may be made at once."""
        with self._changed:
            if not self._waiting:
                return False
            wanted = min(self._waiting.values())
        is_done = True
        try:
            with self._folder.sole_builder() as is_sole:
                if not is_sole:
                    return False
                is_done = self._make(wanted)
        except OSError as error:
            self._turn_off(error)
        with self._changed:
            wanted.attempts += 1
            if is_done or wanted.attempts == MOST_ATTEMPTS:
                self._waiting.pop(wanted.name, None)
        return True

    def _make(self, wanted: _Wanted) -> bool:
        """Make and keep a block, unless another process has; return whether that is done with.

        Raises:
            OSError: The folder cannot be written.
        """
        if self.has(wanted.name):
            return True
        try:
            pixels = wanted.make()
        except ChronotileError as error:
            _log.info("an overview of a mosaic was not made: %s", error.message)
            return True
        if pixels is None or self._closing.is_set():
            return False
        data = preview_file(_levels(pixels, wanted), wanted.levels[0].transform)
        if not self._folder.put(wanted.name, data):
            _log.warning("an overview of a mosaic was not stored: %d bytes are more than there is room for", len(data))
        return True

    def _make_all(self) -> None:
        if sys.platform == "linux":  # where a thread has a niceness of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            if not self.make_next():
                self._closing.wait(RETRY_S)

    def _turn_off(self, error: OSError) -> None:
        _log.warning("no more overviews of mosaics are made: their folder cannot be written (%s)", one_line(error))
        with self._changed:
            self._is_off = True
            self._waiting.clear()


def _levels(pixels: Pixels, wanted: _Wanted) -> Sequence[Pixels]:
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
        self._folder = folder
        self._name = name
        self._files = files
        self._info = SourceInfo(variables={info.name: info})

    @property
    def info(self) -> SourceInfo:
        """The variable."""
        return self._info

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
                numbers = read_pixels(handle, 1, window, has_mask=False, step=step).numbers
                if handle.dataset.count == 1:
                    return Pixels(numbers)
                return Pixels(numbers, read_pixels(handle, 2, window, has_mask=False, step=step).numbers > 0)
        except Exception as error:  # GDAL's errors have no class in common
            self._folder.remove(self._name)
            raise OSError(one_line(error)) from error

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return the pixel of a cell, for each index."""
        pixels = self.read_window(variable, index=0, level=0, window=Window.of_cell(row, column))
        valid = None if pixels.valid is None else pixels.valid.repeat(len(indexes), axis=1)[0]
        return Pixels(pixels.numbers.repeat(len(indexes), axis=1)[0], valid)

    def close(self) -> None:
        """Do nothing: the pool has the file."""
