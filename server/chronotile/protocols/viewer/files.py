"""Where the viewer's files lie, and which of them may be requested."""

import gzip
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from chronotile.errors import UnknownPath
from chronotile.pipeline.revision import fingerprint
from chronotile.protocols.common.shipped_files import INDEX

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
PACKED = {"image/x-icon", "image/jpeg", "image/png", "image/webp", "font/woff2"}
"""Kinds that compression makes no smaller."""
VERSIONED = "v"
"""Below which the files stand once more, by version: `v/0123456789ab/main.js`."""
VERSION_LETTERS = 12
MAX_DEPTH = 4
MAX_FILES = 1024
"""Files in memory; more than there are."""
GZIP_LEVEL = 9
"""Once a file: 6 % fewer bytes than level 6."""
FileState = tuple[str, int, int]
"""A path, when it was written, in nanoseconds, and its size."""
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_REFERENCE = re.compile(rb'(\s(?:href|src)=")([A-Za-z0-9_][A-Za-z0-9_./-]*\.(?:css|js|svg)(?:#[\w-]+)?")')
"""A reference to a file of the viewer, in its page: the attribute and its value."""


@dataclass(frozen=True, slots=True)
class ViewerFile:
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str
    is_immutable: bool = False
    """Whether it is requested by its version, under which there will never be another."""

    @property
    def gzipped(self) -> bytes | None:
        """The body compressed, which takes up to a tenth of a second once; `None` of a kind that is compressed."""
        return None if self.media_type in PACKED else _gzipped(self.body)


def read_viewer_file(folder: Path, path: str) -> ViewerFile:
    """Return a file of the viewer.

    Nothing at the end of a path means its page, which refers to all else by version. A page of another version, opened
    before the files became these, gets those of now, which must not be cached under its name.

    Raises:
        UnknownPath: There is none, or it is of a kind that pages do not load.
    """
    if path in {"", INDEX}:
        return _page(folder)
    names = path.split("/")
    if names[0] != VERSIONED or len(names) < 3:
        return _file(folder, names)
    found = _file(folder, names[2:])
    is_current = names[1] == viewer_version(folder)
    return replace(found, is_immutable=is_current)


def viewer_version(folder: Path) -> str:
    """Return a short name for the state of all files together."""
    return _version(folder, tuple(sorted(_states(folder))))


def _states(folder: Path) -> Iterator[FileState]:
    """By which it is known whether files changed; each page requests dozens of files, so paths are text."""
    for parent, _folders, names in os.walk(folder, followlinks=True):
        for name in names:
            if os.path.splitext(name)[1] in MEDIA_TYPES:  # noqa: PTH122 -- as above
                path = os.path.join(parent, name)  # noqa: PTH118 -- as above
                state = os.stat(path)  # noqa: PTH116 -- as above
                yield path, state.st_mtime_ns, state.st_size


@lru_cache(maxsize=4)
def _version(folder: Path, states: tuple[FileState, ...]) -> str:
    files = [(Path(path), _read(Path(path), modified_ns, size).etag) for path, modified_ns, size in states]
    return fingerprint([(path.parts[len(folder.parts) :], etag) for path, etag in files])[:VERSION_LETTERS]


def _page(folder: Path) -> ViewerFile:
    file = folder / INDEX
    if not file.is_file():
        raise UnknownPath("the viewer has no page")
    return _versioned(_read_now(file).body, viewer_version(folder))


@lru_cache(maxsize=4)
def _versioned(page: bytes, version: str) -> ViewerFile:
    folder = f"{VERSIONED}/{version}/".encode()
    return _sent(_REFERENCE.sub(rb"\1" + folder + rb"\2", page), ".html")


def _file(folder: Path, names: list[str]) -> ViewerFile:
    is_name = all(map(_SEGMENT.fullmatch, names)) and len(names) <= MAX_DEPTH
    file = folder.joinpath(*names) if is_name else None
    if file is None or file.suffix not in MEDIA_TYPES or not file.is_file():
        raise UnknownPath(f"the viewer has no file {'/'.join(names)[:80]!r}")
    return _read_now(file)


def _read_now(file: Path) -> ViewerFile:
    state = file.stat()
    return _read(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=MAX_FILES)
def _read(file: Path, _modified_ns: int, _size: int) -> ViewerFile:
    """Cached until the file changes."""
    return _sent(file.read_bytes(), file.suffix)


def _sent(body: bytes, suffix: str) -> ViewerFile:
    return ViewerFile(body, MEDIA_TYPES[suffix], fingerprint(body))


@lru_cache(maxsize=MAX_FILES)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)
