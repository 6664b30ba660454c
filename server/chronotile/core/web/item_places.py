"""Addresses inside the items and documents of a source: which of them are opened.

The address of the source itself is the operator's, and trusted. What lies there may be written by others.
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
from chronotile.core.web.places import AllowedPlaces, Outside, is_local, path_of, quoted_path, remote_place

SETTING = "CHRONOTILE_SOURCE_PREFIXES"
_WEB = ("http://", "https://")
_PLAIN = (*_WEB, "s3://")
MOST_FOLDERS, FOLDERS_S = 4096, 5.0
"""Folders that are known at a time, and for how many seconds: a link may lead elsewhere then."""
MOST_ADDRESS = 1000
"""Characters of addresses whose folders are known."""
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_BELOW = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*")
"""Relative addresses without a scheme or signs with a meaning."""
_LEAST_PARTS = 3
"""Of a folder that a message proposes to allow, with the root: all of `/data` or `/home` is too much."""


class ItemPlaces:
    """Where files may lie that the items of one source name.

    Args:
        href: The source: a catalogue, a collection, a folder or a pattern, by its absolute path or URL. Below its
            folder, host or bucket everything is allowed.
        prefixes: What the operator allows besides.

    Any name may lead to an address that a prefix has in place of a name from now on: requests look at `inner_hosts`.
    That the name of the source's own host may lead inside is for those to say who know that its address is the
    operator's.

    Raises:
        ConfigurationError: The source is neither a path nor a plain URL.
    """

    def __init__(self, href: str, prefixes: AllowedPlaces) -> None:
        self._is_here = is_local(href)
        try:
            own = _own_folder(href) if self._is_here else _own_server(href)
        except ValueError as error:
            raise ConfigurationError([f"href {href[:MAX_SHOWN]!r} is not a path or URL: {error}"]) from error
        self._own = AllowedPlaces([own], setting="href")
        self._prefixes = prefixes
        inner_hosts.allow_addresses(each.host for each in prefixes.remotes)

    def require_allowed(self, address: str) -> str:
        """Return an absolute path or URL in its one spelling, in which it may be opened; its query is left as it is.

        Raises:
            AddressRefused: It lies elsewhere, or could mean two things.
        """
        try:
            plain, query = (address, "") if is_local(address) else split_query(_in_ascii(address))
            if is_local(address) and not self._is_here:
                raise ValueError("documents from other machines may not name files of this one")
            try:
                found = self._own.find(plain) + query
            except Outside:
                found = self._prefixes.find(plain) + query
            if any(own.is_relative_to(found) for own in self._own.folders):
                raise ValueError("the whole source lies in it, with the files of all items")
            return found
        except Outside as error:
            prefix = self._remedy(plain)
            raise AddressRefused(f"addresses below {prefix} are not allowed", prefix=prefix) from error
        except (ValueError, OSError) as error:
            raise AddressRefused(f"{address[:MAX_SHOWN]!r} is not accepted: {error}") from error

    def _remedy(self, address: str) -> str:
        """What the operator would have to allow: of a folder, the part that folders of other items have as well.

        Tiles and dates often have a folder each. The first folder beside those of the source is above all of them.
        """
        prefix = prefix_of(address)
        if not is_local(address):
            return prefix
        parts = Path(prefix).parts
        shared = len(Path(os.path.commonpath([prefix, *self._own.folders])).parts)
        return str(Path(*parts[: max(shared + 1, _LEAST_PARTS)]))


class FoldersOnce:
    """Looks once at each folder or place of addresses, while an index is filled: what is opened is looked at again.

    Args:
        allowed: Gives an address as it is opened, as `ItemPlaces` does.
        clock: Monotonic, in seconds.
    """

    def __init__(self, allowed: Callable[[str], str], clock: Callable[[], float] = monotonic) -> None:
        self._allowed, self._clock = allowed, clock
        self._known: dict[str, str] = {}
        self._until_s = 0.0

    def __reduce__(self) -> tuple[type["FoldersOnce"], tuple[Callable[[str], str]]]:
        """Let other processes look by themselves."""
        return FoldersOnce, (self._allowed,)

    def require_allowed(self, address: str) -> str:
        """Return an address as it is opened.

        Raises:
            AddressRefused: It is not allowed.
        """
        folder, name = _split_address(address)
        if not folder or len(address) > MOST_ADDRESS:
            return self._allowed(address)
        if self._clock() > self._until_s or len(self._known) >= MOST_FOLDERS:
            self._known, self._until_s = {}, self._clock() + FOLDERS_S
        return self._in_folder(folder, name) or self._allowed(address)

    def _in_folder(self, folder: str, name: str) -> str:
        """What is called so in a folder, as it is opened; empty of a link, and where the folder is not allowed."""
        known = self._known.get(folder)
        if known is None:
            around, own = _split_address(folder)
            known = self._in_folder(around, own) if around else ""
            if not known:
                with suppress(AddressRefused):  # as of a file: a folder alone may be that of the whole source
                    below = self._allowed(f"{folder}/_")
                    known = below[:-2] if below.endswith("/_") else ""
            self._known[folder] = known
        address = f"{known}/{name}"
        is_link = is_local(folder) and os.path.islink(address)  # noqa: PTH114 -- a tenth of its time
        return "" if is_link or not known else address


def _split_address(address: str) -> tuple[str, str]:
    """The folder and the name of an address that has nothing with a meaning of its own; empty of another one."""
    folder, _slash, name = address.rpartition("/")
    is_plain = "?" not in folder and not folder.endswith("/") and PLAIN_NAME.fullmatch(name)
    return (folder, name) if is_plain else ("", "")


@lru_cache(maxsize=256)
def item_places(href: str, prefixes: AllowedPlaces) -> ItemPlaces:
    """Return where files of the items of a source may lie, made once.

    Raises:
        ConfigurationError: As of `ItemPlaces`.
    """
    return ItemPlaces(href, prefixes)


def absolute(address: str, base: str) -> str:
    """Return an address as an absolute path or URL, without `.` and `..` and, in the path of a URL, in ASCII.

    Args:
        address: As a document has it.
        base: Path or URL of that document; empty: relative addresses are refused.

    Raises:
        ValueError: It is relative, and there is no base; or it is a path or URL that means nothing.
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
    elif base.startswith("s3://"):
        bucket, _slash, key = base.removeprefix("s3://").partition("/")
        joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(key), address))
        whole = f"s3://{bucket}/{joined.lstrip('/')}"
    else:
        whole = urljoin(base, address)
    return _in_ascii(whole) if whole.lower().startswith(_WEB) else whole


