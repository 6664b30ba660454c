"""Retries of work that was overtaken by a change of its files, its plan or the configuration."""

from collections.abc import Callable
from typing import TypeVar

from chronotile.core.errors import Overtaken

Answer = TypeVar("Answer")
Kind = TypeVar("Kind", bound=Overtaken)


class Attempts:
    """Counts the attempts at a piece of work.

    Args:
        max_retries: Number of attempts after the first.
    """

    def __init__(self, max_retries: int) -> None:
        self._remaining = max_retries
        self._lacked = set[str]()

    def are_worthwhile(self, *lacking: str) -> bool:
        """Count a retry and return whether it is allowed: once for each thing that the work lacked."""
        news = set(lacking) - self._lacked
        if not self._remaining or (lacking and not news):
            return False
        self._remaining -= 1
        self._lacked |= news
        return True


def retry_overtaken(
    work: Callable[[], Answer], kind: type[Kind], before_retry: Callable[[Kind], object] = lambda _error: None
) -> Answer:
    """Return the result of work, repeated as often as the kind of change allows.

    Args:
        work: Raises `kind` if it was overtaken.
        kind: The kind of change; each kind limits its retries.
        before_retry: Called with the error before each further attempt.

    Raises:
        Overtaken: The last attempt was overtaken too, or lacks the same as an earlier one.
    """
    attempts = Attempts(kind.max_retries)
    while True:
        try:
            return work()
        except kind as error:
            if not attempts.are_worthwhile(*error.lacking):
                raise
            before_retry(error)
