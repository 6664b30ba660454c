"""The client of a request: its user, its grants, and the link to a job that it uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from chronotile.core.model.access import Right
from chronotile.pipeline.services import Services

GRANTS = "chronotile.grants"
"""ASGI scope key of the client's `Grants`; without it the client may use everything."""
PRINCIPAL = "chronotile.principal"
"""ASGI scope key of the `Principal`; missing for anonymous clients."""
KEY_NAME = "chronotile.key_name"
"""ASGI scope key of the name of the request's key, which may be revoked or expired; only for the log."""
JOB_LINK = "chronotile.share"
"""ASGI scope key of the `JobLink`, if the path starts with one."""
SESSION_EXPIRED = "chronotile.session_expired"
"""ASGI scope key that marks a request of a user whose session must be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated user or key."""

    subjects: frozenset[str]
    name: str
    """Unique: `user:…` or `key:…`."""
    until: float
    """Seconds since 1970 when the credential expires."""
    rights: frozenset[str] | None = None
    """Rights of a key; `None` means all rights of the subjects."""
    organisation: str = ""
    """From a claim of the token; empty if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLink:
    """The secret of a link to one job; it has not been checked."""

    digest: bytes
    is_valid: Callable[[str | None], bool]
    """Whether the user that made a link may still exist."""


class Grants(Protocol):
    """The rights of a client."""

    @property
    def subjects(self) -> frozenset[str]:
        """Subjects of the client."""
        ...

    def restrict(self, services: Services, right: Right | None = None) -> Services:
        """Return the part of the services that the client may use; equal arguments give the same object.

        Args:
            services: All services, or a part of them.
            right: The needed right; `None` means the right that the path of the request needs.
        """


def user_of(connection: HTTPConnection) -> str | None:
    """Return the unique name of the user; `None` for an anonymous client."""
    principal: Principal | None = connection.scope.get(PRINCIPAL)
    return None if principal is None else principal.name
