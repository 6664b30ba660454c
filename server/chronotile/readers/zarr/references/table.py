"""The references of the chunks of an array, by the number of the chunk."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource
from chronotile.readers.zarr.metadata import ArrayNode
from chronotile.readers.zarr.references.document import ByteRange, Entry

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


def _numbers(names: Sequence[str], node: ArrayNode) -> NDArray[np.int64]:
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
    tables = {path: ReferenceTable(arrays[path], found, files) for path, found in by_path.items()}
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
