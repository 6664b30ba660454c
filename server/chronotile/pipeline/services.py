"""Services that operations work with: catalogue, readers, caches, live collections, clock."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from time import perf_counter
from typing import Protocol

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import DateUnreadable, PlanStale, SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Clock, Layer
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch
from chronotile.core.model.payload import CachedDocument
from chronotile.core.model.source import Mask
from chronotile.core.model.types import Instant
from chronotile.core.warp.plan import OVERHEAD_BYTES, WarpPlan
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.caches.cube_tiles import CubeTileCache, PrebuiltCubeTiles
from chronotile.pipeline.caches.scratch_cache import ScratchCache
from chronotile.pipeline.caches.served_axes import ServedAxes
from chronotile.pipeline.encoders.coverage.zarr3 import StoreShape
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.derived.mask import MaskReader, mask_variable
from chronotile.readers.elsewhere import Elsewhere
from chronotile.readers.failing_dates import FailingDates
from chronotile.readers.mosaic_reader import MosaicReader, as_mosaic
from chronotile.readers.products.checksums import Checksums
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches


class LiveItems(Protocol):
    """The collections of mode `live` of an application; not replaced by a reload."""

    @property
    def names(self) -> tuple[str, ...]:
        """Ids, in the order of the configuration."""

    @property
    def failing(self) -> Mapping[str, str]:
        """Reason of the failure of the last request to an API, by collection."""

    def page(self, collection: str, search: ItemSearch, *, at: str | None) -> ItemPage:
        """Return items from the API or from a cache of some minutes; they are in the index afterwards.

        `next` of the page is a cursor for this method. `matched` is `None` if the API does not report the number of
        matching items, or counts other items too.

        Args:
            collection: Id of the collection.
            search: The search; its collections and cursor are ignored.
            at: Cursor of the page; `None` for the first page.

        Raises:
            SearchNotSupported: The API does not support the search.
            InvalidParameter: The search or the cursor is invalid.
            SourceUnavailable: The API or the index does not respond.
            RemoteWaitRefused: The API must be requested, but this thread must not wait for it.
        """

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return an item; raises the errors of `page`."""


class RemoteWaitRefused(Exception):
    """A thread for quick work needs an answer from another server.

    Args:
        host: The server.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


_thread = threading.local()


@contextmanager
def refuse_remote_waits() -> Iterator[None]:
    """Make this thread raise `RemoteWaitRefused` instead of waiting for another catalogue."""
    _thread.refuses_waits = True
    try:
        yield
    finally:
        _thread.refuses_waits = False


def require_remote_waits(host: str) -> None:
    """Check that this thread may wait for another catalogue.

    Raises:
        RemoteWaitRefused: It must not wait.
    """
    if getattr(_thread, "refuses_waits", False):
        raise RemoteWaitRefused(host)


DEFAULT_PAYLOAD_BYTES = 64 << 20
DEFAULT_PLAN_BYTES = 32 << 20
DOCUMENT_BYTES = 64 << 20
STORE_BYTES = 16 << 20
SHARES_BYTES, SHARE_BYTES = 4 << 20, 200
"""Size of the cache of valid fractions, and of one fraction with its key."""
DOCUMENT_SHARE = 2
"""Divisor of the cache size that limits one document: that of 2,000 collections needs half, and takes 0.5 s to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """Caches of results, each limited in bytes; a reload keeps them."""

    payloads: ByteCache[bytes]
    """Encoded answers by ETag. The ETag contains the revision, so a change leads to another key."""
    plans: ByteCache[WarpPlan | None]
    """Warp plans by grids: a tile at another date needs no new coordinates."""
    cubes: CubeTileCache
    """Cube tiles by ETag. Those of many dates are too large for `payloads`."""
    files: ScratchCache = field(default_factory=ScratchCache)
    """Files on disk for clients that request them in parts, by the fingerprint of their contents."""
    making: ByteCache[None] = field(default_factory=lambda: ByteCache(0, lambda _nothing: 1))
    """Stores nothing; makes one thread at a time produce a file, by the same key as `files`."""


def make_caches(
    *,
    payload_bytes: int = DEFAULT_PAYLOAD_BYTES,
    plan_bytes: int = DEFAULT_PLAN_BYTES,
    cube_files: DiskCache | None = None,
    written_cubes: PrebuiltCubeTiles | None = None,
) -> Caches:
    """Return caches of these sizes; cube tiles are cached on disk too if `cube_files` is given."""
    payloads: ByteCache[bytes] = ByteCache(payload_bytes, len)
    return Caches(
        payloads=payloads,
        plans=ByteCache(plan_bytes, lambda plan: OVERHEAD_BYTES if plan is None else plan.nbytes),
        cubes=CubeTileCache(payloads, cube_files, written_cubes),
    )


