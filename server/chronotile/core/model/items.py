"""Items: scenes or tiles of a collection, each of some place and time, with the files (assets) that hold its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple
from uuid import UUID, uuid5

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.types import Instant

TimeGroup = Literal["exact", "solar_day"]
"""Which items are one instant: those of equal time, or of one day by the sun at their centre."""

ChangeKind = Literal["added", "replaced", "removed"]

PRODUCTS = UUID("44678863-9636-5dfd-859c-fb7a20dd0d4c")
"""Namespace of the ids of products (RFC 9562 §5.5)."""

MosaicRule = Literal["first", "latest", "least_nodata", "max", "mean", "median"]
"""How overlapping pieces become one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mosaic:
    """How the items of one instant become one raster."""

    rule: MosaicRule = "first"
    order_by: str | None = None
    """A property of the items, by which they are sorted; equal and missing values by item id."""
    is_descending: bool = False
    too_many: Literal["footprints", "refuse"] = "footprints"
    """What a request gets that would open more than `max_pieces`."""
    max_pieces: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BandLayout:
    """What many files of a collection have in common: the grid of an asset, its overviews, and how it is encoded.

    The key of warp plans: of 10⁶ items there are some hundred.
    """

    levels: tuple[NativeGrid, ...]
    """Level 0 is the native grid, then overviews from fine to coarse."""
    encoding: Encoding | None
    """What the item and its file state; without what the configuration replaces. `None`: its type is not known."""
    band: int = 1
    """Counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file of an item, with what is known of it before it is opened."""

    name: str
    """The asset's key in the item."""
    href: str
    """Absolute path, or URL with s3:// or https://."""
    grid: NativeGrid | None = None
    """By the item's `proj:` fields; `None` where they are missing or contradict one another."""
    bands: tuple["AssetBand", ...] = ()
    """By the item's `bands` or `raster:bands`; empty: not stated."""
    media_type: str | None = None
    header: bytes | None = None
    """What opening the file costs, as `readers.cog` writes it: block table, overviews, encoding; `None`: not known."""
    etag: str = ""
    """In which the header was read; empty: not known."""
    size: int | None = None
    """In bytes, when the header was read."""
    layouts: tuple[BandLayout, ...] = ()
    """Of its bands, as its header states them; empty: by `grid` and `bands`, where these state a type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetBand:
    """What an item states of a band of an asset; `None` leaves it to the file."""

    name: str | None = None
    dtype: str | None = None
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A scene or tile as it is put into the index."""

    id: str
    footprint: tuple[tuple[tuple[float, float], ...], ...]
    """Outer rings of its polygons, (longitude, latitude), at most 16 vertices each; closed rings repeat the first."""
    bbox: BBox
    """CRS84; west > east where it crosses the antimeridian."""
    start: Instant
    end: Instant
    """Exclusive; one nanosecond after `start` of an item with one exact `datetime`."""
    updated: Instant | None = None
    assets: tuple[Asset, ...]
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Of the STAC item: what filters and orders look at."""
    document: bytes = b""
    """The STAC item as JSON, uncompressed; of files without one, made from them."""


class ItemRef(NamedTuple):
    """An item that covers a place at an instant, without its document."""

    number: int
    """In the index, never used again for another item."""
    id: str
    instant: Instant
    """Of its group: the start of the solar day, or the exact time."""
    changed: int
    """Rises with each change of the item."""
    bbox: BBox


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """What changes when a collection of the index does."""

    counter: int
    """Rises with each change of any item, and is greater in an index that is made again."""
    times_counter: int
    """Rises when instants appear or vanish."""
    layouts_counter: int
    """Rises when an asset with a grid or encoding appears that none had before, or the extent grows."""
    is_whole: bool = True
    """Whether its source was ever read to the end, and the dates of a folder as they are now; true of items that came
    without a source."""
    is_filled: bool = True
    """Whether a first pass over its source has ended, perhaps without parts that could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSearch:
    """What is looked for in the index."""

    collections: tuple[str, ...] = ()
    """Empty: all."""
    bbox: BBox | None = None
    """CRS84; west > east where it crosses the antimeridian."""
    geometry: Mapping[str, Any] | None = None
    """GeoJSON in CRS84, which footprints have to meet."""
    span: TimeSpan | None = None
    ids: tuple[str, ...] = ()
    filter: Mapping[str, Any] | None = None
    """CQL2 JSON."""
    sort: tuple[tuple[str, bool], ...] = ()
    """Properties, and whether descending; default: by start, newest first, then by number."""
    limit: int = 10
    """Items of a page; one of large documents has fewer, and is not the last for that."""
    skip: int = 0
    """Items before the page, after the cursor."""
    cursor: str | None = None
    """Of the page before; opaque."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundItem:
    """An item of a page."""

    ref: ItemRef
    collection: str
    document: bytes
    """The STAC item as it is stored, with the places of its files: not for strangers."""

    @property
    def product(self) -> UUID:
        """The id of its product."""
        return product_id(self.collection, self.ref.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A collection of which a search lacks items."""

    collection: str
    reason: str
    is_partial: bool = False
    """Whether the search has those of its items that are known so far; else it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """A page of a search."""

    items: tuple[FoundItem, ...]
    next: str | None
    """Cursor of the next page; `None`: this is the last."""
    matched: int | None
    """How many match in all; `None` beyond 10,000, and where not all items are known yet."""
    unanswered: tuple[Unanswered, ...] = ()
    """Collections whose items could not be looked at, or not at all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """What became of an item."""

    kind: ChangeKind
    """An item that is replaced while its changes are read may be `added` twice."""
    collection: str
    id: str
    item: FoundItem | None
    """As it is now; `None` of one that was removed."""
    number: int
    """Of what was written together; rises, and is another for each change of the same item."""
    cursor: str
    """From which a page goes on with the change after it."""

    @property
    def product(self) -> UUID:
        """The id of its product."""
        return product_id(self.collection, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """Changes in the order in which they were made; of an item that changed twice, the later one."""

    changes: tuple[ItemChange, ...]
    cursor: str
    """From which the next page goes on, now or later; opaque."""
    is_last: bool
    """Whether there are no more by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutSummary:
    """What putting items did."""

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
    """How the items of a collection are grouped, ordered and searched; stored beside them, as it is computed once."""

    group: TimeGroup | Literal["dates"] = "exact"
    """`dates`: the items are the dates of a collection without mosaics."""
    order_by: str | None = None
    """A property, or `datetime`, which is the start of each item; `None`: by item id."""
    is_descending: bool = False
    searched: tuple[str, ...] = ()
    """Properties whose values are found by an index."""

    @property
    def is_of_dates(self) -> bool:
        """Whether the items are the dates of a collection without mosaics, which is not read as one of items is."""
        return self.group == "dates"


def product_id(collection: str, item: str) -> UUID:
    """Return the id of an item among those of all collections: a UUID of version 5 (RFC 9562 §5.5)."""
    return uuid5(PRODUCTS, f"{collection}/{item}")


def solar_day(start: Instant, box: BBox) -> Instant:
    """Return midnight, UTC, of the day by the sun in the middle of a CRS84 box: 15 degrees are an hour."""
    shifted = start + np.timedelta64(solar_shift_s(box), "s")
    day: Instant = shifted.astype("datetime64[D]").astype("datetime64[ns]")
    return day


def solar_shift_s(box: BBox) -> int:
    """Return by how many seconds the sun is ahead of UTC in the middle of a CRS84 box."""
    return round((box.xmin + box.unwound().xmax) / 2 / 15 * 3600)
