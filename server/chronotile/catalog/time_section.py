"""The section `time` of a collection: default times and substitutes of missing ones."""

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from chronotile.catalog.value_types import as_time_text
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
    """Default time of requests, and substitutes for missing times."""

    default: DefaultTime = "latest"
    """Time of a request without a time: `latest`, `earliest`, an instant, or a period (2020-06: its newest time).
    `none`: an error. `{latest: {min_valid: 0.3}}`: the newest time with at least 30 % valid pixels. Times later than
    tomorrow do not count."""
    match: Match = "exact"
    """Answer if the layer lacks the requested time: an error (`exact`), the `nearest` time, or the latest time
    `before`; the last two need `tolerance_days`. Without this key, the answer is an error, but WMS and WMTS maps
    of layers with irregular times show the previous time, unless the gap is unusually long."""
    tolerance_days: Annotated[float, Field(gt=0, le=36525)] | None = None
    """Maximum distance between the requested time and its substitute."""
    group: TimeGroup = "exact"
    """For collections of items: one time has the items of an instant (`exact`), a UTC day, or a day in local solar
    time."""

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
