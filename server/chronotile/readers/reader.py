"""The plug that every kind of source fits: windows of a level, and one cell along time."""

from collections.abc import Sequence
from functools import cache
from typing import Protocol, cast, runtime_checkable

from chronotile.model.grid import Window
from chronotile.model.raster import Pixels
from chronotile.model.source import SourceInfo


class Reader(Protocol):
    """Reads one source. Methods may be called by several threads at once.

    `variable` is an id of `info.variables`; `index` counts that variable's times (0 for one without time). Windows
    lie inside the level and are never empty. A file or store that is gone or damaged raises `SourceUnavailable`,
    whose message names neither path nor URL; a fill value is never given for data that should be there.
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


def revision_of_times(reader: Reader, variable: str, indexes: Sequence[int]) -> str:
    """Return a text that changes when the pixels of any of the times do; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    if _is_dated(type(reader)):
        return cast("Dated", reader).revision_of_times(variable, indexes)
    return " ".join(reader.revision(variable, index) for index in indexes)


@cache
def _is_dated(kind: type[Reader]) -> bool:
    """Whether readers of a class are dated; to ask each of them for each request takes 10 µs."""
    return issubclass(kind, Dated)
