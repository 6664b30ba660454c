"""Files that GDAL reads through our Python objects: a plug-in of its virtual file system.

rasterio's `opener` stores its files in a context variable, so a file opened by one thread cannot be closed by another,
but handles of the pool move between threads. GDAL's C interface for plug-ins has no such limit.
"""

import ctypes
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import rasterio.crs

from chronotile.readers.remote.files import RemoteFile

PREFIX = "/vsichronotile/"

_Offset = ctypes.c_uint64
_Sizes = ctypes.POINTER(ctypes.c_size_t)
_OPEN = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
_TELL = ctypes.CFUNCTYPE(_Offset, ctypes.c_void_p)
_SEEK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, _Offset, ctypes.c_int)
_READ = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_READ_RANGES = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(_Offset), _Sizes
)
_ASK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_KINDS: dict[str, Any] = {
    "open": _OPEN, "tell": _TELL, "seek": _SEEK, "read": _READ, "read_multi_range": _READ_RANGES, "eof": _ASK,
    "close": _ASK,
}  # fmt: skip
"""Implemented callbacks; each is the method of `GdalFiles` with its name."""
_MEMBERS = (
    "pUserData", "stat", "unlink", "rename", "mkdir", "rmdir", "read_dir", "open", "tell", "seek", "read",
    "read_multi_range", "get_range_status", "eof", "write", "flush", "truncate", "close",
)  # fmt: skip


class _Callbacks(ctypes.Structure):
    """The start of VSIFilesystemPluginCallbacksStruct; GDAL adds members only at its end."""

    _fields_ = tuple((name, _KINDS.get(name, ctypes.c_void_p)) for name in _MEMBERS)


class FileParts:
    """Parts of a file, concatenated as a file for GDAL.

    Args:
        read: Returns bytes of the whole file from an offset, fewer at its end.
        parts: Byte ranges of the parts.
    """

    def __init__(self, read: Callable[[int, int], bytes], parts: Sequence[range]) -> None:
        self._read, self._parts = read, parts
        self.size = sum(map(len, parts))

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes from an offset, fewer at the end."""
        found, start = b"", 0
        for part in self._parts:
            some = part[max(offset - start, 0) : max(offset + size - start, 0)]
            found += self._read(some.start, len(some)) if some else b""
            start += len(part)
        return found

    def read_ranges(self, ranges: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Return the bytes of several (offset, size)."""
        return [self.read(offset, size) for offset, size in ranges]

    def beside(self, _name: str) -> None:
        """Return nothing: it has no sidecar files."""
        return


GdalFile = RemoteFile | FileParts


class _Cursor:
    """A file as GDAL has opened it, at a position."""

    def __init__(self, file: GdalFile) -> None:
        self.file = file
        self.position = 0
        self.is_at_end = False


class GdalFiles:
    """The files that GDAL can open by a path."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, GdalFile]] = {}
        self._cursors: dict[int, _Cursor] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        # Symbols are also searched in libraries linked with an extension, here the GDAL of rasterio.
        gdal: Any = ctypes.CDLL(rasterio.crs.__file__)
        gdal.VSIAllocFilesystemPluginCallbacksStruct.restype = ctypes.POINTER(_Callbacks)
        callbacks = gdal.VSIAllocFilesystemPluginCallbacksStruct()
        self._callbacks = {name: kind(getattr(self, f"_{name}")) for name, kind in _KINDS.items()}
        for name, callback in self._callbacks.items():
            setattr(callbacks.contents, name, callback)
        self._prefix = ctypes.create_string_buffer(PREFIX.encode())  # as GDAL may hold on to it
        if gdal.VSIInstallPluginHandler(self._prefix, callbacks) != 0:
            raise OSError("GDAL takes no plug-in for files")
        gdal.VSIFreeFilesystemPluginCallbacksStruct(callbacks)
        # Never freed: files that are open when Python ends are closed by GDAL after that.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))

    def add(self, file: GdalFile, name: str) -> str:
        """Return the path of a file for GDAL, valid until it is removed."""
        with self._lock:
            token = f"{next(self._numbers):x}"
            self._files[token] = name, file
        return f"{PREFIX}{token}/{name}"

    def remove(self, path: str) -> None:
        """Remove a path; open handles stay valid."""
        with self._lock:
            self._files.pop(path.removeprefix(PREFIX).partition("/")[0], None)

    def _open(self, _user: int | None, path: bytes, _access: bytes) -> int | None:
        token, _slash, name = os.fsdecode(path).removeprefix(PREFIX).partition("/")
        with self._lock:
            own, file = self._files.get(token, (name, None))
        if file is not None and name != own:
            file = file.beside(name)
        if file is None:
            return None
        with self._lock:
            number = next(self._numbers)
            self._cursors[number] = _Cursor(file)
        return number

    def _tell(self, number: int) -> int:
        return self._cursors[number].position

    def _seek(self, number: int, offset: int, whence: int) -> int:
        cursor = self._cursors[number]
        start = {os.SEEK_CUR: cursor.position, os.SEEK_END: cursor.file.size}.get(whence, 0)
        cursor.position = start + offset
        cursor.is_at_end = False
        return 0

    def _read(self, number: int, buffer: int, size: int, count: int) -> int:
        cursor = self._cursors[number]
        found = cursor.file.read(cursor.position, size * count) if size else b""
        ctypes.memmove(buffer, found, len(found))
        cursor.position += len(found)
        cursor.is_at_end = len(found) < size * count
        return len(found) // size if size else 0

    def _read_multi_range(self, number: int, count: int, buffers: Any, offsets: Any, sizes: Any) -> int:  # noqa: ANN401, PLR0917 -- ctypes' pointers; GDAL's signature
        found = self._cursors[number].file.read_ranges([(offsets[n], sizes[n]) for n in range(count)])
        if found is None:
            return -1
        for n, part in enumerate(found):
            ctypes.memmove(buffers[n], part, len(part))
        return 0

    def _eof(self, number: int) -> int:
        return int(self._cursors[number].is_at_end)

    def _close(self, number: int) -> int:
        with self._lock:
            self._cursors.pop(number, None)
        return 0


def path_of(path: str) -> str:
    """Return the name of an added file by its path for GDAL; other paths unchanged."""
    return path.removeprefix(PREFIX).partition("/")[2] if path.startswith(PREFIX) else path


_install_lock = threading.Lock()
_installed: list[GdalFiles] = []


def gdal_files() -> GdalFiles:
    """Return the files of this process.

    GDAL's list of file systems has no lock: call this before the first file is opened.
    """
    with _install_lock:
        if not _installed:
            _installed.append(GdalFiles())
        return _installed[0]