@contextmanager
def reading(layer: Layer) -> Iterator[None]:
    """Add the layer to errors of its reader, which reports only variables.

    Raises:
        SourceUnavailable: The block raised it; `DateUnreadable` keeps its class.
    """
    try:
        yield
    except DateUnreadable as error:
        when = " at a requested time" if len(layer.times) else ""
        raise DateUnreadable(f"layer {layer.id} cannot be read{when}: {error.message}") from error
    except SourceUnavailable as error:
        raise SourceUnavailable(f"layer {layer.id} cannot be read now: {error.message}") from error


@dataclass(frozen=True, slots=True)
class CachedRevision:
    """A recent revision of a layer."""

    revision: str
    found_s: float
    """Time of its computation, by the monotonic clock."""
    counter: str = ""
    """Counter of changes of the items, if the layer is a mosaic."""
    states: frozenset[int] = frozenset()
    """Hashes of variable, `revision_key` and fingerprint of each file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCubes:
    """Folder where jobs store serving cubes by name, for an operator to serve them."""

    folder: Path
    max_bytes: int
    """Limit of all cubes in the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that an operation needs besides its request; made by `create_app`."""

    catalogue: Catalogue
    readers: Mapping[str, Reader]
    """Readers by collection id."""
    clock: Clock
    changes: Mapping[str, Instant | None] = field(default_factory=lambda: {"": None})
    """Time of the last change of each source, by collection; of the configuration's files under an empty name."""
    revision: str = ""
    """Short text, equal in all processes with the same configuration, styles and fingerprints of sources."""
    is_local: frozenset[str] = frozenset()
    """Collections on disks of this machine: checking their files takes no time."""
    caches: Caches = field(default_factory=make_caches)
    reader_caches: ReaderCaches = field(default_factory=ReaderCaches)
    """Caches of the readers; sources that are opened later share them."""
    documents: ByteCache[CachedDocument] = field(
        default_factory=lambda: ByteCache(DOCUMENT_BYTES, attrgetter("nbytes"), entry_divisor=DOCUMENT_SHARE)
    )
    """Documents of the catalogue; separate from `caches`, as a reload must discard them."""
    store_shapes: ByteCache[StoreShape] = field(
        default_factory=lambda: ByteCache(STORE_BYTES, attrgetter("nbytes"), entry_divisor=DOCUMENT_SHARE)
    )
    """Layers as Zarr stores, by layer id and number of times."""
    served_axes: ServedAxes = field(default_factory=ServedAxes)
    """Time axes that clients of Zarr stores have; not replaced by a reload."""
    layer_revisions: dict[str, CachedRevision] = field(default_factory=dict)
    """Revisions by layer id, for `pipeline.revision`."""
    clear_times: dict[tuple[str, float], tuple[tuple[str, int], Instant]] = field(default_factory=dict)
    """Newest clear time by layer id and required fraction, with the revision and newest index that it depends on."""
    counted_shares: ByteCache[float] = field(
        default_factory=lambda: ByteCache(SHARES_BYTES, lambda _share: SHARE_BYTES)
    )
    """Valid fractions by layer id and fingerprint of a time; for `pipeline.most_valid_times`."""
    masked_readers: dict[str, tuple[Reader, Reader]] = field(default_factory=dict)
    """Reader of the source and reader that applies the mask, by id of a layer with a mask."""
    bounded_checks: BoundedChecks = field(default_factory=BoundedChecks)
    """Checks of the revisions of layers."""
    findings: tuple[Finding, ...] = ()
    """Findings from opening the sources, for operators."""
    failing_dates: FailingDates = field(default_factory=FailingDates)
    """Unreadable dates; not replaced by a reload."""
    source_hrefs: Mapping[str, str] = field(default_factory=dict)
    """Location of the source of each collection, by id; files of its items below it may be delivered."""
    checksums: Checksums = field(default_factory=Checksums)
    """Checksums of files of products; not replaced by a reload."""
    live_items: LiveItems | None = None
    """Collections whose searches go to other catalogues, if any; not replaced by a reload."""
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    """Remote sources and their availability; not replaced by a reload."""
    memory: AnswerMemory = field(default_factory=AnswerMemory)
    """Memory for large answers, shared by all requests; not replaced by a reload."""
    published_cubes: PublishedCubes | None = None
    """`None` if jobs do not store cubes by name."""
    narrowed_from: "Services | None" = None
    """The unrestricted services, if these are restricted to the rights of one group of users."""
    grant: str = ""
    """Fingerprint of the rights, for keys of caches; empty without restriction."""

    @property
    def origin(self) -> "Services":
        """The unrestricted services."""
        return self.narrowed_from or self

    @property
    def changed(self) -> Instant | None:
        """Time of the last change of the served data; `None` if it is unavailable for a source."""
        times = [time for time in self.changes.values() if time is not None]
        is_whole = all(time is not None for name, time in self.changes.items() if name)
        return max(times) if times and is_whole else None

    def may_name(self, collection: str) -> bool:
        """Return whether the existence of a collection, possibly unavailable, may be shown to the client."""
        catalogue = self.catalogue
        exists = collection in catalogue.collections_by_id or collection in catalogue.unavailable.values()
        return exists or self.narrowed_from is None

    def close(self) -> None:
        """Close the sources, and the cached files."""
        for reader in self.readers.values():
            reader.close()
        self.caches.files.close()

    def reopen_reasons(self, collections: Iterable[str]) -> Mapping[str, str]:
        """Return why some collections must be opened again (`MosaicReader.reopen_reason`), by collection."""
        readers = {name: self.readers[name] for name in collections if name in self.readers}
        return {
            name: reader.reopen_reason
            for name, reader in readers.items()
            if isinstance(reader, MosaicReader) and reader.reopen_reason
        }

    def require_current_plans(self, collections: Iterable[str]) -> None:
        """Check that no file was skipped because its encoding is new in its collection.

        Raises:
            PlanStale: A file was skipped.
        """
        reason = next(iter(self.reopen_reasons(collections).values()), None)
        if reason is not None:
            raise PlanStale(reason)

    def reader(self, layer: Layer) -> Reader:
        """Return the reader of a layer; it applies the mask of the layer.

        Raises:
            SourceUnavailable: The source did not open, or is remote and unreachable.
        """
        self.elsewhere.require((layer.collection,))
        reader = self.readers.get(layer.collection)
        if reader is None:
            raise SourceUnavailable(f"the source of layer {layer.id} is not open")
        return reader if layer.mask is None else self._mask_reader(layer, layer.mask, reader)

    def mosaic_reader(self, layer: Layer) -> MosaicReader:
        """Return the open source of a layer of a mosaic.

        Raises:
            SourceUnavailable: As in `reader`.
        """
        return as_mosaic(self.reader(layer))

    def _mask_reader(self, layer: Layer, mask: Mask, reader: Reader) -> Reader:
        cached = self.masked_readers.get(layer.id)
        if cached is None or cached[0] is not reader:
            variables, name = reader.info.variables, layer.main_variable.name
            if layer.main_variable.is_mosaic:
                masked: Reader = as_mosaic(reader).add_mask(layer.main_variable, mask)
            else:
                masked = MaskReader(reader, {name: mask_variable(variables[name], mask, variables[mask.variable])})
            cached = self.masked_readers[layer.id] = reader, masked
        return cached[1]


