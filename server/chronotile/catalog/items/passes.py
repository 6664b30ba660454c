"""Passes over the sources of items: a state machine in the database, so that any process can resume a pass.

A pass lists the entries of a source, reads the changed ones and puts their items into the index. A whole pass lists
all entries, so that entries it did not see are deleted ones. States of the pass of a collection (table `PASSES`):

| state       | stored as                      | leaves it by                                                   |
|-------------|--------------------------------|----------------------------------------------------------------|
| none        | no row                         | `begin` (whole) → running                                      |
| running     | not done, holder, lease ahead  | `note`, `expect` renew the lease; `finish`, `give_up` → done;  |
|             |                                | `release`, the end of the lease or of the process → interrupted |
| interrupted | not done, lease over           | `begin` → running; it resumes at the cursor if the source, its |
|             |                                | state and the kind of pass are the same and within `RESUME_S`  |
| done        | done                           | `begin` → running, with the next number                        |

States of an entry (table `ENTRIES`) while pass n is running:

| state    | stored as                    | meaning                                                            |
|----------|------------------------------|--------------------------------------------------------------------|
| expected | empty state, seen = `NEVER`  | its items are being put; after an interruption it is read again    |
| seen     | its state, seen = n          | read or found unchanged by this pass                               |
| unseen   | its state, seen < n          | not listed yet; deleted when a whole pass finishes                 |
| outdated | empty state                  | the next pass that lists it reads it again                         |

An item of an entry (table `ENTRY_ITEMS`) is current if it was found when the entry was last read: both have the same
`read`.
"""

import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from chronotile.catalog.items.damage import is_running
from chronotile.catalog.items.pass_tables import ENTRIES, ENTRY_ITEMS, FIRST_PASSES, MAKING, METADATA, PASSES, scope_of
from chronotile.catalog.items.schema import INDEX, SCHEMA
from chronotile.catalog.items.statements import Statement, chunks, list_parameters, pad, reading
from chronotile.core import database
from chronotile.core.database import Usage, database_time, hold, read_transaction, write_transaction
from chronotile.core.errors import SourceUnavailable

LEASE_S = 60.0
"""Lease of a pass: other processes cannot begin one over the same collection until then."""
RESUME_S = 86_400.0
"""Maximum age of an interrupted pass that is resumed; entries it saw earlier may have changed since."""
MAX_LISTED_KEYS = 3
"""Skipped entries that are listed per reason."""
NEVER = -1
"""Less than the number of any pass."""
CHUNK = 512
"""Rows per statement, below SQLite's limit of parameters; a power of two, because lists are padded to one."""

