"""Whether an answer is still wanted: long work asks from time to time, and ends if the client has left."""

from collections.abc import Callable

from chronotile.errors import ClientGone

IsWanted = Callable[[], bool]
"""Whether somebody still waits for the answer."""


def always_wanted() -> bool:
    """Return that the answer is wanted, for work that no client can leave."""
    return True


def require_wanted(is_wanted: IsWanted) -> None:
    """Check that somebody still waits for the answer.

    Raises:
        ClientGone: Nobody does.
    """
    if not is_wanted():
        raise ClientGone("the client left")
