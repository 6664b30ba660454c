"""Conversion of the errors of libraries that read files, at the edge of the readers."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chronotile.core.errors import REPLACE_FILES, ChronotileError, DateUnreadable, SourceUnavailable, UnsupportedSource

_log = logging.getLogger(__name__)

_STALE_PLACE = re.compile(r"row \d+, col \d+, (?=tile|strip)")
"""libtiff counts from the last row it filled, so a second read of the same block reports another row, or -1."""

_OPENED_BY_GDAL = re.compile("/vsichronotile/[0-9a-f]+/")
"""Start of the name of a remote file: the prefix of `gdal_plugin`, and a number."""
_USER = re.compile(r"(?<=://)[^\s/?#\"']*@")
"""Name and password in a URL."""
_QUERY = re.compile(r"(://[^\s?\"']*)\?[^\s\"']*")
"""A URL up to its query, which may contain a signature."""


class BeingWritten(OSError):
    """A file was written during each attempt to read it."""


class Damaged(OSError):
    """A part of an existing source is missing, cut off or cannot be decoded; another attempt does not help."""


@contextmanager
def opening(name: str) -> Iterator[None]:
    """Convert foreign errors into one line about the file or store `name`.

    Raises:
        UnsupportedSource: Replaces every foreign error.
    """
    try:
        yield
    except ChronotileError:
        raise
    except Exception as error:  # each library has its own errors, some of them plain `Exception`
        raise UnsupportedSource(f"{name} cannot be opened: {one_line(error)}") from error


@contextmanager
def reading(collection: str, variable: str) -> Iterator[None]:
    """Convert foreign errors into an error that names the variable but no path; log the causes.

    Raises:
        SourceUnavailable: Replaces every foreign error.
    """
    try:
        yield
    except ChronotileError:
        raise
    except Exception as error:  # of any library, as in `opening`
        _log.warning("reading %s of %s failed: %s", variable, collection, cause_text(error))
        raise unavailable(collection, variable, "cannot be read") from error


@contextmanager
def reading_dates(collection: str, variable: str, *, is_source_reachable: Callable[[], bool]) -> Iterator[None]:
    """Convert errors of reading some dates into an error that names the variable but no path.

    Args:
        collection: Id of the collection.
        variable: Id of the variable.
        is_source_reachable: Called after a failure only.

    Raises:
        DateUnreadable: Files of the dates are damaged or missing, and the source is reachable.
        SourceUnavailable: The source is unreachable.
    """
    try:
        yield
    except Exception as error:  # of any library, as in `opening`
        # A file that was replaced by an unsupported one is treated like a damaged file.
        if isinstance(error, ChronotileError) and not isinstance(error, SourceUnavailable | UnsupportedSource):
            raise
        if isinstance(origin_of(error), BeingWritten):
            raise unavailable(collection, variable, "are being written") from error
        message = error.message if isinstance(error, SourceUnavailable) else None
        if isinstance(origin_of(error), Damaged) or is_source_reachable():
            damaged = f"files of {variable} in collection {collection} are damaged or missing; {REPLACE_FILES}"
            raise DateUnreadable(message or damaged) from error  # the caller lists and logs the date
        if not isinstance(error, SourceUnavailable) or error.__cause__ is not None:
            _log.warning("reading %s of %s failed: %s", variable, collection, cause_text(error))
        raise SourceUnavailable(message or unavailable_text(collection, variable)) from error


def cause_text(error: BaseException) -> str:
    """Return the lines of an error and of its causes, the origin first: the file, the block and the reason."""
    lines = list[str]()
    cause: BaseException | None = error
    while cause is not None:
        lines.insert(0, one_line(cause))
        cause = cause.__cause__
    return "; ".join(lines)


def unavailable(collection: str, variable: str, what: str) -> SourceUnavailable:
    """Return an error about the data of a variable, with its reason."""
    return SourceUnavailable(unavailable_text(collection, variable, what))


def unavailable_text(collection: str, variable: str, what: str = "cannot be read") -> str:
    """Return the message of `unavailable`."""
    return f"the data of {variable} in collection {collection} {what}; try again later"


def origin_of(error: BaseException) -> BaseException:
    """Return the first cause of an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def one_line(error: BaseException) -> str:
    """Return the first line of a foreign message, shortened, without passwords and signatures of URLs."""
    lines = str(error).strip().splitlines()
    text = _OPENED_BY_GDAL.sub("", _STALE_PLACE.sub("", lines[0])) if lines else type(error).__name__
    text = _USER.sub("", _QUERY.sub(r"\1", text))
    return text if len(text) <= 200 else f"{text[:197]}..."


def drop_frames(error: Exception) -> Exception:
    """Return an error for storage: without tracebacks, whose frames hold arrays, and without contexts of its causes."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = cause.__context__ = None
        cause = cause.__cause__
    return error
