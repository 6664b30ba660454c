"""Failing dates: the list for operators of dates that could not be read, while their files stay the same."""

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.types import Instant
from chronotile.pipeline.services import Services
from chronotile.readers.failing_dates import FailingDate
from chronotile.readers.library_errors import cause_text
from chronotile.readers.reader import Reader

UNREADABLE = "cannot be read"
GONE = "has lost its file"


def report_failing_date(collection: str, variable: str, index: int, *, error: Exception, services: Services) -> None:
    """List a date that could not be read in `/health/ready`, the metrics and, once, the log.

    Args:
        collection: Id of the collection.
        variable: Id of the variable in the source.
        index: Index of the date among the times of the variable.
        error: The failure; its causes, with the file, are written to the log.
        services: The services with the list and the reader.
    """
    reader = services.readers[collection]
    version = _date_version(reader, variable, index)
    date = FailingDate(
        collection=collection,
        variable=variable,
        instant=_instant_at(reader.info.variables[variable], index),
        reason=GONE if version is None else UNREADABLE,
        state=version or GONE,
    )
    services.failing_dates.report(date, details=cause_text(error))


def list_failing_dates(services: Services) -> tuple[FailingDate, ...]:
    """Return the dates that could not be read, and forget those whose file has changed since."""
    failing, variables = (
        [],
        {(layer.collection, of.name) for layer in services.catalogue.layers for of in layer.variables},
    )
    for date in services.failing_dates.list_dates():
        if services.narrowed_from is not None and (date.collection, date.variable) not in variables:
            continue
        if _is_unchanged(date, services):
            failing.append(date)
        else:
            services.failing_dates.forget(date)
    return tuple(failing)


def _is_unchanged(date: FailingDate, services: Services) -> bool:
    reader = services.readers.get(date.collection)
    variable = None if reader is None else reader.info.variables.get(date.variable)
    if reader is None or variable is None:
        return False
    index = 0 if date.instant is None else int(variable.times.instants.searchsorted(date.instant))
    exists = index < max(1, len(variable.times)) and _instant_at(variable, index) == date.instant
    return exists and (_date_version(reader, date.variable, index) or GONE) == date.state


def _instant_at(variable: VariableInfo, index: int) -> Instant | None:
    return variable.times.instants[index] if len(variable.times) else None


def _date_version(reader: Reader, variable: str, index: int) -> str | None:
    """The fingerprint and the encoding of a date's file; `None` if the file was deleted."""
    try:
        return f"{reader.revision(variable, index)} {reader.info.variables[variable].encoding}"
    except SourceUnavailable:
        return None
