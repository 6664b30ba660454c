"""Query parameters of how a CSV is written."""

from collections.abc import Iterable

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.pipeline.encoders.series.csv import DIALECTS, USUAL, CsvOptions, require_days_apart
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, choice, custom

DATES = ("instant", "day")


def _date(given: str) -> str:
    """Other services choose times by this name, so the message names what does here."""
    if given.lower() not in DATES:
        raise InvalidParameter(
            f"date must be one of {', '.join(DATES)}: how a CSV writes times, got {given[:MAX_SHOWN]!r}; to choose "
            "times use datetime",
            locator="date",
        )
    return given.lower()


DIALECT = choice(
    "dialect",
    "Of CSV: `semicolon` writes `;` between fields and a decimal comma, for spreadsheets of languages that have one",
    DIALECTS,
    default="comma",
)
DATE = custom(
    "date",
    "Of CSV: `day` writes times as `YYYY-MM-DD`, of layers with at most one time per day",
    _date,
    schema={**enum_of(DATES), "default": "instant"},
    default="instant",
)
COLUMNS = choice("columns", "Of CSV: `all` adds the columns `layer`, `units` and `attribution`", ("all",))
OF_LAYERS: tuple[Parameter[object], ...] = (DIALECT, DATE)
"""Of tables with a column per layer."""
OF_SERIES: tuple[Parameter[object], ...] = (*OF_LAYERS, COLUMNS)
"""Of tables of one layer."""


def csv_options(query: Kvp, layers: Iterable[Layer], *, is_csv: bool, has_steps: bool = False) -> CsvOptions:
    """Return how a CSV is written.

    Args:
        query: Of the request.
        layers: That it is about.
        is_csv: Whether the answer is a CSV.
        has_steps: Whether times are periods of a day or more, whatever times the layers have.

    Raises:
        InvalidParameter: A value is not accepted, the answer is not CSV, or days would not tell times apart.
    """
    if not is_csv:
        for each in OF_SERIES:
            if each.given(query) is not None:
                message = f"{each.name} is accepted for CSV alone; request CSV or leave it out"
                raise InvalidParameter(message, locator=each.name)
        return USUAL
    options = CsvOptions(
        dialect=DIALECT.of(query), has_days=DATE.of(query) == "day", has_source=COLUMNS.given(query) is not None
    )
    if options.has_days and not has_steps:
        require_days_apart(layers)
    return options
