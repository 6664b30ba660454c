"""Queries of the lists of processes and jobs (OGC 18-062r2 §7.9, §11)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.job import STATUSES, Status
from chronotile.core.model.types import Instant
from chronotile.protocols.common.openapi import TEXT, enum_of, list_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import (
    Parameter,
    custom,
    datetime,
    names_of,
    number,
    whole,
    whole_up_to,
)
from chronotile.protocols.common.query.values import choice
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS
from chronotile.protocols.ogcapi.paging import MAX_OFFSET, Paging

LISTED = frozenset({"type", "processid", "status"})
"""Parameters that may be repeated, or contain commas."""
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
TYPE = "process"
"""The only type of jobs."""


def _members(value: str) -> tuple[str, ...]:
    return tuple(name for part in value.split(",") if (name := part.strip()))


def _types(value: str) -> tuple[str, ...]:
    return tuple(choice(name, (TYPE,), locator="type") for name in _members(value))


def _statuses(value: str) -> tuple[Status, ...]:
    by_name: dict[str, Status] = {str(status): status for status in STATUSES}
    return tuple(by_name[choice(name, by_name, locator="status")] for name in _members(value))


LIMIT = whole_up_to("limit", "The most members of one answer", most=MAX_LIMIT, default=DEFAULT_LIMIT)
OFFSET = whole("offset", "How many come before the first", least=0, most=MAX_OFFSET, default=0)
PAGING = (LIMIT, OFFSET)
TYPES = custom("type", "Of jobs; there is one", _types, schema=list_of(enum_of([TYPE])))
PROCESSES: Parameter[tuple[str, ...]] = custom(
    "processID", "Only jobs of these processes", _members, schema=list_of(TEXT), default=()
)
STATUS: Parameter[tuple[Status, ...]] = custom(
    "status", "Only jobs with one of these", _statuses, schema=list_of(enum_of(STATUSES)), default=()
)
DATETIME = datetime("An instant or an interval, either end of which may be open (`..`): when they came")
MIN_DURATION = number("minDuration", "Only jobs that ran, or run, for at least so many seconds", least=0)
MAX_DURATION = number("maxDuration", "Only jobs that ran, or run, for at most so many seconds", least=0)
SELECTION: tuple[Parameter[object], ...] = (TYPES, PROCESSES, STATUS, DATETIME, MIN_DURATION, MAX_DURATION)
OF_JOBS = (*SELECTION, *PAGING, *DOCUMENT_PARAMETERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsQuery:
    """Selection of listed jobs; times are seconds since 1970, UTC."""

    processes: tuple[str, ...]
    statuses: tuple[Status, ...]
    created: tuple[float | None, float | None]
    seconds: tuple[float | None, float | None]
    paging: Paging


def paging_of(query: Kvp, *selection: Parameter[object]) -> Paging:
    """Return the requested page; a larger `limit` counts as `MAX_LIMIT`.

    Raises:
        InvalidParameter: `limit` or `offset` is not accepted.
    """
    return Paging(limit=LIMIT.value(query), offset=OFFSET.value(query), written=query.select(names_of(selection)))


def merge_lists(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a query; all values of a list parameter are joined into one."""
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.lower() in LISTED:
            lists.setdefault(name.lower(), []).append(value)
        else:
            yield name, value
    yield from ((name, ",".join(values)) for name, values in lists.items())


def jobs_query(query: Kvp) -> JobsQuery:
    """Return the query of `/ogcapi/jobs`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names(names_of(OF_JOBS))
    TYPES.optional(query)
    return JobsQuery(
        processes=PROCESSES.value(query),
        statuses=STATUS.value(query),
        created=_parse_creation(query),
        seconds=(MIN_DURATION.optional(query), MAX_DURATION.optional(query)),
        paging=paging_of(query, *SELECTION),
    )


def _parse_creation(query: Kvp) -> tuple[float | None, float | None]:
    requested = DATETIME.value(query)
    if requested.keyword == "absent":
        return None, None
    if len(requested.parts) != 1 or requested.parts[0].period is not None:
        raise InvalidParameter("datetime of jobs is one instant or one interval", locator="datetime")
    span = requested.parts[0].span
    return _moment(span.start), _moment(span.end)


def _moment(instant: Instant) -> float:
    return float(instant.astype("datetime64[us]").astype(np.int64)) / 1e6
