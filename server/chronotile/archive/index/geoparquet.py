"""Items in stac-geoparquet files, read row by row."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import file_digest
from typing import TYPE_CHECKING, Any

import orjson
import shapely

from chronotile.archive.index.documents import Json, file_state
from chronotile.archive.index.rules import Allowed, ItemRules, digest_of, key_of, read_document
from chronotile.archive.index.source import Bookmark, Listed, ListedEntry
from chronotile.catalog.items.passes import SourcePass
from chronotile.errors import SourceUnavailable, UnsupportedSource
from chronotile.extras import require_extra
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.remote.files import RemoteFile, looks
from chronotile.readers.remote.ranges import state_tag
from chronotile.readers.remote.requests import ObjectState, one_read
from chronotile.web.hosts import host_of

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch
    from pyarrow.parquet import ParquetFile

ROWS = 256
"""Of one batch."""
SUFFIXES = (".parquet", ".geoparquet")
TOP_LEVEL = ("type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection")
"""Columns that are members of the item; all others are its properties."""
_CORNERS = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")


def is_geoparquet(href: str) -> bool:
    """Whether a file is one of stac-geoparquet by its name."""
    return href.partition("?")[0].lower().endswith(SUFFIXES)


class GeoparquetSource:
    """The items of a stac-geoparquet file.

    Args:
        href: Its path or URL.
        rules: Which items are taken.
    """

    threads = 1
    is_computing = True
    knows_changes = False

    def __init__(self, href: str, rules: ItemRules) -> None:
        self._href, self._rules = href, rules
        self._state, self._seen = "", ""

    @property
    def identity(self) -> str:
        """Its address and rules."""
        return f"geoparquet {shown_href(self._href)} {self._rules.identity}"

    @property
    def allowed(self) -> Allowed:
        """Which addresses are opened."""
        return self._rules.allowed

    @property
    def is_here(self) -> bool:
        """Whether it is a file of this machine."""
        return local_path(self._href) is not None

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether the file was replaced."""
        del most_files
        path = local_path(self._href)
        try:
            return path is None or file_state(path) != self._state
        except OSError:
            return False  # it is about to be replaced

    @property
    def state(self) -> str:
        """A digest of the bytes of a file of this machine, or what a server says of another, which may be nothing."""
        path = local_path(self._href)
        try:
            if path is None:
                state = _state_elsewhere(self._href)
                return _text_of(state) if state_tag(state) else ""
            with path.open("rb") as file:
                return file_digest(file, "blake2b").hexdigest()[:32]
        except OSError as error:
            raise SourceUnavailable(f"{shown_href(self._href)} cannot be read: {error.strerror or error}") from error

    def since(self) -> str | None:
        """Return the state of the file that the pass began with."""
        return self._seen

    def entries(self, run: SourcePass) -> Iterator[Listed]:
        """Yield the items, in the order of the rows.

        Raises:
            SourceUnavailable: It cannot be read now.
            UnsupportedSource: It is not stac-geoparquet, or pyarrow is not installed.
        """
        require_extra("parquet", "stac-geoparquet", error=UnsupportedSource)
        from pyarrow.lib import ArrowException

        try:
            self._seen = self.state  # before it is opened: who replaces it now is seen by the next pass
            file, state = _opened(self._href)
            self._state = state
            missing = {"id", "geometry", "assets"} - set(file.schema_arrow.names)
            if missing:
                raise UnsupportedSource(
                    f"{shown_href(self._href)} is not stac-geoparquet: it has no column {min(missing)}"
                )
            done = _batches_done(run.cursor, state)
            for number, batch in enumerate(file.iter_batches(batch_size=ROWS)):
                if number < done:
                    continue
                for row in rows_of(batch):
                    yield self._entry(row)
                yield Bookmark(cursor=f"{state} {number + 1}")
        except ArrowException as error:
            raise UnsupportedSource(f"{shown_href(self._href)} is damaged, or no Parquet file") from error
        except OSError as error:
            raise SourceUnavailable(f"{shown_href(self._href)} cannot be read: {error.strerror or error}") from error

    def _entry(self, row: Mapping[str, Any]) -> ListedEntry:
        document = item_of_row(row)
        state = digest_of(document)
        reading = partial(read_document, self._rules, document, self._href, state)
        return ListedEntry(key=key_of(document, state), read=reading, state=state)


