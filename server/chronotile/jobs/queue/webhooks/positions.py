"""The position of each webhook in the list of changes, stored in the database of the item index.

A lost or restored index loses or restores the positions with it.
"""

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
    Column("cursor", Text, nullable=False),  # changes up to here were sent
    Column("tries", Integer, nullable=False),  # failed tries of the next event
    Column("due", Float(53), nullable=False),  # no process sends an event before this time
)
MISSING = Table(
    "chronotile_webhooks_missing",
    METADATA,
    Column("archive", String(200), primary_key=True),
    Column("webhook", String(32), primary_key=True),
    Column("since", Float(53), nullable=False),  # first time at which a server ran without the webhook
)
KEPT_S = 86_400.0
"""Time after which the position of a webhook without configuration is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a webhook in the list of changes."""

    cursor: str
    tries: int
    wait_s: float
    """Seconds until the next event may be sent; now if 0 or less."""


class WebhookPositions(ArchiveTables):
    """The positions of the webhooks of an archive."""

    usage, metadata, making = INDEX, METADATA, 7_105_202

    def find(self, webhook: str) -> Position | None:
        """Return the position of a webhook; `None` if it is new."""
        query = select(POSITIONS.c.cursor, POSITIONS.c.tries, POSITIONS.c.due).where(*self._is(webhook))
        try:
            with self._reading() as connection:
                row = connection.execute(query).one_or_none()
                now = self._clock(connection)
        except SourceUnavailable as error:
            if error.message != INDEX.missing:
                raise
            return None  # a new index replaces a damaged index, and lacks this table yet
        return None if row is None else Position(cursor=row.cursor, tries=row.tries, wait_s=row.due - now)

    def begin(self, webhook: str, cursor: str) -> None:
        """Store the first position of a new webhook, unless another process has done so."""
        with self._writing() as connection:
            if connection.execute(select(POSITIONS.c.due).where(*self._is(webhook))).one_or_none() is None:
                values = {"archive": self._archive, "webhook": webhook, "cursor": cursor, "tries": 0, "due": 0.0}
                connection.execute(insert(POSITIONS).values(values))

    def take(self, webhook: str, position: Position, *, lease_s: float) -> bool:
        """Reserve the next event for some seconds; return whether no other process was faster."""
        with write_transaction(self._engine, INDEX) as connection:
            now = self._clock(connection)
            is_free = *self._is(webhook, position.cursor), POSITIONS.c.due <= now
            statement = update(POSITIONS).where(*is_free).values(due=now + lease_s, tries=position.tries + 1)
            return connection.execute(statement).rowcount == 1

    def move(self, webhook: str, before: str, after: str) -> None:
        """Record that the changes between two cursors were sent, unless another process did."""
        moved = update(POSITIONS).where(*self._is(webhook, before)).values(cursor=after, tries=0, due=0.0)
        with write_transaction(self._engine, INDEX) as connection:
            connection.execute(moved)

    def wait(self, webhook: str, before: str, *, wait_s: float) -> None:
        """Let no process send an event to a webhook for some seconds."""
        with write_transaction(self._engine, INDEX) as connection:
            due = self._clock(connection) + wait_s
            connection.execute(update(POSITIONS).where(*self._is(webhook, before)).values(due=due))

    def remove_obsolete(self, configured: Collection[str]) -> int:
        """Remove the positions of webhooks that have not been configured for a day; return their number.

        Servers that share the database may have different configurations for some time. Each server notes the webhooks
        that it lacks, and removes the notes of its webhooks; a note that is a day old counts.

        Args:
            configured: Ids of the webhooks in the current configuration of this server.
        """
        with self._writing() as connection:
            now = self._clock(connection)
            stored = set(connection.scalars(select(POSITIONS.c.webhook).where(POSITIONS.c.archive == self._archive)))
            noted = select(MISSING.c.webhook, MISSING.c.since).where(MISSING.c.archive == self._archive)
            missing = {row.webhook: row.since for row in connection.execute(noted)}
            old = {id_ for id_, since in missing.items() if since < now - KEPT_S}
            for table, removed_ids in ((POSITIONS, old), (MISSING, old | (missing.keys() & set(configured)))):
                is_gone = table.c.archive == self._archive, table.c.webhook.in_(removed_ids)
                connection.execute(delete(table).where(*is_gone))
            if new := stored - set(configured) - missing.keys():
                rows = [{"archive": self._archive, "webhook": id_, "since": now} for id_ in sorted(new)]
                connection.execute(insert(MISSING), rows)
            return len(stored & old)

    def _is(self, webhook: str, cursor: str | None = None) -> list[Any]:
        conditions = [POSITIONS.c.archive == self._archive, POSITIONS.c.webhook == webhook]
        return conditions if cursor is None else [*conditions, POSITIONS.c.cursor == cursor]


open_positions = WebhookPositions.open
