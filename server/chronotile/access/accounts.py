"""Usage and quotas of requests: counted on the event loop, and written to the database at intervals."""

import logging
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import date
from hashlib import blake2b
from pathlib import Path
from time import monotonic, time
from typing import Any

import anyio
import anyio.to_thread
from sqlalchemy import event
from starlette.requests import HTTPConnection
from starlette.types import Scope

from chronotile.access.classes import RequestKind, kind_of
from chronotile.access.quotas import LEASE, Lease, LeaseKey, Quotas, QuotaTable
from chronotile.access.tables import DAY_S, UNAVAILABLE, OpenedLater
from chronotile.access.usage import USAGE, By, UsageTable, day_of
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.database import SQLITE, close_on_error, open_engine
from chronotile.core.model.access import AccessRules, Amounts
from chronotile.http.asgi_headers import RawHeader, header_value
from chronotile.http.client_addresses import network_of
from chronotile.http.meter import METER, Meter
from chronotile.http.principal import PRINCIPAL, Principal
from chronotile.http.request_log import layer_of
from chronotile.http.request_services import services_of
from chronotile.http.server_state import ServerState
from chronotile.pipeline.restricted_services import EVERYBODY

WRITE_S = 10.0
"""Time between two writes."""
MAX_KEYS = 10_000
"""Separate counts between two writes. Above it, layers count as `OTHER`; above twice the number, users do too."""
MAX_ADDRESSES = 20_000
"""Anonymous addresses per day with separate counts; the others count as `OTHER`."""
OTHER = "(other)"
MAX_NAME_CHARS = 200

log = logging.getLogger(__name__)

CountKey = tuple[int, str, str | None, str, RequestKind]
"""Day since 1970, user, organisation, layer, kind. For an anonymous client: day, address, `None`, layer, kind."""


class Ledger:
    """The tables of usage and quotas of an archive; call its methods in threads.

    Errors are those of `ArchiveTables`.
    """

    def __init__(self, url: str | None, folder: Path, /, *, archive: str) -> None:
        engine = open_engine(url, folder, USAGE)
        if engine.dialect.name == SQLITE:  # overwrite deleted rows, because they contain salts
            event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA secure_delete=ON"))
        with close_on_error(engine):
            self.usage = UsageTable(engine, archive=archive)
            self.quotas = QuotaTable(engine, archive=archive)
        self.close = self.usage.close
        self._salts = dict[str, bytes]()

    def name_of(self, host: str, day: str) -> str:
        """Return the pseudonym of an address on a day, made with the salt of that day."""
        if day not in self._salts:
            self._salts = {salt_day: salt for salt_day, salt in self._salts.items() if salt_day > day}
            self._salts[day] = self.usage.salt(day)
        return f"address:{blake2b(network_of(host).encode(), key=self._salts[day], digest_size=8).hexdigest()}"


