"""The kinds of source that can be served."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.core.web.inner_hosts import inner_hosts
from chronotile.readers.derived.derive import with_derived
from chronotile.readers.hrefs import CREDENTIALS_REMEDY, local_path
from chronotile.readers.kind import SourceKind
from chronotile.readers.mosaic.kind import ItemsKind
from chronotile.readers.netcdf.kind import NetcdfKind
from chronotile.readers.raster.kind import RasterKind
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.kind import ZarrKind

_ITEMS = ItemsKind()
KINDS = {kind.name: kind for kind in (ZarrKind(), RasterKind(), NetcdfKind(), _ITEMS)}
"""By name. A folder marked by several is of the first."""
HEAD_BYTES = 1 << 14
"""By which files are known whose names do not tell."""


def kind_of_spec(spec: SourceSpec) -> SourceKind:
    """Return the kind of a source; files that are tiles are items, too."""
    return KINDS[spec.kind] if spec.items is None else _ITEMS


def kind_of_path(path: Path) -> SourceKind | None:
    """Return what a file or folder seems to be, by its name and, if that is not enough, by what it contains."""
    if path.is_dir():
        return next((each for each in KINDS.values() if each.is_folder(path)), None)
    name = path.name.lower()
    named = next((each for each in KINDS.values() if name.endswith(each.file_ends)), None)
    sharing = [each for each in KINDS.values() if name.endswith(each.shared_ends)]
    if named is not None or not sharing:
        return named
    head = head_of(path)
    return next((each for each in sharing if each.has_content(path, head)), None)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file; none of one that cannot be read, nor of a pipe, which waits for a writer."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def kind_of_named(path: Path) -> SourceKind:
    """Return the kind of a file or store that is named by itself: a file of no known ending may be any raster."""
    return kind_of_path(path) or next(kind for kind in KINDS.values() if kind.options.has_bands)


def kind_options() -> Mapping[str, KindOptions]:
    """Return what the configuration may say of sources of each kind, by name."""
    return {name: kind.options for name, kind in KINDS.items()}


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
