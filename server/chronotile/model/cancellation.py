"""Cancellation: long work checks now and then that its request is still active, and ends if the client has left."""

from collections.abc import Callable

from chronotile.errors import ClientGone

IsActive = Callable[[], bool]
"""Whether the client still waits for the answer."""


def always_active() -> bool:
    """Return `True`, for work that no client can leave."""
    return True


def require_active(is_active: IsActive) -> None:
    """Check that the client still waits for the answer.

    Raises:
        ClientGone: The client disconnected.
    """
    if not is_active():
        raise ClientGone("the client disconnected")
