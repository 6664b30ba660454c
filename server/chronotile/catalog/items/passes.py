"""What passes over the sources of items have seen: which entries, in which state, with which items."""

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
from chronotile.catalog.items.schema import INDEX, SCHEMA
from chronotile.catalog.items.statements import Statement, chunks, listed, padded, reading
from chronotile.core import database
from chronotile.core.database import Usage, database_time, hold, read_transaction, write_transaction
from chronotile.core.errors import SourceUnavailable

LEASE_S = 60.0
"""How long a pass that stores nothing keeps others from beginning one over the same collection."""
RESUME_S = 86_400.0
"""How long after its last note an interrupted pass may continue: what it saw may have changed since."""
MOST_NAMED = 3
"""Entries that are named of those left out for one reason."""
NEVER = -1
"""The number of no pass."""
CHUNK = 512
"""Rows of one statement, below the bound of parameters of SQLite; a power of two, up to which lists are filled."""

METADATA = sa.MetaData()
PASSES = sa.Table(
    "chronotile_source_passes",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("is_whole", sa.Boolean, nullable=False),
    sa.Column("is_done", sa.Boolean, nullable=False),
    sa.Column("cursor", sa.Text),
    sa.Column("since", sa.Text),  # of the last pass that was done
    sa.Column("whole_at", sa.Float(53)),  # when the last whole pass was done
    sa.Column("holder", sa.String(80)),
    sa.Column("held_until", sa.Float(53), nullable=False),
)
ENTRIES = sa.Table(
    "chronotile_source_entries",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False),  # number of the pass
    sa.Column("read", sa.Integer, nullable=False),  # number of the pass
    sa.Column("problem", sa.Text),
)
ENTRY_ITEMS = sa.Table(
    "chronotile_source_items",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("read", sa.Integer, nullable=False),
    sa.Index("ix_chronotile_source_items_id", "collection", "id"),
)
FIRST_PASSES = sa.Table(
    "chronotile_source_first_passes",
    METADATA,
    sa.Column("collection", sa.Text, primary_key=True),
    sa.Column("change", sa.BigInteger, nullable=False),  # the last one of the index when a first whole pass ended
)
IS_WHOLE = PASSES.c.collection.is_(None) | PASSES.c.whole_at.is_not(None)
"""Of collections with their passes, if there are any: whether all of the source was ever read; else all was put."""
IS_FILLED = IS_WHOLE | FIRST_PASSES.c.change.is_not(None)
"""Whether a first whole pass ended, perhaps without what could not be read."""
_WAS_READ = (
    ENTRIES.c.collection == ENTRY_ITEMS.c.collection,
    ENTRIES.c.key == ENTRY_ITEMS.c.key,
    ENTRIES.c.read == ENTRY_ITEMS.c.read,
)
"""Whether an item was in an entry when that was read last."""
_IS_CURRENT = sa.exists().where(*_WAS_READ)
MAKING = 7_105_201
"""Whom PostgreSQL lets make the tables, and those of items."""
REFUSED = " refused"
"""Ends the stored state of an entry of which something is left out as its address is not allowed."""
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
    """One pass over the source of a collection, which may have been interrupted and gone on with."""

    collection: str
    scope: str
    """The collection among those of all archives that share a database."""
    number: int
    is_whole: bool
    """Whether it sees all entries of the source; else only those that changed."""
    is_resumed: bool
    cursor: str | None
    """Where the interrupted pass stopped, in the words of the source."""
    since: str | None
    """What the last pass that was done has stored for the next, in the words of the source."""
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEntry:
    """A part of a source that is read at once: a document, the files of one date and tile, an item of an API."""

    key: str
    state: str
    """What changes when it is replaced; empty: not known."""
    ids: tuple[str, ...] = ()
    """Of its items."""
    problem: str | None = None
    """Why it has no items; empty: a filter leaves them out."""
    is_refused: bool = False
    """Whether something of it is left out since its address is not allowed."""


