"""What the verbs work with: the catalogue, the open sources, live collections, the clock."""

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
from chronotile.core.model.items import FoundItem, ItemSearch
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
from chronotile.readers.bisect_damage import FailingDates
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.derived.derive import MaskReader, masked_by
from chronotile.readers.elsewhere import Elsewhere
from chronotile.readers.products.checksums import Checksums
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage:
    """A page of the items of one such collection."""

    items: tuple[FoundItem, ...]
    next: str | None
    """Where the next page begins, as text for `LiveItems.page`; `None`: this is the last."""
    matched: int | None
    """How many match in all; `None`: the API does not say, or the number holds others too."""


class LiveItems(Protocol):
    """The collections of mode `live` of an application; unchanged by a reload."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their ids, in the order of the configuration."""

    @property
    def failing(self) -> Mapping[str, str]:
        """Why the APIs of collections did not answer when they were last requested, by collection."""

    def page(self, collection: str, search: ItemSearch, *, at: str | None) -> LivePage:
        """Return items that the API finds now, or found some minutes ago; they are in the index then.

        Args:
            collection: Its id.
            search: What is looked for; of its collections and cursor nothing is taken.
            at: Where the page begins, from the page before; `None`: it is the first.

        Raises:
            SearchNotSupported: The API cannot do what the search needs.
            InvalidParameter: The search, or the place where the page begins, is not accepted.
            SourceUnavailable: The API or the index does not answer.
            RemoteWaitRefused: The API has to be requested, which this thread may not.
        """

    def find(self, collection: str, id_: str) -> FoundItem | None:
        """Return an item by its id; errors are those of `page`."""


class RemoteWaitRefused(Exception):
    """Work needs an answer from another server, which threads for quick work do not wait for.

    Args:
        host: The server.
    """

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.host = host


_thread = threading.local()


@contextmanager
def refuse_remote_waits() -> Iterator[None]:
    """Make work of this thread raise `RemoteWaitRefused` before it would wait for another catalogue."""
    _thread.may_not = True
    try:
        yield
    finally:
        _thread.may_not = False


def require_remote_waits(host: str) -> None:
    """Check that this thread may wait for another catalogue.

    Raises:
        RemoteWaitRefused: It may not.
    """
    if getattr(_thread, "may_not", False):
        raise RemoteWaitRefused(host)


