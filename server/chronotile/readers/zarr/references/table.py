"""The references of the chunks of an array, by the number of the chunk."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.model.types import Int64Array
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.library_errors import Damaged, one_line
from chronotile.readers.zarr.metadata import ArrayNode
from chronotile.readers.zarr.references.document import ByteRange, Entry

if TYPE_CHECKING:
    import pyarrow as pa


_INLINE = -1
"""In place of the number of a file."""
_WHOLE = -1
"""In place of a size."""


class References(Protocol):
    """The references of one array."""

    def get(self, number: int) -> Entry | None:
        """Return what holds a chunk, or `None` where it is missing.

        Args:
            number: Of the chunk, counted along the last dimension first.
        """


def chunk_counts(node: ArrayNode) -> tuple[int, ...]:
    """Return how many chunks there are along each dimension."""
    return tuple(-(-length // chunk) for length, chunk in zip(node.shape, node.files, strict=True))


def number_of(indexes: Sequence[int], counts: Sequence[int]) -> int:
    """Return the number of the chunk that has these indexes."""
    number = 0
    for index, count in zip(indexes, counts, strict=True):
        number = number * count + index
    return number


class ReferenceTable:
    """References in memory: 28 bytes each, whatever their addresses.

    Args:
        node: The array.
        entries: By the name of the chunk, such as `0.3.1`.
        files: The addresses so far by their numbers; others are added.
    """

    def __init__(self, node: ArrayNode, entries: Iterable[tuple[str, Entry]], files: dict[str, int]) -> None:
        found = list(entries)
        # Chunks that are not referenced take no room: an array may be sparse beyond all bounds.
        numbers = _numbers([name for name, _entry in found], node)
        order = np.argsort(numbers, kind="stable")
        self._numbers = numbers[order]
        self._inline: dict[int, bytes] = {}
        self._file = np.full(len(found), _INLINE, dtype=np.int32)
        self._offset = np.zeros(len(found), dtype=np.int64)
        self._size = np.full(len(found), _WHOLE, dtype=np.int64)
        for row, place in enumerate(order.tolist()):
            entry = found[place][1]
            if isinstance(entry, bytes):
                self._inline[row] = entry
                continue
            address, self._offset[row], size = entry
            self._file[row] = files.setdefault(address, len(files))
            if size is not None:
                self._size[row] = size
        self._files = files
        self._addresses: tuple[str, ...] | None = None

    def get(self, number: int) -> Entry | None:
        """Return what holds a chunk, or `None` where it is missing."""
        row = int(np.searchsorted(self._numbers, number))
        if row == self._numbers.size or self._numbers[row] != number:
            return None
        if self._file[row] == _INLINE:
            return self._inline[row]
        if self._addresses is None:
            self._addresses = tuple(self._files)
        size = int(self._size[row])
        return ByteRange(self._addresses[self._file[row]], int(self._offset[row]), None if size == _WHOLE else size)


def _numbers(names: Sequence[str], node: ArrayNode) -> Int64Array:
    """The number of each chunk, by names such as `0.3.1`.

    Raises:
        UnsupportedSource: One is no chunk of the array.
    """
    counts, separator = chunk_counts(node), node.separator
    if not counts or not names:
        return np.zeros(len(names), dtype=np.int64)
    together = separator.join(names)
    digits = together.replace(separator, "")
    try:
        if not (digits.isascii() and digits.isdecimal()):
            raise ValueError
        if {name.count(separator) for name in names} != {len(counts) - 1}:
            raise ValueError
        indexes = np.array(together.split(separator)).astype(np.int64).reshape(len(names), len(counts))
        return np.asarray(np.ravel_multi_index(tuple(indexes.T), counts), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        shown = " x ".join(map(str, counts))
        raise UnsupportedSource(f"its references of {node.path} have keys that are not chunks of {shown}") from error


def tables_of(
    entries: Mapping[str, Entry], arrays: Mapping[str, ArrayNode]
) -> tuple[dict[str, ReferenceTable], tuple[str, ...]]:
    """Return the references of each array by its path, and all addresses.

    Args:
        entries: By key.
        arrays: By path.
    """
    by_path: dict[str, list[tuple[str, Entry]]] = {path: [] for path in arrays}
    for key, entry in entries.items():
        path, name = _split(key, arrays)
        if path is not None:
            by_path[path].append((name, entry))
    files: dict[str, int] = {}
    tables = {path: ReferenceTable(arrays[path], b, files) for path, b in by_path.items()}
    return tables, tuple(files)


def _split(key: str, arrays: Mapping[str, ArrayNode]) -> tuple[str | None, str]:
    """The array that a key is a chunk of, and the name of the chunk; no array for keys of metadata and others."""
    path, _, name = key.rpartition("/")
    if name.startswith("."):
        return None, name
    while path and path not in arrays:  # chunks whose numbers are separated by slashes
        path, _, last = path.rpartition("/")
        name = f"{last}/{name}"
    return (path, name) if path in arrays else (None, name)


# References as a folder of Parquet files, of which those are read that a request needs.

MAX_RECORD_BYTES = 64 << 20
MAX_RECORD_SIZE = 1_000_000
RECORDS_BYTES = 64 << 20
"""Of the files of a store in memory; one of 100,000 references takes about 3 MB."""

COLUMNS = ("path", "offset", "size", "raw")


def metadata_of(document: bytes) -> tuple[Mapping[str, bytes], int]:
    """Return the documents of the groups and arrays by key, and how many references a file has.

    Args:
        document: The folder's `.zmetadata`.

    Raises:
        UnsupportedSource: It is not that of references.
    """
    require_extra("parquet", "references in Parquet files", error=UnsupportedSource)
    try:
        found = json.loads(document)
        size = found["record_size"]
        documents = {key: json.dumps(f).encode() for key, f in found["metadata"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnsupportedSource("its .zmetadata is not that of references: it has no record_size") from error
    if type(size) is not int or not 1 <= size <= MAX_RECORD_SIZE:
        raise UnsupportedSource(f"its record_size is {size!r}; 1 to {MAX_RECORD_SIZE} references per file are accepted")
    return documents, size


class ParquetFolder:
    """The Parquet files of a folder, those that were used last in memory.

    Args:
        read: Returns the bytes of a file of the folder, or `None` where there is none.
    """

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._records: ByteCache[pa.Table | None] = ByteCache(RECORDS_BYTES, _size, entry_divisor=1)

    def get(self, name: str) -> "pa.Table | None":
        """Return a file's references, or `None` where there is no such file."""
        return self._records.get_or_make(name, lambda: self._found(name))

    def _found(self, name: str) -> "pa.Table | None":
        data = self._read(name)
        return None if data is None else _table(data)


