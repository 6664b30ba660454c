"""The loop in which work is begun again where what it reads was replaced meanwhile."""

from collections.abc import Callable
from typing import TypeVar

from chronotile.errors import Overtaken

Answer = TypeVar("Answer")
Kind = TypeVar("Kind", bound=Overtaken)


class Attempts:
    """Counts how often a piece of work was begun again.

    Args:
        most: How often it may be.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._lacked = set[str]()

    def are_worthwhile(self, *lacking: str) -> bool:
        """Return whether the work is begun once more, for something that it lacked: for each such thing once."""
        news = set(lacking) - self._lacked
        if not self._left or (lacking and not news):
            return False
        self._left -= 1
        self._lacked |= news
        return True


def retry_overtaken(
    work: Callable[[], Answer],
    kind: type[Kind],
    before_next: Callable[[Kind], object] = lambda _error: None,
) -> Answer:
    """Return what work gives, begun again as often as the kind of change allows.

    Args:
        work: Raises an error of that kind where it was overtaken.
        kind: Of change; each has its bound.
        before_next: Called before each further attempt.

    Raises:
        Overtaken: It was once more, or lacks what it lacked before.
    """
    attempts = Attempts(kind.most_again)
    while True:
        try:
            return work()
        except kind as error:
            if not attempts.are_worthwhile(*error.lacking):
                raise
            before_next(error)