DEFAULT_PAYLOAD_BYTES = 64 << 20
DEFAULT_PLAN_BYTES = 32 << 20
DOCUMENT_BYTES = 64 << 20
STORE_BYTES = 16 << 20
SHARES_BYTES, SHARE_BYTES = 4 << 20, 200
"""Of all shares of valid pixels, and of one with its key."""
DOCUMENT_SHARE = 2
"""The description of 2,000 collections of OGC API takes half, and half a second to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches:
    """The caches, each within its bound."""

    payloads: ByteCache[bytes]
    """Encoded answers by ETag, which is made of the resolved target: a new revision is another key."""
    plans: ByteCache[WarpPlan | None]
    """How to warp a source onto a grid: the same tile at another date needs no coordinates."""
    cubes: CubeTileCache
    """Those of several dates, which are too large for `payloads`, by ETag too."""
    files: ScratchCache = field(default_factory=ScratchCache)
    """Files on the disk, for clients that request them part by part; by what they are made of."""
    making: ByteCache[None] = field(default_factory=lambda: ByteCache(0, lambda _nothing: 1))
    """Keeps nothing: such files that are being made, by the same key."""


def make_caches(
    *,
    payload_bytes: int = DEFAULT_PAYLOAD_BYTES,
    plan_bytes: int = DEFAULT_PLAN_BYTES,
    cube_files: DiskCache | None = None,
    written_cubes: PrebuiltCubeTiles | None = None,
) -> Caches:
    """Return empty caches of those sizes; cubes lie where they lay before, if anywhere."""
    payloads: ByteCache[bytes] = ByteCache(payload_bytes, len)
    return Caches(
        payloads=payloads,
        plans=ByteCache(plan_bytes, lambda plan: OVERHEAD_BYTES if plan is None else plan.nbytes),
        cubes=CubeTileCache(payloads, cube_files, written_cubes),
    )


@contextmanager
def reading(layer: Layer) -> Iterator[None]:
    """Name the layer in errors of its source, which knows only its own variables.

    Raises:
        SourceUnavailable: The block did; `DateUnreadable` stays that.
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
    """The state of a layer as it was found not long ago."""

    revision: str
    found_s: float
    """By the monotonic clock."""
    counter: str = ""
    """Of the items of a mosaic."""
    states: frozenset[int] = frozenset()
    """Of files: hashes of variable, `revision_key` and what each was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCubes:
    """Where jobs put serving cubes by name, for an operator to serve them."""

    folder: Path
    max_bytes: int
    """Of all that lies there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a verb needs besides its request; built once by `create_app`."""

    catalogue: Catalogue
    readers: Mapping[str, Reader]
    """By collection id."""
    clock: Clock
    changes: Mapping[str, Instant | None] = field(default_factory=lambda: {"": None})
    """When sources last changed, by collection, and under an empty name the configuration, if it is in files."""
    revision: str = ""
    """Short; the same in all processes that serve the same configuration, styles and states of sources."""
    is_local: frozenset[str] = frozenset()
    """Collections on disks of this machine: to look whether their files are as they were takes no time."""
    caches: Caches = field(default_factory=make_caches)
    reader_caches: ReaderCaches = field(default_factory=ReaderCaches)
    """What the readers keep; sources that are opened later have the same."""
    documents: ByteCache[CachedDocument] = field(
        default_factory=lambda: ByteCache(DOCUMENT_BYTES, attrgetter("nbytes"), largest_share=DOCUMENT_SHARE)
    )
    """Documents of the catalogue: not in `caches`, since those outlive a reload."""
    store_shapes: ByteCache[StoreShape] = field(
        default_factory=lambda: ByteCache(STORE_BYTES, attrgetter("nbytes"), largest_share=DOCUMENT_SHARE)
    )
    """By layer id and number of times: layers as Zarr stores."""
    served_axes: ServedAxes = field(default_factory=ServedAxes)
    """Time axes that clients of such stores hold; unchanged by a reload."""
    layer_revisions: dict[str, CachedRevision] = field(default_factory=dict)
    """By layer id; `pipeline.revision` keeps them here."""
    clear_times: dict[tuple[str, float], tuple[tuple[str, int], Instant]] = field(default_factory=dict)
    """By layer id and share, for a revision and the index of the newest time; kept by `pipeline.valid_share`."""
    counted_shares: ByteCache[float] = field(
        default_factory=lambda: ByteCache(SHARES_BYTES, lambda _share: SHARE_BYTES)
    )
    """Of valid pixels, by layer id and state of a time; `pipeline.valid_share` keeps them here."""
    masked_readers: dict[str, tuple[Reader, Reader]] = field(default_factory=dict)
    """By id of a layer that has a mask: the reader of its source, and that with the mask."""
    bounded_checks: BoundedChecks = field(default_factory=BoundedChecks)
    """At the states of layers."""
    findings: tuple[Finding, ...] = ()
    """What was found when the sources were opened; for operators alone."""
    failing_dates: FailingDates = field(default_factory=FailingDates)
    """Those that could not be read; unchanged by a reload."""
    source_hrefs: Mapping[str, str] = field(default_factory=dict)
    """Where the source of each collection is, by id: files of its items may be delivered from there."""
    checksums: Checksums = field(default_factory=Checksums)
    """Of files of products; unchanged by a reload."""
    live_items: LiveItems | None = None
    """Collections that other catalogues are searched for; `None`: none is. Unchanged by a reload."""
    elsewhere: Elsewhere = field(default_factory=Elsewhere)
    """Sources that are not on this machine, and which of them are away; unchanged by a reload."""
    memory: AnswerMemory = field(default_factory=AnswerMemory)
    """For large answers, all together; unchanged by a reload."""
    published_cubes: PublishedCubes | None = None
    """`None` where jobs put no cubes anywhere."""
    narrowed_from: "Services | None" = None
    """What these are a part of: all that one of several groups of users may use, as if there was nothing else."""
    grant: str = ""
    """Which part: part of the keys of caches; empty for all."""

    @property
    def origin(self) -> "Services":
        """All that is served, of which these may be a part."""
        return self.narrowed_from or self

    @property
    def changed(self) -> Instant | None:
        """When what is served last changed, where that is known of all of it."""
        times = [time for time in self.changes.values() if time is not None]
        is_whole = all(time is not None for name, time in self.changes.items() if name)
        return max(times) if times and is_whole else None

    def may_name(self, collection: str) -> bool:
        """Return whether the client may know of a collection, which may be away."""
        catalogue = self.catalogue
        exists = collection in catalogue.collections_by_id or collection in catalogue.unavailable.values()
        return exists or self.narrowed_from is None

    def close(self) -> None:
        """Close the sources, and the cached files."""
        for reader in self.readers.values():
            reader.close()
        self.caches.files.close()

    def reopen_reasons(self, collections: Iterable[str]) -> Mapping[str, str]:
        """Return why some collections have to be opened again (`Reader.reopen_reason`), by collection."""
        readers = {each: self.readers[each] for each in collections if each in self.readers}
        return {each: reader.reopen_reason for each, reader in readers.items() if reader.reopen_reason}

    def require_current_plans(self, collections: Iterable[str]) -> None:
        """Check that reading some collections left out no file for lack of its encoding.

        Raises:
            PlanStale: It did.
        """
        reason = next(iter(self.reopen_reasons(collections).values()), None)
        if reason is not None:
            raise PlanStale(reason)

    def reader(self, layer: Layer) -> Reader:
        """Return the open source of a layer.

        Raises:
            SourceUnavailable: It did not open, or is elsewhere and away.
        """
        self.elsewhere.require((layer.collection,))
        reader = self.readers.get(layer.collection)
        if reader is None:
            raise SourceUnavailable(f"the source of layer {layer.id} is not open")
        return reader if layer.mask is None else self._mask_reader(layer, layer.mask, reader)

    def _mask_reader(self, layer: Layer, mask: Mask, reader: Reader) -> Reader:
        cached = self.masked_readers.get(layer.id)
        if cached is None or cached[0] is not reader:
            variables, name = reader.info.variables, layer.main_variable.name
            if layer.main_variable.is_mosaic:
                masked: Reader = reader.add_mask(layer.main_variable, mask)
            else:
                masked = MaskReader(reader, {name: masked_by(variables[name], mask, variables[mask.variable])})
            cached = self.masked_readers[layer.id] = reader, masked
        return cached[1]


class LiveServices(Protocol):
    """The services of an application, which a reload replaces as a whole; `archive.live` has the one that reloads."""

    @property
    def services(self) -> Services:
        """Those of now."""

    @property
    def reloads(self) -> int:
        """Times that the services were replaced."""

    @property
    def failed_reloads(self) -> int:
        """Times that they were not, for mistakes of the configuration or unreadable sources."""

    @property
    def is_stale(self) -> bool:
        """Whether the last reload failed."""

    def has_grown(self, collection: str | None, /) -> bool:
        """Return whether the store of a collection, or any store, was written to since it was opened; reads files."""

    def follow(self, collection: str | None, /) -> None:
        """Reload if the store of a collection, or any store, was written to; reads files."""


@dataclass(frozen=True, slots=True)
class FixedServices:
    """Services that nothing replaces."""

    services: Services
    reloads: int = 0
    failed_reloads: int = 0
    is_stale: bool = False

    def has_grown(self, _collection: str | None, /) -> bool:
        """Return False: the services stay as they are."""
        return False

    def follow(self, _collection: str | None, /) -> None:
        """Do nothing."""


# How long the steps of one request took.


class Stopwatch:
    """Adds up the time of named steps, in seconds; for one request, in one thread."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of what is done inside for `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - start

    @property
    def steps(self) -> tuple[tuple[str, float], ...]:
        """Names and seconds, in the order of their first use."""
        return tuple(self._seconds.items())
