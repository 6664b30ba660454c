"""What the readers of one archive keep of what they have read; each application has its own."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.caches.block_cache import BlockCache, SharedBlockMemory
from chronotile.readers.caches.byte_blocks import ByteBlocks
from chronotile.readers.caches.byte_cache import USUAL_BYTES, CacheSizes
from chronotile.readers.left_out import LeftOutItems

if TYPE_CHECKING:
    from chronotile.readers.mosaic.overview_files import OverviewFiles
    from chronotile.readers.mosaic.piece_index import PieceIndex
    from chronotile.readers.raster.overviews.previews import Previews
    from chronotile.readers.raster.pool import HandlePool


class ReaderCaches:
    """Open files, decoded blocks and chunks, and previews, each made when a reader first needs it.

    Args:
        max_bytes: Of open files and decoded pixels together.
        blocks: Decoded blocks of raster files, where several processes share them; else in memory of this process.
        previews: Of raster files without overviews; `None`: they are read without previews.
        items: Opens the index of items, where an application has one; called when a source of items is first opened.
        byte_blocks: Stored blocks of files elsewhere, on disk; `None`: they are fetched again.
        overviews: Of mosaics, on disk; `None`: they are drawn from their items alone.
        places: Where files may lie that items and references name, beside the place of their source.
        shared: Those of another archive, whose open files, blocks and chunks are these too.
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
        self.left_out = LeftOutItems()
        """Items of mosaics that could not be read."""
        self._blocks = blocks
        self._files: HandlePool | None = None
        self._chunks: Any = None
        self._lock = threading.RLock()
        self._opening_items = threading.Lock()

    @property
    def has_items(self) -> bool:
        """Whether the application has an index of items."""
        return self._open_items is not None

    @property
    def items(self) -> "PieceIndex | None":
        """The index of items; `None` where the application has none.

        Raises:
            ChronotileError: It cannot be opened.
        """
        with self._opening_items:  # alone: a database may take seconds not to answer
            if self._items is None and self._open_items is not None:
                self._items = self._open_items()
            return self._items

    def close(self) -> None:
        """Close the index of items, if it was opened; a later read connects to it again."""
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
        """Open raster files, whose blocks are cached in `blocks`."""
        if self._shared is not None:
            return self._shared.files
        with self._lock:
            if self._files is None:
                from chronotile.readers.raster.pool import HandlePool  # noqa: PLC0415 -- loads GDAL

                self._files = HandlePool(blocks=self.blocks, sizes=self.sizes)
            return self._files

    @property
    def chunks(self) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
        """The context of tensorstore that keeps decoded chunks of Zarr arrays; from now on they have their part."""
        if self._shared is not None:
            return self._shared.chunks
        with self._lock:
            if self._chunks is None:
                from chronotile.readers.zarr.waits import chunk_context  # noqa: PLC0415 -- loads tensorstore

                self.sizes.has_arrays = True
                self._chunks = chunk_context(self.sizes.array_bytes)
            return self._chunks
