"""The section `access` of the configuration: users, rights and quotas."""

import re
from dataclasses import fields
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from chronotile.core.model.access import EVERYONE, PUBLIC, RIGHTS, AccessRules, IssuerSettings, Quota, Rule
from chronotile.core.sections import Section, Text

_SUBJECT = re.compile(r"(group|user|key):[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,198}[^\x00-\x20\x7f])?")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _check_subject(text: str) -> str:
    if text != PUBLIC and not _SUBJECT.fullmatch(text):
        raise ValueError(f"{text[:60]!r} is not accepted; accepted are public, group:NAME, user:NAME and key:NAME")
    return text


def _check_issuer(text: str) -> str:
    parts = urlsplit(text)
    is_local = parts.scheme == "http" and (parts.hostname in _LOOPBACK or f"{parts.hostname}".endswith(".localhost"))
    if not parts.hostname or not (parts.scheme == "https" or is_local) or parts.query or parts.fragment:
        raise ValueError(f"{text[:80]!r} is not an issuer; accepted are https:// URLs, and http://localhost")
    return text


SubjectName = Annotated[Text, AfterValidator(_check_subject)]
SubjectNames = tuple[SubjectName, ...]


class RuleSection(Section):
    """Rights, as lists of public, group:NAME, user:NAME and key:NAME. The data are hidden from everyone else."""

    see: SubjectNames | None = None
    """Access to maps, values, series and descriptions; default: `see` of the collection, else of `access.default`."""
    download: SubjectNames | None = None
    """Access to whole files, coverages and Zarr stores; default: as `see`."""
    process: SubjectNames | None = None
    """Permission to run processes and jobs; default: as `see`."""
    publish: SubjectNames | None = None
    """Permission to write items."""

    def rule(self, inherited: Rule) -> Rule:
        """Return the rule; rights without a list are those of `inherited`."""
        written = {name: getattr(self, name) for name in RIGHTS}
        subjects_by_right = {name: frozenset(subjects) for name, subjects in written.items() if subjects is not None}
        return Rule(**{**{name: getattr(inherited, name) for name in written}, **subjects_by_right})


class AmountsSection(Section):
    """Quota of each user per day (UTC). An amount that you do not configure is unlimited."""

    requests: Annotated[int, Field(ge=0)] | None = None
    """Requests, including failed requests."""
    bytes: Annotated[int, Field(ge=0)] | None = None
    """Bytes of answers."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Processor seconds."""


class QuotaSection(Section):
    """Quotas of a subject, for each class of requests."""

    pictures: AmountsSection = AmountsSection()
    """Maps, tiles, cube tiles, animations, files of /cog."""
    series: AmountsSection = AmountsSection()
    """Values of points and areas, feature info, uploads of shapes."""
    searches: AmountsSection = AmountsSection()
    """Searches and aggregations of items, products and records; pages of features; feeds of changes."""
    downloads: AmountsSection = AmountsSection()
    """Products, coverages, chunks of Zarr stores, results of jobs, sets of places as files."""
    jobs: AmountsSection = AmountsSection()
    """Executions of processes, and estimates of them."""

    def quota(self) -> Quota:
        """Return the configured amounts by class of requests."""
        return {name: amounts.model_dump(exclude_none=True) for name, amounts in self}  # type: ignore[misc]


class AccessSection(Section):
    """Users and rights. Without this key everyone may see everything."""

    issuer: Annotated[Text, AfterValidator(_check_issuer)] | None = None
    """OpenID Connect provider whose tokens are accepted: `issuer` in its discovery document."""
    audience: Text | None = None
    """Value that the claim `aud` of tokens must contain."""
    groups_claim: Text = "groups"
    """The claim that lists the groups of a user."""
    client_id: Text | None = None
    """Client id at the provider, for sign-in to the viewer; default: no sign-in."""
    scope: Text = "openid"
    """Scopes that the viewer requests: openid and, if needed, the scope that adds the audience to tokens."""
    organisation_claim: Text = "organization"
    """The claim that names the organisation of a user, for reports of usage."""
    operate: SubjectNames = ()
    """Users and groups with access to /metrics and /usage, such as group:NAME."""
    cog: SubjectNames = ()
    """Users and groups with access to /cog: all files in CHRONOTILE_COG_PREFIXES, also files of private collections."""
    default: RuleSection = RuleSection()
    """Rights to collections and place sets without `access`; default: public."""
    quotas: dict[SubjectName, QuotaSection] = Field(default_factory=dict)
    """Daily quotas of each user, by subject (such as group:NAME). If a user has several subjects, the largest amount
    applies."""
    usage_days: Annotated[int, Field(ge=1, le=36_500)] = 800
    """Storage time of usage counts, in days."""

    @model_validator(mode="after")
    def _fit(self) -> "AccessSection":
        if (self.issuer is None) != (self.audience is None):
            raise ValueError("issuer and audience belong together")
        if self.client_id is not None and (self.issuer is None or "openid" not in self.scope.split()):
            raise ValueError("client_id needs issuer and audience, and openid in scope")
        return self

    def rules(self) -> AccessRules:
        """Return the settings that are independent of collections."""
        issuer = None
        if self.issuer is not None and self.audience is not None:
            issuer = IssuerSettings(**{field.name: getattr(self, field.name) for field in fields(IssuerSettings)})
        return AccessRules(
            issuer=issuer,
            operate=frozenset(self.operate),
            cog=frozenset(self.cog),
            quotas={subject: quota.quota() for subject, quota in self.quotas.items()},
            usage_days=self.usage_days,
        )


def rule_of(*sections: RuleSection | None) -> Rule:
    """Return the rule of nested sections, outermost first; each section inherits from the previous one."""
    rule = EVERYONE
    for section in sections:
        rule = rule if section is None else section.rule(rule)
    return rule
