"""Items: scenes or tiles of a collection, each with a footprint, a time and files (assets)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import Instant

TimeGroup = Literal["exact", "day", "solar_day"]
"""Grouping of items to instants: equal times, equal days in UTC, or equal solar days at the centres of the items."""

ChangeKind = Literal["added", "replaced", "removed"]

PRODUCTS = UUID("44678863-9636-5dfd-859c-fb7a20dd0d4c")
"""Namespace of the ids of products (RFC 9562 §5.5)."""

MosaicRule = Literal["first", "latest", "least_nodata", "max", "mean", "median"]
"""Rule that combines overlapping pieces into one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """Rules that combine the items of one instant into one raster."""

    rule: MosaicRule = "first"
    order_by: str | None = None
    """Property by which items are sorted; equal and missing values are sorted by item id."""
    is_descending: bool = False
    too_many: Literal["footprints", "refuse"] = "footprints"
    """Answer to a request that would open more than `max_pieces` items."""
    max_pieces: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BandLayout:
    """Grid, overviews and encoding of an asset, shared by many files of a collection.

    Key of warp plans: 10⁶ items have some hundred layouts.
    """

    levels: tuple[NativeGrid, ...]
    """Level 0 is the native grid, then overviews from fine to coarse."""
    encoding: Encoding | None
    """Encoding stated by item and file, without the settings of the configuration. `None`: the dtype is unknown."""
    band: int = 1
    """Counted from 1."""
    array: str | None = None
    """Name of the array in a file of arrays; `None` for rasters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of an item, with the metadata that is available before it is opened."""

    name: str
    """Key of the asset in the item."""
    href: str
    """Absolute path, or URL with https:// or of a bucket (s3://, gs://, az://)."""
    grid: NativeGrid | None = None
    """From the `proj:` fields of the item; `None` if these are missing or contradictory."""
    bands: tuple["AssetBand", ...] = ()
    """From `bands` or `raster:bands` of the item; empty if missing."""
    media_type: str | None = None
    header: bytes | None = None
    """Block table, overviews and encoding (`readers.cog`), or a swath (`readers.cf`); `None`: not read yet."""
    etag: str = ""
    """ETag of the file when the header was read; empty: unknown."""
    size: int | None = None
    """Bytes of the file when the header was read."""
    layouts: tuple[BandLayout, ...] = ()
    """Layouts of its bands from the header. Empty: from `grid` and `bands`, if these state a dtype."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetBand:
    """Metadata of a band in the item; `None` leaves a field to the file."""

    name: str | None = None
    dtype: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A scene or tile in the form in which it is added to the index."""

    id: str
    footprint: tuple[tuple[tuple[float, float], ...], ...]
    """Outer rings of the polygons, (longitude, latitude), at most 16 vertices per ring; the last repeats the first."""
    bbox: BBox
    """CRS84; west > east if it crosses the antimeridian."""
    start: Instant
    end: Instant
    """Exclusive; `start` plus one nanosecond if the item has a single `datetime`."""
    updated: Instant | None = None
    assets: tuple[Asset, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the STAC item, for filters and orders."""
    document: bytes = b""
    """STAC item as JSON, uncompressed; generated if the files have no item document."""


class ItemRef(NamedTuple):
    """An item that covers a point at an instant, without its document."""

    number: int
    """Number in the index, never reused."""
    id: str
    instant: Instant
    """Instant of its group: the start of the day or solar day, or the exact time."""
    changed: int
    """Increases with every change of the item."""
    bbox: BBox


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """Counters and flags that show whether a collection of the index has changed."""

    counter: int
    """Increases with every change of any item, and is greater in a rebuilt index."""
    times_counter: int
    """Increases if instants appear or vanish."""
    layouts_counter: int
    """Increases if an asset has a new grid or encoding, or if the extent grows."""
    is_whole: bool = True
    """Whether its source was read completely at least once, a folder with its current dates. True if the items have no
    source."""
    is_filled: bool = True
    """Whether a first pass over its source has ended, possibly without unreadable parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSearch:
    """Conditions, order and page of a search in the index."""

    collections: tuple[str, ...] = ()
    """Empty: all."""
    bbox: BBox | None = None
    """CRS84; west > east if it crosses the antimeridian."""
    geometry: Mapping[str, Any] | None = None
    """GeoJSON in CRS84; footprints must intersect it."""
    span: TimeSpan | None = None
    ids: tuple[str, ...] = ()
    filter: Mapping[str, Any] | None = None
    """CQL2 JSON."""
    sort: tuple[tuple[str, bool], ...] = ()
    """Properties, and whether each is descending. Default: newest start first, then `ItemRef.number` ascending."""
    limit: int = 10
    """Maximum number of items per page; large documents make a page shorter, even if it is not the last."""
    skip: int = 0
    """Number of items to skip after the cursor."""
    cursor: str | None = None
    """Opaque cursor returned with the previous page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundItem:
    """An item in the results of a search."""

    ref: ItemRef
    collection: str
    document: bytes
    """The stored STAC item, including the locations of its files, which clients must not see."""

    @property
    def product(self) -> UUID:
        """Id of its product."""
        return product_id(self.collection, self.ref.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A collection whose items are missing in the results of a search."""

    collection: str
    reason: str
    is_partial: bool = False
    """Whether the results contain the items of the collection that are indexed so far; else they contain none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """One page of search results."""

    items: tuple[FoundItem, ...]
    next: str | None
    """Cursor of the next page; `None` on the last page."""
    matched: int | None
    """Number of all matching items; `None` beyond 10,000 and if the index is incomplete."""
    unanswered: tuple[Unanswered, ...] = ()
    """Collections that could not be searched, or only partly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """One change of an item."""

    kind: ChangeKind
    """An item that is replaced while its changes are read may be `added` twice."""
    collection: str
    id: str
    item: FoundItem | None
    """The current item; `None` if it was removed."""
    number: int
    """Number of the write that made the change; increases, and differs between changes of one item."""
    cursor: str
    """Cursor of a page that starts after this change."""

    @property
    def product(self) -> UUID:
        """Id of its product."""
        return product_id(self.collection, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """Changes in the order of their writes. If an item changed twice, only the later change is listed."""

    changes: tuple[ItemChange, ...]
    cursor: str
    """Opaque cursor of the next page, also for changes that are made later."""
    is_last: bool
    """Whether no more changes exist at present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSummary:
    """Number of items that were added, replaced and left unchanged."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0

    def __add__(self, other: "PutSummary") -> "PutSummary":
        return PutSummary(
            added=self.added + other.added,
            replaced=self.replaced + other.replaced,
            unchanged=self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """Grouping, order and search of a collection's items; stored with the items, whose groups are computed once."""

    group: TimeGroup | Literal["dates"] = "exact"
    """`dates`: the items are the dates of a collection without mosaics."""
    order_by: str | None = None
    """A property, or `datetime` for the start of the items; `None`: by item id."""
    is_descending: bool = False
    searched: tuple[str, ...] = ()
    """Properties that have a database index."""

    @property
    def is_of_dates(self) -> bool:
        """Whether the items are the dates of a collection without mosaics, which is not read like a mosaic."""
        return self.group == "dates"


def product_id(collection: str, item: str) -> UUID:
    """Return an id that is unique across collections: a UUID of version 5 (RFC 9562 §5.5)."""
    return uuid5(PRODUCTS, f"{collection}/{item}")


def solar_shift_s(box: BBox) -> int:
    """Return the seconds by which solar time at the centre of a CRS84 box is ahead of UTC; 15 degrees are one hour."""
    return round((box.xmin + box.unwound().xmax) / 2 / 15 * 3600)