class KnownEntry(NamedTuple):
    """What is stored of an entry."""

    state: str
    seen: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why some entries have no items."""

    reason: str
    count: int
    keys: tuple[str, ...]
    """The first of them."""


def open_passes(url: str | None, folder: Path, *, archive: str = "") -> "SourcePasses":
    """Return the passes over the sources of an archive; arguments and errors are those of `open_items`."""
    return SourcePasses(database.open_engine(url, folder, INDEX), INDEX, archive=archive)


class SourcePasses:
    """Passes over the sources of all collections; any thread may use it.

    It lies in the database of the items, so that both are lost together. Entries are expected first, then their items
    are put, then the entries are noted in their states: who is stopped before that reads them again.

    Args:
        engine: Of the database of items.
        usage: How it is used, in the words of messages.
        archive: Its id: archives that share a database do not see each other's passes.
        clock: Seconds since 1970, as the database has them.
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
        """Begin a pass, or go on with the one that was interrupted.

        Args:
            collection: Its id.
            source: What is looked at and how; of another source than before, everything is read again. If it differs in
                its line of what is allowed alone, entries are of which something was left out, or is doubtful.
            holder: Who begins it: no one else may for `LEASE_S` after its last note.
            is_whole: Whether it sees all entries; else it does so only if it goes on with one that does.
            is_empty: Whether the index has no items of the collection, so that what was seen before is forgotten.
            doubtful: Ids of items with an address that is not allowed now; `None`: too many to be listed.
            state: Of all of the source: a pass that was interrupted in another one is not continued; empty: not known.

        Raises:
            SourceUnavailable: Another holder is at it.
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
                has_other_places = row is not None and without_places(row.source) == without_places(source)
                _doubt(connection, scope, doubtful if has_other_places else None)
            begun = _begun(row, now, is_same=is_same, is_whole=is_whole, state=state)
            stored = {"collection": scope, "source": source, "is_done": False, "holder": holder}
            _upsert(connection, PASSES, [stored | {"held_until": now + LEASE_S} | begun.stored])
        is_resumed = begun.is_resumed
        return SourcePass(collection=collection, scope=scope, holder=holder, is_resumed=is_resumed, **begun.stored)

    def known(self, collection: str, keys: Sequence[str]) -> dict[str, KnownEntry]:
        """Return what is stored of entries, by key."""
        return {
            key: KnownEntry(state.removesuffix(REFUSED), seen, problem)
            for key, state, seen, problem in self._of_values(_rows_of_keys, collection, keys)
        }

    def holders(self, collection: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the least key of the entries that hold an item, by the item's id, of those that are held at all."""
        return dict(self._of_values(_holders, collection, ids))

    def _of_values(
        self, query: Callable[[Sequence[sa.BindParameter[str]]], sa.Select[Any]], collection: str, values: Sequence[str]
    ) -> Iterator[Any]:
        """Yield the rows that a query finds of some values of a collection, all of one state of the database."""
        with reading(self._engine, self._usage) as cursor:
            for part in chunks(values, CHUNK):
                wanted = padded(part)
                statement = self._statement(query, len(wanted))
                yield from statement.run(cursor, {"collection": self._scope(collection), **listed("value", wanted)})

    def note(
        self,
        run: SourcePass,
        *,
        seen: Sequence[str] = (),
        read: Sequence[SourceEntry] = (),
        restated: Mapping[str, str] = {},
        cursor: str | None = None,
    ) -> None:
        """Store what was seen, after its items were put.

        Args:
            run: The pass.
            seen: Keys of entries that are as they were.
            read: Entries that were read.
            restated: The states of entries, by key, of which all else is as it was.
            cursor: Where to go on from now; `None`: as before.

        Raises:
            SourceUnavailable: Another holder has begun a pass meanwhile.
        """
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, {} if cursor is None else {"cursor": cursor})
            for part in chunks(seen, CHUNK):
                wanted = padded(part)
                self._statement(_seen, len(wanted)).change(
                    connection, {"collection": run.scope, "number": run.number, **listed("value", wanted)}
                )
            if restated:
                values = [{"of": run.scope, "at": key, "now": state} for key, state in restated.items()]
                connection.execute(_RESTATED.values(seen=run.number), values)
            if read:
                self._store(connection, run, read, seen=run.number)
                # Those that have items were expected with these.
                self._outdate(connection, run, [each.key for each in read if not each.ids])

    def expect(self, run: SourcePass, entries: Sequence[SourceEntry]) -> None:
        """Store entries whose items are about to be put, in no state: if that is interrupted, they are read again.

        What was put by then and is in none of them any more is `unseen`.

        Raises:
            SourceUnavailable: Another holder has begun a pass meanwhile.
        """
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, {})
            self._outdate(connection, run, [each.key for each in entries])
            self._store(connection, run, [replace(each, state="") for each in entries], seen=NEVER)

    def has_gone(self, run: SourcePass) -> bool:
        """Return whether a whole pass did not see an entry of an item, or the item in it."""
        gone = sa.select(ENTRY_ITEMS.c.id).where(ENTRY_ITEMS.c.collection == run.scope, ~_is_left(run)).limit(1)
        return self._scalar(gone) is not None

    def unseen(self, run: SourcePass, *, most: int = CHUNK) -> tuple[str, ...]:
        """Return ids of items that a whole pass did not see, of which no entry is left; `forget` them when removed."""
        gone = ENTRY_ITEMS.alias()
        of_run = ENTRY_ITEMS.join(ENTRIES, sa.and_(*_WAS_READ, ENTRIES.c.seen == run.number))
        left = sa.select(ENTRY_ITEMS.c.collection, ENTRY_ITEMS.c.id).select_from(of_run).subquery()
        chosen = (
            sa.select(gone.c.id)
            .distinct()
            .where(gone.c.collection == run.scope)
            .where(~sa.exists().where(left.c.collection == gone.c.collection, left.c.id == gone.c.id))
            .limit(most)
        )
        with read_transaction(self._engine, self._usage) as connection:
            return tuple(connection.scalars(chosen))

    def forget(self, collection: str, ids: Sequence[str]) -> None:
        """Forget items that were removed from the index."""
        with write_transaction(self._engine, self._usage) as connection:
            for part in chunks(ids, CHUNK):
                is_meant = ENTRY_ITEMS.c.collection == self._scope(collection), ENTRY_ITEMS.c.id.in_(part)
                connection.execute(sa.delete(ENTRY_ITEMS).where(*is_meant))

    def held_alone(self, collection: str, keys: Sequence[str]) -> tuple[str, ...]:
        """Return ids of items that no entries hold but these."""
        others = ENTRY_ITEMS.alias()
        found = list[str]()
        with read_transaction(self._engine, self._usage) as connection:
            for part in chunks(keys, CHUNK):
                is_held = sa.exists().where(
                    others.c.collection == self._scope(collection),
                    others.c.id == ENTRY_ITEMS.c.id,
                    others.c.key.not_in(part),
                )
                is_own = ENTRY_ITEMS.c.collection == self._scope(collection), ENTRY_ITEMS.c.key.in_(part)
                found += connection.scalars(sa.select(ENTRY_ITEMS.c.id).where(*is_own, ~is_held))
        return tuple(found)

    def drop_entries(self, run: SourcePass, keys: Sequence[str]) -> int:
        """Forget entries that are gone, after items that they alone held were removed.

        Returns:
            How many entries another pass has to read again, as they hold items of these too.
        """
        count = 0
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, {})
            for part in chunks(keys, CHUNK):
                is_gone = ENTRY_ITEMS.c.collection == run.scope, ENTRY_ITEMS.c.key.in_(part)
                is_other = ENTRY_ITEMS.c.collection == run.scope, ENTRY_ITEMS.c.key.not_in(part)
                lost = sa.select(ENTRY_ITEMS.c.id).where(*is_gone)
                heirs = sa.select(ENTRY_ITEMS.c.key).where(*is_other, ENTRY_ITEMS.c.id.in_(lost))
                is_heir = ENTRIES.c.collection == run.scope, ENTRIES.c.key.in_(heirs)
                count += connection.execute(sa.update(ENTRIES).where(*is_heir).values(state="")).rowcount
                connection.execute(sa.delete(ENTRY_ITEMS).where(*is_gone))
                connection.execute(sa.delete(ENTRIES).where(ENTRIES.c.collection == run.scope, ENTRIES.c.key.in_(part)))
        return count

    def finish(self, run: SourcePass, *, since: str | None = None, has_gone: bool = True) -> int:
        """End a pass that saw all it should; return how many entries another pass has to read again.

        These are entries that hold an item which another entry held before, which is gone.

        Args:
            run: The pass; a whole one is finished when `unseen` gives nothing any more.
            since: What the next pass over the same source is given.
            has_gone: Whether the pass before had entries that this one has not seen.
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
        """End a pass that could not see all: nothing of what it missed is taken for gone, and the next one is new."""
        with write_transaction(self._engine, self._usage) as connection:
            self._hold(connection, run, _DONE)
            if run.is_whole and connection.scalar(_whole_at(run)) is None:
                _note_first_end(connection, run)

    def release(self, run: SourcePass) -> None:
        """Let others go on with a pass that is not done."""
        with write_transaction(self._engine, self._usage) as connection:
            is_own = PASSES.c.collection == run.scope, PASSES.c.holder == run.holder
            connection.execute(sa.update(PASSES).where(*is_own).values(holder=None, held_until=self._clock(connection)))

    def drop(self, collection: str) -> None:
        """Forget all passes over a collection: the next one reads everything."""
        with write_transaction(self._engine, self._usage) as connection:
            _drop(connection, self._scope(collection))

    def whole_age_s(self, collection: str, *, source: str | None = None) -> float | None:
        """Return how long ago the last whole pass over a collection was done, of a source or any; `None`: never."""
        chosen = sa.select(PASSES.c.whole_at).where(PASSES.c.collection == self._scope(collection))
        if source is not None:
            chosen = chosen.where(PASSES.c.source == source)
        with read_transaction(self._engine, self._usage) as connection:
            at = connection.scalar(chosen)
            return None if at is None else max(0.0, self._clock(connection) - at)

    def was_whole(self, collection: str) -> bool:
        """Whether a whole pass over a collection was ever done."""
        return self._of_last(collection, PASSES.c.whole_at) is not None

    def since(self, collection: str) -> str | None:
        """Return what the last pass over a collection that was done left for the next one; `None`: nothing."""
        return self._of_last(collection, PASSES.c.since)

    def unchanged(self, collection: str, *, source: str, since: str) -> int | None:
        """Return how many entries have items, if a whole pass over this source left this for the next one, and no more.

        `None`: another pass is needed.
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
            count, left = connection.execute(counts).one()
            return None if left else int(count)

    def forget_since(self, collection: str) -> None:
        """Forget what the last pass over a collection left for the next one."""
        with write_transaction(self._engine, self._usage) as connection:
            is_meant = PASSES.c.collection == self._scope(collection)
            connection.execute(sa.update(PASSES).where(is_meant).values(since=None))

    def source(self, collection: str) -> str | None:
        """Return of which source the last pass over a collection was; `None`: there was none."""
        return self._of_last(collection, PASSES.c.source)

    def _of_last(self, collection: str, column: sa.Column[_Any]) -> _Any | None:
        # What a column says of the last pass over a collection; `None`: nothing, or there was none.
        return self._scalar(sa.select(column).where(PASSES.c.collection == self._scope(collection)))

    def _scalar(self, chosen: sa.Select[_Any]) -> _Any | None:
        # The value of the first row; `None`: there is none.
        with read_transaction(self._engine, self._usage) as connection:
            return connection.scalar(chosen)

    def problems(self, collection: str) -> tuple[Problem, ...]:
        """Return why entries have no items, the most frequent reason first."""
        reason, key, count = ENTRIES.c.problem, ENTRIES.c.key, sa.func.count().label("count")
        is_meant = ENTRIES.c.collection == self._scope(collection)
        counts = sa.select(reason, count).where(is_meant, reason != "").group_by(reason).order_by(count.desc(), reason)
        found = list[Problem]()
        with read_transaction(self._engine, self._usage) as connection:
            for text, number in connection.execute(counts).all():
                first = sa.select(key).where(is_meant, reason == text).order_by(key).limit(MOST_NAMED)
                found.append(Problem(reason=text, count=number, keys=tuple(connection.scalars(first))))
        return tuple(found)

    def has_items(self, collection: str) -> bool:
        """Return whether any entry has an item."""
        is_meant = ENTRY_ITEMS.c.collection == self._scope(collection), _IS_CURRENT
        return self._scalar(sa.select(ENTRY_ITEMS.c.id).where(*is_meant).limit(1)) is not None

    def filtered(self, collection: str) -> int:
        """Return how many entries have no items since a filter leaves them out."""
        is_meant = ENTRIES.c.collection == self._scope(collection), ENTRIES.c.problem == ""
        return self._scalar(sa.select(sa.func.count()).select_from(ENTRIES).where(*is_meant)) or 0

    def _scope(self, collection: str) -> str:
        return str(scope_of(self._archive, collection))

    def _hold(self, connection: sa.Connection, run: SourcePass, values: Mapping[str, Any]) -> None:
        is_own = PASSES.c.collection == run.scope, PASSES.c.holder == run.holder, PASSES.c.number == run.number
        held = {"held_until": self._clock(connection) + LEASE_S, **values}
        if connection.execute(sa.update(PASSES).where(*is_own).values(**held)).rowcount == 0:
            raise SourceUnavailable(f"{run.collection} is being indexed by another process")

    def _store(self, connection: sa.Connection, run: SourcePass, read: Sequence[SourceEntry], *, seen: int) -> None:
        of_run = {"collection": run.scope, "read": run.number}
        states = {each.key: each.state + REFUSED * each.is_refused for each in read}
        entries = [
            {"key": each.key, "state": states[each.key], "problem": each.problem, "seen": seen, **of_run}
            for each in read
        ]
        _upsert(connection, ENTRIES, entries)
        _upsert(connection, ENTRY_ITEMS, [{"key": each.key, "id": id_, **of_run} for each in read for id_ in each.ids])

    def _outdate(self, connection: sa.Connection, run: SourcePass, keys: Sequence[str]) -> None:
        # What this pass has read of entries before they changed once more is in them no longer.
        for part in chunks(keys, CHUNK):
            wanted = padded(part)
            values = {"collection": run.scope, "number": run.number, **listed("value", wanted)}
            self._statement(_outdated, len(wanted)).change(connection, values)


