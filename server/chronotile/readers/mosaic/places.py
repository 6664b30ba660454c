"""Mosaics at a place: the native cells of pieces that hold it, at one time or many."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from chronotile.core.model.encoding import REASON_UNREADABLE, Encoding
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import Point
from chronotile.core.model.source import VariableInfo
from chronotile.readers.mosaic.overlap import STATISTICS, overlapped
from chronotile.readers.mosaic.pieces import Failures, Pieces, PlaceInPiece
from chronotile.readers.mosaic.scenes import Scene
from chronotile.readers.mosaic_reader import ReportSkippedItem
from chronotile.readers.reader import NativeCell

TIMES_AHEAD = 16
"""Times of a series that are requested while as many before are read: what is not read yet is bounded."""


class PlacesInPieces:
    """Reads a variable of items at a place.

    Args:
        pieces: Of the variable.
        rule: How they are combined.
        encoding: That all have in common.
        tell: Takes those that cannot be read.
    """

    def __init__(self, pieces: Pieces, rule: MosaicRule, encoding: Encoding, tell: ReportSkippedItem) -> None:
        self._pieces, self._rule = pieces, rule
        self._is_combined = rule in STATISTICS
        self._encoding, self._tell = encoding, tell

    def read(self, refs: Sequence[Sequence[ItemRef]], place: Point) -> Pixels:
        """Return (time,) pixels, each out of the items of its time.

        Raises:
            DateUnreadable: None of the items of a time can be read.
        """

        def request(some: Sequence[Sequence[ItemRef]]) -> None:
            # Of each time the first piece, or all where they are combined.
            needed = [ref for of_time in some for ref in (of_time if self._is_combined else of_time[:1])]
            if self._pieces.is_of_several_files(len(needed)):
                self._pieces.fetch_ahead(needed, place)

        found = [self._at_one_time(each, place) for each in requested_ahead(refs, TIMES_AHEAD, request)]
        numbers = np.concatenate([pixels.numbers for pixels, _reason in found])
        reasons = tuple(reason for _pixels, reason in found)
        return Pixels(numbers, np.array([reason is None for reason in reasons], dtype=bool), reasons)

    def cell(self, refs: Sequence[ItemRef], place: Point) -> NativeCell | None:
        """Return the cell of the piece that `first` chooses; `None` where no piece is."""
        first: NativeCell | None = None
        failures = Failures(self._tell)
        if self._pieces.is_of_several_files(len(refs[:1])):
            self._pieces.fetch_ahead(refs[:1], place)
        for scene, info in self._pieces.opened(refs, failures):
            here = self._pieces.at_place(scene, info, place, failures)
            if here is not None and not here.sheet.is_lacking.any():
                return here.cell
            if here is not None:
                first = first or here.cell
        return first

    def _at_one_time(self, refs: Sequence[ItemRef], place: Point) -> tuple[Pixels, str | None]:
        """(1,) pixels, and why there is no value."""
        failures, pieces = Failures(self._tell), self._pieces
        opened, found = list[tuple[Scene, VariableInfo]](), list[PlaceInPiece]()
        chosen: PlaceInPiece | None = None
        for scene, info in pieces.opened(refs, failures):
            opened.append((scene, info))
            here = pieces.at_place(scene, info, place, failures)
            if here is None:
                continue
            found.append(here)
            if chosen is None and not here.sheet.is_lacking.any():
                chosen = here
                if not self._is_combined:
                    break
        failures.require_some(refs)
        if self._is_combined and chosen is not None:
            centre, known = chosen.centre, {each.scene.ref.number: each for each in found}
            moved = (
                pieces.moved(scene, info, centre, failures, known=known.get(scene.ref.number)) for scene, info in opened
            )
            found = [each for each in moved if each is not None]
        pixels = overlapped((each.sheet for each in found), self._rule, self._encoding, (1,))
        assert pixels.codes is not None  # noqa: S101 -- composed
        code = int(pixels.codes.numbers[0])
        if code and failures.errors:  # another item may have a value: that those which were read have none says nothing
            return pixels, REASON_UNREADABLE
        return pixels, None if code == 0 else pixels.codes.names[code - 1]


def requested_ahead(
    refs: Sequence[Sequence[ItemRef]], ahead: int, request: Callable[[Sequence[Sequence[ItemRef]]], None]
) -> Iterator[Sequence[ItemRef]]:
    """Give the items of each time, `ahead` to twice as many times after they were requested."""
    for number, of_time in enumerate(refs):
        if number % ahead == 0:
            request(refs[number + ahead if number else 0 : number + 2 * ahead])
        yield of_time
