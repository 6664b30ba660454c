"""The section `time` of a collection: default times and substitutes of missing ones."""

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from chronotile.catalog.kinds import as_time_text
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import DefaultRule, Match, TimeRules
from chronotile.core.model.items import TimeGroup
from chronotile.core.model.time.instants import days_to_timedelta
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.sections import Section


class MinValid(Section):
    """A condition on the newest time."""

    min_valid: Annotated[float, Field(gt=0, le=1)]
    """Minimum fraction of valid pixels."""


class LatestValid(Section):
    """The newest time that fulfils a condition."""

    latest: MinValid
    """The condition."""


_DEFAULT_RULES: dict[str, DefaultRule] = {"latest": "latest", "earliest": "earliest", "none": "none"}


def _check_default(text: str) -> str:
    if text in _DEFAULT_RULES:
        return text
    try:
        parse_instant(text)
    except InvalidParameter as error:
        raise ValueError(
            f"{text[:40]!r} is not a valid default; accepted are latest, earliest, none, an instant such as "
            "2020-06-01, and {latest: {min_valid: 0.3}}"
        ) from error
    return text


def _kind_of_default(value: object) -> str:
    return "<rule>" if isinstance(value, dict | LatestValid) else "<text>"


DefaultTime = Annotated[
    Annotated[LatestValid, Tag("<rule>")]
    | Annotated[
        Annotated[str, AfterValidator(_check_default), BeforeValidator(as_time_text, json_schema_input_type=str)],
        Tag("<text>"),
    ],
    Discriminator(_kind_of_default),
]


class TimeSection(Section):
    """Default time of requests, and substitutes of missing times."""

    default: DefaultTime = "latest"
    """latest, earliest, none, an instant (a period such as 2020-06 means its newest time), or
    {latest: {min_valid: 0.3}}; never later than tomorrow."""
    match: Match = "exact"
    """nearest and before need tolerance_days. If match is absent, all answers are exact, except maps of WMS and WMTS of
    layers with irregular times: they show the latest time before, within 1.5 times the 95th percentile of the gaps."""
    tolerance_days: Annotated[float, Field(gt=0, le=36525)] | None = None
    """Maximum distance between the substitute and the requested time."""
    group: TimeGroup = "exact"
    """For collections of items: one time has all items of the same instant, or of the same solar day."""

    @model_validator(mode="after")
    def _fit(self) -> "TimeSection":
        if self.match != "exact" and self.tolerance_days is None:
            raise ValueError(f"match {self.match} needs tolerance_days")
        if self.match == "exact" and self.tolerance_days is not None:
            raise ValueError("tolerance_days belongs to match nearest and before")
        return self

    def rules(self) -> TimeRules:
        """Return the rules for a layer."""
        default = self.default
        rules = TimeRules(
            match=self.match,
            tolerance=days_to_timedelta(self.tolerance_days or 0),
            is_always_exact=self.match == "exact" and "match" in self.model_fields_set,
        )
        if isinstance(default, LatestValid):
            return replace(rules, min_valid=default.latest.min_valid)
        return replace(rules, default=_DEFAULT_RULES.get(default) or parse_instant(default))
