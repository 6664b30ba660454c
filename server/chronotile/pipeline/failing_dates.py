"""Which dates of layers could not be read, as long as their files are the same."""

from chronotile.errors import SourceUnavailable
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import Instant
from chronotile.pipeline.services import Services
from chronotile.readers.failing_dates import FailingDate
from chronotile.readers.foreign import with_causes
from chronotile.readers.reader import Reader

UNREADABLE = "cannot be read"
GONE = "has lost its file"


def tell_failing_date(collection: str, variable: str, index: int, *, error: Exception, services: Services) -> None:
    """List a date that could not be read, for `/health/ready`, the metrics and, once, the log.

    Args:
        collection: Its id.
        variable: The variable's id in the source.
        index: Counts the variable's times.
        error: Why; the log has its causes, with the file.
        services: Hold the list and the reader.
    """
    reader = services.readers[collection]
    state = _state(reader, variable, index)
    date = FailingDate(
        collection=collection,
        variable=variable,
        instant=_instant(reader.info.variables[variable], index),
        reason=GONE if state is None else UNREADABLE,
        state=state or GONE,
    )
    services.failing_dates.tell(date, details=with_causes(error))


def failing_dates(services: Services) -> tuple[FailingDate, ...]:
    """Return the dates that could not be read; those whose file is another one by now are no longer listed."""
    failing = []
    for date in services.failing_dates.listed():
        if _is_as_told(date, services):
            failing.append(date)
        else:
            services.failing_dates.forget(date)
    return tuple(failing)


def _is_as_told(date: FailingDate, services: Services) -> bool:
    reader = services.readers.get(date.collection)
    variable = None if reader is None else reader.info.variables.get(date.variable)
    if reader is None or variable is None:
        return False
    index = 0 if date.instant is None else int(variable.times.instants.searchsorted(date.instant))
    is_there = index < max(1, len(variable.times)) and _instant(variable, index) == date.instant
    return is_there and (_state(reader, date.variable, index) or GONE) == date.state


def _instant(variable: VariableInfo, index: int) -> Instant | None:
    return variable.times.instants[index] if len(variable.times) else None


def _state(reader: Reader, variable: str, index: int) -> str | None:
    """The state of a date's file, and what it is read as since the last reload; `None` of one that is gone."""
    try:
        return f"{reader.revision(variable, index)} {reader.info.variables[variable].encoding}"
    except SourceUnavailable:
        return None
