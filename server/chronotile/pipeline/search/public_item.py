"""Items as clients see them: without the locations of files, and without the links of other catalogues."""

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
"""Texts to count: if the document has more of them than its addresses, another of its texts may name a location."""
_SCHEME = "://"
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class HiddenPlaces:
    """The folders of an item's files, which no text of the item may name."""

    folders: frozenset[str]
    """In lower case, without scheme, with a final slash; the whole address of a file in the root of a host."""

    def are_in(self, text: str) -> bool:
        """Return whether a text names the location of a file."""
        lower = text.lower()
        return _PLACE.search(lower) is not None or any(map(lower.__contains__, self.folders))


def find_places(hrefs: Iterable[str], source: str | None) -> HiddenPlaces:
    """Return the locations of an item's files, which must be hidden.

    Args:
        hrefs: Addresses of its files in its document; relative ones are not hidden.
        source: Path, pattern or URL of the source of its collection; URLs of the web are not hidden.
    """
    folders = (*map(_folder_of, hrefs), None if source is None else _folder_of_source(source))
    return HiddenPlaces(frozenset(filter(None, folders)))


def may_name_places(document: bytes, hrefs: Iterable[str], hidden: HiddenPlaces) -> bool:
    """Return whether the texts of a document must be checked one by one, which doubles the time; few documents need it.

    Args:
        document: JSON without escapes.
        hrefs: Addresses of its files and links, which are not shown.
        hidden: The locations of its files.
    """
    text, addresses = document.decode().lower(), "".join(f'"{href}"\n' for href in hrefs).lower()
    if _other_schemes(text) > _other_schemes(addresses):
        return True
    return any(text.count(mark) > addresses.count(mark) for mark in (*_MARKS, *hidden.folders) if mark in text)


def is_place(name: str) -> bool:
    """Return whether the name of an asset or field is the location of a file; `s3:mode` is a field of an extension."""
    return _PLACE.search(name.lower()) is not None


@lru_cache(maxsize=1024)
def _folder_of_source(source: str) -> str | None:
    """Return the folder of a source unless it is on the web; a source in a root, as `/data/` would match too much."""
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
    # Number of addresses that are not on the web.
    return text.count(_SCHEME) - sum(map(text.count, _WEB))


_HIDDEN_FIELDS = {"href", "alternate", "links", "file:local_path"}
_HIDDEN_PREFIXES = ("storage:", "auth:", "alternate:")
_HIDDEN_EXTENSIONS = ("/storage/", "/authentication/", "/alternate-assets/")
_OLDEST = "1.0.0"
"""Version of a document that does not state one."""
_DEEPEST = 8
"""Maximum nesting of geometry collections."""
HALF = 180.0


def public_item(item: FoundItem, source: str | None = None) -> dict[str, Any]:
    """Return the STAC item (a GeoJSON Feature) without `links`, and with assets without `href`.

    The document may have been written by anyone: fields that name the locations of files are omitted, and no text in it
    is safe as HTML. The `collection` is the one that is served. Invalid boxes, assets and extensions are omitted; the
    box is then that of the footprint.

    Args:
        item: An item from a search.
        source: Location of the source of its collection, which no shown text may name.

    Raises:
        SourceUnavailable: The document in the index is not a STAC item.
    """
    try:
        document = orjson.loads(item.document)
        properties, assets = document["properties"], _objects_of(document.get("assets"))
        links, extensions = document.get("links"), document.get("stac_extensions")
        version = document.get("stac_version")
        hrefs, linked = _hrefs_of(assets.values()), _hrefs_of(_objects_in(links))
        hidden = _places_to_hide(item.document, [*hrefs, *linked], file_hrefs=hrefs, source=source)
        return {
            "type": "Feature",
            "stac_version": version if isinstance(version, str) and version[:1].isdigit() else _OLDEST,
            "id": item.ref.id,
            "geometry": _geometry_of(document.get("geometry"), hidden=hidden),
            "collection": item.collection,
            "bbox": _box_of(document.get("bbox")) or list(map(float, item.ref.bbox)),
            "stac_extensions": list(_shown_extensions(extensions if isinstance(extensions, list) else (), hidden)),
            "properties": _shown_members(properties, hidden=hidden),
            "assets": {
                name: _shown_members(asset, hidden=hidden) for name, asset in assets.items() if not is_place(name)
            },
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceUnavailable(f"item {item.ref.id} cannot be read in the index") from error


def _geometry_of(value: object, *, hidden: HiddenPlaces | None, depth: int = 0) -> dict[str, Any] | None:
    """Return a geometry without foreign members, such as `crs`; `None` if it contains other things."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    kind, coordinates, parts = value.get("type"), value.get("coordinates"), value.get("geometries")
    if not isinstance(kind, str) or (
        hidden is not None and (_names_place(kind, hidden) or _names_place(coordinates, hidden))
    ):
        return None
    if isinstance(parts, list):
        geometries = [_geometry_of(part, hidden=hidden, depth=depth + 1) for part in parts]
        return {"type": kind, "geometries": [geometry for geometry in geometries if geometry is not None]}
    return {"type": kind, "coordinates": coordinates}


def _objects_of(value: object) -> dict[str, dict[str, Any]]:
    # The members of an object that are objects.
    if not isinstance(value, dict):
        return {}
    return {name: member for name, member in value.items() if isinstance(member, dict)}


def _objects_in(value: object) -> list[dict[str, Any]]:
    # The elements of a list that are objects.
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def _box_of(value: object) -> list[float] | None:
    """Return a CRS84 box unchanged: four numbers, or six with heights; `None` if it is invalid."""
    if not isinstance(value, list) or len(value) not in {4, 6} or not all(map(is_number, value)):
        return None
    half = len(value) // 2
    west, south, east, north = (*value[:2], *value[half : half + 2])
    return value if abs(west) <= HALF and abs(east) <= HALF and -90 <= south <= north <= 90 else None


def _shown_extensions(extensions: Iterable[object], hidden: HiddenPlaces | None) -> Iterator[str]:
    for extension in extensions:
        if (
            isinstance(extension, str)
            and not (hidden is not None and hidden.are_in(extension))
            and not any(map(extension.__contains__, _HIDDEN_EXTENSIONS))
        ):
            yield extension


def _places_to_hide(
    document: bytes, hrefs: Sequence[str], *, file_hrefs: Iterable[str], source: str | None
) -> HiddenPlaces | None:
    """Return the locations that texts must not name; `None` if the texts need no check.

    Args:
        document: JSON; texts with escapes may contain anything.
        hrefs: Addresses of its assets and links.
        file_hrefs: Addresses of its files.
        source: Location of the source of its collection.
    """
    hidden = find_places(file_hrefs, source)
    has_more = b"\\" in document or document.count(b'"href"') > len(hrefs)
    return hidden if has_more or may_name_places(document, hrefs, hidden) else None


def _hrefs_of(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    return [href for item in objects if isinstance(href := item.get("href"), str)]


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
    """Return whether a value is or contains the location of a file."""
    if isinstance(value, str):
        return hidden.are_in(value)
    if isinstance(value, dict):
        return "href" in value or any(is_place(name) or _names_place(member, hidden) for name, member in value.items())
    if isinstance(value, list):
        return any(_names_place(element, hidden) for element in value)
    return False
