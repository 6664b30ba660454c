"""Values of a mosaic at a point, from the native cells of its pieces, at one time or many."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from chronotile.core.model.encoding import REASON_UNREADABLE, Encoding
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import Point
from chronotile.core.model.source import VariableInfo
from chronotile.readers.mosaic.overlap import STATISTICS, overlap_sheets
from chronotile.readers.mosaic.pieces import Failures, Pieces, PlaceInPiece
from chronotile.readers.mosaic.scenes import Scene
from chronotile.readers.mosaic_reader import ReportSkippedItem
from chronotile.readers.reader import NativeCell

TIMES_AHEAD = 16
"""Times of a series whose files are requested while the previous ones are read; bounds the unread data."""


class PlacesInPieces:
    """Reads a variable at a point.

    Args:
        pieces: Pieces of the variable.
        rule: How overlapping pieces are combined.
        encoding: Common encoding of the pieces.
        report: Called for each item that cannot be read.
    """

    def __init__(self, pieces: Pieces, rule: MosaicRule, encoding: Encoding, report: ReportSkippedItem) -> None:
        self._pieces, self._rule = pieces, rule
        self._is_combined = rule in STATISTICS
        self._encoding, self._report = encoding, report

    def read(self, refs: Sequence[Sequence[ItemRef]], point: Point) -> Pixels:
        """Return (time,) pixels; `refs` are the items at the point, per time.

        Raises:
            DateUnreadable: No item of a time can be read.
        """

        def request(block: Sequence[Sequence[ItemRef]]) -> None:
            # Rules that combine pieces need all items of a time, other rules usually the first one.
            needed = [ref for time_refs in block for ref in (time_refs if self._is_combined else time_refs[:1])]
            if self._pieces.is_of_several_files(len(needed)):
                self._pieces.fetch_ahead(needed, point)

        values = [self._read_time(time_refs, point) for time_refs in requested_ahead(refs, TIMES_AHEAD, request)]
        numbers = np.concatenate([pixels.numbers for pixels, _reason in values])
        reasons = tuple(reason for _pixels, reason in values)
        return Pixels(numbers, np.array([reason is None for reason in reasons], dtype=bool), reasons)

    def cell(self, refs: Sequence[ItemRef], point: Point) -> NativeCell | None:
        """Return the cell of the piece that the rule `first` shows, or of the first piece without a value.

        `None` if no piece contains the point.
        """
        first: NativeCell | None = None
        failures = Failures(self._report)
        if self._pieces.is_of_several_files(len(refs[:1])):
            self._pieces.fetch_ahead(refs[:1], point)
        for scene, info in self._pieces.open_scenes(refs, failures):
            here = self._pieces.at_place(scene, info, point, failures)
            if here is not None and not here.sheet.is_lacking.any():
                return here.cell
            if here is not None:
                first = first or here.cell
        return first

    def _read_time(self, refs: Sequence[ItemRef], point: Point) -> tuple[Pixels, str | None]:
        """Pixels of shape (1,), and the reason for a missing value."""
        failures, pieces = Failures(self._report), self._pieces
        opened, cells = list[tuple[Scene, VariableInfo]](), list[PlaceInPiece]()
        chosen: PlaceInPiece | None = None
        for scene, info in pieces.open_scenes(refs, failures):
            opened.append((scene, info))
            here = pieces.at_place(scene, info, point, failures)
            if here is None:
                continue
            cells.append(here)
            if chosen is None and not here.sheet.is_lacking.any():
                chosen = here
                if not self._is_combined:
                    break
        failures.require_some(refs)
        if self._is_combined and chosen is not None:
            centre, cell_by_item = chosen.centre, {cell.scene.ref.number: cell for cell in cells}
            moved = (
                pieces.read_or_reuse(scene, info, centre, failures, cell_before=cell_by_item.get(scene.ref.number))
                for scene, info in opened
            )
            cells = [cell for cell in moved if cell is not None]
        pixels = overlap_sheets((cell.sheet for cell in cells), self._rule, self._encoding, (1,))
        assert pixels.codes is not None  # noqa: S101 -- composed
        code = int(pixels.codes.numbers[0])
        if code and failures.errors:  # an unreadable item may have a value here
            return pixels, REASON_UNREADABLE
        return pixels, None if code == 0 else pixels.codes.names[code - 1]


def requested_ahead(
    refs: Sequence[Sequence[ItemRef]], ahead: int, request: Callable[[Sequence[Sequence[ItemRef]]], None]
) -> Iterator[Sequence[ItemRef]]:
    """Yield the items of each time; `request` gets them in blocks, `ahead` to twice as many times earlier."""
    for number, of_time in enumerate(refs):
        if number % ahead == 0:
            request(refs[number + ahead if number else 0 : number + 2 * ahead])
        yield of_time
