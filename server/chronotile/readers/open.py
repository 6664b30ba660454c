"""The one way to a reader."""

from urllib.parse import urlsplit

from chronotile.errors import UnsupportedSource
from chronotile.model.source import SourceSpec
from chronotile.readers.derived.derive import with_derived
from chronotile.readers.hrefs import CREDENTIALS_REMEDY, local_path
from chronotile.readers.kinds import kind_of_spec
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.web.inner_hosts import inner_hosts


def open_source(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the source that `spec` names, with its masks and formulas.

    It caches what it reads in `caches`, else in caches of its own. The address is the operator's: the name of its host
    may lead to an address inside a network (`web.inner_hosts`). Addresses that documents contain are not opened here.

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason in one line and names no secret.
    """
    if local_path(spec.href) is None and "@" in urlsplit(spec.href).netloc:
        raise UnsupportedSource(f"user and password in a URL are not supported; {CREDENTIALS_REMEDY}")
    inner_hosts.trust(spec.href)
    if spec.items is not None:  # masks and formulas are of each item, before items become one raster
        return kind_of_spec(spec).open(spec, caches or ReaderCaches())
    return with_derived(_open_stored(spec.stored, caches or ReaderCaches()), spec)


def _open_stored(spec: SourceSpec, caches: ReaderCaches) -> Reader:
    reader = kind_of_spec(spec).open(spec, caches)
    if spec.series is None:
        return reader
    from chronotile.readers.derived.stack_with_series import open_with_series  # noqa: PLC0415 -- loads tensorstore

    return open_with_series(spec, reader, caches)
