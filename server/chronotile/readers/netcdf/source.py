"""NetCDF files read as cubes."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceInfo, SourceSpec
from chronotile.core.model.types import NumberArray
from chronotile.readers.cf.array_source import ArraySource, Cube, CubeVariable, Selection, level_of
from chronotile.readers.cf.axes import with_stated_time
from chronotile.readers.cf.dataset import understand
from chronotile.readers.cf.fields import FieldSet, about, group_findings
from chronotile.readers.file_states import FileState, file_state, fingerprint_of
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import BeingWritten, opening
from chronotile.readers.netcdf.groups import REMEDY, field_of, groups_below_root
from chronotile.readers.netcdf.hdf5 import OPTIONS, require_few_arrays, survey_hdf5
from chronotile.readers.reader import Reader

if TYPE_CHECKING:
    import xarray

CDF5 = b"CDF\5"
"""First bytes of a file of this format."""
HDF5 = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file, as of NetCDF-4."""
MAX_OPEN_FILES = 64
"""Maximum per process. Above 128, xarray closes the least recently used file even while a thread reads it."""


def open_netcdf(spec: SourceSpec, *, may_lack: bool = False, is_dated: bool = False) -> Reader:
    """Return a reader of the NetCDF file that `spec` names, classic or NetCDF-4.

    Args:
        spec: The source.
        may_lack: Whether variables may be missing, because the source has several files.
        is_dated: Whether its name has a date, which takes precedence over the time in its global attributes.

    Raises:
        UnsupportedSource: It cannot be served; the message gives the reason.
    """
    path = local_path(spec.href)
    if path is None:
        raise UnsupportedSource(
            "a NetCDF file on another machine is not read in place; copy it here or convert it to Zarr"
        )
    if not path.is_file():
        raise UnsupportedSource(f"{path.name} does not exist")
    with opening(base_name(spec.href)):
        if not spec.variables and _is_hdf5(path):
            require_few_arrays(path)
        file = _open_file(path)
        fields, notes = file.fields(), tuple[Finding, ...]()
        if not is_dated and spec.times is None:
            try:
                fields = with_stated_time(fields)
            except UnsupportedSource as error:
                notes = (Finding("note", "/", error.message),)
        if may_lack:
            stored = {name: v for name, v in spec.variables.items() if (v.name or v.id) in fields.fields}
            spec = replace(spec, variables=stored or spec.variables)
        below = groups_below_root(path, spec) if not spec.variables and _is_hdf5(path) else []
        groups = group_findings(below, REMEDY)
        content = understand(fields, spec, others=groups)
        variables = {
            name: CubeVariable(
                variable.info, (level_of(variable, NetcdfArray(file, variable.array, growing=variable.growing)),)
            )
            for name, variable in content.variables.items()
        }
    info = SourceInfo(
        variables={name: variable.info for name, variable in variables.items()},
        **about(fields.attrs),
        findings=(*content.findings, *notes),
        is_of_files=True,
    )
    return Cube(spec.collection, variables, info, file=str(path))


def _open_file(path: Path) -> "NetcdfFile":
    try:
        return NetcdfFile(path, shared_files())
    except (TypeError, ValueError) as error:
        if _is_hdf5(path):
            raise
        # NumPy cannot map an array of a classic file into its bytes.
        raise UnsupportedSource(
            f"{path.name} does not have the size that its header states: it is damaged, or was copied in part; "
            "copy or write it again"
        ) from error


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

    def close_path(self, path: Path) -> None:
        """Close a path for all its readers; the caller holds its lock.

        HDF5 shares the state of a file between all handles of a process, so a reader that opened it after an append
        would see the old state.
        """
        with self._lock:
            open_files = [file for file in self._files if file.path == path]
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
        self._state = _state(path)
        self._dataset: xarray.Dataset | None = None
        self._faults: Mapping[str, str] = {}
        """Reasons of arrays that cannot be read, by name."""
        with self._lock:
            variables = self._current().variables
            self._layouts = {str(name): _layout_of(variable) for name, variable in variables.items()}

    def fields(self) -> FieldSet:
        """Return the arrays of the file, as stored."""
        with self._lock:
            dataset = self._current()
            fields = {
                name: field_of(name, variable, partial(self.read, name), self._faults.get(name))
                for name, variable in ((str(key), v) for key, v in dataset.variables.items())
            }
            return FieldSet(fields, dict(dataset.attrs))

    def read(self, name: str, selection: Selection, *, growing: str | None = None) -> NumberArray:
        """Return the selected numbers of an array, in stored order.

        Args:
            name: The array.
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
        variable = self._current().variables[name]
        if name in self._faults:
            raise UnsupportedSource(f"{name}: {self._faults[name]}")
        if not self._layouts[name].is_same_in(_layout_of(variable), growing):
            raise OSError("the array has another type or shape than when it was opened")
        return np.asarray(variable[selection].values)

    def _is_unchanged(self) -> bool:
        return _state(self.path) == self._state

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
            return self._current().variables[name].encoding.get("chunksizes")

    def revision(self) -> str:
        """Return the fingerprint of the file."""
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
        if self._dataset is not None:
            self._dataset.close()
            self._dataset = None
        self._files.forget(self)

    def _current(self) -> "xarray.Dataset":
        """Return the dataset in its current version, opened again if the file changed.

        The caller holds the lock.

        Raises:
            OSError: A classic file became shorter, or an array is in another file.
        """
        state = _state(self.path)
        if state != self._state:
            self.close_now()
            # The size of a classic file is fixed by its header, so a shorter one is incomplete. Check this first: a
            # failed opening would leave the file open.
            if state.size < self._state.size and not _is_hdf5(self.path):
                raise OSError("the file is shorter than when it was opened")
        if self._dataset is None:
            self._files.close_path(self.path)
            self._faults = require_all_inside(self.path)
            self._dataset = _open(self.path)
            self._state = state
        self._files.use(self)
        return self._dataset


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


def require_all_inside(path: Path) -> Mapping[str, str]:
    """Check that all arrays of a file are stored in it; return the reasons of arrays that cannot be read, by name.

    Raises:
        OSError: An array is in another file.
    """
    if not _is_hdf5(path):
        return {}
    survey = survey_hdf5(path)
    if survey.elsewhere is not None:
        raise OSError(
            f"{survey.elsewhere} is in another file, which may be any; write all into one (xarray: to_netcdf)"
        )
    return survey.faults


def _open(path: Path) -> "xarray.Dataset":
    import xarray

    return xarray.open_dataset(
        path, mask_and_scale=False, decode_times=False, decode_coords=False, cache=False, **engine_options(path)
    )


def engine_options(path: Path) -> dict[str, Any]:
    """Return the engine and options for opening a file in xarray.

    All openings of one HDF5 file in a process must agree on locking.

    Raises:
        UnsupportedSource: The file is not NetCDF of a supported version.
    """
    return {"engine": "h5netcdf", "driver_kwds": OPTIONS} if _is_hdf5(path) else {"engine": "scipy"}


def _layout_of(variable: "xarray.Variable") -> Layout:
    return Layout(variable.dtype, tuple(map(str, variable.dims)), variable.shape)


def _is_hdf5(path: Path) -> bool:
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
