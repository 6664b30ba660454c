"""Fills the index of one collection from its source; what is interrupted goes on where it stopped."""

from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic, time_ns
from typing import NamedTuple

import numpy as np

from chronotile.archive.index.source import (
    Answer,
    Bookmark,
    EntryReaders,
    Excluded,
    Gone,
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
"""Batches that processes read while one before them is stored."""
LARGER = 4
"""Times as many entries are stored together where processes read them, for fewer transactions."""
BATCH = 256
"""Entries that are read and stored together, unless another number is given: what an interruption repeats at most.

Where processes read them, these are `LARGER` times as many, and it repeats `AHEAD` batches more.
"""
CLEARED = 500
"""Items that are removed together, of a collection that had dates and has scenes now, or the reverse."""
TWICE = "another document or file before it has the same item ids"
MOST_DOUBTFUL = 100_000
"""Items that are no longer allowed, beyond which the whole source is read again."""
MOST_SEEN, NOTED_S = 4096, 5.0
"""Entries that need not be read, and seconds, after which they are noted: each note is a transaction."""
MOST_SHOWN = 5
"""Parts of a source that are named of those that could not be read."""

Progress = Callable[[int], None]
"""Called with how many entries have been looked at."""


class Interrupted(Exception):
    """A pass was stopped; what it has stored stays, and the next one goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillSummary:
    """What a pass over a source did."""

    collection: str
    put: PutSummary = field(default_factory=PutSummary)
    """`unchanged`: also items of entries that were not read, as they are as before."""
    removed: int = 0
    is_whole: bool = True
    """Whether all of the source was looked at."""
    unread: tuple[Unread, ...] = ()
    """Parts that could not be read, the first of them."""
    unread_count: int = 0
    problems: tuple[Problem, ...] = ()
    """Why entries have no items."""
    filtered: int = 0
    """Entries that the filter leaves out."""
    has_items: bool = True
    """Whether any entry of the source has an item; looked up only if some are left out."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing was missed that should have been read."""
        return self.unread_count == 0

    @property
    def is_news(self) -> bool:
        """Whether it changed something, or missed something."""
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
            lines += [f"{self.collection}: {each.key}: {each.reason}" for each in self.unread]
            more = self.unread_count - len(self.unread)
            lines += [f"{self.collection}: and {more} more"] if more else []
        elif not self.is_whole:
            lines.append(f"{self.collection}: only changes were read; removed items are found by --full")
        for each in self.problems:
            keys = ", ".join(each.keys) + (", …" if each.count > len(each.keys) else "")
            lines.append(f"{self.collection}: {each.count} left out: {each.reason} ({keys})")
        return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedCollection:
    """A collection whose items are indexed."""

    id: str
    settings: IndexSettings
    """How items are grouped and ordered."""
    keep_days: float | None = None
    """Items that began longer ago are removed, and not put."""

    def is_old(self, item: Item | Prepared) -> bool:
        """Return whether an item began so long ago that it is not kept."""
        if self.keep_days is None:
            return False
        start = item.start if isinstance(item, Prepared) else nanoseconds(item.start)
        return start < nanoseconds(self.kept_from())

    def kept_from(self) -> Instant:
        """Return the instant before which items are not kept."""
        return np.datetime64(time_ns(), "ns") - (self.keep_days or 0.0) * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexStore:
    """What is filled."""

    items: ItemIndex
    passes: SourcePasses
    """In the database of the items."""

    def close(self) -> None:
        """Close the connections to the database."""
        self.items.close()
        self.passes.close()


def fill(  # noqa: PLR0913 -- of which four are named
    collection: IndexedCollection,
    source: ItemSource,
    store: IndexStore,
    *,
    is_whole: bool = True,
    batch: int = BATCH,
    processes: int = 0,
    progress: Progress | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
) -> FillSummary:
    """Bring the items of a collection in line with its source.

    Args:
        collection: It.
        source: Where its items are.
        store: The index.
        is_whole: Whether all of the source is looked at, even if it can list its changes.
        batch: How many entries are read and stored together.
        processes: How many may read entries beside this one, of a source with many.
        progress: Called after each batch.
        is_stopped: Whether to stop after what is being read now, which is stored.

    Raises:
        Interrupted: It was stopped.
        SourceUnavailable: The source or the database cannot be read, or another process is at it.
        UnsupportedSource: The source is none.
    """
    state = source.state
    unchanged = None
    if state and not is_whole:
        unchanged = store.passes.count_unchanged(collection.id, source=source.identity, since=state)
    is_whole = is_whole or not source.knows_changes
    held = store.items.settings(collection.id)
    if held is not None and held.is_of_dates != collection.settings.is_of_dates:
        clear(collection.id, store, is_stopped)  # neither is read as the other
    is_empty = store.items.settings(collection.id) is None
    removed = _remove_old(collection, store, is_stopped)
    if unchanged is not None and not is_empty:
        store.items.configure(collection.id, collection.settings)
        put = PutSummary(unchanged=unchanged)
        return _of_passes(FillSummary(collection=collection.id, put=put, removed=removed), store)
    doubtful = _doubtful(collection.id, source, store)
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
            store.items.configure(collection.id, collection.settings)  # without a pass it would be taken for whole
            done, again = filling.run()
        except BaseException:
            store.passes.release(run)
            raise
        # The second of two passes has seen again what the first one saw.
        put = summary.put + done.put
        unchanged = max(0, done.put.unchanged - summary.put.added - summary.put.replaced)
        summary = replace(done, put=replace(put, unchanged=unchanged), removed=summary.removed + done.removed)
        is_whole = is_whole or again
        if not again:
            return _of_passes(summary, store)


def _of_passes(summary: FillSummary, store: IndexStore) -> FillSummary:
    """The summary with what is left out, now or in passes before."""
    passes, collection = store.passes, summary.collection
    problems = passes.problems(collection)
    has_items = not problems or passes.has_items(collection)
    return replace(summary, problems=problems, filtered=passes.count_filtered(collection), has_items=has_items)


def _remove_old(collection: IndexedCollection, store: IndexStore, is_stopped: Callable[[], bool]) -> int:
    """Remove items that are not kept any more; return how many."""
    if collection.keep_days is None:
        return 0
    removed, span = 0, TimeSpan(DISTANT_PAST, collection.kept_from())
    search = ItemSearch(collections=(collection.id,), span=span, limit=CLEARED)
    while found := store.items.search(search).items:
        if is_stopped():
            raise Interrupted
        removed += store.items.remove(collection.id, [each.ref.id for each in found])
    return removed


def clear(collection: str, store: IndexStore, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """Remove all items of a collection.

    Raises:
        Interrupted: It was stopped.
    """
    search = ItemSearch(collections=(collection,), limit=CLEARED)
    while found := store.items.search(search).items:
        if is_stopped():
            raise Interrupted
        store.items.remove(collection, [each.ref.id for each in found])


def _doubtful(collection: str, source: ItemSource, store: IndexStore) -> list[str] | None:
    """Ids of items with an address that is not allowed any more, if that has changed; `None`: too many of them."""
    before = store.passes.source(collection)
    found = list[str]()
    if (
        before is None
        or before == source.identity
        or strip_allowed_locations(before) != strip_allowed_locations(source.identity)
    ):
        return found
    for id_, hrefs in store.items.addresses(collection):
        try:
            for href in hrefs:
                source.allowed(href)
        except AddressRefused:
            found.append(id_)
            if len(found) > MOST_DOUBTFUL:
                return None
    return found


class _Batch(NamedTuple):
    """Parts of a source that are read and stored together."""

    parts: Sequence[Listed]
    entries: int
    seen: list[str]
    """Keys of entries that need not be read."""
    problems: dict[str, str | None]
    """Of entries that were seen before."""
    wanted: list[ListedEntry]
    answers: Iterator[Answer]
    """What is read of those."""


class _Filling:
    """One pass."""

    def __init__(  # noqa: PLR0913 -- of which four are named
        self,
        collection: IndexedCollection,
        run: SourcePass,
        source: ItemSource,
        store: IndexStore,
        *,
        batch: int,
        processes: int,
        progress: Progress | None,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._collection = collection
        self._run, self._source, self._items, self._passes = run, source, store.items, store.passes
        self._batch, self._processes = batch, processes
        self._progress, self._is_stopped = progress, is_stopped
        self._put = PutSummary()
        self._seen: list[str] = []
        self._cursor: str | None = None
        self._noted_s = monotonic()
        self._unread: list[Unread] = []
        self._unread_count = 0
        self._looked = 0
        self._removed = 0
        self._again = 0

    def run(self) -> tuple[FillSummary, bool]:
        """Make the pass; return what it did, and whether another one has entries to read again."""
        with EntryReaders(self._source, self._processes, self._is_stopped) as readers:
            begun = deque[_Batch]()
            listed = self._source.entries(self._run)
            while batch := list(_some(listed, self._batch * (LARGER if readers.is_ahead else 1))):
                replaced = {entry.key for each in begun for entry in each.wanted}
                begun.append(self._begin(batch, readers, replaced))
                if not readers.is_ahead or len(begun) > AHEAD:
                    self._store(begun)
                else:
                    self._passes.note(self._run)  # or others would begin where the source is slow
            while begun:
                self._store(begun)
        self._write_notes()
        if self._unread_count == 0:
            has_gone = self._run.is_whole and self._passes.has_gone(self._run)
            self._removed += self._remove_unseen() if has_gone else 0
            self._again += self._passes.finish(self._run, since=self._source.since(), has_gone=has_gone)
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
        """Begin to read the entries of a batch that have changed, or that another of the same key replaces before."""
        entries = list({each.key: each for each in batch if isinstance(each, ListedEntry)}.values())
        known = self._passes.stored_entries(self._run.collection, [each.key for each in entries])
        seen, wanted, states = list[str](), list[ListedEntry](), dict[str, str]()
        for each in entries:
            stored = known.get(each.key)
            # What replaces another that was just read is read, in whatever state it was.
            states[each.key] = "" if stored is None or each.key in replaced else stored.state
            if stored is not None and each.key not in replaced and self._is_as_seen(each, stored):
                seen.append(each.key)
            else:
                wanted.append(each)
        answers = readers.read(wanted, [states[each.key] for each in wanted])
        problems = {each: stored.problem for each, stored in known.items()}
        return _Batch(batch, len(entries), seen, problems, wanted, answers)

    def _store(self, begun: deque[_Batch]) -> None:
        """Put the items of the first batch that was begun, and note what was seen."""
        self._note(begun.popleft())
        if self._progress is not None:
            self._progress(self._looked)
        if self._is_stopped():
            raise Interrupted

    def _write_notes(self, read: Sequence[SourceEntry] = (), restated: Mapping[str, str] | None = None) -> None:
        # Note what was read, and entries that need not be, perhaps of several batches.
        self._passes.note(self._run, seen=self._seen, read=read, restated=restated or {}, cursor=self._cursor)
        self._seen, self._cursor, self._noted_s = [], None, monotonic()

    def _note(self, begun: _Batch) -> None:
        batch, seen, restated = begun.parts, begun.seen, dict[str, str]()
        found = list[tuple[ListedEntry, ReadEntry]]()
        for entry, answer in zip(begun.wanted, begun.answers, strict=True):
            if answer is None:
                seen.append(entry.key)
            elif isinstance(answer, str):
                restated[entry.key] = answer
            elif isinstance(answer, Unread):
                self._miss(answer)
            else:
                found.append((entry, answer))
        read = self._put_items(found)
        for part in batch:
            if isinstance(part, Unread):
                self._miss(part)
            elif isinstance(part, Excluded):
                read.append(SourceEntry(key=part.key, state="", problem=part.reason))
        self._drop([part.key for part in batch if isinstance(part, Gone)])
        for bookmark in (each for each in batch if isinstance(each, Bookmark)):
            # Entries that were not read are not behind the bookmark: they would be passed by.
            self._cursor = bookmark.cursor if self._unread_count == 0 else None
        self._seen += seen
        if begun.wanted or read or len(self._seen) > MOST_SEEN or monotonic() - self._noted_s > NOTED_S:
            self._write_notes(read, restated)
        unchanged = [key for key in (*seen, *restated) if begun.problems[key] is None]
        self._put += PutSummary(unchanged=len(unchanged))
        self._looked += begun.entries

    def _is_as_seen(self, entry: ListedEntry, stored: KnownEntry) -> bool:
        """Whether an entry need not be read; where only reading tells, one that this pass has read."""
        if entry.part is not None:
            return bool(entry.state) and stored.state.startswith(f"{entry.state} ")
        if entry.state:
            return entry.state == stored.state
        # A pass that goes on without a cursor has the number after that of the one that was interrupted.
        return self._run.is_resumed and stored.seen >= self._run.number - (self._run.cursor is None)

    def _put_items(self, found: Sequence[tuple[ListedEntry, ReadEntry]]) -> list[SourceEntry]:
        """Put the items of entries, each from the least entry that holds it, whatever order they are read in."""
        owners = dict[str, str]()
        ids = list({item.id for _entry, answer in found for item in answer.found})
        owners.update(self._passes.holders(self._run.collection, ids))
        chosen = dict[str, Item | Prepared]()
        for entry, answer in found:
            for item in answer.found:
                if entry.key <= owners.get(item.id, entry.key):
                    owners[item.id] = entry.key
                    chosen[item.id] = item
        entries = [_entry_of(entry, answer, owners) for entry, answer in found]
        if entries:
            self._passes.expect(self._run, entries)
        old = {id_ for id_, each in chosen.items() if self._collection.is_old(each)}
        self._removed += self._items.remove(self._run.collection, old)  # those that were younger before
        if recent := [each for id_, each in chosen.items() if id_ not in old]:
            self._put += self._items.put(self._run.collection, recent)
        return entries

    def _remove_unseen(self) -> int:
        removed = 0
        while ids := self._passes.unseen(self._run, most=CHUNK):
            removed += self._items.remove(self._run.collection, ids)
            self._passes.forget(self._run.collection, ids)
        return removed

    def _drop(self, keys: Sequence[str]) -> None:
        """Remove the items of entries that are gone."""
        if keys:
            ids = self._passes.items_only_in(self._run.collection, keys)
            self._removed += self._items.remove(self._run.collection, ids)
            self._again += self._passes.drop_entries(self._run, keys)

    def _miss(self, unread: Unread) -> None:
        self._unread_count += 1
        if len(self._unread) < MOST_SHOWN:
            self._unread.append(unread)


def _some(listed: Iterator[Listed], count: int) -> Iterator[Listed]:
    """Yield so many parts of a source, or some more, up to the end of what is read together."""
    for number, each in enumerate(listed, start=1):
        yield each
        if number >= count and (not isinstance(each, ListedEntry) or each.part is None):
            return


def _entry_of(entry: ListedEntry, answer: ReadEntry, owners: dict[str, str]) -> SourceEntry:
    ids = tuple(item.id for item in answer.found)
    is_twice = bool(ids) and all(owners[id_] < entry.key for id_ in ids)
    problem = answer.problem or (TWICE if is_twice else None if ids else "")
    return SourceEntry(key=entry.key, state=answer.state, ids=ids, problem=problem, is_refused=answer.is_refused)
