"""Texts in documents of items that name the places of files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_PLACE = re.compile(
    r"""
    ^\s*/[^/\s]+/                               # a path of a machine
    | ^\s*(?:[a-z]:|\\)\\                       # of Windows
    | (?<!http)(?<!https)://                    # an address that is not of the web
    | file:/ | /vsi[a-z0-9_]*/ | arn:aws
    | https?://[^/\s]*@                         # with the name of a user
    | [?&](?:x-amz-|x-goog-|sig=|signature=|awsaccesskeyid=|googleaccessid=|(?:access_)?token=)  # a signed address
    """,
    re.VERBOSE,
)
_MARKS = ('"/', '" ', "file:/", "/vsi", "arn:aws", "@", "?")
"""What a document has more often than its addresses, if one of its other texts may be a place."""
_SCHEME = "://"
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class HiddenPlaces:
    """What texts of one item may not have in them: the folders of its files."""

    folders: frozenset[str]
    """In lower case, without scheme, with a slash at the end; of a file at the top of a host the whole address."""

    def are_in(self, text: str) -> bool:
        """Return whether a text names a place of a file."""
        lower = text.lower()
        return _PLACE.search(lower) is not None or any(map(lower.__contains__, self.folders))


def places_of(hrefs: Iterable[str], source: str | None) -> HiddenPlaces:
    """Return what hides the places of an item.

    Args:
        hrefs: Addresses of its files, as its document has them; relative ones hide nothing.
        source: The source of its collection, a path, pattern or URL; one of the web hides nothing.
    """
    folders = (*map(_folder_of, hrefs), None if source is None else _folder_of_source(source))
    return HiddenPlaces(frozenset(filter(None, folders)))


def may_name_places(document: bytes, hrefs: Iterable[str], hidden: HiddenPlaces) -> bool:
    """Return whether texts of a document have to be looked at one by one, which takes as long as all else: few have to.

    Args:
        document: JSON without escapes.
        hrefs: Addresses of its files and links, which are not shown.
        hidden: The places of its files.
    """
    text, known = document.decode().lower(), "".join(f'"{href}"\n' for href in hrefs).lower()
    if _other_schemes(text) > _other_schemes(known):
        return True
    return any(text.count(mark) > known.count(mark) for mark in (*_MARKS, *hidden.folders) if mark in text)


def is_place(name: str) -> bool:
    """Return whether the name of an asset or field is the place of a file; `s3:mode` is a field of an extension."""
    return _PLACE.search(name.lower()) is not None


@lru_cache(maxsize=1024)
def _folder_of_source(source: str) -> str | None:
    """The folder of a source that is not of the web; the source itself if that is at the top: `/data/` says little."""
    if source.lower().startswith(_WEB):
        return None
    plain = re.split(r"[*?\[{]", source.lower().partition("://")[2] or source.lower(), maxsplit=1)[0]
    folder = plain[: plain.rfind("/") + 1]
    return folder if folder.strip("/").count("/") else plain if plain.strip("/").count("/") else None


@lru_cache(maxsize=1024)
def _folder_of(href: str) -> str | None:
    scheme, separator, rest = href.lower().partition("://")
    is_web = bool(separator) and scheme in {"http", "https"}
    path = (rest if separator else scheme.removeprefix("file:")).partition("?")[0]
    if not separator and not path.startswith("/"):
        return None
    folder = path[: path.rfind("/") + 1]
    is_whole = not folder.strip("/") or (is_web and folder.count("/") == 1)
    return (path if is_whole else folder) or None


def _other_schemes(text: str) -> int:
    """How many addresses are not of the web."""
    return text.count(_SCHEME) - sum(map(text.count, _WEB))
