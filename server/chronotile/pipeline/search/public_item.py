"""Items as strangers may see them: without the places of files, and without links that others wrote."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.items import FoundItem

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


def find_places(hrefs: Iterable[str], source: str | None) -> HiddenPlaces:
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
    # How many addresses are not of the web.
    return text.count(_SCHEME) - sum(map(text.count, _WEB))


_HIDDEN_FIELDS = {"href", "alternate", "links", "file:local_path"}
_HIDDEN_PREFIXES = ("storage:", "auth:", "alternate:")
_HIDDEN_EXTENSIONS = ("/storage/", "/authentication/", "/alternate-assets/")
_OLDEST = "1.0.0"
"""The version of a document that names none."""
_DEEPEST = 8
"""Collections of geometries within one another, of which members are looked at."""
HALF = 180.0


def public_item(found: FoundItem, source: str | None = None) -> dict[str, Any]:
    """Return the STAC item (a GeoJSON Feature) without `links`, and with assets without `href`.

    The document may have been written by anyone: fields that name where files are stored are left out, and no text in
    it is safe as HTML. The `collection` is the one that is served. A box, asset or
    extension that is not valid is left out; the box is then the one around the footprint.

    Args:
        found: From a search.
        source: Where the source of its collection is, if texts may name it; no text that does is shown.

    Raises:
        SourceUnavailable: The document in the index is not a STAC item.
    """
    try:
        document = orjson.loads(found.document)
        properties, assets = document["properties"], _objects_of(document.get("assets"))
        links, extensions = document.get("links"), document.get("stac_extensions")
        version = document.get("stac_version")
        own, linked = _hrefs_of(assets.values()), _hrefs_of(_objects_in(links))
        hidden = _places_to_hide(found.document, [*own, *linked], own=own, source=source)
        return {
            "type": "Feature",
            "stac_version": version if isinstance(version, str) and version[:1].isdigit() else _OLDEST,
            "id": found.ref.id,
            "geometry": _geometry_of(document.get("geometry"), hidden=hidden),
            "collection": found.collection,
            "bbox": _box_of(document.get("bbox")) or list(map(float, found.ref.bbox)),
            "stac_extensions": list(_shown_extensions(extensions if isinstance(extensions, list) else (), hidden)),
            "properties": _shown_members(properties, hidden=hidden),
            "assets": {
                name: _shown_members(asset, hidden=hidden) for name, asset in assets.items() if not is_place(name)
            },
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceUnavailable(f"item {found.ref.id} cannot be read in the index") from error


def _geometry_of(value: object, *, hidden: HiddenPlaces | None, depth: int = 0) -> dict[str, Any] | None:
    """A geometry without members that are none of GeoJSON's, such as `crs`; `None` of what holds anything else."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    kind, coordinates, parts = value.get("type"), value.get("coordinates"), value.get("geometries")
    if not isinstance(kind, str) or (
        hidden is not None and (_names_place(kind, hidden) or _names_place(coordinates, hidden))
    ):
        return None
    if isinstance(parts, list):
        shown = [_geometry_of(each, hidden=hidden, depth=depth + 1) for each in parts]
        return {"type": kind, "geometries": [each for each in shown if each is not None]}
    return {"type": kind, "coordinates": coordinates}


def _objects_of(value: object) -> dict[str, dict[str, Any]]:
    # The members of an object that are objects themselves.
    return {name: each for name, each in value.items() if isinstance(each, dict)} if isinstance(value, dict) else {}


def _objects_in(value: object) -> list[dict[str, Any]]:
    # The elements of a list that are objects.
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _box_of(value: object) -> list[float] | None:
    """A CRS84 box as its author wrote it, of four numbers, or six with heights; `None` of what is none."""
    if not isinstance(value, list) or len(value) not in {4, 6} or not all(map(is_number, value)):
        return None
    half = len(value) // 2
    west, south, east, north = (*value[:2], *value[half : half + 2])
    return value if abs(west) <= HALF and abs(east) <= HALF and -90 <= south <= north <= 90 else None


def _shown_extensions(extensions: Iterable[object], hidden: HiddenPlaces | None) -> Iterator[str]:
    for each in extensions:
        if (
            isinstance(each, str)
            and not (hidden is not None and hidden.are_in(each))
            and not any(map(each.__contains__, _HIDDEN_EXTENSIONS))
        ):
            yield each


def _places_to_hide(
    document: bytes, hrefs: Sequence[str], *, own: Iterable[str], source: str | None
) -> HiddenPlaces | None:
    """What the texts of a document are compared with one by one; `None`: none of them names a place.

    Args:
        document: JSON; texts with escapes may hold anything.
        hrefs: Of its assets and links.
        own: Of its files.
        source: Of its collection.
    """
    hidden = find_places(own, source)
    has_more = b"\\" in document or document.count(b'"href"') > len(hrefs)
    return hidden if has_more or may_name_places(document, hrefs, hidden) else None


def _hrefs_of(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    return [href for each in objects if isinstance(href := each.get("href"), str)]


def _shown_members(members: Mapping[str, Any], *, hidden: HiddenPlaces | None) -> dict[str, Any]:
    return {
        name: value
        for name, value in members.items()
        if _is_field_shown(name) and not (hidden is not None and _names_place(value, hidden))
    }


@lru_cache(maxsize=4096)
def _is_field_shown(name: str) -> bool:
    return name not in _HIDDEN_FIELDS and not name.startswith(_HIDDEN_PREFIXES) and not is_place(name)


def _names_place(value: object, hidden: HiddenPlaces) -> bool:
    """Whether a value is, or holds, the place of a file."""
    if isinstance(value, str):
        return hidden.are_in(value)
    if isinstance(value, dict):
        return "href" in value or any(is_place(name) or _names_place(each, hidden) for name, each in value.items())
    if isinstance(value, list):
        return any(_names_place(each, hidden) for each in value)
    return False
