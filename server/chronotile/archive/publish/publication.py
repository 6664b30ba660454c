"""What is published, as values: a collection with its files, and items with theirs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chronotile.archive.publish.sources import Document, LocalFile, RemoteFile
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Instant, Json

Source = LocalFile | RemoteFile | Document
"""A file that is to be copied: its `name` without folders, its `state`, and `parts` of some MiB, all in one state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file, or a folder of files such as a Zarr store, of a collection or an item."""

    key: str
    source: Source | None = None
    folder: Mapping[str, Source] | None = None
    """Of a folder in place of `source`: its files by their paths in it, in the order in which they are copied."""
    name: str | None = None
    """Under which it is published; `None`: that of `source`."""
    fields: Json = field(default_factory=dict)
    """What the document says of it besides its place, size and checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedItem:
    """A STAC item, without links, and its files."""

    document: Json
    """With assets without `href`."""
    start: Instant
    assets: tuple[Asset, ...]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A quantity, for catalogues that list what is measured."""

    id: str
    title: str
    units: str = "1"
    standard_name: str | None = None
    """As CF names the quantity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The job that made what is published."""

    process: str
    process_version: str
    inputs: Mapping[str, Any]
    finished: Instant
    software: str
    """Version of chronotile."""
    sources: tuple[Json, ...] = ()
    """Collections, layers, revisions and times that were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Where and when; `None`: not known."""

    bbox: BBox | None = None
    """CRS84; west > east where it crosses the antimeridian."""
    start: Instant | None = None
    last: Instant | None = None
    """Belongs to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A collection that is to be published."""

    id: str
    title: str
    description: str
    license: str | None = None
    """SPDX id, the URL of the licence, or words."""
    attribution: str | None = None
    keywords: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    extent: Extent = field(default_factory=Extent)
    """Of what its own files hold; items widen it."""
    fields: Json = field(default_factory=dict)
    """Further members of the collection's document: `renders`, `cube:dimensions`, `cube:variables`."""
    extensions: tuple[str, ...] = ()
    """Of these members."""
    assets: tuple[Asset, ...] = ()
    """Of the collection itself: a cube, or files of many times."""
    items: Callable[[], Iterable[PublishedItem]] = tuple
    """Gives its items in the order of their days, however many."""
    is_daily: bool = False
    """Whether there may be many items a day, which get a folder for each day; else one for each year."""
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueOptions:
    """What only the publisher knows."""

    url: str | None = None
    """Under which the folder will be read."""
    project: str | None = None
    """Id of the project in the Open Science Catalogue; `None`: the collection's."""
    themes: tuple[str, ...] = ()
    """Ids of themes in the Open Science Catalogue."""
