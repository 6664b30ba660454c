"""Folders of products. Text of a request is compared with names of files, and never used as a path."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from chronotile.core.errors import AddressRefused, SourceUnavailable, UnknownPath, require_at_most
from chronotile.readers.file_states import fingerprint_of
from chronotile.readers.products.files import MISSING, ProductFile, file_at

MAX_FILES = 50_000
"""Files of a folder and all folders below it."""
MAX_DEPTH = 32

Allowed = Callable[[str], str]
"""Returns a path without symbolic links; raises `AddressRefused` if its location is not allowed."""


@dataclass(frozen=True, slots=True)
class ProductFolder:
    """A local folder of a product."""

    path: str
    """Absolute path without symbolic links."""

    @property
    def modified_ns(self) -> int:
        """Time of the last added or removed entry; 0 if the folder is missing."""
        try:
            return os.stat(self.path).st_mtime_ns  # noqa: PTH116 -- a path as text
        except OSError:
            return 0


Node = ProductFile | ProductFolder


def node_at(path: str, *, in_parts: bool = False) -> Node:
    """Return the file or folder at an absolute path without symbolic links, or the file at a URL.

    With `in_parts`, the server of a URL must support range requests.

    Raises:
        UnknownPath: The path is missing, or neither a file nor a folder.
        SourceUnavailable: It cannot be read now.
        WithoutParts: The server does not support range requests.
    """
    if "://" not in path and Path(path).is_dir():
        return ProductFolder(path)
    return file_at(path, in_parts=in_parts)


def children_of(folder: ProductFolder, allowed: Allowed) -> list[tuple[str, Node]]:
    """Return the entries of a folder, sorted by name.

    Links to files in allowed locations are followed. Other links, and entries that are neither files nor folders, are
    skipped. Bytes of a name that are not UTF-8 become U+FFFD.

    Raises:
        LimitExceeded: The folder has more than `MAX_FILES` entries.
        UnknownPath: The folder is missing.
        SourceUnavailable: The folder cannot be read now.
    """
    try:
        with os.scandir(folder.path) as entries:
            children = list[tuple[str, Node]]()
            for entry in entries:
                require_few(len(children) + 1)
                node = _node_of(entry, allowed)
                if node is not None:
                    children.append((os.fsencode(entry.name).decode(errors="replace"), node))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnknownPath(MISSING) from error
    except OSError as error:
        raise SourceUnavailable("a folder of this product cannot be read now") from error
    return sorted(children, key=itemgetter(0))


def _node_of(entry: "os.DirEntry[str]", allowed: Allowed) -> Node | None:
    try:
        if entry.is_symlink():
            path = resolve_link(entry.path, allowed)
            return None if path is None else ProductFile(path, fingerprint_of(os.stat(path)))  # noqa: PTH116 -- a path as text
        if entry.is_dir(follow_symlinks=False):
            return ProductFolder(entry.path)
        status = entry.stat(follow_symlinks=False)
        return ProductFile(entry.path, fingerprint_of(status)) if stat.S_ISREG(status.st_mode) else None
    except (OSError, AddressRefused):  # deleted meanwhile, or a link to a location that is not allowed
        return None


def resolve_link(link: str, allowed: Allowed) -> str | None:
    """Return the path of the file that a link leads to; `None` if it is not a regular file or not allowed."""
    try:
        path = allowed(link)
        return path if stat.S_ISREG(os.stat(path).st_mode) else None  # noqa: PTH116 -- a path as text
    except (OSError, AddressRefused):
        return None


def walk(folder: ProductFolder, allowed: Allowed) -> Iterator[tuple[str, Node]]:
    """Yield all files and empty folders below a folder, with their relative paths.

    Raises:
        LimitExceeded: There are more than `MAX_FILES` files, or folders nested deeper than `MAX_DEPTH`.
        UnknownPath: A folder is missing.
        SourceUnavailable: A folder cannot be read now.
    """
    waiting: list[tuple[str, ProductFolder, int]] = [("", folder, 0)]
    count = 0
    while waiting:
        before, here, depth = waiting.pop()
        children = children_of(here, allowed)
        if not children and before:
            yield before, here
        folders = []
        for name, node in children:
            path = f"{before}/{name}" if before else name
            if isinstance(node, ProductFile):
                count += 1
                require_few(count)
                yield path, node
            else:
                _require_shallow(depth + 1)
                folders.append((path, node, depth + 1))
        waiting += reversed(folders)


def find_below(folder: ProductFolder, names: Sequence[str], allowed: Allowed) -> Node:
    """Return the file or folder below a folder that has these names on each level.

    Raises:
        UnknownPath: It does not exist.
        SourceUnavailable: A folder cannot be read now.
    """
    here: Node = folder
    for name in names:
        children = dict(children_of(here, allowed)) if isinstance(here, ProductFolder) else {}
        if name not in children:
            raise UnknownPath("this product has no file of that name; its nodes are listed")
        here = children[name]
    return here


def _require_shallow(depth: int) -> None:
    fewer = "request its folders or files one by one"
    require_at_most("folders within one another", depth, MAX_DEPTH, alternative=fewer)


def require_few(count: int) -> None:
    """Check the number of files of a folder.

    Raises:
        LimitExceeded: It is above `MAX_FILES`.
    """
    fewer = "request single files by their names, or a coverage of the area that is needed"
    require_at_most("files of a folder", count, MAX_FILES, alternative=fewer)
