"""References as a folder of Parquet files, of which those are read that a request needs."""

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from io import BytesIO
from typing import TYPE_CHECKING, Any

from chronotile.errors import UnsupportedSource
from chronotile.extras import require_extra
from chronotile.readers.foreign import Damaged, one_line
from chronotile.readers.zarr.metadata import ArrayNode
from chronotile.readers.zarr.references.document import ByteRange, Entry
from chronotile.readers.zarr.references.table import chunk_counts

if TYPE_CHECKING:
    import pyarrow as pa

MAX_RECORD_BYTES = 64 << 20
MAX_RECORD_SIZE = 1_000_000
MOST_RECORDS = 32
"""Files in memory; of 100,000 references each takes about 3 MB."""

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
        documents = {key: json.dumps(each).encode() for key, each in found["metadata"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnsupportedSource("its .zmetadata is not that of references: it has no record_size") from error
    if type(size) is not int or not 1 <= size <= MAX_RECORD_SIZE:
        raise UnsupportedSource(f"its record_size is {size!r}; 1 to {MAX_RECORD_SIZE} references per file are accepted")
    return documents, size


class Records:
    """The Parquet files of a folder, those that were used last in memory.

    Args:
        read: Returns the bytes of a file of the folder, or `None` where there is none.
    """

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._records: OrderedDict[str, Future[pa.Table | None]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> "pa.Table | None":
        """Return a file's references, or `None` where there is no such file."""
        with self._lock:
            reading = self._records.get(name)
            if reading is None:
                mine = self._records[name] = Future()
            self._records.move_to_end(name)
            while len(self._records) > MOST_RECORDS:
                self._records.popitem(last=False)
        if reading is not None:
            return reading.result()
        try:
            data = self._read(name)
            mine.set_result(None if data is None else _table(data))
        except BaseException as error:  # raised in each waiting caller too, and not kept
            with self._lock:
                self._records.pop(name, None)
            mine.set_exception(error)
            raise
        return mine.result()


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

    def __init__(self, node: ArrayNode, records: Records, record_size: int) -> None:
        self._path = node.path
        self._count = math.prod(chunk_counts(node))
        self._records = records
        self._record_size = record_size

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
