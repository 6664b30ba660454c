"""The kinds of source that can be served."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.core.web.inner_hosts import inner_hosts
from chronotile.readers.derived.derive import derive_variables
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
"""All kinds by name. A folder that several kinds recognise is of the first."""
HEAD_BYTES = 1 << 14
"""First bytes of a file that decide its kind if the name does not."""


def kind_of_spec(spec: SourceSpec) -> SourceKind:
    """Return the kind of a source; raster files that are tiles are read as items."""
    return KINDS[spec.kind] if spec.items is None else _ITEMS


def kind_of_path(path: Path) -> SourceKind | None:
    """Return the kind of a file or folder by its name and, if necessary, its content; `None` if it is not a source."""
    if path.is_dir():
        return next((kind for kind in KINDS.values() if kind.is_folder(path)), None)
    name = path.name.lower()
    certain = next((kind for kind in KINDS.values() if name.endswith(kind.file_ends)), None)
    possible = [kind for kind in KINDS.values() if name.endswith(kind.shared_ends)]
    if certain is not None or not possible:
        return certain
    head = head_of(path)
    return next((kind for kind in possible if kind.has_content(path, head)), None)


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file; empty if it cannot be read or is a pipe, which would wait for a writer."""
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def kind_of_argument(path: Path) -> SourceKind:
    """Return the kind of a file or store that the operator names; a file with an unknown end may be any raster."""
    return kind_of_path(path) or next(kind for kind in KINDS.values() if kind.options.has_bands)


def kind_options() -> Mapping[str, KindOptions]:
    """Return the options of each kind by name."""
    return {name: kind.options for name, kind in KINDS.items()}


def open_source(spec: SourceSpec, caches: ReaderCaches | None = None) -> Reader:
    """Return a reader of the source that `spec` names, with its masks and formulas.

    The address comes from the operator, so its host may be inside the network (`web.inner_hosts`). Addresses in
    documents are not opened here.

    Args:
        spec: The source.
        caches: Caches of the reader; by default separate ones.

    Raises:
        UnsupportedSource: The source cannot be served; the message gives the reason in one line without secrets.
    """
    if local_path(spec.href) is None and "@" in urlsplit(spec.href).netloc:
        raise UnsupportedSource(f"user and password in a URL are not supported; {CREDENTIALS_REMEDY}")
    inner_hosts.trust(spec.href)
    if spec.items is not None:  # masks and formulas belong to each item, before items become one raster
        return kind_of_spec(spec).open(spec, caches or ReaderCaches())
    return derive_variables(_open_stored(spec.stored, caches or ReaderCaches()), spec)


def _open_stored(spec: SourceSpec, caches: ReaderCaches) -> Reader:
    reader = kind_of_spec(spec).open(spec, caches)
    if spec.series is None:
        return reader
    from chronotile.readers.derived.stack_with_series import open_with_series  # noqa: PLC0415 -- loads tensorstore

    return open_with_series(spec, reader, caches)
