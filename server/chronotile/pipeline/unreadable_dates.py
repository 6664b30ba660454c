"""Unreadable dates and items of one answer: the files are damaged although the source is reachable.

An answer about several times skips them, lists them in `Missing` and may be cached for a short time only
(docs/design/reading.md).
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from chronotile.core.errors import DateUnreadable, SourceUnavailable, VariableLacking
from chronotile.core.model.collection import Layer
from chronotile.core.model.items import ItemRef
from chronotile.core.model.payload import Missing
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant
from chronotile.pipeline.failing_dates import report_failing_date
from chronotile.pipeline.services import Services
from chronotile.readers.failing_dates import MAX_SKIPPED_ITEMS
from chronotile.readers.library_errors import cause_text
from chronotile.readers.mosaic_reader import MosaicReader

log = logging.getLogger(__name__)


class UnreadableDates:
    """Collects the dates and items of a layer that could not be read for one answer. Thread-safe.

    Args:
        layer: The layer that is read.
        services: The services that read it; they list the dates for operators.
    """

    def __init__(self, layer: Layer, services: Services) -> None:
        self.layer = layer
        self.services = services
        self.is_closed = False
        """Whether the headers of the answer are sent, so that a further unreadable date is an error."""
        self.note = ""
        """Sentence for the client about a substitute in the answer."""
        self._errors: dict[tuple[str, int], DateUnreadable] = {}
        self._instants: set[Instant] = set()
        self._skipped_items: dict[str, Instant | None] = {}
        """Time of each skipped item by id; `None` if the item does not have the variable."""
        reader = services.reader(layer)
        self.reader = reader.replace_report(self.report_item) if isinstance(reader, MosaicReader) else reader
        """The reader of the layer. That of a mosaic calls `report_item` for each item that it skips."""

    @property
    def instants(self) -> tuple[Instant, ...]:
        """The unreadable dates, ascending; empty for a layer without time."""
        return tuple(sorted(self._instants))

    @property
    def missing(self) -> Missing:
        """All that the answer lacks so far; at most `MAX_SKIPPED_ITEMS` items."""
        items = sorted(self._skipped_items)
        return Missing(
            unreadable_times=self.instants,
            skipped_items=tuple(items),
            unread_items=tuple(item for item in items if self._skipped_items[item] is not None),
            note=self.note,
        )

    def unread_items_by_time(self) -> dict[str, list[str]]:
        """Return the ids of skipped items that have the variable, by formatted time."""
        items = dict[str, list[str]]()
        for item, instant in sorted(self._skipped_items.items()):
            if instant is not None:
                items.setdefault(format_instant(instant), []).append(item)
        return items

    def report_item(self, ref: ItemRef, error: Exception) -> None:
        """Add an item of a mosaic that could not be read or does not have the variable."""
        if ref.id not in self._skipped_items:
            self.services.reader_caches.skipped_items.report(self.layer.collection, ref, error)
            if len(self._skipped_items) < MAX_SKIPPED_ITEMS:
                self._skipped_items[ref.id] = None if isinstance(error, VariableLacking) else ref.instant
            self.services.failing_dates.skip_item(ref.id, error)

    def report(self, variable: VariableInfo, index: int, error: DateUnreadable) -> None:
        """Add a date of a variable by the index of its time."""
        if (variable.name, index) in self._errors:
            return
        self._errors[variable.name, index] = error
        if len(variable.times):
            self._instants.add(variable.times.instants[index])
        try:
            report_failing_date(self.layer.collection, variable.name, index, error=error, services=self.services)
        except OSError as failure:  # an answer does not fail because the list for operators cannot be written
            log.warning("a date that cannot be read is not listed: %s; %s", failure, cause_text(error))

    def reporter(self, variable: VariableInfo) -> Callable[[int, DateUnreadable], None]:
        """Return `report` for one variable."""
        return partial(self.report, variable)

    def require_all(self, indexes: Sequence[int] | None = None) -> None:
        """Check that no date is unreadable.

        Args:
            indexes: The times to check; `None` for all.

        Raises:
            DateUnreadable: A date is unreadable.
        """
        for (_variable, index), error in self._errors.items():
            if indexes is None or index in indexes:
                raise error

    def require_source(self, variable: VariableInfo, indexes: Sequence[int], cell: tuple[int, int]) -> None:
        """Check that the source is reachable if no requested date could be read: read one cell of another date.

        Args:
            variable: The variable that was read.
            indexes: Indexes of the requested dates, ascending.
            cell: Row and column of any cell.

        Raises:
            SourceUnavailable: The other dates cannot be read either, or the variable has no others.
        """
        if not self._errors:
            return
        errors = [self._errors[variable.name, index] for index in indexes if (variable.name, index) in self._errors]
        if not errors or len(errors) < len(indexes):
            return
        row, column = cell
        for index in _likely_readable(indexes, len(variable.times)):
            try:
                self.reader.read_cell(variable.name, indexes=[index], row=row, column=column)
            except DateUnreadable:
                continue
            return
        raise SourceUnavailable(errors[0].message) from errors[0]


def _likely_readable(indexes: Sequence[int], count: int) -> list[int]:
    # A few of `count` times that were not requested: the neighbours, the first, the last and the middle one.
    likely = (indexes[-1] + 1, indexes[0] - 1, count - 1, 0, count // 2)
    return [index for index in dict.fromkeys(likely) if 0 <= index < count and index not in indexes]
