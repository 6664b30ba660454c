"""Cancellation: long operations check regularly that their client still waits."""

from collections.abc import Callable

from chronotile.core.errors import ClientGone

IsActive = Callable[[], bool]
"""Returns whether the client still waits for the answer."""


def always_active() -> bool:
    """Return `True`: for work without a client."""
    return True


def require_active(is_active: IsActive) -> None:
    """Raise if the client no longer waits.

    Raises:
        ClientGone: The client disconnected.
    """
    if not is_active():
        raise ClientGone("the client disconnected")
