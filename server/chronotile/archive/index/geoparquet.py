"""Items in stac-geoparquet files, read row by row."""

import os
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from hashlib import blake2b, file_digest
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import shapely

from chronotile.archive.index import source
from chronotile.archive.index.documents import file_state
from chronotile.catalog.items.passes import SourcePass
from chronotile.catalog.items.properties import is_text
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.model.types import Int64Array, Json
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.remote.files import RemoteFile, looks, state_tag
from chronotile.readers.remote.requests import ObjectState, one_read

if TYPE_CHECKING:
    from pyarrow import Array, NativeFile, RecordBatch
    from pyarrow.parquet import ParquetFile

ROWS = 256
"""Rows per batch."""
READ_BYTES = 1 << 20
"""Bytes read at a time for the digest of a row group."""
SUFFIXES = (".parquet", ".geoparquet")
TOP_LEVEL = ("type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection")
"""Columns that are members of the item; all other columns are its properties."""
_NAMES = "id", "collection"
_CORNERS = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")


def is_geoparquet(href: str) -> bool:
    """Return whether the name of a file is that of a stac-geoparquet file."""
    return href.partition("?")[0].lower().endswith(SUFFIXES)


class GeoparquetSource(source.StacSource):
    """The items of a stac-geoparquet file.

    Args:
        href: Its path or URL.
        rules: The items to index.
    """

    kind = "geoparquet"
    threads = 1
    is_computing = True
    knows_changes = False

    def __init__(self, href: str, rules: source.ItemRules) -> None:
        super().__init__(href, rules)
        self._state, self._seen = "", ""
        self._hashed = "", ""
        """The state of the file at the computation of its digest, and the digest."""

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether the file was replaced."""
        del most_files
        path = local_path(self._href)
        try:
            return path is None or file_state(path) != self._state
        except OSError:
            return False  # the file is missing while it is being replaced

    @property
    def state(self) -> str:
        """Digest of the bytes of a local file, or the validator of a remote file; empty if the server sends none."""
        path = local_path(self._href)
        try:
            if path is None:
                state = _state_elsewhere(self._href)
                return _text_of(state) if state_tag(state) else ""
            about = path.stat()  # inode and ctime differ even for a copy with the same size and time
            now = f"{file_state(path)} {about.st_ino} {about.st_ctime_ns}"
            if now != self._hashed[0]:
                with path.open("rb") as file:
                    self._hashed = now, file_digest(file, "blake2b").hexdigest()[:32]
            return self._hashed[1]
        except OSError as error:
            raise SourceUnavailable(f"{shown_href(self._href)} cannot be read: {error.strerror or error}") from error

    def next_since(self) -> str | None:
        """Return the state of the file at the start of the pass."""
        return self._seen

    def entries(self, run: SourcePass) -> Iterator[source.Listed]:
        """Yield the items in the order of the rows.

        Raises:
            SourceUnavailable: The file is unreachable.
            UnsupportedSource: It is not stac-geoparquet, or pyarrow is not installed.
        """
        require_extra("parquet", "stac-geoparquet", error=UnsupportedSource)

        with _reading(self._href):
            self._seen = self.state  # before the opening, so that the next pass detects a replacement from now on
            file, here, state = _open_file(self._href)
            self._state = state
            missing = {"id", "geometry", "assets"} - set(file.schema_arrow.names)
            if missing:
                reason = f"it has no column {min(missing)}"
                raise UnsupportedSource(f"{shown_href(self._href)} is not stac-geoparquet: {reason}")
            yield from self._list_batches(file, here, state, _batches_done(run.cursor, state))

    def _list_batches(
        self, file: "ParquetFile", here: "NativeFile | None", state: str, done: tuple[int, int]
    ) -> Iterator[source.Listed]:
        """Yield the entries of all batches from position `done` on: (row group, batch in it)."""
        losing, first = _replaced_rows(file), 0
        for number in range(file.num_row_groups):
            group = _RowGroup(file, number, here)
            for part, names in enumerate(_names(file, ROWS, [number])):
                if (number, part) >= done:
                    start, end = np.searchsorted(losing, (first, first + len(names)))
                    rows = GeoparquetRows(partial(group.batch, part), self._rules, self._href, group.digest)
                    yield from self._entries(rows, names, first, set((losing[start:end] - first).tolist()))
                    yield source.Bookmark(cursor=f"{state} {number}.{part + 1}")
                first += len(names)

    def _entries(
        self, rows: "GeoparquetRows", names: Sequence[tuple[Any, ...]], first: int, losing: Container[int]
    ) -> Iterator[source.Listed]:
        twins = list[source.ListedEntry]()  # yielded last, so that the rows to read are consecutive
        for number, (id_, collection) in enumerate(names):
            # A row without a valid id is named by its content.
            state = "" if isinstance(id_, str) and is_text(id_) else source.digest_of(rows.documents[number])
            key = source.key_of({"id": id_, "collection": collection}, state)
            if number in losing:
                twins.append(source.twin(f"{key} (row {first + number + 1})"))
            else:
                yield source.ListedEntry(key=key, read=partial(rows.read, number), state=rows.group, part=rows)
        yield from twins


def _names(file: "ParquetFile", count: int, groups: Sequence[int] | None = None) -> Iterator[list[tuple[Any, ...]]]:
    """Yield ids and collections in lists of `count` rows, of some row groups or all; no other column is decoded."""
    existing = [name for name in _NAMES if name in file.schema_arrow.names]
    for batch in file.iter_batches(batch_size=count, row_groups=groups, columns=existing):
        columns = [_values(batch.column(name)) if name in existing else [None] * len(batch) for name in _NAMES]
        yield list(zip(*columns, strict=True))


def _replaced_rows(file: "ParquetFile") -> Int64Array:
    """Return the sorted numbers of rows that are followed by a row with the same id and collection.

    Rows are compared by hashes, which need 16 bytes per row.
    """
    hashes, count = [np.empty(0, np.int64)], 0
    for names in _names(file, ROWS << 8):
        hash_values = (hash(name if isinstance(name[0], str) else number) for number, name in enumerate(names, count))
        hashes.append(np.fromiter(hash_values, np.int64, len(names)))
        count += len(names)
    whole = np.concatenate(hashes)
    ordered = np.sort(whole)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    rows = np.flatnonzero(np.isin(whole, twice))
    rows = rows[np.argsort(whole[rows], kind="stable")]
    return np.sort(rows[:-1][whole[rows[:-1]] == whole[rows[1:]]])


class _RowGroup:
    """A row group of a file. Only as many of its batches are decoded as are read.

    Args:
        file: The file.
        number: Number of the group.
        here: The bytes of the file, if it is local.
    """

    def __init__(self, file: "ParquetFile", number: int, here: "NativeFile | None") -> None:
        self._file, self._number, self._here = file, number, here
        self._batches: Iterator[RecordBatch] = iter(())
        self._next = 0

    @cached_property
    def digest(self) -> str:
        """A digest of its bytes; empty for a remote file, whose bytes would be transferred twice."""
        if self._here is None:
            return ""
        about = self._file.metadata.row_group(self._number)
        hasher = blake2b(self._file.schema_arrow.remove_metadata().serialize(), digest_size=8)
        for column in map(about.column, range(about.num_columns)):
            hasher.update(f"{column.path_in_schema} {column.compression} {about.num_rows}".encode())
            start = column.dictionary_page_offset or column.data_page_offset
            end = start + column.total_compressed_size
            for place in range(start, end, READ_BYTES):
                hasher.update(self._here.read_at(min(READ_BYTES, end - place), place))
        return hasher.hexdigest()

    def batch(self, number: int) -> "RecordBatch":
        """Return the batch of rows with a number; batches with increasing numbers are read without repetition."""
        if number < self._next or self._next == 0:
            self._batches, self._next = self._file.iter_batches(batch_size=ROWS, row_groups=[self._number]), 0
        skipped, self._next = number - self._next, number + 1
        return next(islice(self._batches, skipped, None))


class GeoparquetRows:
    """Rows of a file, which become items on the first use in each process.

    Args:
        load: Decodes the rows.
        rules: The items to index.
        href: Path or URL of the file.
        group: Digest of their row group; empty if unknown.
    """

    def __init__(self, load: Callable[[], "RecordBatch"], rules: source.ItemRules, href: str, group: str = "") -> None:
        self._load, self._rules, self._href, self.group = load, rules, href, group

    def __reduce__(
        self,
    ) -> tuple[
        Callable[[bytes, source.ItemRules, str, str], "GeoparquetRows"], tuple[bytes, source.ItemRules, str, str]
    ]:
        """Support pickling, by the rows as an Arrow stream."""
        from pyarrow import BufferOutputStream, ipc

        sink = BufferOutputStream()
        with ipc.new_stream(sink, self._batch.schema) as writer:
            writer.write_batch(self._batch)
        return _rows_of_bytes, (sink.getvalue().to_pybytes(), self._rules, self._href, self.group)

    @cached_property
    def _batch(self) -> "RecordBatch":
        return self._load()

    @cached_property
    def documents(self) -> list[Json]:
        """The STAC items of the rows."""
        return list(map(item_of_row, rows_of(self._batch)))

    def load(self) -> None:
        """Decode the rows, in the thread that reads the file.

        Raises:
            UnsupportedSource: The file is damaged.
            SourceUnavailable: It cannot be read now.
        """
        with _reading(self._href):
            _batch = self._batch

    def read(self, number: int, before: str) -> source.ReadEntry | str | None:
        """Return the entry of a row, `None` if it is unchanged, or its new state if only its row group has changed."""
        document = self.documents[number]
        digest = source.digest_of(document)
        state = f"{self.group} {digest}".lstrip()
        if before == state:
            return None
        return state if before.rpartition(" ")[2] == digest else self._rules.read(document, self._href, state)


@contextmanager
def _reading(href: str) -> Iterator[None]:
    from pyarrow.lib import ArrowException

    try:
        yield
    except ArrowException as error:
        raise UnsupportedSource(f"{shown_href(href)} is damaged, or no Parquet file") from error
    except OSError as error:
        raise SourceUnavailable(f"{shown_href(href)} cannot be read: {error.strerror or error}") from error


def _rows_of_bytes(data: bytes, rules: source.ItemRules, href: str, group: str) -> GeoparquetRows:
    from pyarrow import ipc

    return GeoparquetRows(ipc.open_stream(data).read_next_batch, rules, href, group)


def _batches_done(cursor: str | None, state: str) -> tuple[int, int]:
    """Return row group and batch where a pass continues; (0, 0) unless the cursor is for this state of the file."""
    stored, _, done = (cursor or "").rpartition(" ")
    group, point, count = done.partition(".")
    return (int(group), int(count)) if stored == state and point else (0, 0)


def _open_file(href: str) -> tuple["ParquetFile", "NativeFile | None", str]:
    """Open a file; return it, its bytes if it is local, and its state, which later replacements do not change."""
    from pyarrow import OSFile, PythonFile
    from pyarrow.parquet import ParquetFile

    path = local_path(href)
    if path is not None:
        state_here = file_state(path)
        here = OSFile(str(path))
        return ParquetFile(here), here, state_here
    state = _state_elsewhere(href)
    return ParquetFile(PythonFile(_FileElsewhere(href, state), mode="r")), None, _text_of(state)


def _state_elsewhere(href: str) -> ObjectState:
    require_extra("s3", f"a source at {host_of(href)}", error=UnsupportedSource)
    looks.forget(href)
    return looks.state(href)


def _text_of(state: ObjectState) -> str:
    return "-".join(map(str, state))


class _FileElsewhere:
    """A remote file with the interface of a Python file."""

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
            data = self._file.read(self._at, self._file.size - self._at if count < 0 else count)
        if self._file.failure is not None:
            raise self._file.failure
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Change the position; return it."""
        self._at = {os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}.get(whence, 0) + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Do nothing: the file is only read."""

    def close(self) -> None:
        """Do nothing: each read is a separate request."""


def item_of_row(row: Mapping[str, Any]) -> Json:
    """Return the STAC item of a row with JSON values; other columns than the members of an item are its properties.

    A row has null for members that only other rows have. A null `datetime` belongs to the item.
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
    """Yield rows with JSON values, for `item_of_row`."""
    columns = [_values(column) for column in batch.columns]
    return (dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True))