_WAS_READ = (
    ENTRIES.c.collection == ENTRY_ITEMS.c.collection,
    ENTRIES.c.key == ENTRY_ITEMS.c.key,
    ENTRIES.c.read == ENTRY_ITEMS.c.read,
)
"""Conditions: the item was in the entry when the entry was last read."""
_IS_CURRENT = sa.exists().where(*_WAS_READ)
REFUSED = " refused"
"""Suffix of the stored state of an entry with parts whose location is not allowed."""
_Any = TypeVar("_Any")
_NOW = sa.bindparam("now", type_=sa.Text)
_RESTATED = (
    sa.update(ENTRIES)
    .where(ENTRIES.c.collection == sa.bindparam("of"), ENTRIES.c.key == sa.bindparam("at"))
    .values(state=sa.case((ENTRIES.c.state.endswith(REFUSED), _NOW + REFUSED), else_=_NOW))
)
_DONE = {"is_done": True, "cursor": None, "holder": None}
_INSERTS: Mapping[str, Callable[[sa.Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePass:
    """One pass over the source of a collection, possibly resumed after an interruption."""

    collection: str
    scope: str
    """Key of the collection in the tables, unique for all archives that share a database."""
    number: int
    is_whole: bool
    """Whether it lists all entries of the source; otherwise only changed ones."""
    is_resumed: bool
    cursor: str | None
    """Position that the interrupted pass had reached, in the format of the source."""
    since: str | None
    """Marker that the last finished pass stored for this one, in the format of the source."""
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry:
    """The unit in which a source is read: a document, the files of one date and tile, an item of an API."""

    key: str
    state: str
    """Fingerprint that changes if the entry is replaced; empty if unknown."""
    ids: tuple[str, ...] = ()
    """Ids of its items."""
    problem: str | None = None
    """Reason why it has no items; empty if a filter excludes them, `None` if it has items."""
    is_refused: bool = False
    """Whether parts of it were skipped because their location is not allowed."""


class KnownEntry(NamedTuple):
    """The stored state of an entry."""

    state: str
    seen: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A reason why entries have no items."""

    reason: str
    count: int
    keys: tuple[str, ...]
    """Keys of the first entries with this problem."""


def open_passes(url: str | None, folder: Path, *, archive: str = "") -> "SourcePasses":
    """Return the passes over the sources of an archive; arguments and errors are those of `open_items`."""
    engine = database.open_engine(url, folder, INDEX)
    with database.close_on_error(engine):
        return SourcePasses(engine, INDEX, archive=archive)


class SourcePasses:
    """Passes over the sources of all collections of an archive. Thread-safe.

    The tables are in the database of the items, so both are lost together. The order of calls is `expect` entries,
    put their items, `note` the entries; a process that stops before the end reads the entries again.

    Args:
        engine: Engine of the database of items.
        usage: Use of the database, for messages.
        archive: Id of the archive; archives that share a database do not see each other's passes.
        clock: Returns the time of the database, in seconds since 1970.
    """

    def __init__(
        self,
        engine: sa.Engine,
        usage: Usage,
        *,
        archive: str = "",
        clock: Callable[[sa.Connection], float] = database_time,
    ) -> None:
        self._engine, self._usage, self._archive, self._clock = engine, usage, archive, clock
        self._statement = lru_cache(maxsize=64)(
            lambda query, count: Statement(
                query([sa.bindparam(f"value{number}", type_=sa.Text) for number in range(count)]), engine.dialect
            )
        )
        with write_transaction(engine, usage) as connection:
            hold(connection, MAKING)
            SCHEMA.create(connection, checkfirst=True)
            METADATA.create_all(connection)

    def close(self) -> None:
        """Close the connections to the database."""
        database.close_engine(self._engine)

    def begin(  # noqa: PLR0913 -- of which six are named
        self,
        collection: str,
        *,
        source: str,
        holder: str,
        is_whole: bool = True,
        is_empty: bool = False,
        doubtful: Sequence[str] | None = (),
        state: str = "",
    ) -> SourcePass:
        """Begin a pass, or resume the interrupted one.

        Args:
            collection: Id of the collection.
            source: Identity of the source and of the way it is read. If it differs from the last pass, all entries are
                read again; if only its line of allowed locations differs, entries with skipped parts or `doubtful`
                items.
            holder: Name of the process; no other may begin a pass for `LEASE_S` after the last `note`.
            is_whole: Whether to list all entries; a resumed pass that lists all continues to do so.
            is_empty: Whether the index has no items of the collection; earlier passes are then forgotten.
            doubtful: Ids of items with a location that is not allowed now; `None` if there are too many to list.
            state: Fingerprint of the whole source: a pass interrupted at another one is not resumed; empty if unknown.

        Raises:
            SourceUnavailable: Another process is running a pass over the collection.
        """
        scope = self._scope(collection)
        with write_transaction(self._engine, self._usage) as connection:
            now = self._clock(connection)
            row = connection.execute(sa.select(PASSES).where(PASSES.c.collection == scope)).one_or_none()
            if row is not None and row.held_until > now and _is_at_it(row.holder, holder):
                raise SourceUnavailable(f"{collection} is being indexed by another process; wait for it to end")
            if is_empty:
                _drop(connection, scope)
            is_same = row is not None and not is_empty and row.source == source
            if not is_same:
                has_other_places = row is not None and strip_allowed_locations(row.source) == strip_allowed_locations(
                    source
                )
                _doubt(connection, scope, doubtful if has_other_places else None)
            plan = _plan_pass(row, now, is_same=is_same, is_whole=is_whole, state=state)
            stored = {"collection": scope, "source": source, "is_done": False, "holder": holder}
            _upsert(connection, PASSES, [stored | {"held_until": now + LEASE_S} | plan.stored])
        is_resumed = plan.is_resumed
        return SourcePass(collection=collection, scope=scope, holder=holder, is_resumed=is_resumed, **plan.stored)

    def stored_entries(self, collection: str, keys: Sequence[str]) -> dict[str, KnownEntry]:
        """Return the stored states of entries, by key; entries that were never read are missing."""
        return {
            key: KnownEntry(state.removesuffix(REFUSED), seen, problem)
            for key, state, seen, problem in self._rows_of_values(_rows_of_keys, collection, keys)
        }

    def holders(self, collection: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the smallest key of the entries that contain an item, by id of the item; other items are missing."""
        return dict(self._rows_of_values(_holders, collection, ids))

    def _rows_of_values(
        self, query: Callable[[Sequence[sa.BindParameter[str]]], sa.Select[Any]], collection: str, values: Sequence[str]
    ) -> Iterator[Any]:
        """Yield the rows of a query with a list of values, in chunks within one transaction."""
        with reading(self._engine, self._usage) as cursor:
            for part in chunks(values, CHUNK):
                keys = pad(part)
                statement = self._statement(query, len(keys))
                yield from statement.run(
                    cursor, {"collection": self._scope(collection), **list_parameters("value", keys)}
                )

    def note(
        self,
        run: SourcePass,
        *,
        unchanged: Sequence[str] = (),
        read: Sequence[SourceEntry] = (),
        restated: Mapping[str, str] = {},
        cursor: str | None = None,
    ) -> None:
        """Store the entries that were processed, after their items were put.

        Args:
            run: The pass.
            unchanged: Keys of unchanged entries.
            read: Entries that were read.
            restated: New states by key of entries that are otherwise unchanged.
            cursor: Position at which to resume; `None` leaves it unchanged.

        Raises:
            SourceUnavailable: Another process has begun a pass since then.
        """
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, {} if cursor is None else {"cursor": cursor})
            for part in chunks(unchanged, CHUNK):
                keys = pad(part)
                self._statement(_mark_seen, len(keys)).change(
                    connection, {"collection": run.scope, "number": run.number, **list_parameters("value", keys)}
                )
            if restated:
                values = [{"of": run.scope, "at": key, "now": state} for key, state in restated.items()]
                connection.execute(_RESTATED.values(seen=run.number), values)
            if read:
                self._store(connection, run, read, seen=run.number)
                # `expect` has done this for entries with items.
                self._outdate(connection, run, [entry.key for entry in read if not entry.ids])

    def expect(self, run: SourcePass, entries: Sequence[SourceEntry]) -> None:
        """Store entries without a state before their items are put, so that an interrupted pass reads them again.

        Items that such a pass has put, but that are no longer in any entry, are returned by `unseen`.

        Raises:
            SourceUnavailable: Another process has begun a pass since then.
        """
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, {})
            self._outdate(connection, run, [entry.key for entry in entries])
            self._store(connection, run, [replace(entry, state="") for entry in entries], seen=NEVER)

    def has_gone(self, run: SourcePass) -> bool:
        """Return whether a whole pass has missed an item or its entry."""
        deleted = sa.select(ENTRY_ITEMS.c.id).where(ENTRY_ITEMS.c.collection == run.scope, ~_is_left(run)).limit(1)
        return self._scalar(deleted) is not None

    def unseen(self, run: SourcePass, *, most: int = CHUNK) -> tuple[str, ...]:
        """Return up to `most` ids of items that a whole pass found in no entry; `forget` them after removing them."""
        deleted = ENTRY_ITEMS.alias()
        of_run = ENTRY_ITEMS.join(ENTRIES, sa.and_(*_WAS_READ, ENTRIES.c.seen == run.number))
        current = sa.select(ENTRY_ITEMS.c.collection, ENTRY_ITEMS.c.id).select_from(of_run).subquery()
        chosen = (
            sa.select(deleted.c.id)
            .distinct()
            .where(deleted.c.collection == run.scope)
            .where(~sa.exists().where(current.c.collection == deleted.c.collection, current.c.id == deleted.c.id))
            .limit(most)
        )
        with read_transaction(self._engine, self._usage) as connection:
            return tuple(connection.scalars(chosen))

    def forget(self, collection: str, ids: Sequence[str]) -> None:
        """Delete the rows of items that were removed from the index."""
        with write_transaction(self._engine, self._usage) as connection:
            for part in chunks(ids, CHUNK):
                is_meant = ENTRY_ITEMS.c.collection == self._scope(collection), ENTRY_ITEMS.c.id.in_(part)
                connection.execute(sa.delete(ENTRY_ITEMS).where(*is_meant))

    def items_only_in(self, collection: str, keys: Sequence[str]) -> tuple[str, ...]:
        """Return ids of items that are in no other entries than these."""
        other_rows = ENTRY_ITEMS.alias()
        ids = list[str]()
        with read_transaction(self._engine, self._usage) as connection:
            for part in chunks(keys, CHUNK):
                is_elsewhere = sa.exists().where(
                    other_rows.c.collection == self._scope(collection),
                    other_rows.c.id == ENTRY_ITEMS.c.id,
                    other_rows.c.key.not_in(part),
                )
                is_here = ENTRY_ITEMS.c.collection == self._scope(collection), ENTRY_ITEMS.c.key.in_(part)
                ids += connection.scalars(sa.select(ENTRY_ITEMS.c.id).where(*is_here, ~is_elsewhere))
        return tuple(ids)

    def drop_entries(self, run: SourcePass, keys: Sequence[str]) -> int:
        """Delete the rows of deleted entries, after removing the items that were only in them.

        Returns:
            The number of other entries with items of these; another pass has to read them again.
        """
        count = 0
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, {})
            for part in chunks(keys, CHUNK):
                is_gone = ENTRY_ITEMS.c.collection == run.scope, ENTRY_ITEMS.c.key.in_(part)
                is_other = ENTRY_ITEMS.c.collection == run.scope, ENTRY_ITEMS.c.key.not_in(part)
                deleted = sa.select(ENTRY_ITEMS.c.id).where(*is_gone)
                heirs = sa.select(ENTRY_ITEMS.c.key).where(*is_other, ENTRY_ITEMS.c.id.in_(deleted))
                is_heir = ENTRIES.c.collection == run.scope, ENTRIES.c.key.in_(heirs)
                count += connection.execute(sa.update(ENTRIES).where(*is_heir).values(state="")).rowcount
                connection.execute(sa.delete(ENTRY_ITEMS).where(*is_gone))
                connection.execute(sa.delete(ENTRIES).where(ENTRIES.c.collection == run.scope, ENTRIES.c.key.in_(part)))
        return count

    def finish(self, run: SourcePass, *, since: str | None = None, has_gone: bool = True) -> int:
        """End a complete pass; return the number of entries that another pass has to read again.

        These entries contain an item of a deleted entry, whose version may differ.

        Args:
            run: The pass; for a whole pass, call this when `unseen` returns nothing any more.
            since: Marker for the next pass over the same source.
            has_gone: Whether entries of the previous pass are missing in this one.
        """
        with write_transaction(self._engine, self._usage) as connection:
            if not run.is_whole:
                self._hold(connection, run, _DONE | {"since": since})
                return 0
            before = connection.scalar(_whole_at(run))
            self._hold(connection, run, _DONE | {"since": since, "whole_at": self._clock(connection)})
            if before is None:
                _note_first_end(connection, run)
            count = _tidy(connection, run) if has_gone else 0
            is_gone = ENTRIES.c.collection == run.scope, ENTRIES.c.seen < run.number
            connection.execute(sa.delete(ENTRIES).where(*is_gone))
            return count

    def give_up(self, run: SourcePass) -> None:
        """End an incomplete pass: entries that it missed are not treated as deleted, and the next pass starts again."""
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, _DONE)
            if run.is_whole and connection.scalar(_whole_at(run)) is None:
                _note_first_end(connection, run)

    def release(self, run: SourcePass) -> None:
        """End the lease, so that another process can resume the pass immediately."""
        with write_transaction(self._engine, self._usage) as connection:
            is_own = PASSES.c.collection == run.scope, PASSES.c.holder == run.holder
            connection.execute(sa.update(PASSES).where(*is_own).values(holder=None, held_until=self._clock(connection)))

    def whole_age_s(self, collection: str, *, source: str | None = None) -> float | None:
        """Return the age of the last whole pass over a collection (and source, if given); `None` without one."""
        chosen = sa.select(PASSES.c.whole_at).where(PASSES.c.collection == self._scope(collection))
        if source is not None:
            chosen = chosen.where(PASSES.c.source == source)
        with read_transaction(self._engine, self._usage) as connection:
            at = connection.scalar(chosen)
            return None if at is None else max(0.0, self._clock(connection) - at)

    def was_whole(self, collection: str) -> bool:
        """Return whether a whole pass over a collection has ever finished."""
        return self._last_pass_value(collection, PASSES.c.whole_at) is not None

    def last_since(self, collection: str) -> str | None:
        """Return the marker that the last finished pass stored for the next one, or `None`."""
        return self._last_pass_value(collection, PASSES.c.since)

    def count_unchanged(self, collection: str, *, source: str, since: str) -> int | None:
        """Return the number of entries with items if the source is unchanged since the last finished pass.

        `None` if another pass is needed: the source or marker differs, or an entry must be read again.
        """
        scope = self._scope(collection)
        done = sa.select(PASSES.c.source).where(
            PASSES.c.collection == scope, PASSES.c.source == source, PASSES.c.since == since, PASSES.c.is_done
        )
        is_open = sa.func.count().filter(ENTRIES.c.state == "")
        read = sa.func.count().filter(ENTRIES.c.problem.is_(None))
        counts = sa.select(read, is_open).where(ENTRIES.c.collection == scope)
        with read_transaction(self._engine, self._usage) as connection:
            if connection.scalars(done).one_or_none() is None:
                return None
            count, open_entries = connection.execute(counts).one()
            return None if open_entries else int(count)

    def forget_since(self, collection: str) -> None:
        """Delete the marker of the last pass over a collection."""
        with write_transaction(self._engine, self._usage) as connection:
            is_meant = PASSES.c.collection == self._scope(collection)
            connection.execute(sa.update(PASSES).where(is_meant).values(since=None))

    def source(self, collection: str) -> str | None:
        """Return the identity of the source of the last pass over a collection; `None` without a pass."""
        return self._last_pass_value(collection, PASSES.c.source)

    def _last_pass_value(self, collection: str, column: sa.Column[_Any]) -> _Any | None:
        # Value of a column in the row of a collection; `None` if NULL or without a row.
        return self._scalar(sa.select(column).where(PASSES.c.collection == self._scope(collection)))

    def _scalar(self, chosen: sa.Select[_Any]) -> _Any | None:
        # Value of the first row; `None` without rows.
        with read_transaction(self._engine, self._usage) as connection:
            return connection.scalar(chosen)

    def problems(self, collection: str) -> tuple[Problem, ...]:
        """Return why entries have no items, the most frequent reason first."""
        reason, key, count = ENTRIES.c.problem, ENTRIES.c.key, sa.func.count().label("count")
        is_meant = ENTRIES.c.collection == self._scope(collection)
        counts = sa.select(reason, count).where(is_meant, reason != "").group_by(reason).order_by(count.desc(), reason)
        reasons = list[Problem]()
        with read_transaction(self._engine, self._usage) as connection:
            for text, number in connection.execute(counts).all():
                first = sa.select(key).where(is_meant, reason == text).order_by(key).limit(MAX_LISTED_KEYS)
                reasons.append(Problem(reason=text, count=number, keys=tuple(connection.scalars(first))))
        return tuple(reasons)

    def has_items(self, collection: str) -> bool:
        """Return whether any entry has an item."""
        is_meant = ENTRY_ITEMS.c.collection == self._scope(collection), _IS_CURRENT
        return self._scalar(sa.select(ENTRY_ITEMS.c.id).where(*is_meant).limit(1)) is not None

    def count_filtered(self, collection: str) -> int:
        """Return the number of readable entries whose items the filter of the source excludes."""
        is_meant = ENTRIES.c.collection == self._scope(collection), ENTRIES.c.problem == ""
        return self._scalar(sa.select(sa.func.count()).select_from(ENTRIES).where(*is_meant)) or 0

    def _scope(self, collection: str) -> str:
        return str(scope_of(self._archive, collection))

    def _hold(self, connection: sa.Connection, run: SourcePass, values: Mapping[str, Any]) -> None:
        is_own = PASSES.c.collection == run.scope, PASSES.c.holder == run.holder, PASSES.c.number == run.number
        lease = {"held_until": self._clock(connection) + LEASE_S, **values}
        if connection.execute(sa.update(PASSES).where(*is_own).values(**lease)).rowcount == 0:
            raise SourceUnavailable(f"{run.collection} is being indexed by another process")

    def _store(self, connection: sa.Connection, run: SourcePass, read: Sequence[SourceEntry], *, seen: int) -> None:
        of_run = {"collection": run.scope, "read": run.number}
        states = {entry.key: entry.state + REFUSED * entry.is_refused for entry in read}
        entries = [
            {"key": entry.key, "state": states[entry.key], "problem": entry.problem, "seen": seen, **of_run}
            for entry in read
        ]
        _upsert(connection, ENTRIES, entries)
        _upsert(
            connection, ENTRY_ITEMS, [{"key": entry.key, "id": id_, **of_run} for entry in read for id_ in entry.ids]
        )

    def _outdate(self, connection: sa.Connection, run: SourcePass, keys: Sequence[str]) -> None:
        # These entries changed again during the pass: discard the items read from them earlier.
        for part in chunks(keys, CHUNK):
            padded = pad(part)
            values = {"collection": run.scope, "number": run.number, **list_parameters("value", padded)}
            self._statement(_outdate_items, len(padded)).change(connection, values)


