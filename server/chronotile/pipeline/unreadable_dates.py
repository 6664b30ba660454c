"""The dates that an answer lacks, since they are damaged while their source is there (docs/design/reading.md)."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from chronotile.core.errors import DateUnreadable, SourceUnavailable, VariableLacking
from chronotile.core.model.collection import Layer, VariableInfo
from chronotile.core.model.items import ItemRef
from chronotile.core.model.payload import Payload, TimeUsed
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.readers.bisect_damage import MOST_LEFT_OUT, FailingDate
from chronotile.readers.library_errors import with_causes
from chronotile.readers.reader import Reader

log = logging.getLogger(__name__)


class UnreadableDates:
    """Collects the dates that could not be read for one answer; several threads may tell of them at once.

    Args:
        layer: That is read.
        services: To read it with; they list the dates for operators.
    """

    def __init__(self, layer: Layer, services: Services) -> None:
        self.layer = layer
        self.services = services
        self.is_closed = False
        """Whether the headers of the answer are fixed, so that no more dates may be lacking."""
        self._errors: dict[tuple[str, int], DateUnreadable] = {}
        self._instants: set[Instant] = set()
        self._left_out: dict[str, Instant | None] = {}
        """The time of each item that has the variable, by id."""
        self.note = ""
        """What the answer has in place of what was requested."""
        reader = services.reader(layer)
        self.reader = reader.replace_report(self.tell_item) if layer.main_variable.is_mosaic else reader
        """Of the layer; of a mosaic it reports items that are left out."""

    @property
    def instants(self) -> tuple[Instant, ...]:
        """Those found, ascending; none of a layer without time."""
        return tuple(sorted(self._instants))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Ids of items of a mosaic that could not be read or lack the variable, at most `MOST_LEFT_OUT`, in order."""
        return tuple(sorted(self._left_out))

    @property
    def unread(self) -> tuple[str, ...]:
        """Those of them that have the variable: the answer lacks their values."""
        return tuple(item for item in self.left_out if self._left_out[item] is not None)

    def unread_by_time(self) -> dict[str, list[str]]:
        """Return the same by time, as it is written."""
        found = dict[str, list[str]]()
        for item in self.unread:
            instant = self._left_out[item]
            if instant is not None:
                found.setdefault(format_instant(instant), []).append(item)
        return found

    def tell_item(self, ref: ItemRef, error: Exception) -> None:
        """Note an item of a mosaic that could not be read, or does not have the variable."""
        if ref.id not in self._left_out:
            self.services.reader_caches.left_out.report(self.layer.collection, ref, error)
            if len(self._left_out) < MOST_LEFT_OUT:
                self._left_out[ref.id] = None if isinstance(error, VariableLacking) else ref.instant
            self.services.failing_dates.leave_out(ref.id, error)

    def tell(self, variable: VariableInfo, index: int, error: DateUnreadable) -> None:
        """Note a date of a variable, by the index of its time."""
        if (variable.name, index) in self._errors:
            return
        self._errors[variable.name, index] = error
        if len(variable.times):
            self._instants.add(variable.times.instants[index])
        try:
            tell_failing_date(self.layer.collection, variable.name, index, error=error, services=self.services)
        except OSError as failure:  # no answer fails since a list for operators cannot be written
            log.warning("a date that cannot be read is not listed: %s; %s", failure, with_causes(error))

    def teller(self, variable: VariableInfo) -> Callable[[int, DateUnreadable], None]:
        """Return what notes dates of a variable."""
        return partial(self.tell, variable)

    def require_all(self, indexes: Sequence[int] | None = None) -> None:
        """Check that no date, or none of some of them, is lacking.

        Raises:
            DateUnreadable: One is.
        """
        for (_variable, index), error in self._errors.items():
            if indexes is None or index in indexes:
                raise error

    def require_source(self, variable: VariableInfo, indexes: Sequence[int], cell: tuple[int, int]) -> None:
        """Check that the source is there if no date of those requested could be read: another one can.

        Args:
            variable: That was read.
            indexes: Of the requested dates, ascending.
            cell: Row and column of any cell.

        Raises:
            SourceUnavailable: None of the others can be read either, or there is none.
        """
        if not self._errors:
            return
        failed = [self._errors[variable.name, index] for index in indexes if (variable.name, index) in self._errors]
        if not failed or len(failed) < len(indexes):
            return
        reader, (row, column) = self.reader, cell
        for other in _others(indexes, len(variable.times)):
            try:
                reader.read_cell(variable.name, indexes=[other], row=row, column=column)
            except DateUnreadable:
                continue
            return
        raise SourceUnavailable(failed[0].message) from failed[0]


