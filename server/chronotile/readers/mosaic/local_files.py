"""Items' files on this machine as they are now: one may be written over before the index has seen it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b

from chronotile.core.errors import SourceChanged, UnsupportedSource
from chronotile.core.model.items import Asset, ItemRef
from chronotile.core.model.source import SourceSpec
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.cog.file_tags import tag_of_state
from chronotile.readers.hrefs import base_name, file_state, local_path
from chronotile.readers.library_errors import opening
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.raster.formats import JPEG2000
from chronotile.readers.remote.files import RemoteFile, looks
from chronotile.readers.tiff import TIFF

MOST_FILES = 4096
"""Of an answer whose state is taken from the files themselves; of one of more, from the index alone."""
PATH_BYTES = 400
"""Of a path that is remembered, about."""
PATHS_BYTES = 8 << 20
GONE = "gone"
"""State of a file that is not there."""

Paths = tuple[str, ...]


class LocalFiles:
    """The files of a collection's items, as far as they are on this machine.

    Args:
        spec: The collection's source.
        index: Where the files of its items are found.
    """

    def __init__(self, spec: SourceSpec, index: PieceIndex) -> None:
        self._index, self._collection = index, spec.collection
        # Items of a catalogue on another machine cannot name files of this one.
        self.are_here = local_path(spec.href) is not None
        self._paths: ByteCache[Paths] = ByteCache(PATHS_BYTES, lambda paths: PATH_BYTES * (1 + len(paths)))

    def digest(self, refs: Sequence[ItemRef], names: frozenset[str]) -> bytes:
        """Return what changes when a file of some items is replaced; of files elsewhere, the index tells.

        Args:
            refs: The items.
            names: Of their assets.

        Raises:
            SourceUnavailable: The index does not answer.
        """
        digest = blake2b(digest_size=8)
        if self.are_here and len(refs) <= MOST_FILES:
            with suppress(SourceChanged):  # the state of the items that are there now is another
                self.look_up(refs, names)
            for ref in refs:
                digest.update(self.state(ref, names).encode())
        return digest.digest()

    def state(self, ref: ItemRef, names: frozenset[str], assets: Sequence[Asset] | None = None) -> str:
        """Return the state of the files of an item; empty if none is here, or they are not known.

        Args:
            ref: The item.
            names: Of its assets.
            assets: Its assets, where they are known.
        """
        if not self.are_here:
            return ""
        key = ref.number, ref.changed, names
        paths = self._paths.get(key)
        if paths is None:
            known = assets if assets is not None else self._index.assets([ref.number]).get(ref.number)
            if known is None:
                return GONE
            paths = self._paths.get_or_make(key, lambda: _paths_of(known, names))
        return " ".join(tag_of(path) for path in paths)

    def look_up(self, refs: Iterable[ItemRef], names: frozenset[str]) -> Mapping[int, Sequence[Asset]]:
        """Find the paths of items that are not known, together; return the assets of these, by number.

        Raises:
            SourceChanged: An item was replaced or removed after it was found.
        """
        if not self.are_here:
            return {}
        lacking = {ref.number: ref for ref in refs if self._paths.get((ref.number, ref.changed, names)) is None}
        found = assets_of(self._index, self._collection, list(lacking.values()))
        for number, assets in found.items():
            key = number, lacking[number].changed, names
            self._paths.get_or_make(key, partial(_paths_of, assets, names))
        return found


def assets_of(index: PieceIndex, collection: str, refs: Sequence[ItemRef]) -> Mapping[int, tuple[Asset, ...]]:
    """Return the assets of items of a collection as they were found, by number.

    Raises:
        SourceChanged: One was replaced or removed since; those that are found from now on are the new ones.
        SourceUnavailable: The index does not answer.
    """
    changes = {ref.number: ref.changed for ref in refs}
    if not changes:
        return {}
    found = index.assets(list(changes))
    if index.changes(list(changes)) != changes:
        index.state(collection, is_fresh=True)
        raise SourceChanged(f"items of {collection} were changed while they were read; try again later")
    return found


def _paths_of(assets: Iterable[Asset], names: frozenset[str]) -> Paths:
    paths = (local_path(asset.href) for asset in assets if asset.name in names)
    return tuple(str(path) for path in paths if path is not None)


def tag_of(path: str) -> str:
    """Return the tag of a file of this machine as it is now."""
    try:
        return tag_of_state(file_state(path))
    except OSError:
        return GONE


# Which files of items GDAL opens: those that hold their pixels themselves.


def require_image(href: str) -> None:
    """Check that a file is GeoTIFF or JPEG 2000: a VRT, whatever its name, could lead GDAL to any file and host.

    Raises:
        UnsupportedSource: It is another, or cannot be read.
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
