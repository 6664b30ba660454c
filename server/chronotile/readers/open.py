"""The one way to a reader."""

from urllib.parse import urlsplit

from chronotile.errors import UnsupportedSource
from chronotile.model.source import SourceSpec
from chronotile.readers.derived.derive import with_derived
from chronotile.readers.hrefs import CREDENTIALS_REMEDY, local_path
from chronotile.readers.kinds import kind_of_spec
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches


def open_source(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the source that `spec` names, with its masks and formulas.

    It caches what it reads in `caches`, else in caches of its own.

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason in one line and names no secret.
    """
    if local_path(spec.href) is None and "@" in urlsplit(spec.href).netloc:
        raise UnsupportedSource(f"user and password in a URL are not supported; {CREDENTIALS_REMEDY}")
    return with_derived(_open_stored(spec.stored, caches or ReaderCaches()), spec)


def _open_stored(spec: SourceSpec, caches: ReaderCaches) -> Reader:
    reader = kind_of_spec(spec).open(spec, caches)
    if spec.series is None:
        return reader
    from chronotile.readers.derived.stack_with_series import open_with_series  # noqa: PLC0415 -- loads tensorstore

    return open_with_series(spec, reader, caches)
