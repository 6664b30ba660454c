"""What the verbs work with: the catalogue, the open sources, the clock."""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chronotile.catalog.catalogue import Catalogue
from chronotile.encoders.coverage.store_shape import StoreShape
from chronotile.errors import DateUnreadable, SourceUnavailable
from chronotile.model.collection import Clock, Layer
from chronotile.model.payload import Document
from chronotile.model.source import Finding
from chronotile.model.time.instants import Instant
from chronotile.pipeline.bounded_wait import BoundedLooks
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.caches.cube_tiles import CubeTileCache
from chronotile.pipeline.caches.given_axes import GivenAxes
from chronotile.pipeline.caches.prebuilt_cube_tiles import PrebuiltCubeTiles
from chronotile.pipeline.caches.scratch_cache import ScratchCache
from chronotile.pipeline.live_items import LiveItems
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.elsewhere.sources import Elsewhere
from chronotile.readers.failing_dates import FailingDates
from chronotile.readers.products.checksums import Checksums
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.warp.plan import OVERHEAD_BYTES, WarpPlan

DEFAULT_PAYLOAD_BYTES = 64 << 20
DEFAULT_PLAN_BYTES = 32 << 20
DOCUMENT_BYTES = 64 << 20
STORE_BYTES = 16 << 20
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


def _document_bytes(document: Document) -> int:
    return document.nbytes


def _shape_bytes(shape: StoreShape) -> int:
    return shape.nbytes


@dataclass(frozen=True, slots=True)
class CachedRevision:
    """The state of a layer as it was found not long ago."""

    revision: str
    found_s: float
    """By the monotonic clock."""
    counter: str = ""
    """Of the items of a mosaic."""
    states: Mapping[Hashable, str] = field(default_factory=dict)
    """Of files: by variable and `state_key`, what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCubes:
    """Where jobs put serving cubes by name, for an operator to serve them."""

    folder: Path
    most_bytes: int
    """Of all that lies there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that a verb needs besides its request; built once by `create_app`."""

    catalogue: Catalogue
    readers: Mapping[str, Reader]
    """By collection id."""
    clock: Clock
    changed: Instant | None = None
    """When what is served last changed, where that is known."""
    revision: str = ""
    """Short; the same in all processes that serve the same configuration, styles and states of sources."""
    is_local: frozenset[str] = frozenset()
    """Collections on disks of this machine: to look whether their files are as they were takes no time."""
    caches: Caches = field(default_factory=make_caches)
    reader_caches: ReaderCaches = field(default_factory=ReaderCaches)
    """What the readers keep; sources that are opened later have the same."""
    documents: ByteCache[Document] = field(
        default_factory=lambda: ByteCache(DOCUMENT_BYTES, _document_bytes, largest_share=DOCUMENT_SHARE)
    )
    """Documents of the catalogue: not in `caches`, since those outlive a reload."""
    store_shapes: ByteCache[StoreShape] = field(
        default_factory=lambda: ByteCache(STORE_BYTES, _shape_bytes, largest_share=DOCUMENT_SHARE)
    )
    """By layer id and number of times: layers as Zarr stores."""
    given_axes: GivenAxes = field(default_factory=GivenAxes)
    """Time axes that clients of such stores hold; unchanged by a reload."""
    layer_revisions: dict[str, CachedRevision] = field(default_factory=dict)
    """By layer id; `pipeline.revision` keeps them here."""
    clear_times: dict[str, tuple[tuple[str, int], Instant]] = field(default_factory=dict)
    """By layer id, for a revision and the index of the newest time; `pipeline.clear_time` keeps them here."""
    looks: BoundedLooks = field(default_factory=BoundedLooks)
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

    def close(self) -> None:
        """Close the sources, and the cached files."""
        for reader in self.readers.values():
            reader.close()
        self.caches.files.close()

    def reader(self, layer: Layer) -> Reader:
        """Return the open source of a layer.

        Raises:
            SourceUnavailable: It did not open, or is elsewhere and away.
        """
        self.elsewhere.require((layer.collection,))
        reader = self.readers.get(layer.collection)
        if reader is None:
            raise SourceUnavailable(f"the source of layer {layer.id} is not open")
        return reader


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
