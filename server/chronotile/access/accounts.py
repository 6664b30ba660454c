"""What requests take, counted in the event loop and written at intervals; quotas are charged here, too."""

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

from chronotile.access.classes import Kind, kind_of
from chronotile.access.quotas import LEASE, Lease, LeaseKey, Quotas, QuotaTable
from chronotile.access.tables import AWAY, DAY_S, OpenedLater
from chronotile.access.usage import USAGE, By, UsageTable, day_of
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.database import SQLITE, open_engine
from chronotile.core.model.access import AccessRules, Amounts
from chronotile.http.asgi_headers import RawHeader, header_value
from chronotile.http.client_addresses import network_of
from chronotile.http.meter import METER, Meter
from chronotile.http.principal import PRINCIPAL, Principal
from chronotile.http.request_log import layer_of
from chronotile.http.request_services import services_of
from chronotile.http.server_state import ServerState
from chronotile.pipeline.granted import EVERYBODY

WRITTEN_S = 10.0
"""After which counts are written."""
MOST_KEYS = 10_000
"""Counted by themselves between two writes; beyond them layers are `OTHER`, beyond twice as many users, too."""
MOST_ADDRESSES = 20_000
"""Of a day that have a name each; further ones are `OTHER`."""
OTHER = "(other)"
MAX_NAME = 200
"""Characters of the name of a user or an organisation."""

log = logging.getLogger(__name__)

Clock = Callable[[], float]
CountKey = tuple[int, str, str | None, str, Kind]
"""Day since 1970, user, organisation, layer, kind; of an address the organisation is `None`."""


class Ledger:
    """The tables of an archive, of which each call is in a thread; errors are those of `ArchiveTables`."""

    def __init__(self, url: str | None, folder: Path, /, *, archive: str) -> None:
        engine = open_engine(url, folder, USAGE)
        if engine.dialect.name == SQLITE:  # what is deleted is overwritten
            event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA secure_delete=ON"))
        self.usage = UsageTable(engine, archive=archive)
        self.quotas = QuotaTable(engine, archive=archive)
        self.close = self.usage.close
        self._salts = dict[str, bytes]()

    def name_of(self, host: str, day: str) -> str:
        """Return the name of an address on a day, as the salt of the day makes it."""
        if day not in self._salts:
            self._salts = {each: salt for each, salt in self._salts.items() if each > day}
            self._salts[day] = self.usage.salt(day)
        return f"address:{blake2b(network_of(host).encode(), key=self._salts[day], digest_size=8).hexdigest()}"


