"""Values for publications: a collection with files, and items with files."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chronotile.archive.publish.sources import GeneratedFile, LocalSourceFile, RemoteSourceFile
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Instant, Json

SourceFile = LocalSourceFile | RemoteSourceFile | GeneratedFile
"""A file to copy: `name` without folders, `state`, and `parts` of some MiB, which all belong to one state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAsset:
    """A file, or a folder of files such as a Zarr store, of a collection or an item."""

    key: str
    source: SourceFile | None = None
    folder: Mapping[str, SourceFile] | None = None
    """A folder instead of `source`: its files by relative path, in the order of copying."""
    name: str | None = None
    """Published name; `None`: the name of `source`."""
    fields: Json = field(default_factory=dict)
    """Members of the document except location, size and checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedItem:
    """A STAC item without links, and its files."""

    document: Json
    """The STAC item; its assets have no `href`."""
    start: Instant
    assets: tuple[PublishedAsset, ...]

    @property
    def id(self) -> str:
        """Id of the item."""
        return str(self.document["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVariable:
    """A physical quantity, for catalogues that list quantities."""

    id: str
    title: str
    units: str = "1"
    standard_name: str | None = None
    """The CF standard name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The job that made the published data."""

    process: str
    process_version: str
    inputs: Mapping[str, Any]
    finished: Instant
    software: str
    """Version of chronotile."""
    sources: tuple[Json, ...] = ()
    """Collections, layers, revisions and times that the job read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedExtent:
    """Box and times; `None`: unknown."""

    bbox: BBox | None = None
    """CRS84; west > east if it crosses the antimeridian."""
    start: Instant | None = None
    last: Instant | None = None
    """Inclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A collection to publish."""

    id: str
    title: str
    description: str
    license: str | None = None
    """SPDX id, URL or name of the licence."""
    attribution: str | None = None
    keywords: tuple[str, ...] = ()
    variables: tuple[PublishedVariable, ...] = ()
    extent: PublishedExtent = field(default_factory=PublishedExtent)
    """Extent of the files of the collection; items widen it."""
    fields: Json = field(default_factory=dict)
    """Additional members of the collection's document: `renders`, `cube:dimensions`, `cube:variables`."""
    extensions: tuple[str, ...] = ()
    """STAC extensions that define the members in `fields`."""
    assets: tuple[PublishedAsset, ...] = ()
    """Assets of the collection: a cube, or files with many times."""
    items: Callable[[], Iterable[PublishedItem]] = tuple
    """Returns its items ordered by day; there may be millions."""
    is_daily: bool = False
    """Whether items are in folders per day, because there may be many per day; else in folders per year."""
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueOptions:
    """Options that only the publisher can set."""

    url: str | None = None
    """Future public URL of the folder."""
    project: str | None = None
    """Id of the project in the Open Science Catalogue; `None`: id of the collection."""
    themes: tuple[str, ...] = ()
    """Ids of themes in the Open Science Catalogue."""
