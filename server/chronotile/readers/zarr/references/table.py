"""References to the chunks of an array, by the number of the chunk."""

import json
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
"""Number of a file: the bytes are in the document."""
_WHOLE = -1
"""Size: the whole file."""


class References(Protocol):
    """The references of one array."""

    def get(self, number: int) -> Entry | None:
        """Return the content of a chunk; `None` if it is missing.

        Args:
            number: Number of the chunk; chunks are counted along the last dimension first.
        """


def chunk_counts(node: ArrayNode) -> tuple[int, ...]:
    """Return the number of chunks along each dimension."""
    return tuple(-(-length // chunk) for length, chunk in zip(node.shape, node.files, strict=True))


def number_of(indexes: Sequence[int], counts: Sequence[int]) -> int:
    """Return the number of the chunk with some indexes."""
    number = 0
    for index, count in zip(indexes, counts, strict=True):
        number = number * count + index
    return number


class ReferenceTable:
    """References in memory: 28 bytes each, plus each address once.

    Args:
        node: The array.
        entries: References by the name of the chunk, such as `0.3.1`.
        files: Numbers of addresses, shared by the tables of a document; new addresses are added.
    """

    def __init__(self, node: ArrayNode, entries: Iterable[tuple[str, Entry]], files: dict[str, int]) -> None:
        references = list(entries)
        # Only referenced chunks are stored, because a sparse array may have any number of chunks.
        numbers = _numbers([name for name, _entry in references], node)
        order = np.argsort(numbers, kind="stable")
        self._numbers = numbers[order]
        self._inline: dict[int, bytes] = {}
        self._file = np.full(len(references), _INLINE, dtype=np.int32)
        self._offset = np.zeros(len(references), dtype=np.int64)
        self._size = np.full(len(references), _WHOLE, dtype=np.int64)
        for row, position in enumerate(order.tolist()):
            entry = references[position][1]
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
        """Return the content of a chunk; `None` if it is missing."""
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
    """Return the numbers of chunks by names such as `0.3.1`.

    Raises:
        UnsupportedSource: A name is not a chunk of the array.
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
        counts_text = " x ".join(map(str, counts))
        raise UnsupportedSource(
            f"its references of {node.path} have keys that are not chunks of {counts_text}"
        ) from error


def tables_of(
    entries: Mapping[str, Entry], arrays: Mapping[str, ArrayNode]
) -> tuple[dict[str, ReferenceTable], tuple[str, ...]]:
    """Return the references of each array by its path, and all addresses.

    Args:
        entries: References by key.
        arrays: Arrays by path.
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
    """Return the path of the array and the name of the chunk of a key; no path for keys that are not of chunks."""
    path, _, name = key.rpartition("/")
    if name.startswith("."):
        return None, name
    while path and path not in arrays:  # slashes may also separate the numbers of a chunk
        path, _, last = path.rpartition("/")
        name = f"{last}/{name}"
    return (path, name) if path in arrays else (None, name)


# References as a folder of Parquet files, which are read on demand.

MAX_RECORD_BYTES = 64 << 20
MAX_RECORD_SIZE = 1_000_000
RECORDS_BYTES = 64 << 20
"""Limit for cached files of a store; a file of 100,000 references takes about 3 MB."""

COLUMNS = ("path", "offset", "size", "raw")


def metadata_of(document: bytes) -> tuple[Mapping[str, bytes], int]:
    """Return the metadata documents of groups and arrays by key, and the number of references per file.

    Args:
        document: The folder's `.zmetadata`.

    Raises:
        UnsupportedSource: It has no `record_size`, or an unsupported one.
    """
    require_extra("parquet", "references in Parquet files", error=UnsupportedSource)
    try:
        members = json.loads(document)
        size = members["record_size"]
        documents = {key: json.dumps(f).encode() for key, f in members["metadata"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnsupportedSource("its .zmetadata is not that of references: it has no record_size") from error
    if type(size) is not int or not 1 <= size <= MAX_RECORD_SIZE:
        raise UnsupportedSource(f"its record_size is {size!r}; 1 to {MAX_RECORD_SIZE} references per file are accepted")
    return documents, size


class ParquetFolder:
    """Cache of the Parquet files of a folder.

    Args:
        read: Returns the bytes of a file of the folder; `None` if it is missing.
    """

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._records: ByteCache[pa.Table | None] = ByteCache(RECORDS_BYTES, _size, entry_divisor=1)

    def get(self, name: str) -> "pa.Table | None":
        """Return the references of a file; `None` if it is missing."""
        return self._records.get_or_make(name, lambda: self._read_table(name))

    def _read_table(self, name: str) -> "pa.Table | None":
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
    """The references of one array in Parquet files.

    Args:
        node: The array.
        records: Files of the folder.
        record_size: Number of references per file.
    """

    def __init__(self, node: ArrayNode, records: ParquetFolder, record_size: int) -> None:
        self._path = node.path
        self._records, self._record_size = records, record_size

    def get(self, number: int) -> Entry | None:
        """Return the content of a chunk; `None` if it is missing.

        Raises:
            Damaged: The file with its reference cannot be decoded.
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
