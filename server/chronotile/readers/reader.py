"""The plug that every kind of source fits: windows of a level, and one cell along time."""

from collections.abc import Hashable, Sequence
from functools import cache
from typing import Literal, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import DateUnreadable
from chronotile.model.grid import Window
from chronotile.model.raster import Pixels
from chronotile.model.source import SourceInfo
from chronotile.readers.file_state import one_look

GONE = "gone"
"""The state of a date whose file is gone while others are there."""


class Reader(Protocol):
    """Reads one source. Methods may be called by several threads at once.

    `variable` is an id of `info.variables`; `index` counts that variable's times (0 for one without time). Windows
    lie inside the level and are never empty. A store that is away raises `SourceUnavailable`, whose message names
    neither path nor URL; its subclass `DateUnreadable` says that the store is there, but a date of those asked for is
    damaged or gone, which a caller finds by asking for fewer (`readers.around_damage`). A fill value is never given for
    data that should be there.
    """

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""

    def revision(self, variable: str, index: int) -> str:
        """Return a short text that changes when the pixels of that time do; reads no pixels."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level; of every `step`-th row and column where `step` exceeds 1."""

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell at the times of `indexes`, in that order."""

    def close(self) -> None:
        """Let go of open files."""


@runtime_checkable
class Dated(Protocol):
    """A reader whose times have one state that is found at once."""

    def revision_of_times(self, variable: str, indexes: Sequence[int]) -> str:
        """Return a text that changes when the pixels of any of the times do; reads no pixels."""


@runtime_checkable
class SharingStates(Protocol):
    """A reader of which several times may share one state: that of a file or of a chunk that holds all of them."""

    def state_key(self, variable: str, index: int) -> Hashable:
        """Return a value that is equal for times whose `revision` is always the same; looks at no file."""


@runtime_checkable
class Windowed(Protocol):
    """A reader whose windows have states of their own."""

    def revision_of_window(self, variable: str, index: int, window: Window) -> str:
        """Return a text that changes when the pixels of a window of the native grid do; reads no pixels."""


def state_key(reader: Reader, variable: str, index: int) -> Hashable:
    """Return a value that is equal for times whose `revision` is always the same; looks at no file."""
    return cast("SharingStates", reader).state_key(variable, index) if _shares_states(type(reader)) else index


def revision_of_times(reader: Reader, variable: str, indexes: Sequence[int], window: Window | None = None) -> str:
    """Return a text that changes when the pixels of any of the times do; reads no pixels.

    Each file and folder is looked at once.

    Args:
        reader: The source.
        variable: The variable.
        indexes: The times.
        window: The cells of the native grid that count; all of them by default, and where windows have no state.

    Raises:
        SourceUnavailable: The source is gone.
    """
    if _is_dated(type(reader)):
        return cast("Dated", reader).revision_of_times(variable, indexes)
    states = dict[Hashable, str]()
    keys = [state_key(reader, variable, index) for index in indexes]
    with one_look():
        for key, index in zip(keys, indexes, strict=True):
            if key not in states:
                states[key] = _revision(reader, variable, index, window)
    return " ".join(map(states.__getitem__, keys))


def _revision(reader: Reader, variable: str, index: int, window: Window | None) -> str:
    """The state of a date; one whose file alone is gone has a state too."""
    try:
        if window is not None and _is_windowed(type(reader)):
            return cast("Windowed", reader).revision_of_window(variable, index, window)
        return reader.revision(variable, index)
    except DateUnreadable:
        return GONE


@cache
def _is_dated(kind: type[Reader]) -> bool:
    """Whether readers of a class are dated; to ask each of them for each request takes 10 µs."""
    return issubclass(kind, Dated)


@cache
def _shares_states(kind: type[Reader]) -> bool:
    return issubclass(kind, SharingStates)


@cache
def _is_windowed(kind: type[Reader]) -> bool:
    return issubclass(kind, Windowed)


Along = Literal["time", "space"]
"""Which layout blocks are read from, where a source has two: that of series, or that of maps."""


class BlockShape(NamedTuple):
    """What a source decodes at once."""

    times: int
    height: int
    width: int


PLAIN_BLOCK = BlockShape(1, 512, 512)
"""Of a source that does not tell."""


@runtime_checkable
class Blocked(Protocol):
    """A reader that tells its blocks, and reads many times of a window at once."""

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of blocks of the native grid; reads no pixels."""

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid at the times of `indexes`, in that order."""


IntArray = NDArray[np.int64]


@runtime_checkable
class Scattered(Protocol):
    """A reader that may read cells here and there in one call, along time, each of their chunks once."""

    def reads_cells(self, variable: str) -> bool:
        """Return whether it does so of a variable."""

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: IntArray, columns: IntArray) -> Pixels:
        """Return (time, cell) pixels of native cells at the times of `indexes`, in that order."""


def scattered(reader: Reader, variable: str) -> Scattered | None:
    """Return the reader, if it reads cells of the variable here and there."""
    found = cast("Scattered", reader) if _is_scattered(type(reader)) else None
    return found if found is not None and found.reads_cells(variable) else None


@cache
def _is_scattered(kind: type[Reader]) -> bool:
    return issubclass(kind, Scattered)


def block_shape(reader: Reader, variable: str, along: Along) -> BlockShape:
    """Return the shape of blocks of the native grid; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    return cast("Blocked", reader).block_shape(variable, along) if _is_blocked(type(reader)) else PLAIN_BLOCK


def read_block(
    reader: Reader, variable: str, *, indexes: Sequence[int], window: Window, along: Along = "space"
) -> Pixels:
    """Return (time, y, x) pixels of a window of the native grid at the times of `indexes`, in that order.

    Raises:
        SourceUnavailable: The source is gone or damaged.
    """
    if _is_blocked(type(reader)):
        return cast("Blocked", reader).read_block(variable, indexes=indexes, window=window, along=along)
    return stacked([reader.read_window(variable, index=index, level=0, window=window) for index in indexes])


@cache
def _is_blocked(kind: type[Reader]) -> bool:
    """Whether readers of a class tell their blocks; to ask each of them for each window takes 10 µs."""
    return issubclass(kind, Blocked)


def stacked(parts: Sequence[Pixels]) -> Pixels:
    """Return (time, y, x) pixels of (y, x) ones, at least one."""
    numbers = np.stack([part.numbers for part in parts])
    valid = None
    if any(part.valid is not None for part in parts):
        valid = np.stack(
            [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]
        )
    return Pixels(numbers, valid)