class _Begun(NamedTuple):
    """How a pass begins."""

    stored: dict[str, Any]
    """Columns of its row, which are fields of `SourcePass` too."""
    is_resumed: bool


def _begun(row: sa.Row[Any] | None, now: float, *, is_same: bool, is_whole: bool, state: str) -> _Begun:
    """How a pass begins after the one that is stored, over the same source or another."""
    since = f"begun {state}" if state else None  # no state: a pass that does not end leaves nothing for the next one
    if row is None or not is_same:
        number = 1 if row is None else row.number + 1
        return _Begun({"number": number, "is_whole": True, "cursor": None, "since": since}, is_resumed=False)
    stored = {"number": row.number, "is_whole": row.is_whole, "cursor": row.cursor, "since": since or row.since}
    is_current = row.is_whole >= is_whole and now - row.held_until < RESUME_S and since in {None, row.since}
    if not row.is_done and is_current:
        # Without a cursor all is listed again: with a number of its own, what went meanwhile is not taken for seen.
        number = row.number + (row.cursor is None)
        return _Begun(stored | {"number": number}, is_resumed=True)
    anew = {"number": row.number + 1, "is_whole": is_whole or row.since is None, "cursor": None}
    return _Begun(stored | anew, is_resumed=False)


def with_places(source: str, places: str) -> str:
    """Return what a source calls itself, with a digest of the addresses that are allowed."""
    return f"{source}\n{places}"


