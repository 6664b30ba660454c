"""Who may do what with a layer or a set of places; the words of `access` in the configuration."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Right = Literal["see", "download", "process", "publish"]
"""See: maps, values, series and descriptions. Download: whole files and coverages. Process: processes and jobs.
Publish: write items."""
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)

PUBLIC = "public"
"""The subject that everyone is, without a credential too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which subjects (`public`, `group:NAME`, `user:NAME`, `key:NAME`) have which right."""

    see: frozenset[str] = frozenset({PUBLIC})
    download: frozenset[str] | None = None
    """`None`: users who may see."""
    process: frozenset[str] | None = None
    """`None`: users who may see."""
    publish: frozenset[str] = frozenset()

    def allows(self, subjects: frozenset[str], right: Right) -> bool:
        """Return whether one of `subjects` has a right; a user who may not see has no other right but to publish."""
        if right == "publish":
            return not self.publish.isdisjoint(subjects)
        allowed = {"see": self.see, "download": self.download, "process": self.process}[right]
        return not self.see.isdisjoint(subjects) and (allowed is None or not allowed.isdisjoint(subjects))

    @property
    def subjects(self) -> frozenset[str]:
        """All that it names."""
        return frozenset[str]().union(self.see, self.download or (), self.process or (), self.publish)


EVERYONE = Rule()

RequestClass = Literal["pictures", "series", "searches", "downloads", "jobs", "documents"]
"""Of requests, in reports of usage; all but documents may have quotas."""
Amount = Literal["requests", "bytes", "seconds"]
"""What quotas limit; seconds are those of processors."""
AMOUNTS: Final[tuple[Amount, ...]] = get_args(Amount)
Amounts = Mapping[Amount, float]
Quota = Mapping[RequestClass, Amounts]
"""What a subject may take in a day (UTC); what is not in it has no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """Whose tokens are accepted (OpenID Connect Discovery 1.0), and what they must say."""

    issuer: str
    audience: str
    groups_claim: str = "groups"
    client_id: str | None = None
    """By which users sign in (OAuth 2.0); `None`: there are tokens alone."""
    scope: str = "openid"
    organisation_claim: str = "organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """The rules of a configuration that has `access`."""

    issuer: IssuerSettings | None = None
    """`None`: there are keys alone."""
    operate: frozenset[str] = frozenset()
    """Subjects that may see metrics."""
    cog: frozenset[str] = frozenset()
    """Subjects that may open files at `/cog`, which knows no collections and so no rules of theirs."""
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    """By subject; each user of it has the whole quota."""
    usage_days: int = 800
    """After which counts of usage are deleted."""

    @property
    def client(self) -> IssuerSettings | None:
        """The provider by which users sign in; `None`: they cannot."""
        return None if self.issuer is None or self.issuer.client_id is None else self.issuer

    @staticmethod
    def subjects_of(groups: Iterable[str], *, user: str | None = None, key: str | None = None) -> frozenset[str]:
        """Return the subjects that a user is who has these groups, this name, this key."""
        names = {PUBLIC, *(f"group:{each}" for each in groups)}
        names |= {f"user:{user}"} if user is not None else set()
        return frozenset(names | ({f"key:{key}"} if key is not None else set()))
