"""Which files `/cog` may open: those below configured folders and URLs, however they are spelt.

An ambiguous text is refused. The text itself is never opened: it becomes a real path without links, or a URL that is
composed again of its parts. So GDAL gets no name that has a meaning of its own to it (`/vsi…`, `NAME:…`, inline XML,
archives).
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chronotile.errors import ConfigurationError, UnknownPath
from chronotile.web.prefix import RemotePlace, remote_place

EXTENSIONS = (".tif", ".tiff")
MAX_TEXT = 2000
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AllowList:
    """The places below which files may be opened.

    Args:
        prefixes: Absolute paths, and http, https or s3 URLs; a prefix ends at a slash, whether it is written or not.

    Raises:
        ConfigurationError: With all prefixes that are none.
    """

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._folders: list[Path] = []
        self._remotes: list[RemotePlace] = []
        mistakes = [mistake for prefix in prefixes if (mistake := self._add(prefix)) is not None]
        if mistakes:
            raise ConfigurationError(mistakes)

    def resolve(self, text: str) -> str:
        """Return the path or URL to open.

        Raises:
            UnknownPath: The text names nothing that may be opened; the message is the same whatever the reason.
        """
        try:
            if len(text) > MAX_TEXT or _CONTROL.search(text) or not text.lower().endswith(EXTENSIONS):
                raise ValueError("it is too long, or not a GeoTIFF")
            return self._local(_path_of(text)) if _is_local(text) else self._remote(text)
        except (ValueError, OSError) as error:
            raise UnknownPath(
                "url is not a GeoTIFF that may be opened here; accepted are files below the prefixes that the "
                "operator allows, without escapes",
                locator="url",
            ) from error

    def _local(self, text: str) -> str:
        path = Path(os.path.realpath(text))
        is_allowed = any(path.is_relative_to(folder) for folder in self._folders)
        if not is_allowed or path.suffix.lower() not in EXTENSIONS or not path.is_file():
            raise ValueError("outside")
        return str(path)

    def _remote(self, text: str) -> str:
        place = remote_place(text)
        if not any(remote.holds(place) for remote in self._remotes):
            raise ValueError("outside")
        return place.url

    def _add(self, prefix: str) -> str | None:
        """Take a prefix, or return what is wrong with it."""
        try:
            if _is_local(prefix):
                self._folders.append(Path(os.path.realpath(_path_of(prefix))))
            else:
                self._remotes.append(remote_place(prefix.rstrip("/")))
        except ValueError as error:
            return (
                f"CHRONOTILE_COG_PREFIXES: {prefix[:80]!r} is not a valid prefix ({error}); accepted are absolute "
                "paths, and "
                "https://, http:// and s3:// URLs"
            )
        return None


def _is_local(text: str) -> bool:
    found = _SCHEME.match(text)
    return found is None or found[1].lower() == "file"


def _path_of(text: str) -> str:
    """The absolute path of a path or of a file URL."""
    path = text
    if _SCHEME.match(text):
        parts = urlsplit(text)
        if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment:
            raise ValueError("a file URL has three slashes and nothing after its path")
        path = unquote(parts.path, errors="strict")
    if not path.startswith("/") or path.lower().startswith("/vsi") or _CONTROL.search(path):
        raise ValueError("it is not an absolute path")
    return path
