"""URLs in the one spelling that is compared and opened; what could mean two things is refused."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, unquote, urlsplit

MAX_TEXT = 2000
"""Characters of an address."""
_PORTS = {"http": 80, "https": 443, "s3": None}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.ASCII)
_IP_NUMBER = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII)
_SEGMENT = re.compile(r"[^\x00-\x20\x7f\\/%?#*<>|\"'`{}]+")


def quoted_path(path: str) -> str:
    """Return the path of a URL with what is not ASCII percent-encoded (RFC 3987 §3.1); all else stays as it is."""
    return quote(path, safe="/%:@!$&'()*+,;=~-._")


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A URL in parts, each in its one spelling."""

    scheme: str
    host: str
    port: int | None
    segments: tuple[str, ...]
    """Of the path, without percent-encoding."""

    def holds(self, other: "RemotePlace") -> bool:
        """Whether another place lies below."""
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
        parts = self.segments if self.scheme == "s3" else tuple(quote(each, safe="") for each in self.segments)
        return f"{self.scheme}://{host}{port}/{'/'.join(parts)}"


def remote_place(text: str) -> RemotePlace:
    """Return the place that a URL without query names.

    Raises:
        ValueError: It could mean two things, or is none.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has more than {MAX_TEXT} characters")
    if not text.isascii() or not text.isprintable() or any(each in text for each in " \\?#"):
        raise ValueError("it has characters that are not accepted in a URL")
    parts = urlsplit(text)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or "@" in parts.netloc or parts.port == 0 or parts.netloc.endswith(":"):
        raise ValueError("it is not a URL with an accepted scheme and a plain host")
    written = parts.path.removeprefix("/").split("/") if parts.path.strip("/") else []
    segments = tuple(written if scheme == "s3" else (unquote(each, errors="strict") for each in written))
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or segment in {".", ".."}:
            raise ValueError(f"{segment[:20]!r} is not allowed in its path")
    host = _host((parts.hostname or "").lower(), is_bucket=scheme == "s3")
    return RemotePlace(scheme, host, parts.port or _PORTS[scheme], segments)


def _host(text: str, *, is_bucket: bool) -> str:
    """A name, or an IP address in its one spelling: 2130706433, 0x7f.1 and 127.1 are others of 127.0.0.1."""
    try:
        if not is_bucket and ":" in text:
            if "%" in text:
                raise AddressValueError  # a zone is one of this machine's interfaces
            return str(IPv6Address(text))
        if not is_bucket and _IP_NUMBER.fullmatch(text.rpartition(".")[2]):
            return str(IPv4Address(text))
    except AddressValueError:
        raise ValueError("its host is not an IP address in the usual spelling") from None
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError("it is not a URL with an accepted scheme and a plain host")
    return text
