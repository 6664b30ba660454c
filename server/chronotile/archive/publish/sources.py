"""Files to copy, from disk, web and S3. They are read in parts of one state."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

from chronotile.core.errors import AddressRefused, SourceUnavailable, UnsupportedSource
from chronotile.readers.dated_files import NOT_LISTED
from chronotile.readers.hrefs import base_name, local_path
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.products.folders import Allowed, resolve_link
from chronotile.readers.remote.requests import Away, ObjectState, ask_part, list_files, place_of, retry

PART_BYTES = 4 << 20
"""Size of one request to a remote file."""
READ_BYTES = 1 << 20
MAX_NAMED = 5
"""Number of files of a folder that a message lists."""


class LocalSourceFile:
    """A local file.

    Args:
        path: Its path.
        name: Published name; `None`: the name of the file.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self._path = path
        self.name = name or path.name

    def state(self) -> str:
        """Return a text that changes when the file is replaced.

        Raises:
            SourceUnavailable: It cannot be read.
        """
        try:
            return _digest(*_state_of(self._path.stat()))
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror or error}") from error

    def parts(self) -> Iterator[bytes]:
        """Yield the content of the file.

        Raises:
            SourceUnavailable: It cannot be read, or was changed during reading.
        """
        try:
            with self._path.open("rb") as file:
                before = _state_of(os.fstat(file.fileno()))
                while part := file.read(READ_BYTES):
                    yield part
                after = _state_of(os.fstat(file.fileno()))
        except OSError as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error.strerror or error}") from error
        if before != after:
            raise SourceUnavailable(f"{self.name} was written while it was copied; run it again")


class RemoteSourceFile:
    """A file of the web or of S3.

    Args:
        href: Its URL.
    """

    def __init__(self, href: str) -> None:
        self._href = href
        self.name = base_name(href)
        self._state: ObjectState | None = None

    def state(self) -> str:
        """Return a text that changes when the file is replaced; empty if its server sends neither ETag nor time.

        Raises:
            SourceUnavailable: It is unreachable.
        """
        state = self._now()
        return _digest(*state) if state.tag or state.modified_ns else ""

    def parts(self) -> Iterator[bytes]:
        """Yield the content of the file.

        Raises:
            SourceUnavailable: It is unreachable, or was replaced during reading.
        """
        state = self._now()
        place = place_of(self._href)
        for start in range(0, state.size, PART_BYTES):
            stop = min(start + PART_BYTES, state.size)
            data, now = self._request(partial(ask_part, place, start, stop, state))
            if now != state or len(data) != stop - start:
                raise SourceUnavailable(f"{self.name} was replaced while it was copied; run it again")
            yield data

    def _now(self) -> ObjectState:
        if self._state is None:
            self._state = self._request(partial(ask_part, place_of(self._href), 0, 1, None))[1]
        return self._state

    def _request(self, ask: Callable[[], tuple[bytes, ObjectState]]) -> tuple[bytes, ObjectState]:
        try:
            return retry(ask, None)
        except (Away, BeingWritten) as error:
            raise SourceUnavailable(f"{self.name} cannot be read: {error}") from error


class GeneratedFile:
    """A generated file."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self._data = name, data

    def state(self) -> str:
        """Return a text that changes with the content."""
        return blake2b(self._data, digest_size=8).hexdigest()

    def parts(self) -> Iterator[bytes]:
        """Yield the content."""
        yield self._data


def source_at(href: str) -> LocalSourceFile | RemoteSourceFile:
    """Return the file at a path or URL."""
    path = local_path(href)
    return RemoteSourceFile(href) if path is None else LocalSourceFile(path)


def is_folder(href: str) -> bool:
    """Return whether a location is a store of many files."""
    path = local_path(href)
    if path is not None:
        return path.is_dir()
    return base_name(href).lower().endswith(".zarr")


def files_below(href: str) -> Mapping[str, LocalSourceFile | RemoteSourceFile]:
    """Return the files of a store by relative path: files with data before files with metadata.

    Raises:
        SourceUnavailable: It cannot be listed.
        UnsupportedSource: Its server does not list files, or the store has links to outside, without which it is
            incomplete.
    """
    files, left_out = files_and_left_out(href, partial(_resolve_below, os.path.realpath(local_path(href) or ".")))
    if left_out:
        raise UnsupportedSource(
            f"{base_name(href)} has links that lead out of it, or to folders, which are not published "
            f"({shorten_names(left_out)}): put files in their places"
        )
    return files


def files_and_left_out(
    href: str, allowed: Allowed
) -> tuple[Mapping[str, LocalSourceFile | RemoteSourceFile], list[str]]:
    """Return the files of a folder, as `files_below` does, and the paths that are not copied.

    Links to files are followed if they stay in permitted locations, as in downloads of products. Links to folders and
    special files are not copied.

    Args:
        href: Path or URL of the folder.
        allowed: Resolves the links of a path; raises `AddressRefused` if it must not be opened.

    Raises:
        SourceUnavailable: It cannot be listed.
        UnsupportedSource: Its server does not list files.
    """
    path = local_path(href)
    if path is not None:
        return _local_files(path, allowed)
    try:
        listed = list_files(href)
    except Away as error:
        raise SourceUnavailable(f"{base_name(href)} cannot be listed: {error}") from error
    if listed is None:
        raise UnsupportedSource(f"{base_name(href)} is a folder of a web server: {NOT_LISTED}")
    return {name: RemoteSourceFile(f"{href.rstrip('/')}/{name}") for name in sorted(listed, key=_last_is_json)}, []


def shorten_names(names: Sequence[str]) -> str:
    """Return the first names, and the number of remaining names."""
    more = [f"and {len(names) - MAX_NAMED} more"] if len(names) > MAX_NAMED else []
    return ", ".join([*names[:MAX_NAMED], *more])


def _local_files(folder: Path, allowed: Allowed) -> tuple[Mapping[str, LocalSourceFile], list[str]]:
    files, left_out = dict[str, LocalSourceFile](), list[str]()
    for base, folders, names in os.walk(folder):
        here = Path(base)
        for name in (*names, *(f for f in folders if (here / f).is_symlink())):
            file = here / name
            place = resolve_link(str(file), allowed) if file.is_symlink() else str(file) if file.is_file() else None
            if place is None:
                left_out.append(str(file.relative_to(folder)))
            else:
                files[str(file.relative_to(folder))] = LocalSourceFile(Path(place), name)
    return {name: files[name] for name in sorted(files, key=_last_is_json)}, sorted(left_out)


def _resolve_below(folder: str, path: str) -> str:
    """Resolve the links of a path.

    Raises:
        AddressRefused: The path is not below the folder.
    """
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(folder):
        raise AddressRefused("it is elsewhere")
    return real


def _last_is_json(name: str) -> tuple[bool, str]:
    base = name.rpartition("/")[2]
    return base.endswith(".json") or base.startswith(".z"), name


def _state_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()