def _size(table: "pa.Table | None") -> int:
    return 1000 if table is None else int(table.nbytes)


def _table(data: bytes) -> "pa.Table":
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(BytesIO(data))
        if file.metadata.num_rows > MAX_RECORD_SIZE:
            raise Damaged(f"a file of references has {file.metadata.num_rows} rows; at most {MAX_RECORD_SIZE}")
        return file.read(columns=[name for name in COLUMNS if name in file.schema_arrow.names])
    except (ArrowException, OSError) as error:
        raise Damaged(f"a file of references cannot be decoded ({one_line(error)})") from None


class ParquetReferences:
    """The references of one array.

    Args:
        node: The array.
        records: Of the folder.
        record_size: References of a file.
    """

    def __init__(self, node: ArrayNode, records: ParquetFolder, record_size: int) -> None:
        self._path = node.path
        self._count = math.prod(chunk_counts(node))
        self._records, self._record_size = records, record_size

    def get(self, number: int) -> Entry | None:
        """Return what holds a chunk, or `None` where it is missing.

        Raises:
            Damaged: The file of its reference cannot be decoded.
        """
        record, row = divmod(number, self._record_size)
        table = self._records.get(f"{self._path}/refs.{record}.parq")
        if table is None:
            return None
        if row >= table.num_rows:
            raise Damaged(f"{self._path}/refs.{record}.parq has {table.num_rows} references, that of row {row} lacks")
        path, offset, size, raw = (_cell(table, name, row) for name in COLUMNS)
        if raw is not None:
            return bytes(raw) if isinstance(raw, bytes) else str(raw).encode()
        if path is None:
            return None
        if not isinstance(offset, int) or not isinstance(size, int) or min(offset, size) < 0:
            raise Damaged(f"a reference of {self._path} has offset {offset!r} and size {size!r}")
        return ByteRange(str(path), offset, size if (offset, size) != (0, 0) else None)


def _cell(table: "pa.Table", name: str, row: int) -> Any:  # noqa: ANN401 -- text, a number or bytes
    return table[name][row].as_py() if name in table.column_names else None