class _PassPlan(NamedTuple):
    """The start of a pass."""

    stored: dict[str, Any]
    """Columns of its row; fields of `SourcePass` have the same names."""
    is_resumed: bool


def _plan_pass(row: sa.Row[Any] | None, now: float, *, is_same: bool, is_whole: bool, state: str) -> _PassPlan:
    """Decide whether to resume the stored pass or to begin the next one."""
    since = f"begun {state}" if state else None  # with a state, an interrupted pass leaves a marker for the next one
    if row is None or not is_same:
        number = 1 if row is None else row.number + 1
        return _PassPlan({"number": number, "is_whole": True, "cursor": None, "since": since}, is_resumed=False)
    stored = {"number": row.number, "is_whole": row.is_whole, "cursor": row.cursor, "since": since or row.since}
    is_current = row.is_whole >= is_whole and now - row.held_until < RESUME_S and since in {None, row.since}
    if not row.is_done and is_current:
        # Without a cursor, everything is listed again under a new number: deleted entries must not count as seen.
        number = row.number + (row.cursor is None)
        return _PassPlan(stored | {"number": number}, is_resumed=True)
    following = {"number": row.number + 1, "is_whole": is_whole or row.since is None, "cursor": None}
    return _PassPlan(stored | following, is_resumed=False)


