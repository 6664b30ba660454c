"""Items as strangers may see them: without the places of files, and without links that others wrote."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from chronotile.errors import SourceUnavailable
from chronotile.model.geometry.json_text import is_number
from chronotile.model.items import FoundItem

PLACES = ("s3:", "gs:", "az:", "abfs:", "file:", "/vsi", "arn:")
"""With which texts begin that name places of files which are not on the web."""
_MARKS = tuple((f'"{place}'.encode(), f'"href":"{place}'.encode()) for place in PLACES)
"""Of texts in JSON that begin like a place, and of those that are the address of an asset or link."""
_FILE_FIELDS = (b'"file:size":', b'"file:checksum":')
"""Names of fields that begin like one."""
_HIDDEN_FIELDS = {"href", "alternate", "links", "file:local_path"}
_HIDDEN_PREFIXES = ("storage:", "auth:", "alternate:")
_PLACES_AS_NAMES = ("s3://", "gs://", "az://", "abfs://", "abfss://", "file:/", "/vsi", "arn:")
"""With which names begin that are places themselves; `s3:mode` is a field of an extension."""
_HIDDEN_EXTENSIONS = ("/storage/", "/authentication/", "/alternate-assets/")
_OLDEST = "1.0.0"
"""The version of a document that names none."""
_DEEPEST = 8
"""Collections of geometries within one another, of which members are looked at."""
HALF = 180.0


def public_item(found: FoundItem) -> dict[str, Any]:
    """Return the STAC item (a GeoJSON Feature) without `links`, and with assets without `href`.

    The document may have been written by anyone: fields that name where files are stored are left out, and no text in
    it is safe as HTML. The `collection` is the one that is served. A box, asset or
    extension that is not valid is left out; the box is then the one around the footprint.

    Args:
        found: From a search.

    Raises:
        SourceUnavailable: The document in the index is not a STAC item.
    """
    try:
        document = orjson.loads(found.document)
        properties, assets = document["properties"], _objects_of(document.get("assets"))
        links, extensions = document.get("links"), document.get("stac_extensions")
        version = document.get("stac_version")
        places = (*assets.values(), *(links if isinstance(links, list) else ()))
        hrefs = sum("href" in each for each in places if isinstance(each, dict))
        names_places = _may_name_places(found.document, hrefs)
        return {
            "type": "Feature",
            "stac_version": version if isinstance(version, str) and version[:1].isdigit() else _OLDEST,
            "id": found.ref.id,
            "geometry": _geometry_of(document.get("geometry"), names_places=names_places),
            "collection": found.collection,
            "bbox": _box_of(document.get("bbox")) or list(map(float, found.ref.bbox)),
            "stac_extensions": list(_shown_extensions(extensions if isinstance(extensions, list) else ())),
            "properties": _shown(properties, names_places=names_places),
            "assets": {
                name: _shown(asset, names_places=names_places) for name, asset in assets.items() if not is_place(name)
            },
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceUnavailable(f"item {found.ref.id} cannot be read in the index") from error


def _geometry_of(value: object, *, names_places: bool, depth: int = 0) -> dict[str, Any] | None:
    """A geometry without members that are none of GeoJSON's, such as `crs`; `None` of what holds anything else."""
    if not isinstance(value, dict) or depth > _DEEPEST:
        return None
    kind, coordinates, parts = value.get("type"), value.get("coordinates"), value.get("geometries")
    if not isinstance(kind, str) or (names_places and (_names_place(kind) or _names_place(coordinates))):
        return None
    if isinstance(parts, list):
        shown = [_geometry_of(each, names_places=names_places, depth=depth + 1) for each in parts]
        return {"type": kind, "geometries": [each for each in shown if each is not None]}
    return {"type": kind, "coordinates": coordinates}


def _objects_of(value: object) -> dict[str, dict[str, Any]]:
    """The members of an object that are objects themselves."""
    return {name: each for name, each in value.items() if isinstance(each, dict)} if isinstance(value, dict) else {}


def _box_of(value: object) -> list[float] | None:
    """A CRS84 box as its author wrote it, of four numbers, or six with heights; `None` of what is none."""
    if not isinstance(value, list) or len(value) not in {4, 6} or not all(map(is_number, value)):
        return None
    half = len(value) // 2
    west, south, east, north = (*value[:2], *value[half : half + 2])
    return value if abs(west) <= HALF and abs(east) <= HALF and -90 <= south <= north <= 90 else None


def _shown_extensions(extensions: Iterable[object]) -> Iterator[str]:
    for each in extensions:
        if (
            isinstance(each, str)
            and not each.startswith(PLACES)
            and not any(map(each.__contains__, _HIDDEN_EXTENSIONS))
        ):
            yield each


def _may_name_places(document: bytes, hrefs: int) -> bool:
    """Whether values of a document have to be looked at one by one, which takes as long as all else: few have to.

    Args:
        document: JSON; texts with escapes may hold anything.
        hrefs: How many its assets and links have.
    """
    if b"\\" in document or document.count(b'"href"') > hrefs:
        return True
    found = [document.count(mark) - document.count(href) for mark, href in _MARKS if mark in document]
    return bool(found) and sum(found) > sum(map(document.count, _FILE_FIELDS))


def _shown(members: Mapping[str, Any], *, names_places: bool) -> dict[str, Any]:
    return {
        name: value
        for name, value in members.items()
        if _is_field_shown(name) and not (names_places and _names_place(value))
    }


@lru_cache(maxsize=4096)
def _is_field_shown(name: str) -> bool:
    return name not in _HIDDEN_FIELDS and not name.startswith(_HIDDEN_PREFIXES) and not is_place(name)


def is_place(name: str) -> bool:
    """Return whether the name of an asset or field is the place of a file."""
    return name.startswith(_PLACES_AS_NAMES)


def _names_place(value: object) -> bool:
    """Whether a value is, or holds, the place of a file."""
    if isinstance(value, str):
        return value.startswith(PLACES)
    if isinstance(value, dict):
        return "href" in value or any(map(is_place, value)) or any(map(_names_place, value.values()))
    if isinstance(value, list):
        return any(map(_names_place, value))
    return False
