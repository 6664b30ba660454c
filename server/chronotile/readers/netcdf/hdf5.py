"""Checks of HDF5 files before they are read: arrays in other files, missing filters, damaged heaps."""

import os
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import has_extra, install
from chronotile.readers.cf.scope import MAX_GROUP_DEPTH, MAX_GROUPS
from chronotile.readers.netcdf.producers import Producer, producer_of

if TYPE_CHECKING:
    import h5py

OPTIONS: Final[dict[str, Any]] = {"locking": False}
"""Options of every opening in this package: a lock of a reader would keep writers from appending."""

HEAP = b"GCOL"
HEAP_BYTES, MAX_HEAP_BYTES = 1 << 20, 1 << 20
"""Bytes that are searched at each end of a file, and checked of a heap."""

CHECKSUM_BYTES = 4
MAX_ARRAYS, MAX_OBJECTS = 1000, 50_000
"""Maximum number of arrays of a group, and of arrays and groups of a file."""
_PLUGIN_FILTERS = {
    307: "bzip2", 32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle", 32013: "ZFP", 32015: "Zstandard", 32017: "SZ",
    32018: "FCIDECOMP", 32024: "SZ3", 32026: "Blosc2", 32028: "SPERR",
}  # fmt: skip
"""Names of the filters that `hdf5plugin` brings, by their registered number."""
_REWRITE = "write the file again with deflate (h5repack -f GZIP=4 IN OUT)"


@dataclass(frozen=True, slots=True)
class Hdf5Survey:
    """The arrays of a file that cannot be read from it."""

    elsewhere: str | None
    """The first array stored in another file: HDF5 would follow the link to any file, so the file is refused."""
    faults: Mapping[str, str]
    """Reasons of arrays whose filters are missing or whose chunks are damaged, by path."""
    shapes: Mapping[str, Mapping[str, tuple[int, ...]]]
    """Shapes of arrays by path of their group and by name; soft links are not followed."""
    cut: str | None
    """Path of the first group that was not read, because of the limits of groups."""
    producer: Producer | None = None
    """Description of the arrays that replaces CF."""


def survey_hdf5(path: Path) -> Hdf5Survey:
    """Return the arrays of a file, and the arrays that cannot be read.

    Only hard links are followed, each group once. Filters of the extra `hdf5` are loaded if an array needs them.

    Raises:
        UnsupportedSource: It has too many arrays and groups.
    """
    import h5py

    _require_whole_heaps(path)
    survey = _SurveyParts()
    with h5py.File(path, **OPTIONS) as file:
        groups, addresses = deque([("", file)]), {h5py.h5o.get_info(file.id).addr}
        while groups and survey.elsewhere is None:
            folder, group = groups.popleft()
            for name in group:
                survey.count += 1
                node = survey.look(group, folder, name)
                if not isinstance(node, h5py.Group) or (address := h5py.h5o.get_info(node.id).addr) in addresses:
                    continue
                below = f"{folder}/{name}".lstrip("/")
                if len(addresses) < MAX_GROUPS and below.count("/") < MAX_GROUP_DEPTH:
                    addresses.add(address)
                    groups.append((below, node))
                else:
                    survey.cut = survey.cut or below
        producer = producer_of(file, survey.shapes) if survey.elsewhere is None else None
    return Hdf5Survey(survey.elsewhere, survey.faults, survey.shapes, survey.cut, producer)


@dataclass(slots=True)
class _SurveyParts:
    """Results of a survey so far."""

    elsewhere: str | None = None
    faults: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    cut: str | None = None
    count: int = 0
    """Number of links."""

    def look(self, group: "h5py.Group", folder: str, name: str) -> object:
        """Note a member of a group and return it; soft links are skipped."""
        import h5py

        if self.count > MAX_OBJECTS:
            raise UnsupportedSource(f"it has more than {MAX_OBJECTS} arrays and groups")
        link, place = group.get(name, getlink=True), f"{folder}/{name}".lstrip("/")
        node = group.get(name) if isinstance(link, h5py.HardLink) else None
        if isinstance(link, h5py.ExternalLink) or (
            isinstance(node, h5py.Dataset) and (node.is_virtual or node.external)
        ):
            self.elsewhere = self.elsewhere or place
        elif isinstance(node, h5py.Dataset):
            fault = _fault_of(node)
            if fault is not None:
                self.faults[place] = fault
            # An array without a dataspace has the shape `None`.
            self.shapes.setdefault(folder, {})[name] = node.shape if node.ndim else ()
        return node


