"""The sections `access` of the configuration: who may do what."""

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
    """Who may do what: lists of public, group:NAME, user:NAME and key:NAME. For everyone else it does not exist."""

    see: SubjectNames | None = None
    """Who gets maps, values, series and descriptions; default: as the collection, which is as `access.default`."""
    download: SubjectNames | None = None
    """Who of them gets whole files, coverages and Zarr stores; default: all of them."""
    process: SubjectNames | None = None
    """Who of them runs processes and jobs; default: all of them."""
    publish: SubjectNames | None = None
    """Who may write items."""

    def rule(self, inherited: Rule) -> Rule:
        """Return the rule, with what is not written here as `inherited` has it."""
        written = {name: getattr(self, name) for name in RIGHTS}
        given = {name: frozenset(subjects) for name, subjects in written.items() if subjects is not None}
        return Rule(**{**{name: getattr(inherited, name) for name in written}, **given})


class AmountsSection(Section):
    """What each user may take in a day (UTC); what is not named has no limit."""

    requests: Annotated[int, Field(ge=0)] | None = None
    """Requests, whatever their answer."""
    bytes: Annotated[int, Field(ge=0)] | None = None
    """Bytes of answers."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Seconds of a processor."""


class QuotaSection(Section):
    """Quotas of a subject, for each class of requests."""

    pictures: AmountsSection = AmountsSection()
    """Maps, tiles, cube tiles, time-lapses."""
    series: AmountsSection = AmountsSection()
    """Values of points and areas."""
    searches: AmountsSection = AmountsSection()
    """Searches and aggregations of items, products and records; pages of features; feeds of changes."""
    downloads: AmountsSection = AmountsSection()
    """Products, coverages, chunks of Zarr stores, results of jobs, sets of places as files."""
    jobs: AmountsSection = AmountsSection()
    """Executions of processes, and estimates of them."""

    def quota(self) -> Quota:
        """Return the amounts that are named."""
        return {name: amounts.model_dump(exclude_none=True) for name, amounts in self}  # type: ignore[misc]


class AccessSection(Section):
    """Users and rights. Without this key everyone may see everything."""

    issuer: Annotated[Text, AfterValidator(_check_issuer)] | None = None
    """The OpenID Connect provider whose tokens are accepted, as its discovery document names it."""
    audience: Text | None = None
    """What the claim `aud` of tokens must have."""
    groups_claim: Text = "groups"
    """The claim that lists the groups of a user."""
    client_id: Text | None = None
    """The client at the provider by which users sign in to the viewer; default: they cannot."""
    scope: Text = "openid"
    """What the viewer requests of the provider: openid, and the scope that gives tokens their audience if one does."""
    organisation_claim: Text = "organization"
    """The claim that names the organisation of a user, for reports of usage."""
    operate: SubjectNames = ()
    """Who may see metrics and usage."""
    cog: SubjectNames = ()
    """Who may open files at /cog: all files that CHRONOTILE_COG_PREFIXES allows, whatever collections they are of."""
    default: RuleSection = RuleSection()
    """Of collections and sets of places without `access`; by default public."""
    quotas: dict[SubjectName, QuotaSection] = Field(default_factory=dict)
    """By subject: what each user of it may take in a day. The largest amount of all subjects of a user holds."""
    usage_days: Annotated[int, Field(ge=1, le=36_500)] = 800
    """After how many days counts of usage are deleted."""

    @model_validator(mode="after")
    def _fit(self) -> "AccessSection":
        if (self.issuer is None) != (self.audience is None):
            raise ValueError("issuer and audience belong together")
        if self.client_id is not None and (self.issuer is None or "openid" not in self.scope.split()):
            raise ValueError("client_id needs issuer and audience, and openid in scope")
        return self

    def rules(self) -> AccessRules:
        """Return what holds for all."""
        issuer = None
        if self.issuer is not None and self.audience is not None:
            written = {each.name: getattr(self, each.name) for each in fields(IssuerSettings)}
            issuer = IssuerSettings(**written)
        return AccessRules(
            issuer=issuer,
            operate=frozenset(self.operate),
            cog=frozenset(self.cog),
            quotas={subject: each.quota() for subject, each in self.quotas.items()},
            usage_days=self.usage_days,
        )


def rule_of(*sections: RuleSection | None) -> Rule:
    """Return the rule that sections make, each of which inherits from the one before."""
    rule = EVERYONE
    for section in sections:
        rule = rule if section is None else section.rule(rule)
    return rule