def without_places(source: str) -> str:
    """Return what a source calls itself, whatever is allowed."""
    own, mark, _places = source.rpartition("\n")
    return own if mark else source


def scope_of(archive: Any, collection: Any) -> Any:  # noqa: ANN401 -- text, or SQLAlchemy's columns
    """Return how a collection is named in the tables of passes, as text or, of columns, as their expression."""
    return archive + "/" + collection


def new_holder() -> str:
    """Return a name for this process, by which others on this host see whether it still runs."""
    return f"{socket.gethostname()[:40]} {os.getpid()} {secrets.token_hex(8)}"


def _is_at_it(holder: str | None, other: str) -> bool:
    """Whether a holder may still make its pass, while another wants to begin one."""
    if holder is None or holder == other:
        return False
    host, _, rest = holder.partition(" ")
    number = rest.partition(" ")[0]
    if host != socket.gethostname()[:40] or not number.isdigit() or int(number) == os.getpid():
        return True
    return is_running(int(number))


def _doubt(connection: sa.Connection, scope: str, doubtful: Sequence[str] | None) -> None:
    """Let entries be read again: all, or those of which something was left out, and those that hold some items."""
    is_of_source = ENTRIES.c.collection == scope
    if doubtful is None:
        connection.execute(sa.update(ENTRIES).where(is_of_source).values(state=""))
        return
    connection.execute(sa.update(ENTRIES).where(is_of_source, ENTRIES.c.state.endswith(REFUSED)).values(state=""))
    for part in chunks(doubtful, CHUNK):
        holding = sa.select(ENTRY_ITEMS.c.key).where(ENTRY_ITEMS.c.collection == scope, ENTRY_ITEMS.c.id.in_(part))
        connection.execute(sa.update(ENTRIES).where(is_of_source, ENTRIES.c.key.in_(holding)).values(state=""))