def add_allowed_locations(source: str, places: str) -> str:
    """Return the identity of a source with a line about allowed locations (a digest)."""
    return f"{source}\n{places}"


def strip_allowed_locations(source: str) -> str:
    """Return the identity of a source without the line about allowed locations."""
    identity, mark, _places = source.rpartition("\n")
    return identity if mark else source


def new_holder() -> str:
    """Return a name of this process; other processes on this host can check whether it is still running."""
    return f"{socket.gethostname()[:40]} {os.getpid()} {secrets.token_hex(8)}"


def _is_at_it(holder: str | None, other: str) -> bool:
    """Return whether the holder of the lease may still be running; a dead process of this host is not."""
    if holder is None or holder == other:
        return False
    host, _, rest = holder.partition(" ")
    number = rest.partition(" ")[0]
    if host != socket.gethostname()[:40] or not number.isdigit() or int(number) == os.getpid():
        return True
    return is_running(int(number))


def _doubt(connection: sa.Connection, scope: str, doubtful: Sequence[str] | None) -> None:
    """Mark entries to be read again: entries with skipped parts or doubtful items; all if `doubtful` is `None`."""
    is_of_source = ENTRIES.c.collection == scope
    if doubtful is None:
        connection.execute(sa.update(ENTRIES).where(is_of_source).values(state=""))
        return
    connection.execute(sa.update(ENTRIES).where(is_of_source, ENTRIES.c.state.endswith(REFUSED)).values(state=""))
    for part in chunks(doubtful, CHUNK):
        holding = sa.select(ENTRY_ITEMS.c.key).where(ENTRY_ITEMS.c.collection == scope, ENTRY_ITEMS.c.id.in_(part))
        connection.execute(sa.update(ENTRIES).where(is_of_source, ENTRIES.c.key.in_(holding)).values(state=""))


