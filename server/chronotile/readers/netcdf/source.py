"""NetCDF files and their arrays."""

import threading
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.types import NumberArray
from chronotile.readers.cf.array_source import ArraySource, Selection
from chronotile.readers.cf.fields import FieldSet
from chronotile.readers.cf.scope import GroupTree, groups_above
from chronotile.readers.file_states import FileState, file_state, fingerprint_of
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.netcdf.groups import field_of
from chronotile.readers.netcdf.hdf5 import OPTIONS, Hdf5Survey, survey_hdf5

if TYPE_CHECKING:
    import xarray

CDF5 = b"CDF\5"
"""First bytes of a file of this format."""
HDF5 = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file, as of NetCDF-4."""
MAX_OPEN_FILES = 64
"""Maximum per process. Above 128, xarray closes the least recently used file even while a thread reads it."""


class Layout(NamedTuple):
    """Properties of an array that must not change while it is served."""

    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    shape: tuple[int, ...]

    def is_same_in(self, now: "Layout", growing: str | None) -> bool:
        """Return whether an array with the layout `now` can be read instead; only `growing` may be longer."""
        return (self.dtype, self.dims) == (now.dtype, now.dims) and all(
            after == before or (dim == growing and after > before)
            for dim, before, after in zip(self.dims, self.shape, now.shape, strict=True)
        )


class OpenFiles:
    """Open files; above a limit, the least recently used are closed.

    Args:
        most: Limit of open files; a file that is being read is never closed.
    """

    def __init__(self, most: int = MAX_OPEN_FILES) -> None:
        self._most = most
        self._files: WeakKeyDictionary[NetcdfFile, None] = WeakKeyDictionary()
        """Files from the least to the most recently used; a file without readers is closed."""
        self._path_locks: WeakValueDictionary[Path, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def lock_of(self, path: Path) -> threading.Lock:
        """Return the lock of a path: only one thread at a time reads the file."""
        with self._lock:
            return self._path_locks.setdefault(path, threading.Lock())

    def close_path(self, path: Path, state: FileState) -> None:
        """Close a path for all readers that opened it in another state; the caller holds its lock.

        HDF5 shares the state of a file between all handles of a process, so a reader that opened it after an append
        would see the old state.
        """
        with self._lock:
            open_files = [file for file in self._files if file.path == path and file.state != state]
        for file in open_files:
            file.close_now()

    def use(self, file: "NetcdfFile") -> None:
        """Note that a file is open and used now."""
        with self._lock:
            self._files.pop(file, None)
            self._files[file] = None
            surplus = list(self._files)[: -self._most]
        for unused in surplus:
            unused.close_if_idle()

    def forget(self, file: "NetcdfFile") -> None:
        """Note that a file was closed."""
        with self._lock:
            self._files.pop(file, None)


@cache
def shared_files() -> OpenFiles:
    """Return the open files of this process, which share one limit."""
    return OpenFiles()


class NetcdfFile:
    """A file that one thread at a time reads; it is opened again if it changed or was closed as unused."""

    def __init__(self, path: Path, files: OpenFiles) -> None:
        self.path, self._files = path, files
        self._lock = files.lock_of(path)
        self.state = _state(path)
        self._datasets: dict[str, xarray.Dataset] = {}
        """Open groups by path; empty if the file is closed."""
        self._survey = Hdf5Survey(None, {}, {}, None)
        self._layouts: dict[str, Layout] = {}
        """Layouts by path of the array, at its first opening."""
        self.notes: dict[str, list[Finding]] = {}
        """Notes on interpretations of the opened groups, by path of the group."""
        with self._lock:
            self._current()

    def tree(self) -> GroupTree:
        """Return the groups of the file."""
        return GroupTree(self._survey.shapes, cache(self.fields), self._survey.cut)

    def fields(self, group: str = "") -> FieldSet:
        """Return the arrays of a group, as stored."""
        with self._lock:
            fields = {}
            for key, variable in self._current(group).variables.items():
                name, path = str(key), f"{group}/{key}".lstrip("/")
                fields[name] = field_of(name, variable, partial(self.read, path), self._survey.faults.get(path))
            levels = [dict(self._current(path).attrs) for path in groups_above(group)]
        return FieldSet(fields, {**levels[-1], **levels[0]}, tuple(levels))

    def read(self, name: str, selection: Selection, *, growing: str | None = None) -> NumberArray:
        """Return the selected numbers of an array, in stored order.

        Args:
            name: Path of the array.
            selection: The selected part.
            growing: The dimension of appended times; it may be longer than when the file was opened.
        """
        with self._lock:
            try:
                numbers = self._read(name, selection, growing)
            except Exception:  # HDF5 raises many kinds of errors if the file is being written
                if self._is_unchanged():
                    raise
            else:
                if self._is_unchanged():
                    return numbers
            numbers = self._read(name, selection, growing)  # the file changed during the read: read its new content
            if self._is_unchanged():
                return numbers
            raise BeingWritten("the file is being written")

    def _read(self, name: str, selection: Selection, growing: str | None) -> NumberArray:
        variable = self._variable(name)
        if name in self._survey.faults:
            raise UnsupportedSource(f"{name}: {self._survey.faults[name]}")
        if not self._layouts[name].is_same_in(_layout_of(variable), growing):
            raise OSError("the array has another type or shape than when it was opened")
        return np.asarray(variable[selection].values)

    def _is_unchanged(self) -> bool:
        return _state(self.path) == self.state

    def is_there(self) -> bool:
        """Return whether the file can be opened."""
        with self._lock:
            try:
                self._current()
            except Exception:  # noqa: BLE001 -- the kind of error does not matter here
                return False
            return True

    def chunks(self, name: str) -> tuple[int, ...] | None:
        """Return the shape of an array's chunks; `None` if it has none."""
        with self._lock:
            return self._variable(name).encoding.get("chunksizes")

    def array(self, name: str, *, growing: str | None) -> "NetcdfArray":
        """Return an array with a path.

        Args:
            name: Path of the array.
            growing: The dimension of appended times.
        """
        return NetcdfArray(self, name, growing=growing)

    def revision(self) -> str:
        """Return the fingerprint of the file. In a product, it covers the other files as well."""
        return file_state(str(self.path)).text

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            self.close_now()

    def close_if_idle(self) -> None:
        """Close the file unless a thread reads it; never wait for that thread."""
        if self._lock.acquire(blocking=False):
            try:
                self.close_now()
            finally:
                self._lock.release()

    def close_now(self) -> None:
        """Close the file; the caller holds its lock."""
        for dataset in self._datasets.values():
            dataset.close()
        self._datasets.clear()
        self._files.forget(self)

    def _variable(self, path: str) -> "xarray.Variable":
        group, _slash, name = path.rpartition("/")
        return self._current(group).variables[name]

    def _current(self, group: str = "") -> "xarray.Dataset":
        """Return a group in its current version, opened again if the file changed.

        The caller holds the lock.

        Raises:
            OSError: A classic file became shorter, or an array is in another file.
        """
        state = _state(self.path)
        if state != self.state:
            self.close_now()
            # The size of a classic file is fixed by its header, so a shorter one is incomplete. Check this first: a
            # failed opening would leave the file open.
            if state.size < self.state.size and not is_hdf5(self.path):
                raise OSError("the file is shorter than when it was opened")
        if not self._datasets:
            self._files.close_path(self.path, state)
            self._survey = survey_inside(self.path)
            self.state = state
        if group not in self._datasets:
            dataset = self._datasets[group] = self._open(group)
            for name, variable in dataset.variables.items():
                self._layouts.setdefault(f"{group}/{name}".lstrip("/"), _layout_of(variable))
        self._files.use(self)
        return self._datasets[group]

    def _open(self, group: str) -> "xarray.Dataset":
        dataset = _open(self.path, group)
        if self._survey.producer is None:
            return dataset
        try:
            dataset, self.notes[group] = self._survey.producer.as_cf(group, dataset)
        except UnsupportedSource:
            dataset.close()
            raise
        return dataset


