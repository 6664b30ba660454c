"""Fingerprints of files, which change when a file is rewritten or replaced."""

import errno
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from chronotile.readers.hrefs import PRODUCT_END, documents_of, is_product, stored_file
from chronotile.readers.remote.files import looks

MAX_REMEMBERED = 1 << 14
"""Maximum number of fingerprints in the cache `Look`, about 5 MB; more files cost a system call per use."""

MAX_PRODUCT_FILES = 1000
"""Maximum number of files of a product that its fingerprint includes."""

SETTLED_NS = 2_000_000_000
"""Minimum age in ns of cached files: a younger file may be written again without a new modification time."""

_current = threading.local()


class FileState(NamedTuple):
    """Fingerprint of a file: changes when it is rewritten, replaced, or a link in its path leads to another file."""

    mtime_ns: int
    size: int
    inode: int
    tag: str = ""
    """The ETag of a remote file."""
    ctime_ns: int = 0
    """Time of the last change of the inode, which no program can set; 0 for a remote file."""

    @property
    def text(self) -> str:
        """The fingerprint for revisions and ETags, without their separators."""
        tag = blake2b(self.tag.encode(), digest_size=6).hexdigest() if self.tag else ""
        return f"{self.mtime_ns:x}-{self.size:x}-{self.inode:x}-{self.ctime_ns:x}{tag}"


def fingerprint_of(status: os.stat_result) -> FileState:
    """Return the fingerprint of a local file."""
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino, "", status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document of a store with its fingerprint."""

    document: str
    """Path as text, because a stat call per request is faster with it."""
    state: FileState | None

    def has_changed(self) -> bool:
        """Return whether the document has changed; False if it was deleted."""
        try:
            now = os.stat(self.document)  # noqa: PTH116 -- see above
        except OSError:
            return False
        return fingerprint_of(now) != self.state


def file_state(path: str) -> FileState:
    """Return the fingerprint of a file. For a remote file, it may be some seconds old.

    Raises:
        OSError: The file is missing or unavailable.
    """
    if "://" in path:
        state = looks.state(path)
        return FileState(state.modified_ns, state.size, 0, state.tag)
    look: Look | None = getattr(_current, "look", None)
    return state_now(path) if look is None else look.state(path)


def state_or_none(href: str) -> "FileState | None":
    """Return the fingerprint of a file, `None` if it does not exist."""
    try:
        return file_state(href)
    except FileNotFoundError:
        return None


class Look:
    """Cache of fingerprints of local files and folders, so that each is requested from the system once."""

    def __init__(self) -> None:
        self.count = 0
        """Number of system calls."""
        self._states: dict[str, FileState | None] = {}

    def state(self, path: str) -> FileState:
        """Return the fingerprint of a file or folder.

        Raises:
            OSError: The file is missing or unavailable.
        """
        try:
            state = self._states[path]
        except KeyError:
            state = self._request(path)
        if state is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return state

    def _request(self, path: str) -> FileState | None:
        self.count += 1
        try:
            state: FileState | None = state_now(path)
        except FileNotFoundError:
            state = None
        if len(self._states) < MAX_REMEMBERED:
            self._states[path] = state
        return state


@contextmanager
def one_look() -> Iterator[Look]:
    """Cache fingerprints of local files for this thread until the block ends; nested blocks share the outer cache.

    Only for computing revisions: the block does not notice files that are written while it runs.
    """
    outer: Look | None = getattr(_current, "look", None)
    if outer is not None:
        yield outer
        return
    look = _current.look = Look()
    try:
        yield look
    finally:
        _current.look = None


def state_now(path: str) -> FileState:
    """Return the current fingerprint of a local file, and of the other files that its content depends on (`_FORMS`).

    Raises:
        OSError: It is missing or unavailable.
    """
    try:
        state = fingerprint_of(os.stat(path))  # noqa: PTH116 -- half the time of Path.stat, and done at each read
    except NotADirectoryError:
        return fingerprint_of(os.stat(stored_file(path)))  # noqa: PTH116 -- a member of a ZIP file
    add_files = _FORMS.get(path[path.rfind(".") :].lower())
    return state if add_files is None else add_files(path, state)


def _add_documents(path: str, state: FileState) -> FileState:
    """Add the document of a Sentinel-2 product, which states the meaning of the numbers of its images."""
    states = dict[str, FileState]()
    for document in documents_of(path):
        with suppress(FileNotFoundError):
            states[document] = fingerprint_of(os.stat(document))  # noqa: PTH116 -- as above
    return _join(state, states) if states else state


def _add_files(path: str, state: FileState) -> FileState:
    """Add the files of a folder that is read as one file; its size is their sum."""
    if not is_product(path):
        return state
    with os.scandir(path) as entries:
        files = islice((entry for entry in entries if entry.is_file()), MAX_PRODUCT_FILES)
        states = {file.name: fingerprint_of(file.stat()) for file in files}
    return _join(state, states)._replace(size=sum(file.size for file in states.values()))


def _add_folder(path: str, state: FileState) -> FileState:
    folder = path.rpartition("/")[0]  # other files of a product have the positions of its cells
    return file_state(folder)._replace(size=state.size, inode=state.inode) if is_product(folder) else state


_FORMS = {".jp2": _add_documents, PRODUCT_END: _add_files, ".nc": _add_folder}
"""Files whose content depends on other files, by suffix."""


def _join(state: FileState, states: dict[str, FileState]) -> FileState:
    """Return the fingerprint of several files with the time of the last change; `states` are by name."""
    states = {"": state, **states}
    tag = digest_of(dict(sorted(states.items())))
    return max(states.values())._replace(size=state.size, inode=state.inode, tag=tag)


def digest_of(states: Mapping[str, object]) -> str:
    """Return a short text that changes with the states."""
    return blake2b(repr(list(states.values())).encode(), digest_size=6).hexdigest()
