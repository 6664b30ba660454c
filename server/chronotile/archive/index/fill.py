"""Fills the index of one collection from its source. An interrupted pass continues at its last bookmark."""

from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic, time_ns
from typing import NamedTuple

import numpy as np

from chronotile.archive.index.source import (
    Bookmark,
    DeletedEntry,
    EntryAnswer,
    EntryReaders,
    Excluded,
    ItemSource,
    Listed,
    ListedEntry,
    ReadEntry,
    Unread,
)
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.passes import (
    CHUNK,
    KnownEntry,
    Problem,
    SourceEntry,
    SourcePass,
    SourcePasses,
    new_holder,
    strip_allowed_locations,
)
from chronotile.catalog.items.preparing import Prepared
from chronotile.catalog.items.properties import nanoseconds
from chronotile.core.errors import AddressRefused
from chronotile.core.model.items import IndexSettings, Item, ItemSearch, PutSummary
from chronotile.core.model.time.instants import DAY, DISTANT_PAST, TimeSpan
from chronotile.core.model.types import Instant

AHEAD = 3
"""Batches that processes read ahead while an earlier one is stored."""
LARGER = 4
"""Factor on the batch size if processes read the entries, which saves transactions."""
BATCH = 256
"""Default number of entries that are read and stored together; an interruption repeats at most one batch.

If processes read the entries, batches are `LARGER` times as large, and `AHEAD` more batches are repeated.
"""
CLEARED = 500
"""Items per transaction when all items of a collection are removed."""
TWICE = "another document or file before it has the same item ids"
MAX_DOUBTFUL = 100_000
"""Number of items with locations that are no longer permitted, above which the whole source is read again."""
MAX_SEEN, NOTED_S = 4096, 5.0
"""Unchanged entries are noted after this number or this time, because each note is a transaction."""
MAX_SHOWN = 5
"""Number of unreadable parts that are listed."""

PassProgress = Callable[[int], None]
"""Called with the number of entries processed so far."""


