"""Rights on layers and place sets, as the section `access` of the configuration grants them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Right = Literal["see", "download", "process", "publish"]
"""`see`: maps, values, series and descriptions. `download`: whole files and coverages. `process`: processes and jobs.
`publish`: writing items."""
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)

PUBLIC = "public"
"""Subject of every client, also without a credential."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Subjects (`public`, `group:NAME`, `user:NAME`, `key:NAME`) that have each right."""

    see: frozenset[str] = frozenset({PUBLIC})
    download: frozenset[str] | None = None
    """`None`: the same subjects as `see`."""
    process: frozenset[str] | None = None
    """Subjects that may run processes on the layer; `None`: the same as `see`."""
    publish: frozenset[str] = frozenset()

    def allows(self, subjects: frozenset[str], right: Right) -> bool:
        """Return whether `subjects` have a right. All rights except `publish` also require `see`."""
        if right == "publish":
            return not self.publish.isdisjoint(subjects)
        allowed = {"see": self.see, "download": self.download, "process": self.process}[right]
        return not self.see.isdisjoint(subjects) and (allowed is None or not allowed.isdisjoint(subjects))

    @property
    def subjects(self) -> frozenset[str]:
        """All subjects in the rule."""
        return frozenset[str]().union(self.see, self.download or (), self.process or (), self.publish)


EVERYONE = Rule()

RequestClass = Literal["pictures", "series", "searches", "downloads", "jobs", "documents"]
"""Kinds of requests in usage reports. All except `documents` may have quotas."""
Amount = Literal["requests", "bytes", "seconds"]
"""Units of quotas; `seconds` are processor seconds."""
AMOUNTS: Final[tuple[Amount, ...]] = get_args(Amount)
Amounts = Mapping[Amount, float]
Quota = Mapping[RequestClass, Amounts]
"""Limits per UTC day; missing entries are unlimited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """Issuer of accepted tokens (OpenID Connect Discovery 1.0) and their required claims."""

    issuer: str
    audience: str
    groups_claim: str = "groups"
    client_id: str | None = None
    """OAuth 2.0 client for signing in; `None`: users cannot sign in, only send tokens."""
    scope: str = "openid"
    organisation_claim: str = "organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Settings of the section `access`."""

    issuer: IssuerSettings | None = None
    """`None`: only keys are accepted."""
    operate: frozenset[str] = frozenset()
    """Subjects that may see metrics."""
    cog: frozenset[str] = frozenset()
    """Subjects that may open files at `/cog`; rules of collections do not apply there."""
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    """Quotas by subject; every user with the subject has the whole quota."""
    usage_days: int = 800
    """Age at which usage counts are deleted."""

    @property
    def client(self) -> IssuerSettings | None:
        """Issuer with which users sign in; `None` if they cannot sign in."""
        return None if self.issuer is None or self.issuer.client_id is None else self.issuer

    @staticmethod
    def subjects_of(groups: Iterable[str], *, user: str | None = None, key: str | None = None) -> frozenset[str]:
        """Return the subjects of a client with these groups, this user name and this key."""
        names = {PUBLIC, *(f"group:{group}" for group in groups)}
        names |= {f"user:{user}"} if user is not None else set()
        return frozenset(names | ({f"key:{key}"} if key is not None else set()))
