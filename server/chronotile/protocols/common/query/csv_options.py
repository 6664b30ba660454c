"""Query parameters of CSV answers."""

from collections.abc import Iterable

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.pipeline.encoders.series.csv import DIALECTS, USUAL, CsvOptions, require_days_apart
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, choice, custom

DATES = ("instant", "day")


def _parse_date(text: str) -> str:
    # Other services select times with `date`, so the message refers to `datetime`.
    if text.lower() not in DATES:
        raise InvalidParameter(
            f"date must be one of {', '.join(DATES)}: how a CSV writes times, got {text[:MAX_SHOWN]!r}; to choose "
            "times use datetime",
            locator="date",
        )
    return text.lower()


DIALECT = choice(
    "dialect",
    "For CSV: `semicolon` writes `;` between fields and a decimal comma, for spreadsheets in languages that use it",
    DIALECTS,
    default="comma",
)
DATE = custom(
    "date",
    "For CSV: `day` writes times as `YYYY-MM-DD`, if layers have at most one time per day",
    _parse_date,
    schema={**enum_of(DATES), "default": "instant"},
    default="instant",
)
COLUMNS = choice("columns", "For CSV: `all` adds the columns `layer`, `units` and `attribution`", ("all",))
OF_LAYERS: tuple[Parameter[object], ...] = (DIALECT, DATE)
"""Parameters of tables with one column per layer."""
OF_SERIES: tuple[Parameter[object], ...] = (*OF_LAYERS, COLUMNS)
"""Parameters of tables of a single layer."""


def csv_options(query: Kvp, layers: Iterable[Layer], *, is_csv: bool, has_steps: bool = False) -> CsvOptions:
    """Return the options of a CSV answer.

    Args:
        query: Parameters of the request.
        layers: Layers of the table.
        is_csv: Whether the answer is CSV.
        has_steps: Whether rows are periods of at least a day, whatever times the layers have.

    Raises:
        InvalidParameter: A value is not accepted, the answer is not CSV, or several times have the same day.
    """
    if not is_csv:
        for parameter in OF_SERIES:
            if parameter.optional(query) is not None:
                message = f"{parameter.name} is accepted only for CSV; request CSV or omit it"
                raise InvalidParameter(message, locator=parameter.name)
        return USUAL
    options = CsvOptions(
        dialect=DIALECT.value(query),
        has_days=DATE.value(query) == "day",
        has_source=COLUMNS.optional(query) is not None,
    )
    if options.has_days and not has_steps:
        require_days_apart(layers)
    return options
