"""The client of a request: its user, its grants, and the link to a job that it uses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import HTTPConnection

from chronotile.core.model.access import Right
from chronotile.pipeline.services import Services

GRANTS = "chronotile.grants"
"""Where a request has what turns services into those that the client may use; absent: all."""

PRINCIPAL = "chronotile.principal"
"""Where a request has the user; absent: no user is known."""

JOB_LINK = "chronotile.share"
"""Where a request has the secret of a link to one job, if its path began with that."""

SESSION_EXPIRED = "chronotile.session_expired"
"""Marks a request of a user who signed in and whose session has to be renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The user, as a credential proves."""

    subjects: frozenset[str]
    name: str
    """Unique: `user:…` or `key:…`."""
    until: float
    """Seconds since 1970 at which the credential expires."""
    rights: frozenset[str] | None = None
    """What a key may be used for; `None`: for all that its subjects may do."""
    organisation: str = ""
    """As a claim of the token has it; empty: none is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLink:
    """The secret of a link to one job, which may be wrong."""

    digest: bytes
    is_valid: Callable[[str | None], bool]
    """Whether a user who made a link may still exist."""


class Grants(Protocol):
    """What the client may use."""

    @property
    def subjects(self) -> frozenset[str]:
        """Which the client is."""
        ...

    def of(self, services: Services, right: Right | None = None) -> Services:
        """Return these services as far as they may be used: the same object for the same services.

        Args:
            services: All, or a part of them.
            right: To do what; `None`: what the path of the request is for.
        """


def user_of(connection: HTTPConnection) -> str | None:
    """Return the unique name of the user; `None`: no user is known."""
    principal: Principal | None = connection.scope.get(PRINCIPAL)
    return None if principal is None else principal.name
