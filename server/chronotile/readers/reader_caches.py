"""Caches of the readers of one archive; each application has separate ones."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.caches.block_cache import BlockCache, SharedBlockMemory
from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.caches.byte_cache import USUAL_BYTES, CacheSizes
from chronotile.readers.skipped_items import SkippedItems

if TYPE_CHECKING:
    from chronotile.readers.mosaic.overview_files import OverviewFiles
    from chronotile.readers.mosaic.piece_index import PieceIndex
    from chronotile.readers.raster.overviews.previews import Previews
    from chronotile.readers.raster.pool import HandlePool


class ReaderCaches:
    """Open files, decoded blocks and chunks, and previews; each cache is created when a reader first needs it.

    Args:
        max_bytes: Total size of open files and decoded pixels.
        blocks: Cache of decoded blocks of raster files that several processes share; by default in this process.
        previews: Previews of raster files without overviews; `None`: these files are read without previews.
        items: Opens the item index of the application; called when a source of items is first opened.
        byte_blocks: Cache on disk of stored blocks of remote files; `None`: blocks are fetched again.
        overviews: Overviews of mosaics on disk; `None`: mosaics are always composed of their items.
        places: Locations outside the source that files of items and references may have.
        shared: Caches of another archive; its open files, blocks and chunks are used, too.
    """

    def __init__(  # noqa: PLR0913 -- all but the first are named
        self,
        max_bytes: int = USUAL_BYTES,
        *,
        blocks: BlockCache | None = None,
        previews: "Previews | None" = None,
        items: "Callable[[], PieceIndex] | None" = None,
        byte_blocks: ByteBlocks | None = None,
        places: AllowedPlaces | None = None,
        overviews: "OverviewFiles | None" = None,
        shared: "ReaderCaches | None" = None,
    ) -> None:
        self._shared = shared
        self.sizes: CacheSizes = CacheSizes(max_bytes) if shared is None else shared.sizes
        self.previews, self._open_items = previews, items
        self._items: PieceIndex | None = None
        self.byte_blocks = byte_blocks
        self.places = places or AllowedPlaces()
        self.overviews = overviews
        self.skipped_items = SkippedItems()
        """Items of mosaics that could not be read."""
        self._blocks = blocks
        self._files: HandlePool | None = None
        self._chunks: Any = None
        self._lock = threading.RLock()
        self._opening_items = threading.Lock()

    @property
    def has_items(self) -> bool:
        """Whether the application has an item index."""
        return self._open_items is not None

    @property
    def items(self) -> "PieceIndex | None":
        """The item index, or `None` if the application has none.

        Raises:
            ChronotileError: The index cannot be opened.
        """
        with self._opening_items:  # a separate lock: an unreachable database may block for seconds
            if self._items is None and self._open_items is not None:
                self._items = self._open_items()
            return self._items

    def close(self) -> None:
        """Close the item index if it was opened; a later read connects again."""
        with self._opening_items:
            if self._items is not None:
                self._items.close()

    @property
    def blocks(self) -> BlockCache:
        """Decoded blocks of raster files."""
        if self._shared is not None:
            return self._shared.blocks
        with self._lock:
            if self._blocks is None:
                self._blocks = BlockCache(SharedBlockMemory(self.sizes.bytes))
            return self._blocks

    @property
    def files(self) -> "HandlePool":
        """Open raster files; their blocks are cached in `blocks`."""
        if self._shared is not None:
            return self._shared.files
        with self._lock:
            if self._files is None:
                from chronotile.readers.raster.pool import HandlePool  # noqa: PLC0415 -- loads GDAL

                self._files = HandlePool(blocks=self.blocks, sizes=self.sizes)
            return self._files

    @property
    def chunks(self) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
        """Context of tensorstore with the decoded chunks of Zarr arrays; the first use reserves memory for them."""
        if self._shared is not None:
            return self._shared.chunks
        with self._lock:
            if self._chunks is None:
                from chronotile.readers.zarr.waits import chunk_context  # noqa: PLC0415 -- loads tensorstore

                self.sizes.has_arrays = True
                self._chunks = chunk_context(self.sizes.array_bytes)
            return self._chunks
