"""Why a job fails, in the words that a request would be answered with."""

import errno
import os
from collections.abc import Iterator
from http import HTTPStatus

from chronotile.errors import ChronotileError, StorageFull
from chronotile.jobs.job import JobFault

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FULL_IN_WORDS = tuple(map(os.strerror, sorted(FULL)))
"""Libraries that write files by themselves hand these on as text."""
NO_ROOM = StorageFull("there is no room to write what the job makes; ask for less, or later")


class JobFailed(Exception):
    """A job cannot be done; made of a fault alone, it comes whole through pickles."""

    def __init__(self, fault: JobFault) -> None:
        super().__init__(fault)
        self.fault = fault


class ClusterLost(Exception):
    """Who did the blocks is gone, or dies of them; made of its reason alone."""


def is_foreseen(error: BaseException) -> bool:
    """Return whether `fault_of` has words for it."""
    return isinstance(error, ChronotileError) or _is_full(error)


def fault_of(error: BaseException) -> JobFault:
    """Return why a job fails that met an error; what nobody foresaw is told in the log alone."""
    if not isinstance(error, ChronotileError):
        error = NO_ROOM if _is_full(error) else ChronotileError("something failed that nobody foresaw; the log has it")
    return JobFault(
        type=error.problem_type,
        title=error.problem_title or HTTPStatus(error.status).phrase,
        detail=error.message,
        status=error.status,
    )


def _is_full(error: BaseException) -> bool:
    return any(
        getattr(each, "errno", None) in FULL or any(words in str(each) for words in FULL_IN_WORDS)
        for each in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