def _rows_of_keys(keys: Sequence[sa.BindParameter[str]]) -> sa.Select[Any]:
    # Rows of the entries with these keys.
    columns = ENTRIES.c.key, ENTRIES.c.state, ENTRIES.c.seen, ENTRIES.c.problem
    return sa.select(*columns).where(ENTRIES.c.collection == sa.bindparam("collection"), ENTRIES.c.key.in_(keys))


def _mark_seen(keys: Sequence[sa.BindParameter[str]]) -> sa.Update:
    # Marks entries as seen by a pass.
    is_meant = ENTRIES.c.collection == sa.bindparam("collection"), ENTRIES.c.key.in_(keys)
    return sa.update(ENTRIES).where(*is_meant).values(seen=sa.bindparam("number", type_=sa.Integer))


def _outdate_items(keys: Sequence[sa.BindParameter[str]]) -> sa.Update:
    """Statement that marks items which a pass has found in some entries as no longer in them."""
    is_read = ENTRY_ITEMS.c.read == sa.bindparam("number", type_=sa.Integer)
    is_meant = ENTRY_ITEMS.c.collection == sa.bindparam("collection"), ENTRY_ITEMS.c.key.in_(keys), is_read
    return sa.update(ENTRY_ITEMS).where(*is_meant).values(read=NEVER)