def _values(array: "Array[Any]") -> list[Any]:
    """Return the values of an array as JSON values. Conversion of single values takes five times as long."""
    from pyarrow import types

    kind, count = array.type, len(array)
    if count > 1 and array.slice(1).equals(array.slice(0, count - 1)):
        return _values(array.slice(0, 1)) * count  # equal rows are converted once
    if types.is_struct(kind) and kind.num_fields:
        names, fields = [field.name for field in kind], [_values(f) for f in array.flatten()]
        rows = zip(*fields, strict=True)
        values: list[Any] = (
            [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
            if any(f.null_count for f in array.flatten())
            else [dict(zip(names, row, strict=True)) for row in rows]
        )
    elif types.is_list(kind) or types.is_large_list(kind):
        flat, values, start = _values(array.flatten()), [], 0
        for length in array.value_lengths().fill_null(0).to_numpy().tolist():
            values.append(flat[start : start + length])
            start += length
    elif types.is_binary(kind) or types.is_large_binary(kind):
        geometries = shapely.from_wkb(array.to_numpy(zero_copy_only=False), on_invalid="ignore")
        return [None if text is None else orjson.loads(text) for text in shapely.to_geojson(geometries).tolist()]
    elif types.is_string(kind) or types.is_large_string(kind):
        return list(array.to_numpy(zero_copy_only=False).tolist())
    elif types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind):
        values = array.fill_null(0).to_numpy(zero_copy_only=False).tolist()
    else:
        return [_plain(value) for value in array.to_pylist()]
    if array.null_count:
        are_valid = array.is_valid().to_pylist()
        return [value if is_valid else None for value, is_valid in zip(values, are_valid, strict=True)]
    return values


def _plain(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """Convert a value of Arrow to JSON: remove nulls of other rows; write times as text, geometries as GeoJSON."""
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, datetime):
        at = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return at.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        geometry = shapely.from_wkb(value, on_invalid="ignore")
        return None if geometry is None else orjson.loads(shapely.to_geojson(geometry))
    return value
