"""Daily quotas of users. The database has the used amounts; each process takes small parts of a quota and spends them.

A lease holds the part that a process has taken for a user and a class of requests. Only a new part needs a transaction.
When a lease is idle, its rest is returned. If the database is unavailable, all requests pass.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from time import monotonic
from typing import Final

import anyio
from sqlalchemy import Column, Float, MetaData, String, Table, Text, and_, delete, update

from chronotile.access.tables import UNAVAILABLE
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
"""A process takes a quota in parts of this size: the quota divided by this number."""
IDLE_S = 30.0
"""The rest of a lease is returned if the lease is idle for this time."""
RETRY_S = 1.0
"""A user with a used-up quota is refused without a query for this time."""
UNAVAILABLE_S = 5.0
"""All requests pass for this time after the database failed."""
MAX_LEASES = 10_000
MAX_LIMITS = 4_096
LEASE = "chronotile.lease"
"""ASGI scope key of the lease of a request."""
LAST_PARTS = 16
"""A process takes at most the remaining amount of a quota divided by this number, so that others get some."""
UNITS: Final[Mapping[Amount, str]] = {"requests": "", "bytes": ';qu="content-bytes"', "seconds": ';qu="seconds"'}
"""Units in `RateLimit-Policy`."""
WORDS: Final[Mapping[Amount, str]] = {"requests": "requests", "bytes": "bytes", "seconds": "processor seconds"}
_MIN_AMOUNTS: Final[Mapping[Amount, float]] = {"requests": 1, "bytes": 5e-324, "seconds": 5e-324}
"""Minimum for a request to pass; its bytes and seconds are known only afterwards."""
LeaseKey = tuple[str, str, RequestClass]
"""Day, user (`@` and an address for anonymous clients), and class."""

Take = Callable[..., tuple[Amounts, Amounts]]
"""Like `QuotaTable.take`, for users and addresses."""


class QuotaTable(ArchiveTables):
    """The used amounts of quotas."""

    usage, metadata, making = USAGE, METADATA, 7_105_205

    def take(self, key: LeaseKey, *, parts: Amounts, debts: Amounts, limits: Amounts) -> tuple[Amounts, Amounts]:
        """Record debts, take parts of the rest of a quota, and return the taken amounts and the new rest.

        Args:
            key: Day, user and class.
            parts: Requested amounts. Near the end of a quota less is taken, because other processes may need some.
            debts: Amounts that were spent without a lease; negative amounts are returned.
            limits: The quota.
        """
        key_values = dict(zip(("archive", "day", "user", "class"), (self._archive, *key), strict=True))
        with write_transaction(self._engine, USAGE) as connection:
            insertion = INSERTS[connection.dialect.name](TABLE).values(**key_values, **dict.fromkeys(AMOUNTS, 0.0))
            same_value = {"requests": TABLE.c.requests}  # an update, even to the same value, locks the row
            columns = (TABLE.c[amount] for amount in AMOUNTS)
            upsert = insertion.on_conflict_do_update(index_elements=list(TABLE.primary_key), set_=same_value).returning(
                *columns
            )
            used = connection.execute(upsert).one()
            rest = {amount: limits[amount] - getattr(used, amount) - debts.get(amount, 0) for amount in limits}
            part = {}
            for amount, requested in parts.items():
                available = max(0.0, rest[amount])
                part[amount] = min(requested, max(1.0, available // LAST_PARTS), available)
                rest[amount] -= part[amount]
            is_row = and_(*(TABLE.c[name] == value for name, value in key_values.items()))
            connection.execute(
                update(TABLE).where(is_row).values({amount: limits[amount] - rest[amount] for amount in limits})
            )
        return part, rest

    def forget(self, today: str) -> None:
        """Delete the amounts of earlier days."""
        with write_transaction(self._engine, USAGE) as connection:
            connection.execute(delete(TABLE).where(TABLE.c.archive == self._archive, TABLE.c.day < today))


@dataclass(eq=False, slots=True)
class Lease:
    """The part of a daily quota that a process has taken for a user and a class of requests."""

    key: LeaseKey
    limits: Amounts
    rest: dict[Amount, float]
    """Amounts that this process may still spend."""
    database_rest: Amounts = field(default_factory=dict)
    """Rest of the quota in the database at the last query."""
    used_s: float = 0
    used_up_s: float = -RETRY_S
    """When a query last found the quota used up."""
    is_active: bool = True
    """False after the lease was returned."""
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def missing_amount(self) -> Amount | None:
        """An amount that is not enough for a request; `None` if all amounts are."""
        return next((amount for amount, rest in self.rest.items() if rest < _MIN_AMOUNTS[amount]), None)

    def headers(self, now: float) -> list[RawHeader]:
        """Return `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""
        policies, limits = list[str](), list[str]()
        for amount, limit in self.limits.items():
            name = self.key[2] if amount == "requests" else f"{self.key[2]}-{amount}"
            rest = int(self.rest[amount] + self.database_rest.get(amount, 0))
            policies.append(f'"{name}";q={int(limit)}{UNITS[amount]};w=86400')
            limits.append(f'"{name}";r={max(0, rest)};t={seconds_left(now)}')
        return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(limits).encode())]


class Quotas:
    """The leases of a process.

    Args:
        take: Takes parts of quotas from the database; called in threads.
        warn: Logs an error of the database.
        clock: Monotonic seconds.
    """

    def __init__(
        self, take: Take, warn: Callable[[str, Exception], None], *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._take = take
        self._warn = warn
        self._clock = clock
        self._leases = OrderedDict[LeaseKey, Lease]()
        self._returned = list[Lease]()
        """Inactive leases whose rest must be written to the database."""
        self._configured: Mapping[str, Quota] = {}
        self._limits: Callable[[frozenset[str]], Quota] = partial(_largest, {})
        self._unavailable_s = -UNAVAILABLE_S
        self._was_unavailable = False
        self._threads = FairThreads(2)

    def limits_of(self, subjects: frozenset[str], rules: AccessRules) -> Quota:
        """Return the quotas of a user: the largest limit of all its subjects, for each class and amount."""
        if rules.quotas is not self._configured:
            self._configured = rules.quotas
            self._limits = lru_cache(MAX_LIMITS)(partial(_largest, rules.quotas))
        return self._limits(subjects)

    async def lease(self, key: LeaseKey, limits: Amounts) -> Lease:
        """Return the lease of a user and a class, renewed from the database if it is used up."""
        lease = self._leases.get(key)
        if lease is None or lease.limits != limits:
            if lease is not None:
                self._return(lease)
            lease = self._leases[key] = Lease(key, limits, rest=dict.fromkeys(limits, 0.0))
            if len(self._leases) > MAX_LEASES:
                self._return(self._leases.popitem(last=False)[1])
        self._leases.move_to_end(key)
        lease.used_s = self._clock()
        if self._must_renew(lease):
            async with lease.lock:
                if self._must_renew(lease):  # no other request has renewed the lease meanwhile
                    await self._renew(lease)
        return lease

    def charge(self, lease: Lease, now: float) -> None:
        """Count a request before its work; call it without `await` after `lease`.

        Raises:
            QuotaExceeded: The quota is used up, and the database is available.
        """
        missing = lease.missing_amount
        if missing is not None and not self._is_unavailable:
            amount = f"{lease.limits[missing]:.15g} {WORDS[missing]}"
            raise QuotaExceeded(
                f"the quota of {amount} a day for {lease.key[2]} is used up; the next day begins at 00:00 UTC",
                retry_s=seconds_left(now),
            )
        if "requests" in lease.rest:
            lease.rest["requests"] -= 1

    def spend(self, lease: Lease, size: int, seconds: float) -> None:
        """Count the bytes and processor seconds of an answered request."""
        amounts: tuple[tuple[Amount, float], ...] = (("bytes", size), ("seconds", seconds))
        for amount, spent in amounts:
            if amount in lease.rest:
                lease.rest[amount] -= spent
        if not lease.is_active:
            self._return(lease)

    async def settle(self, today: str, *, is_end: bool = False) -> None:
        """Return the rests of idle leases, of leases of earlier days, and at the end of all leases."""
        idle_s = self._clock() - IDLE_S
        while self._leases:  # least recently used first
            key, first = next(iter(self._leases.items()))
            if not is_end and first.used_s > idle_s and key[0] == today:
                break
            self._return(self._leases.pop(key))
        returned, self._returned = self._returned, []
        for number, lease in enumerate(returned):
            has_rest = lease.key[0] == today and any(lease.rest.values())
            if has_rest and not await self._change(lease, dict(lease.rest), {}):
                self._returned += returned[number:]  # returned again when the database is available
                break

    @property
    def _is_unavailable(self) -> bool:
        return self._clock() - self._unavailable_s < UNAVAILABLE_S

    def _must_renew(self, lease: Lease) -> bool:
        return (
            lease.missing_amount is not None and self._clock() - lease.used_up_s >= RETRY_S and not self._is_unavailable
        )

    async def _renew(self, lease: Lease) -> None:
        if self._was_unavailable:  # other requests pass during this attempt
            self._unavailable_s = self._clock()
        missing: dict[Amount, float] = {
            amount: rest for amount, rest in lease.rest.items() if rest < _MIN_AMOUNTS[amount]
        }
        parts = {amount: _part(amount, lease.limits[amount]) for amount in missing}
        if await self._change(lease, missing, parts) and lease.missing_amount is not None:
            lease.used_up_s = self._clock()

    async def _change(self, lease: Lease, settled: Amounts, parts: Amounts) -> bool:
        """Return rests or pay debts, and take parts; return whether the database has done it."""
        debts: Amounts = {amount: -rest for amount, rest in settled.items()}
        for amount in settled:
            lease.rest[amount] += debts[amount]  # before the query: other requests change the rest while it runs
        take = partial(self._take, lease.key, parts=parts, debts=debts, limits=lease.limits)
        part = settled  # the result if the query fails or the request is cancelled
        try:
            part, lease.database_rest = await self._threads.run(take)
        except UNAVAILABLE as error:
            self._unavailable_s, self._was_unavailable = self._clock(), True
            self._warn("quotas cannot be looked up, requests pass without them", error)
            return False
        else:
            self._was_unavailable, self._unavailable_s = False, -UNAVAILABLE_S
            return True
        finally:
            for amount, number in part.items():
                lease.rest[amount] += number

    def _return(self, lease: Lease) -> None:
        lease.is_active = False
        self._returned.append(lease)
        del self._returned[: -2 * MAX_LEASES]


def _part(amount: Amount, limit: float) -> float:
    return max(1.0, limit // PARTS) if amount == "requests" else limit / PARTS


def _largest(quotas: Mapping[str, Quota], subjects: frozenset[str]) -> Quota:
    largest = dict[RequestClass, dict[Amount, float]]()
    for subject in subjects & quotas.keys():
        for class_, amounts in quotas[subject].items():
            limits = largest.setdefault(class_, {})
            limits |= {amount: max(limit, limits.get(amount, 0)) for amount, limit in amounts.items()}
    return {class_: amounts for class_, amounts in largest.items() if amounts}
