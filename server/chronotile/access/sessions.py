"""Sessions of signed-in users: the browser has a random cookie, the database the user and the tokens.

The database alone gives no access: it contains a digest of the cookie, and tokens encrypted with a key that is derived
from the cookie.
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

from chronotile.access.keys import CACHE_S, KEYS, NEW_S, STALE_S
from chronotile.access.tables import UNAVAILABLE, OpenedLater
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
    Column("until", Float(53), nullable=False),  # end of the access token
    Column("ends", Float(53), nullable=False),  # end of the session, which may be renewed until then
    Column("created", Float(53), nullable=False),
    Column("renewed", Float(53), nullable=False),
    Column("claimed", Float(53)),  # start of a renewal
    Column("tokens", Text, nullable=False),  # encrypted
)
sa.Index("chronotile_sessions_users", TABLE.c.archive, TABLE.c.user)
COOKIE_RIGHTS = frozenset({"see", "download", "process"})
"""Rights of a cookie: no writing, because browsers send cookies automatically."""
RENEWABLE_S = 7 * 86_400.0
"""A session may be renewed for this time after its last renewal."""
MAX_USER_SESSIONS = 50
"""Sessions per user; the oldest are removed."""
MAX_CACHED = 4096
THREADS = 4
CLAIM_S = 30.0
"""A renewal that takes longer counts as failed; the provider must answer in less time."""
FRESH = 0.75
"""A session is not renewed while this fraction of its time is left: another page has just renewed it."""
REFRESH, IDENTITY = "refresh_token", "id_token"
"""Names of stored tokens."""

Result = TypeVar("Result")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session without its secrets."""

    principal: Principal
    title: str
    """Displayed name of the user."""
    renewed: float
    """Time of the last renewal, in seconds since 1970."""
    is_renewable: bool
    tokens: str
    """Encrypted."""

    @property
    def left_s(self) -> float:
        """Seconds until the session expires."""
        return self.principal.until - time()

    @property
    def is_fresh(self) -> bool:
        """Whether the session was renewed recently."""
        return self.left_s > FRESH * (self.principal.until - self.renewed)


class Sessions(ArchiveTables):
    """The sessions of an archive."""

    usage, metadata, making = KEYS, METADATA, 7_105_206

    def create(self, id_: str, digest: bytes, principal: Principal, *, title: str, tokens: Mapping[str, str]) -> None:
        """Store a new session, and remove ended ones and the oldest above `MAX_USER_SESSIONS`."""
        of_archive, of_user = TABLE.c.archive == self._archive, TABLE.c.user == principal.name
        with self._writing() as connection:
            now = self._clock(connection)
            oldest = select(TABLE.c.digest).where(of_archive, of_user).order_by(TABLE.c.renewed.desc())
            ended = or_(TABLE.c.ends < now, TABLE.c.digest.in_(oldest.offset(MAX_USER_SESSIONS - 1)))
            connection.execute(delete(TABLE).where(of_archive, ended))
            values = {"archive": self._archive, "digest": digest, "title": title, "created": now}
            connection.execute(sa.insert(TABLE).values(**values, **_values(id_, principal, tokens, now)))

    def find(self, digest: bytes) -> Session | None:
        """Return the session with a digest, which may have expired; `None` if it does not exist."""
        with self._reading() as connection:
            now = self._clock(connection)
            row = connection.execute(select(TABLE).where(*self._is(digest), TABLE.c.ends > now)).one_or_none()
        if row is None:
            return None
        subjects = frozenset(orjson.loads(row.subjects))
        return Session(
            principal=Principal(
                subjects=subjects, name=row.user, until=row.until, rights=COOKIE_RIGHTS, organisation=row.organisation
            ),
            title=row.title,
            renewed=row.renewed,
            is_renewable=row.ends > row.until,
            tokens=row.tokens,
        )

    def claim(self, digest: bytes, renewed: float) -> bool:
        """Claim the renewal of a session last renewed at `renewed`; return false if another caller has done so."""
        with self._writing() as connection:
            now = self._clock(connection)
            is_free = or_(TABLE.c.claimed.is_(None), TABLE.c.claimed < now - CLAIM_S)
            claim = update(TABLE).where(*self._is(digest), TABLE.c.renewed == renewed, is_free).values(claimed=now)
            return connection.execute(claim).rowcount == 1

    def renew(self, id_: str, digest: bytes, principal: Principal, tokens: Mapping[str, str]) -> None:
        """Store the user and tokens of a renewed session."""
        with self._writing() as connection:
            values = _values(id_, principal, tokens, self._clock(connection))
            connection.execute(update(TABLE).where(*self._is(digest)).values(**values))

    def release(self, digest: bytes) -> None:
        """Release the claim of a renewal."""
        with self._writing() as connection:
            connection.execute(update(TABLE).where(*self._is(digest)).values(claimed=None))

    def end(self, digest: bytes) -> None:
        """Remove a session."""
        with self._writing() as connection:
            connection.execute(delete(TABLE).where(*self._is(digest)))

    def _is(self, digest: bytes) -> tuple[sa.ColumnElement[bool], ...]:
        return TABLE.c.archive == self._archive, TABLE.c.digest == digest