class LiveServices(Protocol):
    """The services of an application, which a reload replaces; `archive.live_archive` has the class that reloads."""

    @property
    def services(self) -> Services:
        """The present services."""

    @property
    def reloads(self) -> int:
        """Number of reloads."""

    @property
    def failed_reloads(self) -> int:
        """Number of reloads that failed because of the configuration or unreadable sources."""

    @property
    def is_stale(self) -> bool:
        """Whether the last reload failed."""

    def has_grown(self, collection: str | None, /) -> bool:
        """Return whether a store was written to since it was opened; `None` means any collection. Reads files."""

    def follow(self, collection: str | None, /) -> None:
        """Reload if a store was written to; `None` means any collection. Reads files."""


@dataclass(frozen=True, slots=True)
class FixedServices:
    """Services that are never reloaded."""

    services: Services
    reloads: int = 0
    failed_reloads: int = 0
    is_stale: bool = False

    def has_grown(self, _collection: str | None, /) -> bool:
        """Return False."""
        return False

    def follow(self, _collection: str | None, /) -> None:
        """Do nothing."""


class Stopwatch:
    """Adds up the seconds of named steps of one request. Not thread-safe."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time of the block to the step `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - start

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """Names and seconds, in the order of their first use."""
        return tuple(self._seconds.items())
