"""Items of the files that a tile index of GDAL (GTI) lists: GeoPackage, FlatGeobuf, GeoParquet, or XML that names one.

GDAL does not open the index: it could open any file that the index names. Only the column of locations is read, and
each location is checked like an address in a STAC item. Extents, masks and overviews in the index are not used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from chronotile.archive.index.documents import state_of
from chronotile.archive.index.files import FileGroup, FilesSource
from chronotile.archive.index.source import CheckAddress, ReadEntry
from chronotile.catalog.items.passes import add_allowed_locations
from chronotile.core.errors import (
    InvalidItem,
    InvalidParameter,
    LimitExceeded,
    SourceUnavailable,
    UnsupportedSource,
    raised_instead,
)
from chronotile.core.extras import require_extra
from chronotile.core.model.source import DATA, SourceSpec
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.web.item_places import absolute
from chronotile.core.web.places import is_local
from chronotile.core.xml_text import MAX_BYTES as MAX_XML_BYTES
from chronotile.core.xml_text import parse_xml
from chronotile.readers.file_states import state_now
from chronotile.readers.hrefs import local_path
from chronotile.readers.places.convert import Conversion
from chronotile.readers.places.isolated import convert_isolated
from chronotile.readers.places.table import GEOPACKAGE

ENDS = (".gti", ".gpkg", ".fgb", ".parquet")
LOCATION = "location"
"""Default name of the column."""
MAX_BYTES = 64 << 20
"""Maximum size of an index, and of its locations."""
MAX_FILES = 200_000
MEMORY_BYTES, CPU_S = 1 << 30, 60
"""Limits of the process that reads the locations."""
_NOT_IN_PATHS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def is_tile_index(href: str) -> bool:
    """Return whether files are listed by a tile index, which GDAL recognises by its name, too."""
    return href.lower().endswith(ENDS)


class TileIndexSource(FilesSource):
    """The items of the files in a tile index; each file is an item.

    Args:
        spec: The source of the collection.
        allowed: Returns the address to open of a location.
        places: Text that changes with the permitted locations.
    """

    def __init__(self, spec: SourceSpec, allowed: CheckAddress, places: str) -> None:
        super().__init__(spec)
        self.allowed = allowed
        self._places = places
        self._path = local_path(spec.href) or Path()
        self._root = f"{self._path.parent}/"
        self._index_states = dict[str, str]()
        """States of the index and of its table, before they were read."""
        self._unchecked: Iterator[tuple[str, FileGroup]] = iter(())

    @property
    def identity(self) -> str:
        """The index, the options for reading the files, and the permitted locations."""
        return add_allowed_locations(super().identity, self._places)

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether the index was overwritten, or a file among the next `most_files` files."""
        batch = list(islice(self._unchecked, most_files))
        if len(batch) < most_files:
            self._unchecked = iter(list(self._groups.items()))
        states = [*self._index_states.items(), *((key, group.state) for key, group in batch)]
        return not self._index_states or any(_state(address) != state for address, state in states)

    def _group_files(self) -> dict[str, FileGroup]:
        self._index_states = {str(self._path): _state(str(self._path))}
        table = table_of(self._path)
        self._index_states[str(table.path)] = _state(str(table.path))
        groups = dict[str, FileGroup]()
        for location in locations_of(table):
            address = _address_of(location, str(self._path))
            if address not in self._spec.left_out:
                groups[address] = FileGroup(paths={DATA: address}, state=_state(address))
        if not groups:
            raise SourceUnavailable(f"{self._path.name} lists no file")
        return groups

    def _read(self, key: str, group: FileGroup, span: TimeSpan | None, before: str) -> ReadEntry:
        if not is_local(key):
            raise InvalidItem("it is remote; a tile index can list only local files")
        path = self.allowed(key)
        return super()._read(key, FileGroup(paths={DATA: path}, state=group.state), span, before)


@dataclass(frozen=True, slots=True)
class IndexTable:
    """A file with locations."""

    path: Path
    column: str = LOCATION
    layer: str | None = None
    """The feature table; `None` for the only one."""


def table_of(path: Path) -> IndexTable:
    """Return the table of a tile index: the file itself, or the one named in a `.gti` file.

    Raises:
        UnsupportedSource: The `.gti` file is damaged, or names another kind of source.
        SourceUnavailable: It cannot be read.
    """
    if path.suffix.lower() != ".gti":
        return IndexTable(path)
    damaged = UnsupportedSource(f"{path.name} is not an XML document of GDAL's tile indexes")
    with raised_instead(InvalidParameter, damaged):
        root = parse_xml(_content(path, MAX_XML_BYTES), what="the index")
    target = (root.findtext("IndexDataset") or "").strip()
    if root.tag != "GDALTileIndexDataset" or not target:
        raise damaged
    if "/" in target or not target.lower().endswith(ENDS[1:]):
        ends = ", ".join(ENDS[1:])
        raise UnsupportedSource(f"its IndexDataset is not a file in its folder that ends with {ends}")
    column = (root.findtext("LocationField") or "").strip()
    return IndexTable(path.parent / target, column or LOCATION, root.findtext("IndexLayer"))


def locations_of(table: IndexTable) -> list[str]:
    """Return the locations in a tile index, in their order.

    Raises:
        UnsupportedSource: It is damaged, too large, or has no column of locations.
        SourceUnavailable: It cannot be read.
    """
    content = _content(table.path, MAX_BYTES)
    is_parquet = table.path.suffix.lower() == ".parquet"
    if is_parquet:
        require_extra("parquet", "a tile index in Parquet", error=UnsupportedSource)
    elif not content.startswith(GEOPACKAGE):
        require_extra("places", "a tile index in FlatGeobuf", error=UnsupportedSource)
    limits = Conversion(
        max_vertices=20 * MAX_FILES,
        max_features=MAX_FILES,
        max_bytes=MAX_BYTES,
        memory_bytes=MEMORY_BYTES,
        cpu_s=CPU_S,
        table=table.layer,
        is_upload=False,
        has_geometries=False,
        parquet_column=table.column if is_parquet else None,
    )
    try:
        features = orjson.loads(convert_isolated(content, limits))["features"]
    except (UnsupportedSource, LimitExceeded) as error:
        raise UnsupportedSource(f"the locations in {table.path.name} cannot be read: {error.message}") from error
    return _texts([feature["properties"].get(table.column) for feature in features], table.column)


def _texts(values: list[object], column: str) -> list[str]:
    texts = [value for value in values if isinstance(value, str)]
    if values and not texts:
        raise UnsupportedSource(f"it has no texts in a column {column}; a .gti file names another one as LocationField")
    return texts


def _content(path: Path, most: int) -> bytes:
    unreadable = SourceUnavailable(f"{path.name} cannot be read")
    with raised_instead(OSError, unreadable), path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise UnsupportedSource(f"{path.name} has more than {most} bytes")
    return content


def _address_of(location: str, index: str) -> str:
    """Return the absolute path or URL of a location; for an invalid location, a text that `_read` refuses."""
    if _NOT_IN_PATHS.search(location):
        return ascii(location)
    try:
        return absolute(location, index)
    except ValueError:
        return location


def _state(address: str) -> str:
    """Return the state of a file; a constant if it is remote, missing or refused."""
    try:
        return state_of(state_now(address)) if is_local(address) else "remote"
    except (OSError, ValueError):
        return "missing"
