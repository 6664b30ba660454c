"""What users may take in a day: each process takes small parts of a quota from the database, and spends them itself."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import monotonic
from typing import Final

import anyio
from sqlalchemy import Column, Float, MetaData, String, Table, Text, and_, delete, update

from chronotile.access.tables import AWAY
from chronotile.access.usage import INSERTS, USAGE, seconds_left
from chronotile.core.database import ArchiveTables, write_transaction
from chronotile.core.errors import QuotaExceeded
from chronotile.core.model.access import AMOUNTS, AccessRules, Amount, Amounts, Quota, RequestClass
from chronotile.core.turns import FairThreads
from chronotile.http.asgi_headers import RawHeader

METADATA = MetaData(info={"name": "quotas", "version": 1})
TABLE = Table(
    "chronotile_quota_used",
    METADATA,
    Column("archive", String(200), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("user", Text, primary_key=True),
    Column("class", String(20), primary_key=True),
    *(Column(amount, Float(53), nullable=False) for amount in AMOUNTS),
)
PARTS = 64
"""Of a quota, one of which a process takes at once."""
IDLE_S = 30.0
"""After which what is left of a part is given back."""
AGAIN_S = 1.0
"""For so long a user whose quota is used up is refused without a look into the database."""
AWAY_S = 5.0
"""For so long all requests pass after the database did not answer."""
MOST_LEASES = 10_000
MOST_LIMITS = 4_096
LEASE = "chronotile.lease"
"""Where a request has that on which it is counted."""
LAST = 16
"""Part of what is left that a process takes at most."""
UNITS: Final[Mapping[Amount, str]] = {"requests": "", "bytes": ';qu="content-bytes"', "seconds": ';qu="seconds"'}
"""As `RateLimit-Policy` names them."""
WORDS: Final[Mapping[Amount, str]] = {"requests": "requests", "bytes": "bytes", "seconds": "processor seconds"}
_LEAST: Final[Mapping[Amount, float]] = {"requests": 1, "bytes": 5e-324, "seconds": 5e-324}
"""What a request needs; bytes and seconds are known afterwards."""
LeaseKey = tuple[str, str, RequestClass]
"""Day, user (an address where no user is known), and class."""

Take = Callable[..., tuple[Amounts, Amounts]]
"""`QuotaTable.take`, of users and of addresses."""


class QuotaTable(ArchiveTables):
    """What was taken of quotas."""

    usage, metadata, making = USAGE, METADATA, 7_105_205

    def take(self, key: LeaseKey, *, parts: Amounts, debts: Amounts, limits: Amounts) -> tuple[Amounts, Amounts]:
        """Note what was spent, take parts of what is left, and return what was taken and what is left then.

        Args:
            key: Day, user and class.
            parts: To take; of the last of a quota smaller ones, as others may hold some, too.
            debts: To note in any case; negative ones are given back.
            limits: The quota.
        """
        is_key = dict(zip(("archive", "day", "user", "class"), (self._archive, *key), strict=True))
        with write_transaction(self._engine, USAGE) as connection:
            begun = INSERTS[connection.dialect.name](TABLE).values(**is_key, **dict.fromkeys(AMOUNTS, 0.0))
            same = {"requests": TABLE.c.requests}  # which locks the row
            columns = (TABLE.c[amount] for amount in AMOUNTS)
            locked = begun.on_conflict_do_update(index_elements=list(TABLE.primary_key), set_=same).returning(*columns)
            used = connection.execute(locked).one()
            left = {each: limits[each] - getattr(used, each) - debts.get(each, 0) for each in limits}
            taken = {}
            for each, most in parts.items():
                there = max(0.0, left[each])
                taken[each] = min(most, max(1.0, there // LAST), there)
                left[each] -= taken[each]
            is_row = and_(*(TABLE.c[name] == value for name, value in is_key.items()))
            connection.execute(update(TABLE).where(is_row).values({each: limits[each] - left[each] for each in limits}))
        return taken, left

    def forget(self, today: str) -> None:
        """Delete what was taken on earlier days."""
        with write_transaction(self._engine, USAGE) as connection:
            connection.execute(delete(TABLE).where(TABLE.c.archive == self._archive, TABLE.c.day < today))


@dataclass(eq=False, slots=True)
class Lease:
    """What a process has of the quota of a user and a class on a day."""

    key: LeaseKey
    limits: Amounts
    left: dict[Amount, float]
    elsewhere: Amounts = field(default_factory=dict)
    """What was left in the database at the last look."""
    used_s: float = 0
    looked_s: float = -AGAIN_S
    """When it was last found that there is nothing left."""
    is_held: bool = True
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def lacking(self) -> Amount | None:
        """Of what there is not enough for a request."""
        return next((each for each, left in self.left.items() if left < _LEAST[each]), None)

    def fields(self, now: float) -> list[RawHeader]:
        """Return `RateLimit` and `RateLimit-Policy`, as draft-ietf-httpapi-ratelimit-headers-10 has them."""
        policies, limits = list[str](), list[str]()
        for each, most in self.limits.items():
            name = self.key[2] if each == "requests" else f"{self.key[2]}-{each}"
            left = int(self.left[each] + self.elsewhere.get(each, 0))
            policies.append(f'"{name}";q={int(most)}{UNITS[each]};w=86400')
            limits.append(f'"{name}";r={max(0, left)};t={seconds_left(now)}')
        return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(limits).encode())]


class Quotas:
    """The leases of this process.

    Args:
        take: Called in a thread.
        say: Logs an error of that.
        clock: Seconds of a monotonic clock.
    """

    def __init__(
        self, take: Take, say: Callable[[str, Exception], None], *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._take = take
        self._say = say
        self._clock = clock
        self._leases = OrderedDict[LeaseKey, Lease]()
        self._returned = list[Lease]()
        """Leases that are no longer held, to be settled."""
        self._configured: Mapping[str, Quota] = {}
        self._limits: Callable[[frozenset[str]], Quota] = partial(_largest, {})
        self._away_s = -AWAY_S
        self._was_away = False
        self._threads = FairThreads(2)

    def limits_of(self, subjects: frozenset[str], rules: AccessRules) -> Quota:
        """Return the quotas of a user: of each amount the largest of all subjects that name it."""
        if rules.quotas is not self._configured:
            self._configured = rules.quotas
            self._limits = lru_cache(MOST_LIMITS)(partial(_largest, rules.quotas))
        return self._limits(subjects)

    async def lease(self, key: LeaseKey, limits: Amounts) -> Lease:
        """Return the lease of a user, with as much of the quota as there is, or as the database has told."""
        lease = self._leases.get(key)
        if lease is None or lease.limits != limits:
            if lease is not None:
                self._return(lease)
            lease = self._leases[key] = Lease(key, limits, left=dict.fromkeys(limits, 0.0))
            if len(self._leases) > MOST_LEASES:
                self._return(self._leases.popitem(last=False)[1])
        self._leases.move_to_end(key)
        lease.used_s = self._clock()
        if self._must_renew(lease):
            async with lease.lock:
                if self._must_renew(lease):  # no other request has done it meanwhile
                    await self._renew(lease)
        return lease

    def charge(self, lease: Lease, now: float) -> None:
        """Count a request before its work, in the same step of the event loop in which the lease was got.

        Raises:
            QuotaExceeded: The quota is used up. While the database is away none is.
        """
        lacking = lease.lacking
        if lacking is not None and not self._is_away:
            amount = f"{lease.limits[lacking]:.15g} {WORDS[lacking]}"
            raise QuotaExceeded(
                f"the quota of {amount} a day for {lease.key[2]} is used up; the next day begins at 00:00 UTC",
                retry_s=seconds_left(now),
            )
        if "requests" in lease.left:
            lease.left["requests"] -= 1

    def spend(self, lease: Lease, size: int, seconds: float) -> None:
        """Count what a request took."""
        taken: tuple[tuple[Amount, float], ...] = (("bytes", size), ("seconds", seconds))
        for amount, spent in taken:
            if amount in lease.left:
                lease.left[amount] -= spent
        if not lease.is_held:
            self._return(lease)

    async def settle(self, today: str, *, is_end: bool = False) -> None:
        """Give back what is left of leases that are not in use."""
        idle_s = self._clock() - IDLE_S
        while self._leases:  # the first was used the longest time ago
            key, first = next(iter(self._leases.items()))
            if not is_end and first.used_s > idle_s and key[0] == today:
                break
            self._return(self._leases.pop(key))
        returned, self._returned = self._returned, []
        for number, each in enumerate(returned):
            if each.key[0] == today and any(each.left.values()) and not await self._change(each, dict(each.left), {}):
                self._returned += returned[number:]  # until the database is back
                break

    @property
    def _is_away(self) -> bool:
        return self._clock() - self._away_s < AWAY_S

    def _must_renew(self, lease: Lease) -> bool:
        return lease.lacking is not None and self._clock() - lease.looked_s >= AGAIN_S and not self._is_away

    async def _renew(self, lease: Lease) -> None:
        if self._was_away:  # other requests do not wait for this attempt
            self._away_s = self._clock()
        lacking: dict[Amount, float] = {each: left for each, left in lease.left.items() if left < _LEAST[each]}
        parts = {each: _part(each, lease.limits[each]) for each in lacking}
        if await self._change(lease, lacking, parts) and lease.lacking is not None:
            lease.looked_s = self._clock()

    async def _change(self, lease: Lease, settled: Amounts, parts: Amounts) -> bool:
        """Settle what is left, or owed, of some amounts and take parts; return whether the database did so."""
        debts: Amounts = {each: -left for each, left in settled.items()}
        for each in settled:
            lease.left[each] += debts[each]  # here: others go on to spend meanwhile
        ask = partial(self._take, lease.key, parts=parts, debts=debts, limits=lease.limits)
        taken = settled  # if the request is cancelled, too
        try:
            taken, lease.elsewhere = await self._threads.run(ask)
        except AWAY as error:
            self._away_s, self._was_away = self._clock(), True
            self._say("quotas cannot be looked up, requests pass without them", error)
            return False
        else:
            self._was_away, self._away_s = False, -AWAY_S
            return True
        finally:
            for each, amount in taken.items():
                lease.left[each] += amount

    def _return(self, lease: Lease) -> None:
        lease.is_held = False
        self._returned.append(lease)
        del self._returned[: -2 * MOST_LEASES]


def _part(amount: Amount, limit: float) -> float:
    return max(1.0, limit // PARTS) if amount == "requests" else limit / PARTS


def _largest(quotas: Mapping[str, Quota], subjects: frozenset[str]) -> Quota:
    largest = dict[RequestClass, dict[Amount, float]]()
    for subject in subjects & quotas.keys():
        for class_, amounts in quotas[subject].items():
            kept = largest.setdefault(class_, {})
            kept |= {each: max(limit, kept.get(each, 0)) for each, limit in amounts.items()}
    return {class_: amounts for class_, amounts in largest.items() if amounts}