class Interrupted(Exception):
    """A pass was stopped. Stored items remain, and the next pass continues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSummary:
    """Result of a pass over a source."""

    collection: str
    put: PutSummary = field(default_factory=PutSummary)
    """`unchanged` includes the items of entries that were not read because they are unchanged."""
    removed: int = 0
    is_whole: bool = True
    """Whether the whole source was processed."""
    unread: tuple[Unread, ...] = ()
    """The first `MAX_SHOWN` unreadable parts."""
    unread_count: int = 0
    problems: tuple[Problem, ...] = ()
    """Reasons for entries without items."""
    filtered: int = 0
    """Number of entries that the filter excludes."""
    has_items: bool = True
    """Whether any entry of the source has an item; checked only if entries were skipped."""

    @property
    def is_complete(self) -> bool:
        """Whether all parts of the source could be read."""
        return self.unread_count == 0

    @property
    def is_news(self) -> bool:
        """Whether the pass changed anything or was incomplete."""
        return bool(self.put.added or self.put.replaced or self.removed) or not self.is_complete

    def lines(self) -> list[str]:
        """Return the report for the operator."""
        put, removed = self.put, f"{self.removed} removed"
        counts = [f"{put.added} added", f"{put.replaced} replaced", f"{put.unchanged} unchanged", removed]
        counts += [f"{self.filtered} left out by the filter"] if self.filtered else []
        lines = [f"{self.collection}: {', '.join(counts)}"]
        if not self.is_complete:
            lines.append(
                f"{self.collection}: incomplete, {self.unread_count} parts of the source could not be read, so nothing "
                "was removed"
            )
            lines += [f"{self.collection}: {u.key}: {u.reason}" for u in self.unread]
            more = self.unread_count - len(self.unread)
            lines += [f"{self.collection}: and {more} more"] if more else []
        elif not self.is_whole:
            lines.append(f"{self.collection}: only changes were read; removed items are found by --full")
        for problem in self.problems:
            keys = ", ".join(problem.keys) + (", …" if problem.count > len(problem.keys) else "")
            lines.append(f"{self.collection}: {problem.count} left out: {problem.reason} ({keys})")
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCollection:
    """A collection whose items are indexed."""

    id: str
    settings: IndexSettings
    """Grouping and order of the items."""
    keep_days: float | None = None
    """Items that started earlier are removed and not added."""

    def is_old(self, item: Item | Prepared) -> bool:
        """Return whether an item is older than `keep_days`."""
        if self.keep_days is None:
            return False
        start = item.start if isinstance(item, Prepared) else nanoseconds(item.start)
        return start < nanoseconds(self.period_start())

    def period_start(self) -> Instant:
        """Return the start of the period of `keep_days`."""
        return np.datetime64(time_ns(), "ns") - (self.keep_days or 0.0) * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStore:
    """The index to fill."""

    items: ItemIndex
    passes: SourcePasses
    """Passes, in the same database as the items."""

    def close(self) -> None:
        """Close the connections to the database."""
        self.items.close()
        self.passes.close()


def fill(  # noqa: PLR0913 -- five of them by keyword
    collection: IndexedCollection,
    source: ItemSource,
    store: IndexStore,
    *,
    is_whole: bool = True,
    batch: int = BATCH,
    processes: int = 0,
    progress: PassProgress | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> FillSummary:
    """Update the items of a collection to its source.

    Args:
        collection: The collection.
        source: The source of its items.
        store: The index.
        is_whole: Whether the whole source is read, even if it can list its changes.
        batch: Number of entries that are read and stored together.
        processes: Number of additional processes for sources with many entries.
        progress: Called after each batch.
        is_stopped: Whether to stop after the current batch is stored.

    Raises:
        Interrupted: The call was stopped.
        SourceUnavailable: Source or database are unreachable, or another process updates the collection.
        UnsupportedSource: The source is not a source of items.
    """
    state = source.state
    unchanged = None
    if state and not is_whole:
        unchanged = store.passes.count_unchanged(collection.id, source=source.identity, since=state)
    is_whole = is_whole or not source.knows_changes
    settings = store.items.settings(collection.id)
    if settings is not None and settings.is_of_dates != collection.settings.is_of_dates:
        clear(collection.id, store, is_stopped)  # items are either dates of files or items of a source, not both
    is_empty = store.items.settings(collection.id) is None
    removed = _remove_old(collection, store, is_stopped)
    if unchanged is not None and not is_empty:
        store.items.configure(collection.id, collection.settings)
        put = PutSummary(unchanged=unchanged)
        return _add_skipped(FillSummary(collection=collection.id, put=put, removed=removed), store)
    doubtful = _forbidden_ids(collection.id, source, store)
    summary = FillSummary(collection=collection.id, removed=removed)
    while True:
        run = store.passes.begin(
            collection.id,
            source=source.identity,
            holder=new_holder(),
            is_whole=is_whole,
            is_empty=is_empty,
            doubtful=doubtful,
            state=state,
        )
        is_empty = False
        filling = _Filling(
            collection, run, source, store, batch=batch, processes=processes, progress=progress, is_stopped=is_stopped
        )
        try:
            # Not before the pass begins: a configured collection without a pass counts as completely indexed.
            store.items.configure(collection.id, collection.settings)
            result, again = filling.run()
        except BaseException:
            store.passes.release(run)
            raise
        # A second pass counts the items of the first as unchanged.
        put = summary.put + result.put
        unchanged = max(0, result.put.unchanged - summary.put.added - summary.put.replaced)
        summary = replace(result, put=replace(put, unchanged=unchanged), removed=summary.removed + result.removed)
        is_whole = is_whole or again
        if not again:
            return _add_skipped(summary, store)


def _add_skipped(summary: FillSummary, store: IndexStore) -> FillSummary:
    """Return the summary with the skipped entries of this pass and of earlier passes."""
    passes, collection = store.passes, summary.collection
    problems = passes.problems(collection)
    has_items = not problems or passes.has_items(collection)
    return replace(summary, problems=problems, filtered=passes.count_filtered(collection), has_items=has_items)


def _remove_old(collection: IndexedCollection, store: IndexStore, is_stopped: Callable[[], bool]) -> int:
    """Remove items that are older than `keep_days`; return their number."""
    if collection.keep_days is None:
        return 0
    removed, span = 0, TimeSpan(DISTANT_PAST, collection.period_start())
    search = ItemSearch(collections=(collection.id,), span=span, limit=CLEARED)
    while items := store.items.search(search).items:
        if is_stopped():
            raise Interrupted
        removed += store.items.remove(collection.id, [item.ref.id for item in items])
    return removed


def clear(collection: str, store: IndexStore, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Remove all items of a collection.

    Raises:
        Interrupted: The call was stopped.
    """
    search = ItemSearch(collections=(collection,), limit=CLEARED)
    while items := store.items.search(search).items:
        if is_stopped():
            raise Interrupted
        store.items.remove(collection, [item.ref.id for item in items])