@lru_cache(maxsize=256)
def _folder_of(base: str) -> str:
    # The folder of a document of this machine.
    return os.path.dirname(path_of(base))  # noqa: PTH120 -- as text


def _in_ascii(url: str) -> str:
    """A URL whose path has other characters than ASCII as one without ; its host is left."""
    if url.isascii() or not url.lower().startswith(_WEB):
        return url
    parts = urlsplit(url)
    return parts._replace(path=quoted_path(parts.path)).geturl()


def split_query(url: str) -> tuple[str, str]:
    """Return a URL in two parts; the second is its query with `?`, which may hold a signature.

    Raises:
        ValueError: The query has characters that a URL cannot have.
    """
    plain, mark, query = url.partition("?")
    is_plain = query.isascii() and query.isprintable() and not set(query) & set(' "#<>\\^`{|}')
    if mark and not (is_plain and plain.lower().startswith(_WEB)):
        raise ValueError("its query has characters that are not accepted in a URL")
    return plain, mark + query


def _own_folder(href: str) -> str:
    """The folder of a catalogue of this machine; of a pattern, what comes before its first part that is not plain."""
    path = Path(path_of(href) if "://" in href else href).absolute()
    plain = list(takewhile(lambda part: not glob.has_magic(part) and "{" not in part, path.parts))
    is_folder = len(plain) < len(path.parts) or path.is_dir()
    return str(Path(*plain) if is_folder else path.parent)


def _own_server(href: str) -> str:
    parts = urlsplit(href)
    return f"{parts.scheme}://{parts.netloc}"


def prefix_of(address: str) -> str:
    """What the operator would have to allow: the server or bucket of a URL, the folder of a file."""
    if is_local(address):
        return str(Path(os.path.realpath(path_of(address))).parent)
    return remote_place(address.removesuffix("/")).root.url
