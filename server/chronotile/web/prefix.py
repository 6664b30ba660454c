"""URLs below which clients may have the server read, each in the one spelling that it opens."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

_PORTS = {"http": 80, "https": 443, "s3": None}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.ASCII)
_SEGMENT = re.compile(r"[^\x00-\x20\x7f\\/%?#*<>|\"'`{}]+")


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
    def url(self) -> str:
        """The URL."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        parts = self.segments if self.scheme == "s3" else tuple(quote(each, safe="") for each in self.segments)
        return f"{self.scheme}://{self.host}{port}/{'/'.join(parts)}"


def remote_place(text: str) -> RemotePlace:
    """Return the place that a URL without query names.

    Raises:
        ValueError: It could mean two things, or is none.
    """
    if not text.isascii() or any(each in text for each in " \\?#"):
        raise ValueError("it has characters that are not accepted in a URL")
    parts = urlsplit(text)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _PORTS or not _HOST.fullmatch(host) or "@" in parts.netloc or ".." in host:
        raise ValueError("it is not a URL with an accepted scheme and a plain host")
    written = parts.path.removeprefix("/").split("/") if parts.path.strip("/") else []
    segments = tuple(written if scheme == "s3" else (unquote(each, errors="strict") for each in written))
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or segment in {".", ".."}:
            raise ValueError(f"{segment[:20]!r} is not allowed in its path")
    return RemotePlace(scheme, host, parts.port or _PORTS[scheme], segments)
