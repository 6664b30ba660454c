"""API keys: 256 random bits, shown once and stored as a digest in the database of jobs."""

import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic, time
from typing import Any

import anyio
import anyio.to_thread
import orjson
import sqlalchemy as sa
from sqlalchemy import Column, Float, LargeBinary, String, Text, select

from chronotile.access.tables import DAY_S, UNAVAILABLE, OpenedLater
from chronotile.core.database import ArchiveTables, Usage
from chronotile.core.errors import InvalidParameter, SourceUnavailable, UnknownItem
from chronotile.core.model.access import AccessRules
from chronotile.http.principal import Principal

KEY_PREFIX = "ctk_"
"""Distinguishes a key from a token."""
KEYS = Usage(
    name="the table of keys",
    folder="the jobs folder",
    variable="CHRONOTILE_JOBS_DIR",
    missing="there are no keys",
    file="access.sqlite",
)
METADATA = sa.MetaData(info={"name": "keys", "version": 1})
TABLE = sa.Table(
    "chronotile_keys",
    METADATA,
    Column("archive", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("groups", Text, nullable=False),  # JSON
    Column("rights", Text, nullable=False),  # JSON; `null` means all rights
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53), nullable=False),
    Column("revoked", Float(53)),
)
CACHE_S = 10.0
"""Keys are read again after this time; a revoked key may be used until then."""
NEW_S = 1.0
"""Keys are read again for an unknown key after this time; a new key may be refused until then."""
STALE_S = 300.0
"""Cached keys are accepted for this time while the database is unavailable."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key in the list of keys, without its secret."""

    name: str
    groups: tuple[str, ...]
    rights: tuple[str, ...] | None
    created: float
    """Seconds since 1970, like `expires` and `revoked`."""
    expires: float
    revoked: float | None


class Keys(ArchiveTables):
    """The keys of an archive."""

    usage, metadata, making = KEYS, METADATA, 7_105_203

    def create(
        self, name: str, *, groups: Collection[str] = (), rights: Collection[str] | None = None, days: float
    ) -> str:
        """Return the text of a new key; only its digest is stored.

        Raises:
            InvalidParameter: A key with this name exists, valid or revoked.
        """
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        with self._writing() as connection:
            if connection.scalar(select(TABLE.c.name).where(*self._is(name))) is not None:
                raise InvalidParameter(f"there is a key {name!r} already; choose another name", locator="name")
            now = self._clock(connection)
            values = {"archive": self._archive, "name": name, "digest": digest_of(key)}
            values |= {"groups": _json(sorted(groups)), "rights": _json(None if rights is None else sorted(rights))}
            connection.execute(sa.insert(TABLE).values(**values, created=now, expires=now + days * DAY_S))
        return key

    def list_keys(self) -> tuple[StoredKey, ...]:
        """Return all keys, by name."""
        with self._reading() as connection:
            rows = connection.execute(select(TABLE).where(TABLE.c.archive == self._archive).order_by(TABLE.c.name))
            return tuple(map(_parse_row, rows))

    def revoke(self, name: str) -> None:
        """Revoke a key; it stays in the list.

        Raises:
            UnknownItem: No key has this name.
        """
        with self._writing() as connection:
            revocation = sa.update(TABLE).where(*self._is(name)).values(revoked=self._clock(connection))
            if connection.execute(revocation).rowcount == 0:
                raise UnknownItem(f"there is no key {name!r}", locator="name")

    def principals(self) -> Mapping[bytes, Principal]:
        """Return the users of all keys, by the digest of the key; `until` is 0 for revoked and expired keys."""
        with self._reading() as connection:
            now = self._clock(connection)
            rows = connection.execute(select(TABLE).where(TABLE.c.archive == self._archive)).all()
        return {row.digest: _principal(_parse_row(row), now) for row in rows}

    def _is(self, name: str) -> tuple[sa.ColumnElement[bool], ...]:
        return TABLE.c.archive == self._archive, TABLE.c.name == name


class KeyCache:
    """Cache of all keys, read again at intervals, so that wrong keys cause no queries.

    Args:
        open_keys: Opens the table, in a thread; `None` if the server has no keys.
    """

    def __init__(self, open_keys: Callable[[], Keys] | None) -> None:
        self._table = OpenedLater(open_keys, log)
        self._users: Mapping[bytes, Principal] = {}
        self._fault: SourceUnavailable | None = None
        self._read_s = self._tried_s = -STALE_S
        self._reading = anyio.Lock()

    async def find(self, digest: bytes) -> Principal | None:
        """Return the user of the key with a digest; `None` if no key has it.

        The key is revoked or expired if `until` of the user has passed.

        Raises:
            SourceUnavailable: The database is unavailable, and the cache has no valid key.
        """
        if self._is_old(digest):
            async with self._reading:
                if self._is_old(digest):  # no other request has read the keys meanwhile
                    await anyio.to_thread.run_sync(self._read)
        user = self._users.get(digest)
        if self._fault is not None and (user is None or user.until <= time()):
            raise self._fault
        return user

    def is_valid(self, user: str | None) -> bool:
        """Return whether a user may still exist; the user of a key must have been valid at the last read."""
        is_key = user is not None and user.startswith("key:")
        return not is_key or any(key.name == user and key.until > time() for key in self._users.values())

    def close(self) -> None:
        """Close the connections to the database."""
        self._table.close()

    def _is_old(self, digest: bytes) -> bool:
        max_age_s = CACHE_S if digest in self._users else NEW_S
        return self._table.open_tables is not None and monotonic() - self._tried_s > max_age_s

    def _read(self) -> None:
        try:
            self._users = self._table.get().principals()
            self._fault, self._read_s = None, monotonic()
        except UNAVAILABLE as error:
            self._table.warn("the table of keys cannot be read", error)
            self._fault = SourceUnavailable("the table of keys cannot be read now; try again later")
            if monotonic() - self._read_s > STALE_S:
                self._users = {}
        finally:
            self._tried_s = monotonic()


def digest_of(key: str) -> bytes:
    """Return the stored digest of a key; 256 random bits need no slow hash."""
    return sha256(key.encode()).digest()


open_keys = Keys.open


def _principal(key: StoredKey, now: float) -> Principal:
    return Principal(
        subjects=AccessRules.subjects_of(key.groups, key=key.name),
        name=f"key:{key.name}",
        until=key.expires if key.revoked is None and key.expires > now else 0.0,
        rights=None if key.rights is None else frozenset(key.rights),
    )


def _parse_row(row: sa.Row[Any]) -> StoredKey:
    groups, rights = orjson.loads(row.groups), orjson.loads(row.rights)
    return StoredKey(
        name=row.name,
        groups=tuple(groups),
        rights=None if rights is None else tuple(rights),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
