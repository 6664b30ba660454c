"""Folders of products: all their files, and one of them by its name. No text of a request becomes a path."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chronotile.core.errors import AddressRefused, SourceUnavailable, UnknownPath, require_at_most
from chronotile.readers.hrefs import fingerprint_of
from chronotile.readers.products.files import MISSING, ProductFile, file_at

MOST_FILES = 50_000
"""Of one folder with all below it."""
MOST_DEPTH = 32

Allowed = Callable[[str], str]
"""Takes a path, gives it without links; raises `AddressRefused` if it is not opened."""


@dataclass(frozen=True, slots=True)
class ProductFolder:
    """A folder of a product on this machine."""

    path: str
    """Absolute, without links."""

    @property
    def modified_ns(self) -> int:
        """When entries came or went last; 0 if it is gone."""
        try:
            return os.stat(self.path).st_mtime_ns  # noqa: PTH116 -- a path as text
        except OSError:
            return 0


Node = ProductFile | ProductFolder


def node_at(path: str, *, in_parts: bool = False) -> Node:
    """Return what is at an absolute path without links, or the file at a URL.

    With `in_parts`, the server of a URL must send parts.

    Raises:
        UnknownPath: There is nothing that is delivered.
        SourceUnavailable: It cannot be read now.
        WithoutParts: Its server sends none.
    """
    if "://" not in path and Path(path).is_dir():
        return ProductFolder(path)
    return file_at(path, in_parts=in_parts)


def children_of(folder: ProductFolder, allowed: Allowed) -> list[tuple[str, Node]]:
    """Return what lies in a folder, by name.

    Links to files are followed where they stay in an allowed place; links to folders are left out, and so is what is
    neither a file nor a folder. Bytes of a name that are not UTF-8 are U+FFFD.

    Raises:
        LimitExceeded: It has more than `MOST_FILES` entries.
        UnknownPath: It is gone.
        SourceUnavailable: It cannot be read now.
    """
    try:
        with os.scandir(folder.path) as entries:
            found = list[tuple[str, Node]]()
            for entry in entries:
                require_few(len(found) + 1)
                node = _node_of(entry, allowed)
                if node is not None:
                    found.append((os.fsencode(entry.name).decode(errors="replace"), node))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnknownPath(MISSING) from error
    except OSError as error:
        raise SourceUnavailable("a folder of this product cannot be read now") from error
    return sorted(found, key=lambda each: each[0])


def _node_of(entry: "os.DirEntry[str]", allowed: Allowed) -> Node | None:
    try:
        if entry.is_symlink():
            path = followed(entry.path, allowed)
            return None if path is None else ProductFile(path, fingerprint_of(os.stat(path)))  # noqa: PTH116 -- a path as text
        if entry.is_dir(follow_symlinks=False):
            return ProductFolder(entry.path)
        status = entry.stat(follow_symlinks=False)
        return ProductFile(entry.path, fingerprint_of(status)) if stat.S_ISREG(status.st_mode) else None
    except (OSError, AddressRefused):  # gone, or a link that leads out
        return None


def followed(link: str, allowed: Allowed) -> str | None:
    """Return the path of the file to which a link leads; `None` where it leads to none, or out of what is allowed."""
    try:
        path = allowed(link)
        return path if stat.S_ISREG(os.stat(path).st_mode) else None  # noqa: PTH116 -- a path as text
    except (OSError, AddressRefused):
        return None


def walk(folder: ProductFolder, allowed: Allowed) -> Iterator[tuple[str, Node]]:
    """Yield all files below a folder and those folders that are empty, by their paths from it.

    Raises:
        LimitExceeded: There are more than `MOST_FILES`, or more than `MOST_DEPTH` folders within one another.
        UnknownPath: It is gone.
        SourceUnavailable: It cannot be read now.
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
    """Return what lies in a folder under these names, each of which is looked for among those that are there.

    Raises:
        UnknownPath: There is none.
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
    require_at_most("folders within one another", depth, MOST_DEPTH, alternative=fewer)


def require_few(count: int) -> None:
    """Check that a folder has not too many files.

    Raises:
        LimitExceeded: It has.
    """
    fewer = "request single files by their names, or a coverage of the area that is needed"
    require_at_most("files of a folder", count, MOST_FILES, alternative=fewer)