def _batches_done(cursor: str | None, state: str) -> int:
    """How many batches an interrupted pass has stored of the same file."""
    stored, _, count = (cursor or "").rpartition(" ")
    return int(count) if stored == state and count.isdigit() else 0


def _opened(href: str) -> tuple["ParquetFile", str]:
    from pyarrow import PythonFile
    from pyarrow.parquet import ParquetFile

    path = local_path(href)
    if path is not None:
        return ParquetFile(path), file_state(path)
    state = _state_elsewhere(href)
    return ParquetFile(PythonFile(_FileElsewhere(href, state), mode="r")), _text_of(state)


def _state_elsewhere(href: str) -> ObjectState:
    require_extra("s3", f"a source at {host_of(href)}", error=UnsupportedSource)
    looks.forget(href)
    return looks.state(href)


def _text_of(state: ObjectState) -> str:
    return "-".join(map(str, state))


class _FileElsewhere:
    """A file elsewhere as Python's files are."""

    closed = False

    def __init__(self, href: str, state: ObjectState) -> None:
        self._file = RemoteFile(href, state)
        self._at = 0

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes.

        Raises:
            OSError: They cannot be read.
        """
        with one_read():
            found = self._file.read(self._at, self._file.size - self._at if count < 0 else count)
        if self._file.failure is not None:
            raise self._file.failure
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position."""
        start = {os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}.get(whence, 0)
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def seekable(self) -> bool:
        """Whether it has positions."""
        return True

    def flush(self) -> None:
        """Do nothing: it is only read."""

    def close(self) -> None:
        """Do nothing: each read is a request of its own."""


def item_of_row(row: Mapping[str, Any]) -> Json:
    """Return the STAC item of a row with values of JSON: columns that are not members of an item are its properties.

    What a row does not have is null in it, as other rows have it; a null `datetime` is part of the item.
    """
    document: Json = {"type": "Feature", "stac_version": "1.1.0", "links": []}
    properties: Json = {"datetime": None}
    for name, value in row.items():
        if value is None:
            continue
        if name == "bbox" and isinstance(value, dict):
            document["bbox"] = [value[corner] for corner in _CORNERS if value.get(corner) is not None]
        elif name in TOP_LEVEL:
            document[name] = value
        else:
            properties[name] = value
    document["properties"] = properties
    document.setdefault("geometry", None)
    return document


def rows_of(batch: "RecordBatch") -> Iterator[Mapping[str, Any]]:
    """Yield rows with values as JSON has them, for `item_of_row`."""
    columns = [_values(column) for column in batch.columns]
    return (dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True))


def _values(array: "Array[Any]") -> list[Any]:
    """The values of an array as JSON has them: to make them one by one takes five times as long."""
    from pyarrow import types

    kind = array.type
    if types.is_struct(kind) and kind.num_fields:
        names, fields = [field.name for field in kind], [_values(each) for each in array.flatten()]
        found: list[Any] = [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in zip(*fields, strict=True)
        ]
    elif types.is_list(kind) or types.is_large_list(kind):
        flat, found, start = _values(array.flatten()), [], 0
        for length in array.value_lengths().fill_null(0).to_numpy().tolist():
            found.append(flat[start : start + length])
            start += length
    elif types.is_binary(kind) or types.is_large_binary(kind):
        geometries = shapely.from_wkb(array.to_numpy(zero_copy_only=False), on_invalid="ignore")
        return [None if text is None else orjson.loads(text) for text in shapely.to_geojson(geometries).tolist()]
    elif types.is_string(kind) or types.is_large_string(kind):
        return list(array.to_numpy(zero_copy_only=False).tolist())
    elif types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind):
        found = array.fill_null(0).to_numpy(zero_copy_only=False).tolist()
    else:
        return [_plain(value) for value in array.to_pylist()]
    if array.null_count:
        return [
            value if is_valid else None for value, is_valid in zip(found, array.is_valid().to_pylist(), strict=True)
        ]
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """A value of Arrow as JSON has it: without nulls of other rows, times as text, geometries as GeoJSON."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return at.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        geometry = shapely.from_wkb(value, on_invalid="ignore")
        return None if geometry is None else orjson.loads(shapely.to_geojson(geometry))
    return value