def _rows_of_keys(keys: Sequence[sa.BindParameter[str]]) -> sa.Select[Any]:
    # Rows of entries that have one of these keys.
    columns = ENTRIES.c.key, ENTRIES.c.state, ENTRIES.c.seen, ENTRIES.c.problem
    return sa.select(*columns).where(ENTRIES.c.collection == sa.bindparam("collection"), ENTRIES.c.key.in_(keys))


def _seen(keys: Sequence[sa.BindParameter[str]]) -> sa.Update:
    # Notes that a pass has seen the entries that have one of these keys.
    is_meant = ENTRIES.c.collection == sa.bindparam("collection"), ENTRIES.c.key.in_(keys)
    return sa.update(ENTRIES).where(*is_meant).values(seen=sa.bindparam("number", type_=sa.Integer))


def _outdated(keys: Sequence[sa.BindParameter[str]]) -> sa.Update:
    """Items that a pass has found in the entries that have one of these keys are in them no longer."""
    is_read = ENTRY_ITEMS.c.read == sa.bindparam("number", type_=sa.Integer)
    is_meant = ENTRY_ITEMS.c.collection == sa.bindparam("collection"), ENTRY_ITEMS.c.key.in_(keys), is_read
    return sa.update(ENTRY_ITEMS).where(*is_meant).values(read=NEVER)


