"""Sessions of users who signed in: the browser holds a random cookie, the database what it stands for.

The database alone opens nothing: it has a digest of the cookie, and tokens encrypted with a key that the cookie gives.
"""

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic, time
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import Column, Float, LargeBinary, String, Text, delete, or_, select, update

from chronotile.access.keys import KEPT_S, KEYS, NEW_S, STALE_S
from chronotile.access.tables import AWAY, OpenedLater
from chronotile.core.database import ArchiveTables
from chronotile.core.errors import SourceUnavailable
from chronotile.core.turns import FairThreads
from chronotile.http.principal import Principal

METADATA = sa.MetaData(info={"name": "sessions", "version": 1})
TABLE = sa.Table(
    "chronotile_sessions",
    METADATA,
    Column("archive", String(200), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("user", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("organisation", Text, nullable=False),
    Column("subjects", Text, nullable=False),  # JSON
    Column("until", Float(53), nullable=False),  # of the access token
    Column("ends", Float(53), nullable=False),  # of the session, which may be renewed until then
    Column("created", Float(53), nullable=False),
    Column("renewed", Float(53), nullable=False),
    Column("claimed", Float(53)),  # by who renews it
    Column("tokens", Text, nullable=False),  # encrypted
)
sa.Index("chronotile_sessions_users", TABLE.c.archive, TABLE.c.user)
MAY = frozenset({"see", "download", "process"})
"""What a cookie is good for: browsers send it by themselves, so it writes no items."""
RENEWABLE_S = 7 * 86_400.0
"""So long after it was last renewed a session may be renewed."""
MOST_OF_USER = 50
"""Sessions of one user; the oldest end."""
MOST_HELD = 4096
THREADS = 4
CLAIM_S = 30.0
"""After which who renews a session counts as dead: longer than the provider may take."""
FRESH = 0.75
"""A session with more than this part of its time left is not renewed: another page has done so."""
REFRESH, IDENTITY = "refresh_token", "id_token"
"""Tokens that are stored."""

Result = TypeVar("Result")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What a cookie stands for."""

    principal: Principal
    title: str
    """The user's name, to show."""
    renewed: float
    """Seconds since 1970."""
    is_renewable: bool
    tokens: str
    """Encrypted."""

    @property
    def left_s(self) -> float:
        """For how long it still grants anything."""
        return self.principal.until - time()

    @property
    def is_fresh(self) -> bool:
        """Whether it need not be renewed yet."""
        return self.left_s > FRESH * (self.principal.until - self.renewed)


class Sessions(ArchiveTables):
    """The sessions of an archive."""

    usage, metadata, making = KEYS, METADATA, 7_105_206

    def begin(self, id_: str, digest: bytes, principal: Principal, *, title: str, tokens: Mapping[str, str]) -> None:
        """Store a new session; those that have ended, and the oldest of a user who has too many, are removed."""
        of_archive, of_user = TABLE.c.archive == self._archive, TABLE.c.user == principal.name
        with self._writing() as connection:
            now = self._clock(connection)
            oldest = select(TABLE.c.digest).where(of_archive, of_user).order_by(TABLE.c.renewed.desc())
            ended = or_(TABLE.c.ends < now, TABLE.c.digest.in_(oldest.offset(MOST_OF_USER - 1)))
            connection.execute(delete(TABLE).where(of_archive, ended))
            values = {"archive": self._archive, "digest": digest, "title": title, "created": now}
            connection.execute(sa.insert(TABLE).values(**values, **_values(id_, principal, tokens, now)))

    def find(self, digest: bytes) -> Session | None:
        """Return the session that has a digest, which may have expired; `None` if there is none."""
        with self._reading() as connection:
            now = self._clock(connection)
            row = connection.execute(select(TABLE).where(*self._is(digest), TABLE.c.ends > now)).one_or_none()
        if row is None:
            return None
        subjects = frozenset(orjson.loads(row.subjects))
        return Session(
            principal=Principal(
                subjects=subjects, name=row.user, until=row.until, rights=MAY, organisation=row.organisation
            ),
            title=row.title,
            renewed=row.renewed,
            is_renewable=row.ends > row.until,
            tokens=row.tokens,
        )

    def claim(self, digest: bytes, renewed: float) -> bool:
        """Return whether the caller may renew a session, which was last renewed then; all others may not."""
        with self._writing() as connection:
            now = self._clock(connection)
            is_free = or_(TABLE.c.claimed.is_(None), TABLE.c.claimed < now - CLAIM_S)
            claimed = update(TABLE).where(*self._is(digest), TABLE.c.renewed == renewed, is_free).values(claimed=now)
            return connection.execute(claimed).rowcount == 1

    def renew(self, id_: str, digest: bytes, principal: Principal, tokens: Mapping[str, str]) -> None:
        """Store what a session has become."""
        with self._writing() as connection:
            values = _values(id_, principal, tokens, self._clock(connection))
            connection.execute(update(TABLE).where(*self._is(digest)).values(**values))

    def release(self, digest: bytes) -> None:
        """Let others renew a session."""
        with self._writing() as connection:
            connection.execute(update(TABLE).where(*self._is(digest)).values(claimed=None))

    def end(self, digest: bytes) -> None:
        """Remove a session."""
        with self._writing() as connection:
            connection.execute(delete(TABLE).where(*self._is(digest)))

    def _is(self, digest: bytes) -> tuple[sa.ColumnElement[bool], ...]:
        return TABLE.c.archive == self._archive, TABLE.c.digest == digest


class HeldSessions:
    """Sessions that were looked up lately, so that a private picture costs no look into the database.

    Args:
        open_sessions: Opens the table, in a thread; `None`: there are no sessions.
    """

    def __init__(self, open_sessions: Callable[[], Sessions] | None) -> None:
        self._table = OpenedLater(open_sessions, log)
        self._threads = FairThreads(THREADS)
        self._held = OrderedDict[bytes, tuple[float, Session | None]]()
        self._fault_s = -NEW_S

    async def find(self, digest: bytes) -> Session | None:
        """Return the session that has a digest, as it was some seconds ago; `None` if there is none.

        Raises:
            SourceUnavailable: The database is away, and the session is not held.
        """
        read_s, found = self._held.get(digest, (-STALE_S, None))
        age_s = monotonic() - read_s
        if age_s <= (NEW_S if found is not None and found.left_s <= 0 else KEPT_S):
            self._held.move_to_end(digest)
            return found
        try:
            found = await self.use(lambda table: table.find(digest))
        except SourceUnavailable:
            if found is None or age_s > STALE_S:
                raise
            return found
        self._held[digest] = monotonic(), found
        if len(self._held) > MOST_HELD:
            self._held.popitem(last=False)
        return found

    def forget(self, digest: bytes) -> None:
        """Have a session looked up again."""
        self._held.pop(digest, None)

    async def use(self, work: Callable[[Sessions], Result]) -> Result:
        """Return what work gives that takes the table, in a thread.

        Raises:
            SourceUnavailable: The database is away, or was so a moment ago.
        """
        return await self._threads.run(partial(self._use, work))

    def close(self) -> None:
        """Close the connections to the database."""
        self._table.close()

    def _use(self, work: Callable[[Sessions], Result]) -> Result:
        away = SourceUnavailable("sessions of users cannot be read or written now; try again later")
        if monotonic() - self._fault_s < NEW_S:
            raise away
        try:
            return work(self._table.get())
        except AWAY as error:
            self._table.say("the table of sessions cannot be used", error)
            self._fault_s = monotonic()
            raise away from error


open_sessions = Sessions.open


def stored_tokens(session: Session, id_: str) -> dict[str, str]:
    """Return the tokens of a session, which its cookie decrypts."""
    from joserfc import jwe  # noqa: PLC0415 -- of the extra access

    tokens: dict[str, str] = orjson.loads(jwe.decrypt_compact(session.tokens, _key(id_)).plaintext or b"{}")
    return tokens


def _values(id_: str, principal: Principal, tokens: Mapping[str, str], now: float) -> dict[str, object]:
    from joserfc import jwe  # noqa: PLC0415 -- of the extra access

    return {
        "user": principal.name,
        "organisation": principal.organisation,
        "subjects": orjson.dumps(sorted(principal.subjects)).decode(),
        "until": principal.until,
        "ends": now + RENEWABLE_S if REFRESH in tokens else principal.until,
        "renewed": now,
        "claimed": None,
        "tokens": jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, orjson.dumps(tokens), _key(id_)),
    }


def _key(id_: str) -> Any:  # noqa: ANN401 -- joserfc's
    from joserfc.jwk import OctKey  # noqa: PLC0415 -- of the extra access

    return OctKey.import_key(hmac.digest(id_.encode(), b"chronotile: tokens of a session", "sha256"))