class SessionCache:
    """Cache of sessions, so that private pictures need no queries.

    Args:
        open_sessions: Opens the table, in a thread; `None` if the server has no sessions.
    """

    def __init__(self, open_sessions: Callable[[], Sessions] | None) -> None:
        self._table = OpenedLater(open_sessions, log)
        self._threads = FairThreads(THREADS)
        self._cache = OrderedDict[bytes, tuple[float, Session | None]]()
        self._fault_s = -NEW_S

    async def find(self, digest: bytes) -> Session | None:
        """Return the session with a digest, at most `CACHE_S` old; `None` if it does not exist.

        Raises:
            SourceUnavailable: The database is unavailable, and the session is not in the cache.
        """
        read_s, session = self._cache.get(digest, (-STALE_S, None))
        age_s = monotonic() - read_s
        if age_s <= (NEW_S if session is not None and session.left_s <= 0 else CACHE_S):
            self._cache.move_to_end(digest)
            return session
        try:
            session = await self.use(lambda table: table.find(digest))
        except SourceUnavailable:
            if session is None or age_s > STALE_S:
                raise
            return session
        self._cache[digest] = monotonic(), session
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return session

    def forget(self, digest: bytes) -> None:
        """Remove a session from the cache."""
        self._cache.pop(digest, None)

    async def use(self, work: Callable[[Sessions], Result]) -> Result:
        """Return the result of a function that takes the table, called in a thread.

        Raises:
            SourceUnavailable: The database is unavailable, or was less than `NEW_S` ago.
        """
        return await self._threads.run(partial(self._use, work))

    def close(self) -> None:
        """Close the connections to the database."""
        self._table.close()

    def _use(self, work: Callable[[Sessions], Result]) -> Result:
        unavailable = SourceUnavailable("sessions of users cannot be read or written now; try again later")
        if monotonic() - self._fault_s < NEW_S:
            raise unavailable
        try:
            return work(self._table.get())
        except UNAVAILABLE as error:
            self._table.warn("the table of sessions cannot be used", error)
            self._fault_s = monotonic()
            raise unavailable from error


open_sessions = Sessions.open


def stored_tokens(session: Session, id_: str) -> dict[str, str]:
    """Return the tokens of a session, decrypted with its cookie `id_`."""
    from joserfc import jwe  # noqa: PLC0415 -- in the extra access

    tokens: dict[str, str] = orjson.loads(jwe.decrypt_compact(session.tokens, _key(id_)).plaintext or b"{}")
    return tokens


def _values(id_: str, principal: Principal, tokens: Mapping[str, str], now: float) -> dict[str, object]:
    from joserfc import jwe  # noqa: PLC0415 -- in the extra access

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
    from joserfc.jwk import OctKey  # noqa: PLC0415 -- in the extra access

    return OctKey.import_key(hmac.digest(id_.encode(), b"chronotile: tokens of a session", "sha256"))
