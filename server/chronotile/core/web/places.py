"""Locations that the operator allows: folders, servers and buckets, compared in one spelling of each address."""

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from chronotile.core.errors import MAX_SHOWN, ConfigurationError, InvalidParameter

MAX_TEXT = 2000
"""Maximum length of an address."""
BUCKETS = ("s3", "gs", "az")
"""Schemes with a bucket instead of a host: S3, Google Cloud Storage, and a container of Azure."""
_PORTS = {"http": 80, "https": 443, **dict.fromkeys(BUCKETS)}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.ASCII)
_IP_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_SEGMENT = re.compile(r"[^\x00-\x20\x7f\\/%?#*<>|\"'`{}]+")


def quoted_path(path: str) -> str:
    """Return the path of a URL with non-ASCII characters percent-encoded (RFC 3987 §3.1)."""
    return quote(path, safe="/%:@!$&'()*+,;=~-._")


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A URL in parts, each in its only accepted spelling."""

    scheme: str
    host: str
    port: int | None
    segments: tuple[str, ...]
    """Parts of the path, without percent-encoding."""

    def holds(self, other: "RemotePlace") -> bool:
        """Return whether `other` is this URL or below it."""
        is_same_server = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return is_same_server and other.segments[: len(self.segments)] == self.segments

    @property
    def root(self) -> "RemotePlace":
        """The server or bucket."""
        return RemotePlace(self.scheme, self.host, self.port, ())

    @property
    def url(self) -> str:
        """The URL."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        parts = self.segments if self.scheme in BUCKETS else tuple(quote(segment, safe="") for segment in self.segments)
        return f"{self.scheme}://{host}{port}/{'/'.join(parts)}"


