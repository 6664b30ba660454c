"""Current versions of local files of items, which may be overwritten before the index sees it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b

from chronotile.core.errors import SourceChanged, UnsupportedSource
from chronotile.core.model.items import Asset, ItemRef
from chronotile.core.model.source import SourceSpec
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.cog.file_tags import tag_of_state
from chronotile.readers.file_states import file_state
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.raster.formats import JPEG2000
from chronotile.readers.remote.files import RemoteFile, looks
from chronotile.readers.tiff import TIFF

MAX_CHECKED_FILES = 4096
"""Maximum number of items per answer whose files are checked. Above, only the index shows changes."""
PATH_BYTES = 400
"""Approximate size of a cached path."""
PATHS_BYTES = 8 << 20
GONE = "gone"
"""Tag of a missing file."""

Paths = tuple[str, ...]


class LocalFiles:
    """The local files of a collection's items.

    Args:
        spec: The collection's source.
        index: Index of its items.
    """

    def __init__(self, spec: SourceSpec, index: PieceIndex) -> None:
        self._index, self._collection = index, spec.collection
        # Items of a remote catalogue cannot name local files.
        self.are_here = local_path(spec.href) is not None
        self._paths: ByteCache[Paths] = ByteCache(PATHS_BYTES, lambda paths: PATH_BYTES * (1 + len(paths)))

    def digest(self, refs: Sequence[ItemRef], names: frozenset[str]) -> bytes:
        """Return a digest that changes when a local file of an item is replaced; only the index has changes of others.

        Args:
            refs: The items.
            names: Names of their assets.

        Raises:
            SourceUnavailable: The index is unreachable.
        """
        digest = blake2b(digest_size=8)
        if self.are_here and len(refs) <= MAX_CHECKED_FILES:
            with suppress(SourceChanged):  # the changed items then have another digest
                self.look_up(refs, names)
            for ref in refs:
                digest.update(self.state(ref, names).encode())
        return digest.digest()

    def state(self, ref: ItemRef, names: frozenset[str], assets: Sequence[Asset] | None = None) -> str:
        """Return the tags of the local files of an item; empty without local files.

        Args:
            ref: The item.
            names: Names of its assets.
            assets: Its assets; `None`: read them from the index if the paths are not cached.
        """
        if not self.are_here:
            return ""
        key = ref.number, ref.changed, names
        paths = self._paths.get(key)
        if paths is None:
            item_assets = assets if assets is not None else self._index.assets([ref.number]).get(ref.number)
            if item_assets is None:
                return GONE
            paths = self._paths.get_or_make(key, lambda: _paths_of(item_assets, names))
        return " ".join(tag_of(path) for path in paths)

    def look_up(self, refs: Iterable[ItemRef], names: frozenset[str]) -> Mapping[int, Sequence[Asset]]:
        """Read the uncached paths of items in one query; return the assets that were read, by item number.

        Raises:
            SourceChanged: An item was replaced or removed since the search.
        """
        if not self.are_here:
            return {}
        lacking = {ref.number: ref for ref in refs if self._paths.get((ref.number, ref.changed, names)) is None}
        assets_by_number = assets_of(self._index, self._collection, list(lacking.values()))
        for number, assets in assets_by_number.items():
            key = number, lacking[number].changed, names
            self._paths.get_or_make(key, partial(_paths_of, assets, names))
        return assets_by_number


def assets_of(index: PieceIndex, collection: str, refs: Sequence[ItemRef]) -> Mapping[int, tuple[Asset, ...]]:
    """Return the assets of items of a collection, by number.

    Raises:
        SourceChanged: An item was replaced or removed since the search; a new search returns the new items.
        SourceUnavailable: The index is unreachable.
    """
    changes = {ref.number: ref.changed for ref in refs}
    if not changes:
        return {}
    assets = index.assets(list(changes))
    if index.changes(list(changes)) != changes:
        index.state(collection, is_fresh=True)
        raise SourceChanged(f"items of {collection} were changed while they were read; try again later")
    return assets


def _paths_of(assets: Iterable[Asset], names: frozenset[str]) -> Paths:
    paths = (local_path(asset.href) for asset in assets if asset.name in names)
    return tuple(str(path) for path in paths if path is not None)


def tag_of(path: str) -> str:
    """Return the tag of the current version of a local file."""
    try:
        return tag_of_state(file_state(path))
    except OSError:
        return GONE


def require_image(href: str) -> None:
    """Check that a file is GeoTIFF or JPEG 2000, not only its name. A VRT could lead GDAL to any file and host.

    Raises:
        UnsupportedSource: It has another format, or cannot be read.
    """
    path = local_path(href)
    with opening(base_name(href)):
        if path is None:
            file = RemoteFile(href, looks.state(href))
            begin = file.read(0, 16)
            if file.failure is not None:
                raise file.failure
        else:
            with path.open("rb") as opened:
                begin = opened.read(16)
    if not begin.startswith((*TIFF, *JPEG2000)):
        raise UnsupportedSource(f"{base_name(href)} is neither GeoTIFF nor JPEG 2000; files of items are read as these")
