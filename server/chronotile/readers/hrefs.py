"""Places of files, as each library spells them, and whether a file is still the one that was opened."""

import errno
import glob
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.remote.files import looks
from chronotile.readers.remote.s3_environment import s3_access

_WEB = {"http", "https"}

CREDENTIALS_REMEDY = "use s3:// with credentials of S3, or a server that needs none"


def local_path(href: str) -> Path | None:
    """Return the path of a place on this machine, or `None` of one elsewhere."""
    scheme, separator, _rest = href.partition("://")
    if not separator:
        return Path(href)
    return Path(unquote(urlsplit(href).path)) if scheme == "file" else None


def tensorstore_path(path: Path) -> str:
    """Return a path of this machine as tensorstore takes it, which refuses `..`."""
    return os.path.realpath(path) if ".." in path.parts else str(path)


def kvstore(href: str) -> dict[str, Any]:
    """Return the place as tensorstore opens it; a `.zip` is opened as the store it holds."""
    path = local_path(href)
    if path is None:
        scheme, _, rest = href.partition("://")
        bucket, _, key = rest.partition("/")
        end = "" if href.endswith(".zip") else "/"
        base: dict[str, Any] = (
            {"driver": "http", "base_url": href.rstrip("/") + end}
            if scheme in _WEB
            else {"driver": scheme, "bucket": bucket, "path": key.rstrip("/") + end, **s3_access().tensorstore_spec()}
        )
    else:
        base = {"driver": "file", "path": tensorstore_path(path)}
    if href.endswith(".zip"):
        return {"driver": "zip", "base": base}
    return base


def shown_href(href: str) -> str:
    """Return a place for messages to the operator: without the password or signature that a URL may carry."""
    path = local_path(href)
    if path is not None:
        return str(path)
    return f"{host_of(href)}{urlsplit(href).path}"


def without_query(href: str) -> str:
    """Return a path as it is, and a URL without its query, in which there may be a signature and its date."""
    return href if local_path(href) is not None else shown_href(href)


def is_pattern_elsewhere(href: str) -> bool:
    """Whether a URL may stand for several files; in one of the web `?` begins a query."""
    parts = urlsplit(href)
    return glob.has_magic(parts.path if parts.scheme in _WEB else href)


def base_name(href: str) -> str:
    """Return the last part of a place, for messages to the operator; without the signature that a URL may carry."""
    path = urlsplit(href).path if local_path(href) is None else href
    return path.rstrip("/").rpartition("/")[2]


def common_folder(paths: Sequence[str]) -> str:
    """Return the text up to the last slash that all places share; what follows differs."""
    shared, slash, _rest = os.path.commonprefix(paths).rpartition("/")  # noqa: RUF071 -- of texts: cut at a slash here
    return shared + slash


def names_among(paths: Sequence[str]) -> list[str]:
    """Return each place without the folder that all share, for messages to the operator."""
    shown = [without_query(path) for path in paths]
    folder = common_folder(shown)
    return [path.removeprefix(folder) for path in shown]


MAX_REMEMBERED = 1 << 14
"""States that one look remembers, about 5 MB; those of more files are read from the system each time."""

SETTLED_NS = 2_000_000_000
"""What was written since may be written again without its time telling; what is read of it is not cached."""

_current = threading.local()


class FileState(NamedTuple):
    """Fingerprint of a file: changes when it is rewritten, replaced, or a link in its path leads to another file."""

    mtime_ns: int
    size: int
    inode: int
    tag: str = ""
    """The ETag of a remote file."""
    ctime_ns: int = 0
    """Time of the last change, which no program can set; 0 of a remote file."""

    @property
    def text(self) -> str:
        """The fingerprint for revisions and ETags, without characters that separate those."""
        tag = blake2b(self.tag.encode(), digest_size=6).hexdigest() if self.tag else ""
        return f"{self.mtime_ns:x}-{self.size:x}-{self.inode:x}-{self.ctime_ns:x}{tag}"


def fingerprint_of(status: os.stat_result) -> FileState:
    """Return the fingerprint of a local file."""
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino, "", status.st_ctime_ns)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document of a store, as it was."""

    document: str
    """Its path, as text: a stat of it stands in the way of every request."""
    state: FileState | None

    def has_changed(self) -> bool:
        """Return whether it is another by now; one that is gone has nothing newer to tell."""
        try:
            now = os.stat(self.document)  # noqa: PTH116 -- see above
        except OSError:
            return False
        return fingerprint_of(now) != self.state


def file_state(path: str) -> FileState:
    """Return the state of a file; of one elsewhere as it was some seconds ago, or when a part of it was last read.

    Raises:
        OSError: It is gone or away.
    """
    if "://" in path:
        found = looks.state(path)
        return FileState(found.modified_ns, found.size, 0, found.tag)
    look: Look | None = getattr(_current, "look", None)
    return _state_now(path) if look is None else look.state(path)


def state_or_none(href: str) -> "FileState | None":
    """Return the state of a file, `None` if it does not exist."""
    try:
        return file_state(href)
    except FileNotFoundError:
        return None


class Look:
    """The states of files and folders of this machine, each read from the system once."""

    def __init__(self) -> None:
        self.count = 0
        """How many calls of the system were made."""
        self._seen: dict[str, FileState | None] = {}

    def state(self, path: str) -> FileState:
        """Return the state of a file or folder.

        Raises:
            OSError: It is gone or away.
        """
        try:
            found = self._seen[path]
        except KeyError:
            found = self._asked(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def _asked(self, path: str) -> FileState | None:
        self.count += 1
        try:
            found = _state_now(path)
        except FileNotFoundError:
            found = None
        if len(self._seen) < MAX_REMEMBERED:
            self._seen[path] = found
        return found


@contextmanager
def one_look() -> Iterator[Look]:
    """Have this thread ask once for the state of each file or folder of this machine that it needs in the block.

    For finding states alone: whether a file was written while it was read is not seen in it.
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


def _state_now(path: str) -> FileState:
    return fingerprint_of(os.stat(path))  # noqa: PTH116 -- half the time of Path.stat, and done at each read


def is_any_there(paths: Iterable[str]) -> bool:
    """Return whether any of the files is on this machine; of one elsewhere a failure may be one of the network."""
    local = (local_path(path) for path in paths)
    return any(path is not None and path.is_file() for path in local)


def digest_of(states: Mapping[str, object]) -> str:
    """Return a short text that changes with any of the states."""
    return blake2b(repr(list(states.values())).encode(), digest_size=6).hexdigest()