def require_few_arrays(path: Path) -> None:
    """Check that a file can be opened in seconds: h5netcdf looks up the names of dimensions among all arrays.

    Raises:
        UnsupportedSource: It has more than `MAX_ARRAYS` arrays.
    """
    import h5py

    with h5py.File(path, **OPTIONS) as file:
        count = len(file)
    if count > MAX_ARRAYS:
        raise UnsupportedSource(
            f"its root has {count} arrays and groups, which take minutes to open, and {MAX_ARRAYS} are accepted if "
            "variables: names none"
        )


def _require_whole_heaps(path: Path) -> None:
    """Check the heaps of texts and references near both ends of a file; writers put them there.

    HDF5 loops forever at free space (object 0) of size zero in a heap (H5HG__cache_heap_deserialize). It holds its
    global lock during that, so that no other file can be read.

    Raises:
        OSError: A heap is damaged.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for start in sorted({0, max(size - HEAP_BYTES, 0)}):
            file.seek(start)
            part = file.read(HEAP_BYTES)
            at = part.find(HEAP)
            while at >= 0:
                _require_whole_heap(part[at : at + MAX_HEAP_BYTES])
                at = part.find(HEAP, at + len(HEAP))


def _require_whole_heap(heap: bytes) -> None:
    if heap[4:8] != b"\1\0\0\0":  # not version 1: HDF5 reports other versions
        return
    at, stop = 16, int.from_bytes(heap[8:16], "little")
    while at + 16 <= min(stop, len(heap)):
        size = int.from_bytes(heap[at + 8 : at + 16], "little")
        need = 16 + -(-size // 8) * 8 if any(heap[at : at + 2]) else size  # object 0 is the free space, with its head
        if not 16 <= need <= stop - at:
            raise OSError("the file is damaged: a heap of its attributes contradicts itself; copy it again")
        at += need


def _fault_of(array: "h5py.Dataset") -> str | None:
    """Return the reason if the filters of an array cannot be undone, else `None`."""
    import h5py

    properties = array.id.get_create_plist()
    for position in range(properties.get_nfilters()):
        number, _flags, _options, stored_name = properties.get_filter(position)
        if not h5py.h5z.filter_avail(number) and not _has_loaded(number):
            return _missing_filter(number, stored_name.decode(errors="replace"))
        if number in _PLUGIN_FILTERS and not _is_decoded(array):
            return f"its chunks are not those of {_PLUGIN_FILTERS[number]} (HDF5 filter {number}); {_REWRITE}"
        if number == h5py.h5z.FILTER_FLETCHER32 and _has_chunk_below(array, CHECKSUM_BYTES):
            return "it is damaged: a chunk is smaller than its checksum; copy the file again"
    return None


def _has_chunk_below(array: "h5py.Dataset", size: int) -> bool:
    # HDF5 reads beyond the memory of a chunk that has no room for its checksum (H5Z__filter_fletcher32).
    return array.id.chunk_iter(lambda chunk: chunk.size < size or None) is not None


def _is_decoded(array: "h5py.Dataset") -> bool:
    """Return whether the first or the last stored chunk can be read."""
    count = array.id.get_num_chunks()
    for position in sorted({0, count - 1}) if count else ():
        cell = array.id.get_chunk_info(position).chunk_offset
        with suppress(OSError):
            return array[cell] is not None
    return not count


def _has_loaded(number: int) -> bool:
    import h5py

    if number not in _PLUGIN_FILTERS or not has_extra("hdf5"):
        return False
    import hdf5plugin  # noqa: F401, PLC0415 -- registers its filters

    return bool(h5py.h5z.filter_avail(number))


def _missing_filter(number: int, stored_name: str) -> str:
    name = _PLUGIN_FILTERS.get(number)
    if name is None:
        called = f" ({stored_name})" if stored_name else ""
        return f"it is compressed with HDF5 filter {number}{called}, which no library here undoes; {_REWRITE}"
    return (
        f"it is compressed with {name} (HDF5 filter {number}), which needs hdf5plugin: {install('hdf5')}, or {_REWRITE}"
    )
