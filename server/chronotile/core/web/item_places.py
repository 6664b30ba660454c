"""Check of the addresses in the items and documents of a source before they are opened.

The operator configures the address of the source itself, so it is trusted. Other people may write its contents.
"""

import glob
import os
import posixpath
import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from time import monotonic
from urllib.parse import urljoin, urlsplit

from chronotile.core.errors import MAX_SHOWN, AddressRefused, ConfigurationError
from chronotile.core.web.inner_hosts import inner_hosts
from chronotile.core.web.places import BUCKETS, AllowedPlaces, Outside, is_local, path_of, quoted_path, remote_place

SOURCE_SETTING = "CHRONOTILE_SOURCE_PREFIXES"
_WEB = ("http://", "https://")
_PLAIN = (*_WEB, *(f"{scheme}://" for scheme in BUCKETS))
MAX_FOLDERS, FOLDERS_S = 4096, 5.0
"""Maximum number of cached folders, and their lifetime; a link may have another target afterwards."""
MAX_ADDRESS = 1000
"""Maximum length of an address whose folder is cached."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_BELOW = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
"""Relative addresses without a scheme and without special characters."""
_MIN_PARTS = 3
"""Minimum number of parts, with the root, of a folder proposed to the operator: `/data` or `/home` is too much."""


class ItemPlaces:
    """Allowed locations of the files in the items of one source.

    Args:
        href: The source: a catalogue, collection, folder or pattern, as absolute path or URL. All addresses below its
            folder, host or bucket are allowed.
        prefixes: Other addresses that the operator allows.

    IP addresses in `prefixes` become allowed for all host names (`inner_hosts`). The host of `href` may still not have
    private addresses: a caller that has `href` from the operator must call `InnerHosts.trust`.

    Raises:
        ConfigurationError: The source is not a path or a plain URL.
    """

    def __init__(self, href: str, prefixes: AllowedPlaces) -> None:
        self._is_here = is_local(href)
        try:
            root = _own_folder(href) if self._is_here else _own_server(href)
        except ValueError as error:
            raise ConfigurationError([f"href {href[:MAX_SHOWN]!r} is not a path or URL: {error}"]) from error
        self._own = AllowedPlaces([root], setting="href")
        self._prefixes = prefixes
        inner_hosts.allow_addresses(remote.host for remote in prefixes.remotes)

    def require_allowed(self, address: str) -> str:
        """Return the absolute path or URL to open, in its accepted spelling; its query is unchanged.

        Raises:
            AddressRefused: It is not allowed, or is ambiguous.
        """
        try:
            plain, query = (address, "") if is_local(address) else split_query(_quote_path(address))
            if is_local(address) and not self._is_here:
                raise ValueError("documents from other machines may not name files of this one")
            try:
                resolved = self._own.find(plain) + query
            except Outside:
                resolved = self._prefixes.find(plain) + query
            if any(folder.is_relative_to(resolved) for folder in self._own.folders):
                raise ValueError("the whole source lies in it, with the files of all items")
            return resolved
        except Outside as error:
            prefix = self._remedy(plain)
            raise AddressRefused(f"addresses below {prefix} are not allowed", prefix=prefix) from error
        except (ValueError, OSError) as error:
            raise AddressRefused(f"{address[:MAX_SHOWN]!r} is not accepted: {error}") from error

    def _remedy(self, address: str) -> str:
        """Return the prefix that the operator would have to allow: for a file, the folder shared by other items.

        The folder is one level below the last folder that the file shares with the source, because tiles and dates
        often have separate folders.
        """
        prefix = prefix_of(address)
        if not is_local(address):
            return prefix
        parts = Path(prefix).parts
        shared = len(Path(os.path.commonpath([prefix, *self._own.folders])).parts)
        return str(Path(*parts[: max(shared + 1, _MIN_PARTS)]))


class FoldersOnce:
    """Check of addresses that checks each folder once, for filling an index. Files are checked again when opened.

    Args:
        allowed: Returns the address to open, such as `ItemPlaces.require_allowed`.
        clock: Monotonic, in seconds.
    """

    def __init__(self, allowed: Callable[[str], str], clock: Callable[[], float] = monotonic) -> None:
        self._allowed, self._clock = allowed, clock
        self._known: dict[str, str] = {}
        self._until_s = 0.0

    def __reduce__(self) -> tuple[type["FoldersOnce"], tuple[Callable[[str], str]]]:
        """Pickle without the cache."""
        return FoldersOnce, (self._allowed,)

    def require_allowed(self, address: str) -> str:
        """Return the address to open.

        Raises:
            AddressRefused: It is not allowed.
        """
        folder, name = _split_address(address)
        if not folder or len(address) > MAX_ADDRESS:
            return self._allowed(address)
        if self._clock() > self._until_s or len(self._known) >= MAX_FOLDERS:
            self._known, self._until_s = {}, self._clock() + FOLDERS_S
        return self._resolve_in_folder(folder, name) or self._allowed(address)

    def _resolve_in_folder(self, folder: str, name: str) -> str:
        """Return the address to open for a name in a folder; empty for a link and if the folder is not allowed."""
        real_folder = self._known.get(folder)
        if real_folder is None:
            around, folder_name = _split_address(folder)
            real_folder = self._resolve_in_folder(around, folder_name) if around else ""
            if not real_folder:
                with suppress(AddressRefused):  # checks a file in the folder, as the folder may be above the source
                    below = self._allowed(f"{folder}/_")
                    real_folder = below[:-2] if below.endswith("/_") else ""
            self._known[folder] = real_folder
        address = f"{real_folder}/{name}"
        is_link = is_local(folder) and os.path.islink(address)  # noqa: PTH114 -- a tenth of its time
        return "" if is_link or not real_folder else address


def _split_address(address: str) -> tuple[str, str]:
    """Return folder and name of an address without special characters; of other addresses, empty texts."""
    folder, _slash, name = address.rpartition("/")
    is_plain = "?" not in folder and not folder.endswith("/") and PLAIN_NAME.fullmatch(name)
    return (folder, name) if is_plain else ("", "")


@lru_cache(maxsize=256)
def item_places(href: str, prefixes: AllowedPlaces) -> ItemPlaces:
    """Return the cached `ItemPlaces` of a source.

    Raises:
        ConfigurationError: The source is not a path or a plain URL.
    """
    return ItemPlaces(href, prefixes)


def absolute(address: str, base: str) -> str:
    """Return an address as an absolute path or URL without `.` and `..`; the path of a URL becomes ASCII.

    Args:
        address: Address in a document.
        base: Path or URL of the document; empty: relative addresses are refused.

    Raises:
        ValueError: It is relative and there is no base, or it is not a valid path or URL.
    """
    if address.startswith(_PLAIN) and address.isascii() and "[" not in address and "]" not in address:
        return address
    if base.startswith("/") and _BELOW.fullmatch(address):
        return os.path.normpath(os.path.join(_folder_of(base), address))  # noqa: PTH118 -- a tenth of its time
    scheme = urlsplit(address).scheme
    if is_local(address) and is_local(base) and (scheme or address.startswith("/")):
        return os.path.normpath(path_of(address))
    if scheme:
        whole = address
    elif not base:
        raise ValueError("it is relative, and the address of its document is not known")
    elif is_local(base):
        return os.path.normpath(Path(path_of(base)).parent / address)
    elif (start := urlsplit(base).scheme) in BUCKETS:
        bucket, _slash, key = base.removeprefix(f"{start}://").partition("/")
        joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(key), address))
        whole = f"{start}://{bucket}/{joined.lstrip('/')}"
    else:
        whole = urljoin(base, address)
    return _quote_path(whole) if whole.lower().startswith(_WEB) else whole


@lru_cache(maxsize=256)
def _folder_of(base: str) -> str:
    # Folder of a document on this machine.
    return os.path.dirname(path_of(base))  # noqa: PTH120 -- as text


def _quote_path(url: str) -> str:
    """Return a URL with the path in ASCII; its host is unchanged."""
    if url.isascii() or not url.lower().startswith(_WEB):
        return url
    parts = urlsplit(url)
    return parts._replace(path=quoted_path(parts.path)).geturl()


def split_query(url: str) -> tuple[str, str]:
    """Return a URL without its query, and the query with `?`, which may contain a signature.

    Raises:
        ValueError: The query has characters that a URL cannot have.
    """
    plain, mark, query = url.partition("?")
    is_plain = query.isascii() and query.isprintable() and not set(query) & set(' "#<>\\^`{|}')
    if mark and not (is_plain and plain.lower().startswith(_WEB)):
        raise ValueError("its query has characters that are not accepted in a URL")
    return plain, mark + query


def _own_folder(href: str) -> str:
    """Return the folder of a catalogue on this machine; of a pattern, the folder before its first wildcard."""
    path = Path(path_of(href) if "://" in href else href).absolute()
    plain = list(takewhile(lambda part: not glob.has_magic(part) and "{" not in part, path.parts))
    is_folder = len(plain) < len(path.parts) or path.is_dir()
    return str(Path(*plain) if is_folder else path.parent)


def _own_server(href: str) -> str:
    parts = urlsplit(href)
    return f"{parts.scheme}://{parts.netloc}"


def prefix_of(address: str) -> str:
    """Return the prefix that the operator would have to allow: the server or bucket of a URL, the folder of a file."""
    if is_local(address):
        return str(Path(os.path.realpath(path_of(address))).parent)
    return remote_place(address.removesuffix("/")).root.url