def _holders(ids: Sequence[sa.BindParameter[str]]) -> sa.Select[Any]:
    """Items, each with the least key of the entries that hold it."""
    least = sa.select(ENTRY_ITEMS.c.id, sa.func.min(ENTRY_ITEMS.c.key))
    is_meant = ENTRY_ITEMS.c.collection == sa.bindparam("collection"), ENTRY_ITEMS.c.id.in_(ids)
    return least.where(*is_meant, _IS_CURRENT).group_by(ENTRY_ITEMS.c.id)


def _whole_at(run: SourcePass) -> sa.Select[Any]:
    return sa.select(PASSES.c.whole_at).where(PASSES.c.collection == run.scope)


def _note_first_end(connection: sa.Connection, run: SourcePass) -> None:
    """Note after which change of the index the first pass over a source ended, unless one has ended before."""
    is_noted = sa.select(FIRST_PASSES.c.change).where(FIRST_PASSES.c.collection == run.scope)
    if connection.scalar(is_noted) is None:
        # Held until the end, so that each change of an item is made before or after.
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
    others = {name: insertion.excluded[name] for name in names if name not in keys}
    return Statement(insertion.on_conflict_do_update(index_elements=keys, set_=others), dialect, names)


def _tidy(connection: sa.Connection, run: SourcePass) -> int:
    """Remove what is stored of entries that are gone; let the entries that have their items be read again."""
    is_of_run = ENTRIES.c.collection == run.scope
    is_own, is_left = ENTRY_ITEMS.c.collection == run.scope, _is_left(run)
    lost = sa.select(ENTRY_ITEMS.c.id).where(is_own, ~is_left)
    heirs = sa.select(ENTRY_ITEMS.c.key).where(is_own, ENTRY_ITEMS.c.id.in_(lost), is_left)
    count = connection.execute(sa.update(ENTRIES).where(is_of_run, ENTRIES.c.key.in_(heirs)).values(state="")).rowcount
    connection.execute(sa.delete(ENTRY_ITEMS).where(is_own, ~is_left))
    return int(count)


def _is_left(run: SourcePass) -> Any:  # noqa: ANN401 -- SQLAlchemy's expression
    # Whether an item was in its entry when that was read last, and a pass saw the entry.
    return sa.exists().where(*_WAS_READ, ENTRIES.c.seen == run.number)


def _drop(connection: sa.Connection, collection: str) -> None:
    for table in (ENTRY_ITEMS, ENTRIES, PASSES, FIRST_PASSES):
        connection.execute(sa.delete(table).where(table.c.collection == collection))