def remote_place(text: str) -> RemotePlace:
    """Return the parts of a URL without query.

    Raises:
        ValueError: The URL is ambiguous or not valid.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has more than {MAX_TEXT} characters")
    if not text.isascii() or not text.isprintable() or any(character in text for character in " \\?#"):
        raise ValueError("it has characters that are not accepted in a URL")
    parts = urlsplit(text)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or "@" in parts.netloc or parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError("it is not a URL with an accepted scheme and a plain host")
    written = parts.path.removeprefix("/").split("/") if parts.path.strip("/") else []
    segments = tuple(written if scheme in BUCKETS else (unquote(part, errors="strict") for part in written))
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or segment in {".", ".."}:
            raise ValueError(f"{segment[:20]!r} is not allowed in its path")
    host = _host((parts.hostname or "").lower(), is_bucket=scheme in BUCKETS)
    return RemotePlace(scheme, host, parts.port or _PORTS[scheme], segments)


def _host(text: str, *, is_bucket: bool) -> str:
    """Return a host name or IP address. Other spellings of 127.0.0.1, such as 2130706433 and 0x7f.1, are refused."""
    try:
        if not is_bucket and ":" in text:
            if "%" in text:
                raise AddressValueError  # a zone names an interface of this machine
            return str(IPv6Address(text))
        if not is_bucket and _IP_NUMBER.fullmatch(text.rpartition(".")[2]):
            return str(IPv4Address(text))
    except AddressValueError:
        raise ValueError("its host is not an IP address in the usual spelling") from None
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError("it is not a URL with an accepted scheme and a plain host")
    return text


WEB = ("https", "http")
ANYWHERE = ("file", *WEB, *BUCKETS)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Outside(ValueError):
    """The address is valid, but not below an allowed prefix."""


class AllowedPlaces:
    """Allowed folders of this machine, and prefixes on the web and in buckets; false if empty.

    Args:
        prefixes: Absolute paths and URLs. They end at a slash, even if it is missing.
        setting: Environment variable of the prefixes, for messages.
        schemes: Accepted schemes; `file` stands for folders.

    Raises:
        ConfigurationError: Some prefixes are not valid; the error lists them.
    """

    def __init__(self, prefixes: Iterable[str] = (), *, setting: str = "", schemes: Collection[str] = ANYWHERE) -> None:
        self.folders: list[Path] = []
        self.remotes: list[RemotePlace] = []
        self._schemes = schemes
        mistakes = []
        for prefix in prefixes:
            try:
                self._add(prefix)
            except ValueError as error:
                mistakes.append(
                    f"{setting}: {prefix[:80]!r} is not a valid prefix ({error}); accepted are {self._accepted}"
                )
        if mistakes:
            raise ConfigurationError(mistakes)

    def __bool__(self) -> bool:
        """Whether any address is allowed."""
        return bool(self.folders or self.remotes)

    @property
    def digest(self) -> str:
        """Text that changes with the allowed prefixes; empty without any."""
        prefixes = sorted([*map(str, self.folders), *(remote.url for remote in self.remotes)])
        return blake2b("\n".join(prefixes).encode(), digest_size=6).hexdigest() if prefixes else ""

    def find(self, text: str) -> str:
        """Return an address in its accepted spelling: a real path without links, or a URL composed of its parts.

        Raises:
            Outside: It is not below an allowed prefix.
            ValueError: It is ambiguous.
            OSError: Its path cannot be resolved.
        """
        if is_local(text):
            if "file" not in self._schemes:
                raise ValueError(f"accepted are {self._accepted}")
            path = Path(os.path.realpath(path_of(text)))
            if not any(path.is_relative_to(folder) for folder in self.folders):
                raise Outside("it is in none of the allowed folders")
            return str(path)
        place = self._remote(text.removesuffix("/"))
        if not any(remote.holds(place) for remote in self.remotes):
            raise Outside("it is not below a prefix that the operator allows")
        return f"{place.url}/" if text.endswith("/") and place.segments else place.url

    def require_allowed(self, address: str, *, locator: str) -> str:
        """Return an address from a client in its accepted spelling.

        Raises:
            InvalidParameter: It is not below an allowed prefix, or is ambiguous.
        """
        try:
            return self.find(address)
        except Outside as error:
            raise InvalidParameter(f"{locator} {address[:MAX_SHOWN]!r}: {error}", locator=locator) from error
        except (ValueError, OSError) as error:
            raise InvalidParameter(
                f"{locator} {address[:MAX_SHOWN]!r} is not a plain URL: {error}", locator=locator
            ) from error

    def _add(self, prefix: str) -> None:
        if is_local(prefix) and "file" in self._schemes:
            self.folders.append(Path(os.path.realpath(path_of(prefix))))
        else:
            self.remotes.append(self._remote(prefix.rstrip("/")))

    def _remote(self, text: str) -> RemotePlace:
        place = remote_place(text)
        if place.scheme not in self._schemes:
            raise ValueError(f"{place.scheme}:// is not accepted here")
        return place

    @property
    def _accepted(self) -> str:
        urls = " and ".join(f"{scheme}://" for scheme in self._schemes if scheme != "file")
        return f"{'absolute paths, and ' if 'file' in self._schemes else ''}{urls} URLs"


def web_places(prefixes: Iterable[str] = (), *, setting: str = "") -> AllowedPlaces:
    """Return allowed prefixes on the web.

    Raises:
        ConfigurationError: Some prefixes are not valid; the error lists them.
    """
    return AllowedPlaces(prefixes, setting=setting, schemes=WEB)


def is_local(text: str) -> bool:
    """Return whether an address is a path or a file URL."""
    match = _SCHEME.match(text)
    return match is None or match[1].lower() == "file"


def path_of(text: str) -> str:
    """Return the absolute path of a path or of a file URL.

    Raises:
        ValueError: It is not an absolute path, or GDAL would not read it as a path.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has more than {MAX_TEXT} characters")
    path = text
    if _SCHEME.match(text):
        parts = urlsplit(text)
        if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment:
            raise ValueError("a file URL has three slashes and nothing after its path")
        path = unquote(parts.path, errors="strict")
    if not path.startswith("/") or path.lower().startswith("/vsi") or _CONTROL.search(path):
        raise ValueError("it is not an absolute path")
    return path