def _holders(ids: Sequence[sa.BindParameter[str]]) -> sa.Select[Any]:
    """Return the query of items with the smallest key of the entries that contain them."""
    least = sa.select(ENTRY_ITEMS.c.id, sa.func.min(ENTRY_ITEMS.c.key))
    is_meant = ENTRY_ITEMS.c.collection == sa.bindparam("collection"), ENTRY_ITEMS.c.id.in_(ids)
    return least.where(*is_meant, _IS_CURRENT).group_by(ENTRY_ITEMS.c.id)


def _whole_at(run: SourcePass) -> sa.Select[Any]:
    return sa.select(PASSES.c.whole_at).where(PASSES.c.collection == run.scope)


def _note_first_end(connection: sa.Connection, run: SourcePass) -> None:
    """Store the last change of the index when the first pass over a source ended; later passes do nothing."""
    is_noted = sa.select(FIRST_PASSES.c.change).where(FIRST_PASSES.c.collection == run.scope)
    if connection.scalar(is_noted) is None:
        # The counter of changes is locked until commit, so that concurrent changes of items get numbers above `change`.
        change = (connection.scalar(sa.select(SCHEMA.c.next_change).with_for_update()) or 1) - 1
        _upsert(connection, FIRST_PASSES, [{"collection": run.scope, "change": change}])