class Accounts:
    """Counter of the requests of a process, which also charges quotas.

    Args:
        open_ledger: Opens the tables, in a thread; `None` means that nothing is counted.
        clock: Seconds since 1970.
        monotonic_clock: Monotonic seconds.
    """

    def __init__(
        self,
        open_ledger: Callable[[], Ledger] | None,
        *,
        clock: Callable[[], float] = time,
        monotonic_clock: Callable[[], float] = monotonic,
    ) -> None:
        self._ledger = OpenedLater(open_ledger, log)
        self._clock = clock
        self._counts = dict[CountKey, list[float]]()
        self._counts_by_request = dict[tuple[str | None, str | None, str, str | None], list[float]]()
        """Objects of `_counts`, by address, user, route and requested layer, until the next write."""
        self._quotas = Quotas(self._take_quota, self._ledger.warn, clock=monotonic_clock)
        self._writing = anyio.Lock()
        self._addresses = set[str]()
        self._day = ""

    @property
    def are_written(self) -> bool:
        """Whether requests are counted."""
        return self._ledger.open_tables is not None

    async def charge(self, scope: Scope, path: str, rules: AccessRules, service: ServiceInfo) -> None:
        """Charge a request to the quota of its user and class, if one is configured.

        Raises:
            QuotaExceeded: The quota is used up.
        """
        principal: Principal | None = scope.get(PRINCIPAL)
        quota = self._quotas.limits_of(EVERYBODY if principal is None else principal.subjects, rules)
        if not quota or scope["method"] == "OPTIONS" or self._ledger.open_tables is None:
            return
        class_ = kind_of(path, scope, service).class_
        if class_ in quota:
            user, now = f"@{network_of(_host(scope))}" if principal is None else principal.name, self._clock()
            lease = scope[LEASE] = await self._quotas.lease((day_of(now), user, class_), quota[class_])
            self._quotas.charge(lease, now)

    def rate_limit(self, lease: Lease) -> Collection[RawHeader]:
        """Return the headers about the quota of a request."""
        return lease.headers(self._clock())

    def add(self, scope: Scope, route: str, layer: str | None, *, status: int, size: int) -> None:
        """Count an answered request."""
        principal: Principal | None = scope.get(PRINCIPAL)
        path_layer = scope["path_params"].get("layer") if "path_params" in scope else None
        # A fast key: the complete key takes as long as a tenth of a tile.
        key = (
            (_host(scope), None, route, path_layer) if principal is None else (None, principal.name, route, path_layer)
        )
        counts = self._counts_by_request.get(key)
        if counts is None:
            count_key = self._key(scope, route, layer)
            counts = self._find_counts(count_key)
            if count_key[-1].is_product:
                counts[2] += _is_product_start(scope, status)
            elif path_layer is not None and len(self._counts_by_request) < MAX_KEYS:
                self._counts_by_request[key] = counts
        counts[0] += 1
        counts[1] += size
        meter: Meter | None = scope.get(METER)
        lease: Lease | None = scope.get(LEASE)
        if meter is not None:
            counts[3] += meter.seconds
        if lease is not None:
            self._quotas.spend(lease, size, 0.0 if meter is None else meter.seconds)

    async def report(self, first: date, last: date, by: Collection[By]) -> list[dict[str, Any]]:
        """Write the counts of this process, and return sums of all counts."""
        await self.flush()
        return await anyio.to_thread.run_sync(lambda: self._ledger.get().usage.report(first, last, by))

    async def flush(self, *, days: int | None = None) -> None:
        """Write the counts; they stay in memory while the database is unavailable.

        Args:
            days: Delete counts older than this, once a day; `None` deletes nothing.
        """
        async with self._writing:
            counts, self._counts, self._counts_by_request = self._counts, {}, {}
            today = day_of(self._clock())
            try:
                await anyio.to_thread.run_sync(self._write, counts, today, days)
            except UNAVAILABLE as error:
                for key, numbers in counts.items():
                    _add(self._find_counts(key), numbers)
                self._ledger.warn("usage cannot be written, and is kept in memory", error)

    @asynccontextmanager
    async def running(self, state: ServerState) -> AsyncIterator[None]:
        """Write counts and return leases at intervals, and at the end."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_at_intervals, state)
            yield
            tasks.cancel_scope.cancel()
        await self._write_all(state, is_end=True)
        await anyio.to_thread.run_sync(self._ledger.close)

    async def _write_at_intervals(self, state: ServerState) -> None:
        while True:
            await anyio.sleep(WRITE_S)
            await self._write_all(state)

    async def _write_all(self, state: ServerState, *, is_end: bool = False) -> None:
        rules = state.services.catalogue.access
        if rules is not None and self._ledger.open_tables is not None:
            await self.flush(days=rules.usage_days)
            await self._quotas.settle(day_of(self._clock()), is_end=is_end)

    def _find_counts(self, key: CountKey) -> list[float]:
        counts = self._counts.get(key)
        if counts is None:
            day, user, organisation, layer, kind = key
            if len(self._counts) >= 2 * MAX_KEYS:
                user, organisation = OTHER, ""
            if len(self._counts) >= MAX_KEYS:
                layer = OTHER
            counts = self._counts.setdefault((day, user, organisation, layer, kind), [0, 0, 0, 0.0])
        return counts

    def _key(self, scope: Scope, route: str, layer: str | None) -> CountKey:
        principal: Principal | None = scope.get(PRINCIPAL)
        catalogue = services_of(HTTPConnection(scope)).catalogue
        user, organisation = (_host(scope), None) if principal is None else (principal.name, principal.organisation)
        name = layer_of(scope) if layer is None else layer
        layer_name = catalogue.canonical_name(name) or catalogue.canonical_name(name.partition(",")[0])
        kind = kind_of(route, scope, catalogue.service)
        return int(self._clock() // DAY_S), user, organisation, layer_name, kind

    def _write(self, counts: dict[CountKey, list[float]], today: str, days: int | None) -> None:
        if not counts and (days is None or today == self._day):
            return
        tables, rows = self._ledger.get(), dict[tuple[str, ...], list[float]]()
        for (number, user, organisation, layer, kind), numbers in counts.items():
            day = day_of(number * DAY_S)
            name = self._address(user, day, tables) if organisation is None else user
            key = (day, _database_text(name), _database_text(organisation or ""), layer, kind.protocol, kind.class_)
            _add(rows.setdefault(key, [0, 0, 0, 0.0]), numbers)
        if rows:
            tables.usage.add(rows)
            counts.clear()  # written now: they must not be added again if the next statements fail
        if days is not None and today != self._day:
            tables.usage.forget(today, days=days)
            tables.quotas.forget(today)
            self._day = today
            self._addresses.clear()

    def _address(self, host: str, day: str, tables: Ledger) -> str:
        name = tables.name_of(host, day)
        if len(self._addresses) < MAX_ADDRESSES:
            self._addresses.add(name)
        return name if name in self._addresses else OTHER

    def _take_quota(self, key: LeaseKey, *, parts: Amounts, debts: Amounts, limits: Amounts) -> tuple[Amounts, Amounts]:
        tables, (day, user, class_) = self._ledger.get(), key
        name = tables.name_of(user[1:], day) if user.startswith("@") else _database_text(user)
        return tables.quotas.take((day, name, class_), parts=parts, debts=debts, limits=limits)


def _add(counts: list[float], more: Sequence[float]) -> None:
    counts[:] = map(sum, zip(counts, more, strict=True))


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _is_product_start(scope: Scope, status: int) -> bool:
    # A product that is fetched in parts is counted with its first part.
    has_start = header_value(scope["headers"], b"range").replace(b" ", b"").startswith(b"bytes=0-")
    return scope["method"] == "GET" and (status == 200 or (status == 206 and has_start))


def _database_text(name: str) -> str:
    return name.replace("\0", "")[:MAX_NAME_CHARS]