def _forbidden_ids(collection: str, source: ItemSource, store: IndexStore) -> list[str] | None:
    """Return ids of items with locations that are no longer permitted; `None`: too many. Empty if nothing changed."""
    before = store.passes.source(collection)
    ids = list[str]()
    if (
        before is None
        or before == source.identity
        or strip_allowed_locations(before) != strip_allowed_locations(source.identity)
    ):
        return ids
    for id_, hrefs in store.items.addresses(collection):
        try:
            for href in hrefs:
                source.allowed(href)
        except AddressRefused:
            ids.append(id_)
            if len(ids) > MAX_DOUBTFUL:
                return None
    return ids


class _Batch(NamedTuple):
    """Listed folders or documents whose changed entries are read and stored together."""

    parts: Sequence[Listed]
    entries: int
    unchanged: list[str]
    """Keys of unchanged entries."""
    problems: dict[str, str | None]
    """Problems of entries that were stored before."""
    changed: list[ListedEntry]
    answers: Iterator[EntryAnswer]
    """The answers for `changed`."""


class _Filling:
    """One pass."""

    def __init__(  # noqa: PLR0913 -- four of them by keyword
        self,
        collection: IndexedCollection,
        run: SourcePass,
        source: ItemSource,
        store: IndexStore,
        *,
        batch: int,
        processes: int,
        progress: PassProgress | None,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._collection = collection
        self._run, self._source, self._items, self._passes = run, source, store.items, store.passes
        self._batch, self._processes = batch, processes
        self._progress, self._is_stopped = progress, is_stopped
        self._put = PutSummary()
        self._unchanged: list[str] = []
        self._cursor: str | None = None
        self._noted_s = monotonic()
        self._unread: list[Unread] = []
        self._unread_count = 0
        self._looked = 0
        self._removed = 0
        self._again = 0

    def run(self) -> tuple[FillSummary, bool]:
        """Run the pass; return its summary, and whether another pass has to read entries again."""
        with EntryReaders(self._source, self._processes, self._is_stopped) as readers:
            batches = deque[_Batch]()
            listed = self._source.entries(self._run)
            while batch := list(_take_entries(listed, self._batch * (LARGER if readers.is_ahead else 1))):
                replaced = {entry.key for b in batches for entry in b.changed}
                batches.append(self._begin(batch, readers, replaced))
                if not readers.is_ahead or len(batches) > AHEAD:
                    self._store(batches)
                else:
                    self._passes.note(self._run)  # otherwise another process would take over the pass of a slow source
            while batches:
                self._store(batches)
        self._write_notes()
        if self._unread_count == 0:
            has_gone = self._run.is_whole and self._passes.has_gone(self._run)
            self._removed += self._remove_unseen() if has_gone else 0
            self._again += self._passes.finish(self._run, since=self._source.next_since(), has_gone=has_gone)
        else:
            self._passes.give_up(self._run)
        summary = FillSummary(
            collection=self._run.collection,
            put=self._put,
            removed=self._removed,
            is_whole=self._run.is_whole,
            unread=tuple(self._unread),
            unread_count=self._unread_count,
        )
        return summary, self._again > 0

    def _begin(self, batch: Sequence[Listed], readers: EntryReaders, replaced: Container[str]) -> _Batch:
        """Start to read the changed entries of a batch, and all entries with keys in `replaced`."""
        entries = list({entry.key: entry for entry in batch if isinstance(entry, ListedEntry)}.values())
        stored_entries = self._passes.stored_entries(self._run.collection, [entry.key for entry in entries])
        unchanged, changed, states = list[str](), list[ListedEntry](), dict[str, str]()
        for entry in entries:
            stored = stored_entries.get(entry.key)
            # An entry with the key of one that was just read is read in any case.
            states[entry.key] = "" if stored is None or entry.key in replaced else stored.state
            if stored is not None and entry.key not in replaced and self._is_as_seen(entry, stored):
                unchanged.append(entry.key)
            else:
                changed.append(entry)
        answers = readers.read(changed, [states[entry.key] for entry in changed])
        problems = {entry: stored.problem for entry, stored in stored_entries.items()}
        return _Batch(batch, len(entries), unchanged, problems, changed, answers)

    def _store(self, batches: deque[_Batch]) -> None:
        """Store the items of the oldest started batch, and note its entries."""
        self._note(batches.popleft())
        if self._progress is not None:
            self._progress(self._looked)
        if self._is_stopped():
            raise Interrupted

    def _write_notes(self, read: Sequence[SourceEntry] = (), restated: Mapping[str, str] | None = None) -> None:
        # Notes read entries, and unchanged entries of one or several batches.
        self._passes.note(self._run, unchanged=self._unchanged, read=read, restated=restated or {}, cursor=self._cursor)
        self._unchanged, self._cursor, self._noted_s = [], None, monotonic()

    def _note(self, started: _Batch) -> None:
        batch, unchanged_keys, restated = started.parts, started.unchanged, dict[str, str]()
        answers = list[tuple[ListedEntry, ReadEntry]]()
        for entry, answer in zip(started.changed, started.answers, strict=True):
            if answer is None:
                unchanged_keys.append(entry.key)
            elif isinstance(answer, str):
                restated[entry.key] = answer
            elif isinstance(answer, Unread):
                self._miss(answer)
            else:
                answers.append((entry, answer))
        read = self._put_items(answers)
        for part in batch:
            if isinstance(part, Unread):
                self._miss(part)
            elif isinstance(part, Excluded):
                read.append(SourceEntry(key=part.key, state="", problem=part.reason))
        self._drop([part.key for part in batch if isinstance(part, DeletedEntry)])
        for bookmark in (b for b in batch if isinstance(b, Bookmark)):
            # Entries that could not be read must not be before the bookmark, else they would be skipped.
            self._cursor = bookmark.cursor if self._unread_count == 0 else None
        self._unchanged += unchanged_keys
        if started.changed or read or len(self._unchanged) > MAX_SEEN or monotonic() - self._noted_s > NOTED_S:
            self._write_notes(read, restated)
        unchanged = [key for key in (*unchanged_keys, *restated) if started.problems[key] is None]
        self._put += PutSummary(unchanged=len(unchanged))
        self._looked += started.entries

    def _is_as_seen(self, entry: ListedEntry, stored: KnownEntry) -> bool:
        """Return whether an entry is unchanged; an entry without a state is unchanged if this pass has read it."""
        if entry.part is not None:
            return bool(entry.state) and stored.state.startswith(f"{entry.state} ")
        if entry.state:
            return entry.state == stored.state
        # A pass that continues without a cursor has the next number after the interrupted one.
        return self._run.is_resumed and stored.seen >= self._run.number - (self._run.cursor is None)

    def _put_items(self, answers: Sequence[tuple[ListedEntry, ReadEntry]]) -> list[SourceEntry]:
        """Store the items of entries; of entries with the same item, the smallest key counts, regardless of order."""
        owners = dict[str, str]()
        ids = list({item.id for _entry, answer in answers for item in answer.found})
        owners.update(self._passes.holders(self._run.collection, ids))
        chosen = dict[str, Item | Prepared]()
        for entry, answer in answers:
            for item in answer.found:
                if entry.key <= owners.get(item.id, entry.key):
                    owners[item.id] = entry.key
                    chosen[item.id] = item
        entries = [_entry_of(entry, answer, owners) for entry, answer in answers]
        if entries:
            self._passes.expect(self._run, entries)
        old = {id_ for id_, c in chosen.items() if self._collection.is_old(c)}
        # An item that is too old now may be in the index, from a time when it was younger.
        self._removed += self._items.remove(self._run.collection, old)
        if recent := [c for id_, c in chosen.items() if id_ not in old]:
            self._put += self._items.put(self._run.collection, recent)
        return entries

    def _remove_unseen(self) -> int:
        removed = 0
        while ids := self._passes.unseen(self._run, most=CHUNK):
            removed += self._items.remove(self._run.collection, ids)
            self._passes.forget(self._run.collection, ids)
        return removed

    def _drop(self, keys: Sequence[str]) -> None:
        """Remove the items of deleted entries."""
        if keys:
            ids = self._passes.items_only_in(self._run.collection, keys)
            self._removed += self._items.remove(self._run.collection, ids)
            self._again += self._passes.drop_entries(self._run, keys)

    def _miss(self, unread: Unread) -> None:
        self._unread_count += 1
        if len(self._unread) < MAX_SHOWN:
            self._unread.append(unread)


def _take_entries(listed: Iterator[Listed], count: int) -> Iterator[Listed]:
    """Yield `count` parts of a source, and the remaining entries of a common `SourcePart`."""
    for number, part in enumerate(listed, start=1):
        yield part
        if number >= count and (not isinstance(part, ListedEntry) or part.part is None):
            return


def _entry_of(entry: ListedEntry, answer: ReadEntry, owners: dict[str, str]) -> SourceEntry:
    ids = tuple(item.id for item in answer.found)
    is_twice = bool(ids) and all(owners[id_] < entry.key for id_ in ids)
    problem = answer.problem or (TWICE if is_twice else None if ids else "")
    return SourceEntry(key=entry.key, state=answer.state, ids=ids, problem=problem, is_refused=answer.is_refused)