def _upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        _upsertion(table, connection.dialect, tuple(rows[0])).change_each(connection, rows)


@lru_cache(maxsize=16)
def _upsertion(table: sa.Table, dialect: Dialect, names: tuple[str, ...]) -> Statement:
    """The statement that writes a row of some columns."""
    insertion = _INSERTS[dialect.name](table)
    keys = [column.name for column in table.primary_key]
    values = {name: insertion.excluded[name] for name in names if name not in keys}
    return Statement(insertion.on_conflict_do_update(index_elements=keys, set_=values), dialect, names)


def _tidy(connection: sa.Connection, run: SourcePass) -> int:
    """Delete the rows of deleted entries; mark other entries that contain their items to be read again."""
    is_of_run = ENTRIES.c.collection == run.scope
    is_own, is_left = ENTRY_ITEMS.c.collection == run.scope, _is_left(run)
    deleted = sa.select(ENTRY_ITEMS.c.id).where(is_own, ~is_left)
    heirs = sa.select(ENTRY_ITEMS.c.key).where(is_own, ENTRY_ITEMS.c.id.in_(deleted), is_left)
    count = connection.execute(sa.update(ENTRIES).where(is_of_run, ENTRIES.c.key.in_(heirs)).values(state="")).rowcount
    connection.execute(sa.delete(ENTRY_ITEMS).where(is_own, ~is_left))
    return int(count)


def _is_left(run: SourcePass) -> Any:  # noqa: ANN401 -- SQLAlchemy's expression
    # Condition: the item was in its entry when that was last read, and the pass saw the entry.
    return sa.exists().where(*_WAS_READ, ENTRIES.c.seen == run.number)


def _drop(connection: sa.Connection, collection: str) -> None:
    for table in (ENTRY_ITEMS, ENTRIES, PASSES, FIRST_PASSES):
        connection.execute(sa.delete(table).where(table.c.collection == collection))
