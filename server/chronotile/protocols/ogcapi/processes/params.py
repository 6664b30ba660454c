"""Queries of the lists of processes and jobs (OGC 18-062r2 §7.9, §11)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np

from chronotile.errors import InvalidParameter
from chronotile.model.job import STATUSES, Status
from chronotile.model.time.instants import Instant
from chronotile.protocols.common.query.kvp import Kvp, choice, datetime_of, integer, number

OF_DOCUMENTS = ("f", "lang")
OF_LISTS = ("limit", "offset", *OF_DOCUMENTS)
OF_JOBS = ("type", "processID", "status", "datetime", "minDuration", "maxDuration", *OF_LISTS)
LISTED = frozenset({"type", "processid", "status"})
"""Parameters that may be given several times, or have commas."""
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
MAX_OFFSET = 10**9
TYPE = "process"
"""The only one that jobs have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """A page of a list."""

    limit: int
    offset: int

    def address(self, offset: int) -> dict[str, str]:
        """Return the parameters of another page."""
        return {"limit": str(self.limit), **({"offset": str(offset)} if offset else {})}

    def following(self, matched: int) -> int | None:
        """Return the offset of the next page, if there is one of so many."""
        end = self.offset + self.limit
        return end if end < matched else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsQuery:
    """Which jobs are listed; times are seconds since 1970, UTC."""

    processes: tuple[str, ...]
    statuses: tuple[Status, ...]
    created: tuple[float | None, float | None]
    seconds: tuple[float | None, float | None]
    paging: Paging
    written: dict[str, str]
    """What selects, as it was written, for the links."""

    def address(self, offset: int) -> str:
        """Return the query of another page."""
        return urlencode({**self.written, **self.paging.address(offset)}, safe="/:,")


def paging_of(query: Kvp) -> Paging:
    """Return which page is asked for; `MAX_LIMIT` stands for all that is more.

    Raises:
        InvalidParameter: `limit` or `offset` is not accepted.
    """
    limit = integer(query.optional("limit") or str(DEFAULT_LIMIT), locator="limit", least=1)
    offset = integer(query.optional("offset") or "0", locator="offset", least=0)
    if offset > MAX_OFFSET:
        raise InvalidParameter(f"offset must be at most {MAX_OFFSET}, got {offset}", locator="offset")
    return Paging(limit=min(limit, MAX_LIMIT), offset=offset)


def merged(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a query, all values of a parameter that is a list in one."""
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.lower() in LISTED:
            lists.setdefault(name.lower(), []).append(value)
        else:
            yield name, value
    yield from ((name, ",".join(values)) for name, values in lists.items())


def jobs_query(query: Kvp) -> JobsQuery:
    """Return what `/ogcapi/jobs` is asked.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling(OF_JOBS)
    for each in _members(query, "type"):
        choice(each, (TYPE,), locator="type")
    return JobsQuery(
        processes=tuple(_members(query, "processID")),
        statuses=tuple(_status(each) for each in _members(query, "status")),
        created=_created(query),
        seconds=(_seconds(query, "minDuration"), _seconds(query, "maxDuration")),
        paging=paging_of(query),
        written={name: said for name in OF_JOBS[:6] if (said := query.optional(name)) is not None},
    )


def _members(query: Kvp, name: str) -> list[str]:
    return [each.strip() for each in (query.optional(name) or "").split(",") if each.strip()]


def _status(text: str) -> Status:
    choice(text, STATUSES, locator="status")
    return next(each for each in STATUSES if each == text)


def _seconds(query: Kvp, name: str) -> float | None:
    text = query.optional(name)
    if text is None:
        return None
    value = number(text, locator=name)
    if value < 0:
        raise InvalidParameter(f"{name} must be at least 0 seconds, got {text[:60]}", locator=name)
    return value


def _created(query: Kvp) -> tuple[float | None, float | None]:
    asked = datetime_of(query)
    if asked.keyword == "absent":
        return None, None
    if len(asked.parts) != 1 or asked.parts[0].period is not None:
        raise InvalidParameter("datetime of jobs is one instant or one interval", locator="datetime")
    span = asked.parts[0].span
    return _moment(span.start), _moment(span.end)


def _moment(instant: Instant) -> float:
    return float(instant.astype("datetime64[us]").astype(np.int64)) / 1e6