class Accounts:
    """Counts the requests of a process, and charges quotas.

    Args:
        open_ledger: Opens the tables, in a thread; `None`: nothing is counted.
        clock: Seconds since 1970.
        monotonic_clock: In seconds.
    """

    def __init__(
        self, open_ledger: Callable[[], Ledger] | None, *, clock: Clock = time, monotonic_clock: Clock = monotonic
    ) -> None:
        self._ledger = OpenedLater(open_ledger, log)
        self._clock = clock
        self._counts = dict[CountKey, list[float]]()
        self._places = dict[tuple[str | None, str | None, str, str | None], list[float]]()
        """Of counts, by address, user, route and layer as it was written, until the next write."""
        self._quotas = Quotas(self._take, self._ledger.say, clock=monotonic_clock)
        self._writing = anyio.Lock()
        self._addresses = set[str]()
        self._day = ""

    @property
    def are_kept(self) -> bool:
        """Whether anything is counted."""
        return self._ledger.open_tables is not None

    async def charge(self, scope: Scope, path: str, rules: AccessRules, service: ServiceInfo) -> None:
        """Charge a request to the quota of its user, if there is one.

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
        """Return the fields about the quota of a request."""
        return lease.fields(self._clock())

    def add(self, scope: Scope, route: str, layer: str | None, *, status: int, size: int) -> None:
        """Count a request that is answered."""
        principal: Principal | None = scope.get(PRINCIPAL)
        named = scope["path_params"].get("layer") if "path_params" in scope else None
        # Found by what is known at once: to name all that is counted takes as long as a tenth of a tile.
        key = (_host(scope), None, route, named) if principal is None else (None, principal.name, route, named)
        counts = self._places.get(key)
        if counts is None:
            told = self._key(scope, route, layer)
            counts = self._of(told)
            if told[-1].is_product:
                counts[2] += _is_begun(scope, status)
            elif named is not None and len(self._places) < MOST_KEYS:
                self._places[key] = counts
        counts[0] += 1
        counts[1] += size
        meter: Meter | None = scope.get(METER)
        lease: Lease | None = scope.get(LEASE)
        if meter is not None:
            counts[3] += meter.seconds
        if lease is not None:
            self._quotas.spend(lease, size, 0.0 if meter is None else meter.seconds)

    async def report(self, first: date, last: date, by: Collection[By]) -> list[dict[str, Any]]:
        """Return sums of what was counted, of this process until now."""
        await self.flush()
        return await anyio.to_thread.run_sync(lambda: self._ledger.get().usage.report(first, last, by))

    async def flush(self, *, days: int | None = None) -> None:
        """Write what was counted; while the database is away it stays here.

        Args:
            days: Older counts are deleted once a day; `None`: not now.
        """
        async with self._writing:
            counts, self._counts, self._places = self._counts, {}, {}
            today = day_of(self._clock())
            try:
                await anyio.to_thread.run_sync(self._write, counts, today, days)
            except AWAY as error:
                for key, each in counts.items():
                    _add(self._of(key), each)
                self._ledger.say("usage cannot be written, and is kept in memory", error)

    @asynccontextmanager
    async def running(self, state: ServerState) -> AsyncIterator[None]:
        """Write at intervals what was counted, and at the end; give back leases."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_at_intervals, state)
            yield
            tasks.cancel_scope.cancel()
        await self._write_all(state, is_end=True)
        await anyio.to_thread.run_sync(self._ledger.close)

    async def _write_at_intervals(self, state: ServerState) -> None:
        while True:
            await anyio.sleep(WRITTEN_S)
            await self._write_all(state)

    async def _write_all(self, state: ServerState, *, is_end: bool = False) -> None:
        rules = state.services.catalogue.access
        if rules is not None and self._ledger.open_tables is not None:
            await self.flush(days=rules.usage_days)
            await self._quotas.settle(day_of(self._clock()), is_end=is_end)

    def _of(self, key: CountKey) -> list[float]:
        found = self._counts.get(key)
        if found is None:
            day, user, organisation, layer, kind = key
            if len(self._counts) >= 2 * MOST_KEYS:
                user, organisation = OTHER, ""
            if len(self._counts) >= MOST_KEYS:
                layer = OTHER
            found = self._counts.setdefault((day, user, organisation, layer, kind), [0, 0, 0, 0.0])
        return found

    def _key(self, scope: Scope, route: str, layer: str | None) -> CountKey:
        principal: Principal | None = scope.get(PRINCIPAL)
        catalogue = services_of(HTTPConnection(scope)).catalogue
        user, organisation = (_host(scope), None) if principal is None else (principal.name, principal.organisation)
        name = layer_of(scope) if layer is None else layer
        known = catalogue.canonical_name(name) or catalogue.canonical_name(name.partition(",")[0])
        kind = kind_of(route, scope, catalogue.service)
        return int(self._clock() // DAY_S), user, organisation, known, kind

    def _write(self, counts: dict[CountKey, list[float]], today: str, days: int | None) -> None:
        if not counts and (days is None or today == self._day):
            return
        tables, rows = self._ledger.get(), dict[tuple[str, ...], list[float]]()
        for (number, user, organisation, layer, kind), each in counts.items():
            day = day_of(number * DAY_S)
            name = self._address(user, day, tables) if organisation is None else user
            key = (day, _stored(name), _stored(organisation or ""), layer, kind.protocol, kind.class_)
            _add(rows.setdefault(key, [0, 0, 0, 0.0]), each)
        if rows:
            tables.usage.add(rows)
            counts.clear()  # nothing is written again if what follows fails
        if days is not None and today != self._day:
            tables.usage.forget(today, days=days)
            tables.quotas.forget(today)
            self._day = today
            self._addresses.clear()

    def _address(self, host: str, day: str, tables: Ledger) -> str:
        name = tables.name_of(host, day)
        if len(self._addresses) < MOST_ADDRESSES:
            self._addresses.add(name)
        return name if name in self._addresses else OTHER

    def _take(self, key: LeaseKey, *, parts: Amounts, debts: Amounts, limits: Amounts) -> tuple[Amounts, Amounts]:
        tables, (day, user, class_) = self._ledger.get(), key
        name = tables.name_of(user[1:], day) if user.startswith("@") else _stored(user)
        return tables.quotas.take((day, name, class_), parts=parts, debts=debts, limits=limits)


def _add(counts: list[float], more: Sequence[float]) -> None:
    counts[:] = map(sum, zip(counts, more, strict=True))


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _is_begun(scope: Scope, status: int) -> bool:
    # Whether an answer has the beginning of a product: one that is fetched in parts is counted once.
    begins = header_value(scope["headers"], b"range").replace(b" ", b"").startswith(b"bytes=0-")
    return scope["method"] == "GET" and (status == 200 or (status == 206 and begins))


def _stored(name: str) -> str:
    return name.replace("\0", "")[:MAX_NAME]
