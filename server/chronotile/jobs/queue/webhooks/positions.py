"""The position of each webhook in the changes: in the database of the item index, with which it is lost or restored."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, delete, insert, select, update

from chronotile.catalog.items.schema import INDEX
from chronotile.core.database import ArchiveTables, write_transaction
from chronotile.core.errors import SourceUnavailable

VERSION = 1
METADATA = MetaData(info={"name": "webhooks", "version": VERSION})
POSITIONS = Table(
    "chronotile_webhooks",
    METADATA,
    Column("archive", String(200), primary_key=True),
    Column("webhook", String(32), primary_key=True),
    Column("cursor", Text, nullable=False),  # of the changes: those up to here were sent
    Column("tries", Integer, nullable=False),  # in vain, of the next one
    Column("due", Float(53), nullable=False),  # until then no process sends it an event
)
MISSING = Table(
    "chronotile_webhooks_missing",
    METADATA,
    Column("archive", String(200), primary_key=True),
    Column("webhook", String(32), primary_key=True),
    Column("since", Float(53), nullable=False),  # when a server first ran without it
)
KEPT_S = 86_400.0
"""How long the position of a webhook is kept that is not configured any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a webhook in the changes."""

    cursor: str
    tries: int
    wait_s: float
    """Seconds until the next event may be sent; 0 or less: now."""


class WebhookPositions(ArchiveTables):
    """The positions of the webhooks of an archive."""

    usage, metadata, making = INDEX, METADATA, 7_105_202

    def find(self, webhook: str) -> Position | None:
        """Return the position of a webhook; `None` if it is new."""
        wanted = select(POSITIONS.c.cursor, POSITIONS.c.tries, POSITIONS.c.due).where(*self._is(webhook))
        try:
            with self._reading() as connection:
                row = connection.execute(wanted).one_or_none()
                now = self._clock(connection)
        except SourceUnavailable as error:
            if error.message != INDEX.missing:
                raise
            return None  # the index took the place of a damaged one
        return None if row is None else Position(cursor=row.cursor, tries=row.tries, wait_s=row.due - now)

    def begin(self, webhook: str, cursor: str) -> None:
        """Store the first position of a new webhook, unless another process has done so."""
        with self._writing() as connection:
            if connection.execute(select(POSITIONS.c.due).where(*self._is(webhook))).one_or_none() is None:
                values = {"archive": self._archive, "webhook": webhook, "cursor": cursor, "tries": 0, "due": 0.0}
                connection.execute(insert(POSITIONS).values(values))

    def take(self, webhook: str, found: Position, *, lease_s: float) -> bool:
        """Keep other processes from sending the next event for some seconds; return whether none of them was faster."""
        with write_transaction(self._engine, INDEX) as connection:
            now = self._clock(connection)
            is_free = *self._is(webhook, found.cursor), POSITIONS.c.due <= now
            taken = update(POSITIONS).where(*is_free).values(due=now + lease_s, tries=found.tries + 1)
            return connection.execute(taken).rowcount == 1

    def move(self, webhook: str, before: str, after: str) -> None:
        """Note that the changes between two cursors were sent, unless another process has done so."""
        moved = update(POSITIONS).where(*self._is(webhook, before)).values(cursor=after, tries=0, due=0.0)
        with write_transaction(self._engine, INDEX) as connection:
            connection.execute(moved)

    def wait(self, webhook: str, before: str, *, wait_s: float) -> None:
        """Let no process send a webhook an event for some seconds."""
        with write_transaction(self._engine, INDEX) as connection:
            due = self._clock(connection) + wait_s
            connection.execute(update(POSITIONS).where(*self._is(webhook, before)).values(due=due))

    def keep(self, configured: Collection[str]) -> int:
        """Remove the positions of webhooks that have not been configured for a day; return how many.

        A day, as of servers that share the database one may have another configuration for some time: each notes the
        webhooks that it lacks, and takes off the note of those that it has.

        Args:
            configured: Ids of the webhooks that this server has now.
        """
        with self._writing() as connection:
            now = self._clock(connection)
            stored = set(connection.scalars(select(POSITIONS.c.webhook).where(POSITIONS.c.archive == self._archive)))
            noted = select(MISSING.c.webhook, MISSING.c.since).where(MISSING.c.archive == self._archive)
            missing = {row.webhook: row.since for row in connection.execute(noted)}
            old = {each for each, since in missing.items() if since < now - KEPT_S}
            for table, gone in ((POSITIONS, old), (MISSING, old | (missing.keys() & set(configured)))):
                is_gone = table.c.archive == self._archive, table.c.webhook.in_(gone)
                connection.execute(delete(table).where(*is_gone))
            if new := stored - set(configured) - missing.keys():
                rows = [{"archive": self._archive, "webhook": each, "since": now} for each in sorted(new)]
                connection.execute(insert(MISSING), rows)
            return len(stored & old)

    def _is(self, webhook: str, cursor: str | None = None) -> list[Any]:
        found = [POSITIONS.c.archive == self._archive, POSITIONS.c.webhook == webhook]
        return found if cursor is None else [*found, POSITIONS.c.cursor == cursor]


open_positions = WebhookPositions.open
