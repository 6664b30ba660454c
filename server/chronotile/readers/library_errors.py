"""Errors of the libraries that read files, turned into our own at the readers' edge."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from chronotile.core.errors import ChronotileError, SourceUnavailable, UnsupportedSource

_log = logging.getLogger(__name__)

_STALE_PLACE = re.compile(r"row \d+, col \d+, (?=tile|strip)")
"""libtiff counts on from the last row it filled: at a second reading of the same block it is another one, or -1."""

_OPENED_BY_GDAL = re.compile("/vsichronotile/[0-9a-f]+/")
"""Before the name of a file elsewhere: the prefix of `gdal_plugin`, and a number."""
_USER = re.compile(r"(?<=://)[^\s/?#\"']*@")
"""Name and password in a URL."""
_QUERY = re.compile(r"(://[^\s?\"']*)\?[^\s\"']*")
"""A URL up to its query, which may be a signature."""


class BeingWritten(OSError):
    """A file was written while it was read, twice in a row."""


class Damaged(OSError):
    """A part of a source that is there is missing, cut off or cannot be decoded, whatever is tried again."""


@contextmanager
def opening(name: str) -> Iterator[None]:
    """Turn what goes wrong inside into one line about the file or store called `name`.

    Raises:
        UnsupportedSource: In place of a foreign error.
    """
    try:
        yield
    except ChronotileError:
        raise
    except Exception as error:  # each library has errors of its own, some of them plain `Exception`
        raise UnsupportedSource(f"{name} cannot be opened: {one_line(error)}") from error


def with_causes(error: BaseException) -> str:
    """Return the lines of an error and of those it came from, the origin first: the file, the block and why."""
    lines = list[str]()
    cause: BaseException | None = error
    while cause is not None:
        lines.insert(0, one_line(cause))
        cause = cause.__cause__
    return "; ".join(lines)


def unavailable(collection: str, variable: str, what: str) -> SourceUnavailable:
    """Return the error about a variable's data, with its reason."""
    return SourceUnavailable(unavailable_text(collection, variable, what))


def unavailable_text(collection: str, variable: str, what: str = "cannot be read") -> str:
    """Return what to say of a variable's data."""
    return f"the data of {variable} in collection {collection} {what}; try again later"


def origin_of(error: BaseException) -> BaseException:
    """Return the error that all others came from."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def one_line(error: BaseException) -> str:
    """Return the first line of a foreign message, not too long, and without passwords and signatures of URLs."""
    lines = str(error).strip().splitlines()
    text = _OPENED_BY_GDAL.sub("", _STALE_PLACE.sub("", lines[0])) if lines else type(error).__name__
    text = _USER.sub("", _QUERY.sub(r"\1", text))
    return text if len(text) <= 200 else f"{text[:197]}..."


def without_frames(error: Exception) -> Exception:
    """Return an error for storing: its causes stay, but neither tracebacks, whose frames hold arrays, nor contexts."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = cause.__context__ = None
        cause = cause.__cause__
    return error
