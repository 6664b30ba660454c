"""Interface of mosaics in addition to `Reader`: views with another grid, rule or mask, and overviews."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from chronotile.core.model.collection import Resampling
from chronotile.core.model.expression import Expression
from chronotile.core.model.items import ItemRef, MosaicRule
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import Point
from chronotile.core.model.source import Mask, VariableInfo
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.time.domain import TimeDomain
from chronotile.readers.lattices import Lattice
from chronotile.readers.reader import Reader

PROVISIONAL = "pieces for now"
"""Inputs of a picture whose overviews are missing: later, or on another host, it has other pixels."""

ReportSkippedItem = Callable[[ItemRef, Exception], None]
"""Called with an item that is skipped, and the error."""


class MosaicReader(Reader):
    """Reader of the overlapping items of a collection as one raster per instant.

    The levels of a variable belong to a grid over all pieces. Methods that replace or add something return a reader of
    the same items and leave this one unchanged.
    """

    @abstractmethod
    def compose(self, variable: str, *, index: int, grid: Grid, resampling: Resampling = "nearest") -> Pixels:
        """Return (y, x) pixels of a variable on a grid at one time, composed of all pieces, with codes.

        Raises:
            DateUnreadable: No item on the grid can be read.
            SourceUnavailable: The source or its item index is unreachable.
            LimitExceeded: More items than `max_pieces` would be opened.
        """

    @abstractmethod
    def picture_inputs(self, variable: str, index: int, grid: Grid) -> str:
        """Return whether a picture is composed of pieces or of overviews, which give different pixels."""

    @abstractmethod
    def prepare_overviews(self, variable: str, index: int) -> None:
        """Queue the overviews of a whole time, which are composed in the background."""

    @abstractmethod
    def items_revision(self) -> str:
        """Return a text that changes with every change to the items, or to the configuration of the variables.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """

    @abstractmethod
    def are_files_indexed(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> bool:
        """Return whether the item index has seen the current files of some times in a window of the native grid.

        `items_revision` is read from the index again, so that it includes them.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """

    @property
    @abstractmethod
    def reopen_reason(self) -> str:
        """Why the source must be opened again: a file has an encoding that was unknown at opening. Empty if not."""

    @abstractmethod
    def learn_encodings(self, variable: str) -> None:
        """Open the files whose encoding is unknown, so that the next reader of the source has their encodings.

        Raises:
            SourceUnavailable: The item index is unreachable.
        """

    @abstractmethod
    def lattices(self, variable: str) -> tuple[Lattice, ...]:
        """Return the lattices of the native cells of the pieces; the lattice of most pieces is first."""

    @abstractmethod
    def has_native_grid(self, variable: str) -> bool:
        """Return whether the cells of the levels are native cells of all pieces, or configured."""

    @abstractmethod
    def lattice_at(self, variable: str, point: Point) -> Lattice | None:
        """Return the lattice of the native cells at a point, or `None` if the levels of the variable have it.

        If pieces with several lattices contain the point, the most common one is returned.
        """

    @abstractmethod
    def mosaic_rule(self, variable: str) -> MosaicRule:
        """Return how overlapping pieces are combined."""

    @abstractmethod
    def add_mask(self, variable: VariableInfo, mask: Mask) -> "MosaicReader":
        """Return a reader that masks a variable within each item: masked pixels show the piece below.

        Args:
            variable: The variable, with the times that its mask has, too.
            mask: The variable of the source that masks it.
        """

    @abstractmethod
    def add_formula(self, name: str, expression: Expression, operands: Sequence[str]) -> "MosaicReader":
        """Return a reader with an additional variable, which is computed for each item.

        Args:
            name: Id of the variable.
            expression: Expression over variables of the source.
            operands: The ids of these variables; the formula has the grid of the first.

        Raises:
            InvalidParameter: They lie on different grids, or have no time in common.
        """

    @abstractmethod
    def replace_report(self, report: ReportSkippedItem) -> "MosaicReader":
        """Return a reader that calls `report` for each skipped item."""

    @abstractmethod
    def replace_grid(self, grid: NativeGrid) -> "MosaicReader":
        """Return a reader with windows, blocks and cells of a north-up grid."""

    @abstractmethod
    def replace_rule(self, rule: MosaicRule) -> "MosaicReader":
        """Return a reader that combines pieces by another rule; their order stays."""

    @abstractmethod
    def replace_times(self, times: TimeDomain) -> "MosaicReader":
        """Return a reader whose indexes count these times, even if the items have other times now."""


def as_mosaic(reader: Reader) -> MosaicReader:
    """Return the reader of a mosaic with its type; `is_mosaic` of its variables must be true."""
    if not isinstance(reader, MosaicReader):
        raise TypeError("the source is not a mosaic")
    return reader