class NetcdfArray(ArraySource):
    """One array of a file."""

    def __init__(self, file: NetcdfFile, name: str, *, growing: str | None) -> None:
        self._file, self._name, self._growing = file, name, growing

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order."""
        return self._file.read(self._name, selection, growing=self._growing)

    @cached_property
    def chunks(self) -> tuple[int, ...] | None:
        """The shape of a decoded unit; `None` if the array is contiguous."""
        return self._file.chunks(self._name)

    def revision(self, _selection: Selection) -> str:
        """Return the fingerprint of the file."""
        return self._file.revision()

    def is_there(self) -> bool:
        """Return whether the file can be opened; numbers in it may still be damaged."""
        return self._file.is_there()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def survey_inside(path: Path) -> Hdf5Survey:
    """Return the arrays of a file, which are all stored in it.

    Raises:
        OSError: An array is in another file.
    """
    if not is_hdf5(path):
        return Hdf5Survey(None, {}, {}, None)
    survey = survey_hdf5(path)
    if survey.elsewhere is not None:
        raise OSError(
            f"{survey.elsewhere} is in another file, which may be any; write all into one (xarray: to_netcdf)"
        )
    return survey


def _open(path: Path, group: str = "") -> "xarray.Dataset":
    import xarray

    try:
        return xarray.open_dataset(
            path,
            group=group or None,
            mask_and_scale=False,
            decode_times=False,
            decode_coords=False,
            cache=False,
            **engine_options(path),
        )
    except KeyError as error:  # the error of h5netcdf for a missing dimension
        raise OSError(f"the dimension {error} of group {group or '/'} is not defined in it or above it") from error


def engine_options(path: Path) -> dict[str, Any]:
    """Return the engine and options for opening a file in xarray.

    All openings of one HDF5 file in a process must agree on locking.

    Raises:
        UnsupportedSource: The file is not NetCDF of a supported version.
    """
    return (
        {"engine": "h5netcdf", "driver_kwds": OPTIONS, "phony_dims": "access"} if is_hdf5(path) else {"engine": "scipy"}
    )


def _layout_of(variable: "xarray.Variable") -> Layout:
    return Layout(variable.dtype, tuple(map(str, variable.dims)), variable.shape)


def is_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5, or else classic NetCDF.

    Raises:
        UnsupportedSource: It is neither.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(CDF5):
        raise UnsupportedSource(
            f"{path.name} is NetCDF in the format CDF-5 (64-bit data), which is not read; write it as NetCDF-4 "
            "(nccopy -k nc4 IN OUT)"
        )
    if start[:3] == b"CDF":
        return False
    if start == HDF5:
        return True
    raise UnsupportedSource(f"{path.name} is not a NetCDF file: it starts like neither version 3 nor version 4")


def _state(path: Path) -> FileState:
    return fingerprint_of(path.stat())