class IncompleteAnswer(Exception):
    """Carries an answer that lacks dates past the caches, which keep nothing of what is raised.

    Args:
        body: Of the answer.
        unreadable: Ascending.
        left_out: Ids of items, in order.
        unread: Those of them that have the variable.
        note: What the answer has in place of what was requested.
    """

    def __init__(
        self,
        body: bytes,
        unreadable: tuple[Instant, ...],
        *,
        left_out: tuple[str, ...] = (),
        unread: tuple[str, ...] = (),
        note: str = "",
    ) -> None:
        super().__init__("dates or items could not be read")
        self.body = body
        self.unreadable = unreadable
        self.left_out = left_out
        self.unread = unread
        self.note = note

    def in_place_of(self, payload: Payload) -> Payload:
        """Return the answer, of which `payload` is what it would be without a body if it lacked nothing."""
        notes = (self.note,) if self.note else ()
        return replace(
            payload,
            body=self.body,
            etag=etag_without(payload.etag, self.unreadable, (*self.left_out, *notes)),
            time=time_without(payload.time, self.unreadable),
            unreadable=self.unreadable,
            left_out=self.left_out,
            note=self.note,
        )


def instants_of_all(found: Iterable[UnreadableDates]) -> tuple[Instant, ...]:
    """Return the dates of several collections of them, ascending."""
    return tuple(sorted({instant for each in found for instant in each.instants}))


def items_of_all(found: Iterable[UnreadableDates]) -> tuple[str, ...]:
    """Return the ids of items that several collections of them lack, in order."""
    return tuple(sorted({item for each in found for item in each.left_out}))


def complete(body: bytes, *found: UnreadableDates) -> bytes:
    """Return the answer, if no date and no item is lacking.

    Raises:
        IncompleteAnswer: Some are.
    """
    unreadable, left_out = instants_of_all(found), items_of_all(found)
    note = next((each.note for each in found if each.note), "")
    if unreadable or left_out or note:
        unread = tuple(sorted({item for each in found for item in each.unread}))
        raise IncompleteAnswer(body, unreadable, left_out=left_out, unread=unread, note=note)
    return body


def time_without(time: TimeUsed, unreadable: Sequence[Instant]) -> TimeUsed:
    """Return the instants that an answer shows, without those that were left out of it."""
    instants, base = (tuple(each for each in own if each not in unreadable) for own in (time.instants, time.base))
    return replace(time, instants=instants, base=base)


def etag_without(etag: str, unreadable: Sequence[Instant], left_out: Sequence[str] = ()) -> str:
    """Return the ETag of an answer that lacks dates or items: another than that of the whole one, made again then."""
    etag = fingerprint(etag, "unreadable", tuple(unreadable)) if unreadable else etag
    return fingerprint(etag, "left out", tuple(left_out)) if left_out else etag


def _others(indexes: Sequence[int], count: int) -> list[int]:
    # A few times besides those requested: the neighbours, the ends and the middle.
    likely = (indexes[-1] + 1, indexes[0] - 1, count - 1, 0, count // 2)
    return [index for index in dict.fromkeys(likely) if 0 <= index < count and index not in indexes]


# Which dates of layers could not be read, as long as their files are the same.

UNREADABLE = "cannot be read"
GONE = "has lost its file"


def tell_failing_date(collection: str, variable: str, index: int, *, error: Exception, services: Services) -> None:
    """List a date that could not be read, for `/health/ready`, the metrics and, once, the log.

    Args:
        collection: Its id.
        variable: The variable's id in the source.
        index: Counts the variable's times.
        error: Why; the log has its causes, with the file.
        services: Hold the list and the reader.
    """
    reader = services.readers[collection]
    state = _state(reader, variable, index)
    date = FailingDate(
        collection=collection,
        variable=variable,
        instant=_instant(reader.info.variables[variable], index),
        reason=GONE if state is None else UNREADABLE,
        state=state or GONE,
    )
    services.failing_dates.tell(date, details=with_causes(error))


def failing_dates(services: Services) -> tuple[FailingDate, ...]:
    """Return the dates that could not be read; those whose file is another one by now are no longer listed."""
    failing, shown = [], {(each.collection, of.name) for each in services.catalogue.layers for of in each.variables}
    for date in services.failing_dates.listed():
        if services.narrowed_from is not None and (date.collection, date.variable) not in shown:
            continue
        if _is_as_told(date, services):
            failing.append(date)
        else:
            services.failing_dates.forget(date)
    return tuple(failing)


def _is_as_told(date: FailingDate, services: Services) -> bool:
    reader = services.readers.get(date.collection)
    variable = None if reader is None else reader.info.variables.get(date.variable)
    if reader is None or variable is None:
        return False
    index = 0 if date.instant is None else int(variable.times.instants.searchsorted(date.instant))
    is_there = index < max(1, len(variable.times)) and _instant(variable, index) == date.instant
    return is_there and (_state(reader, date.variable, index) or GONE) == date.state


def _instant(variable: VariableInfo, index: int) -> Instant | None:
    return variable.times.instants[index] if len(variable.times) else None


def _state(reader: Reader, variable: str, index: int) -> str | None:
    """The state of a date's file, and what it is read as since the last reload; `None` of one that is gone."""
    try:
        return f"{reader.revision(variable, index)} {reader.info.variables[variable].encoding}"
    except SourceUnavailable:
        return None
