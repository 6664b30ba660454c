"""Items of the files that a tile index of GDAL (GTI) lists: GeoPackage, FlatGeobuf, GeoParquet, or XML that names one.

GDAL does not open the index: it could open any file that the index names. Only the column of locations is read, and
each location is checked like an address in a STAC item. Extents, masks and overviews in the index are not used.
"""

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson

from chronotile.archive.index.documents import state_of
from chronotile.archive.index.files import FileGroup, FilesSource
from chronotile.archive.index.source import CheckAddress, ReadEntry
from chronotile.catalog.items.passes import add_allowed_locations
from chronotile.core.errors import InvalidItem, SourceUnavailable, UnsupportedSource, raised_instead
from chronotile.core.extras import require_extra
from chronotile.core.model.source import DATA, SourceSpec
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.web.item_places import absolute
from chronotile.core.web.places import is_local
from chronotile.readers.hrefs import local_path
from chronotile.readers.places.convert import Conversion
from chronotile.readers.places.isolated import convert_isolated
from chronotile.readers.places.table import GEOPACKAGE

ENDS = (".gti", ".gpkg", ".fgb", ".parquet")
LOCATION = "location"
"""Default name of the column."""
MAX_XML_BYTES = 1 << 20
MAX_BYTES = 256 << 20
"""Maximum size of an index."""
MAX_FILES = 200_000
MEMORY_BYTES, CPU_S = 1 << 30, 60
"""Limits of the process that reads a GeoPackage or FlatGeobuf file."""
_UNSAFE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


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
        self._listed = ""
        self._turn: Iterator[tuple[str, FileGroup]] = iter(())

    @property
    def identity(self) -> str:
        """The index, the options for reading the files, and the permitted locations."""
        return add_allowed_locations(super().identity, self._places)

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether the index was overwritten, or a file among the next `most_files` files."""
        batch = list(islice(self._turn, most_files))
        if len(batch) < most_files:
            self._turn = iter(list(self._groups.items()))
        return _state(self._path) != self._listed or any(_state(Path(key)) != group.state for key, group in batch)

    def _group_files(self) -> dict[str, FileGroup]:
        self._listed = _state(self._path)
        groups = dict[str, FileGroup]()
        for location in locations_of(self._path):
            try:
                address = absolute(location, str(self._path))
            except ValueError:
                address = location  # refused when it is read
            state = _state(Path(address)) if is_local(address) else ""
            groups[address] = FileGroup(paths={DATA: address}, state=state)
        if not groups:
            raise SourceUnavailable(f"{self._path.name} lists no file")
        return groups

    def _read(self, key: str, group: FileGroup, span: TimeSpan | None, before: str) -> ReadEntry:
        if not is_local(key):
            raise InvalidItem("it is remote; a tile index may list files of this machine")
        path = self.allowed(key)
        return super()._read(key, FileGroup(paths={DATA: path}, state=group.state), span, before)


def locations_of(path: Path) -> list[str]:
    """Return the locations in a tile index, in their order.

    Raises:
        UnsupportedSource: It is damaged, too large, or has no column of locations.
        SourceUnavailable: It cannot be read.
    """
    column, layer = LOCATION, None
    if path.suffix.lower() == ".gti":
        target, column, layer = _named_index(path)
        path = path.parent / target
        if "/" in target or not path.name.lower().endswith(ENDS[1:]):
            ends = ", ".join(ENDS[1:])
            raise UnsupportedSource(f"its IndexDataset is not a file in its folder that ends with {ends}")
    if path.suffix.lower() == ".parquet":
        return _locations_of_parquet(path, column)
    content = _content(path, MAX_BYTES)
    if not content.startswith(GEOPACKAGE):
        require_extra("places", "a tile index in FlatGeobuf", error=UnsupportedSource)
    limits = Conversion(
        max_vertices=20 * MAX_FILES,
        max_features=MAX_FILES,
        max_bytes=MAX_BYTES,
        memory_bytes=MEMORY_BYTES,
        cpu_s=CPU_S,
        table=layer,
        is_upload=False,
    )
    features = orjson.loads(convert_isolated(content, limits))["features"]
    return _texts([feature["properties"].get(column) for feature in features], column)


def _named_index(path: Path) -> tuple[str, str, str | None]:
    """Return the file, the column and the layer that a `.gti` file names."""
    content = _content(path, MAX_XML_BYTES)
    damaged = UnsupportedSource(f"{path.name} is not an XML document of GDAL's tile indexes")
    if _UNSAFE.search(content):
        raise damaged
    with raised_instead(ET.ParseError, damaged):
        root = ET.fromstring(content)  # noqa: S314 -- without entities, at most 1 MB
    dataset = root.findtext("IndexDataset", "").strip()
    if root.tag != "GDALTileIndexDataset" or not dataset:
        raise damaged
    return dataset, root.findtext("LocationField", "").strip() or LOCATION, root.findtext("IndexLayer")


def _locations_of_parquet(path: Path, column: str) -> list[str]:
    require_extra("parquet", "a tile index in Parquet", error=UnsupportedSource)
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    with raised_instead(ArrowException, UnsupportedSource(f"{path.name} is damaged")), ParquetFile(path) as file:
        if column not in file.schema_arrow.names or file.metadata.num_rows > MAX_FILES:
            raise UnsupportedSource(f"it has no column {column}, or more than {MAX_FILES} rows")
        return _texts(file.read([column]).column(0).to_pylist(), column)


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


def _state(path: Path) -> str:
    try:
        return state_of(os.stat(path))  # noqa: PTH116 -- for very many files
    except OSError:
        return "missing"
