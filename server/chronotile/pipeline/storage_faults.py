"""A file that cannot be written, as an error with a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import strerror

from chronotile.errors import StorageFull


@contextmanager
def translate_storage_errors() -> Iterator[None]:
    """Say that a file could not be written; readers have words of their own for what cannot be read."""
    try:
        yield
    except OSError as error:
        reason = strerror(error.errno) if error.errno else "the disk failed"
        raise StorageFull(f"no disk space to write the file: {reason}; request less, or try later") from error
