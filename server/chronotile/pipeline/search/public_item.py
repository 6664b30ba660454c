"""Items as strangers may see them: without the places of files, and without links that others wrote."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from chronotile.errors import SourceUnavailable
from chronotile.model.items import FoundItem

PLACES = ("s3:", "gs:", "az:", "abfs:", "file:", "/vsi", "arn:")
"""With which texts begin that name places of files which are not on the web."""
_HIDDEN_FIELDS = {"href", "alternate", "links", "file:local_path"}
_HIDDEN_PREFIXES = ("storage:", "auth:", "alternate:")
_HIDDEN_EXTENSIONS = ("/storage/", "/authentication/", "/alternate-assets/")
_MEMBERS = ("type", "stac_version", "id", "geometry", "bbox", "collection")


def public_item(found: FoundItem) -> dict[str, Any]:
    """Return the STAC item (a GeoJSON Feature) without `links`, and with assets without `href`.

    The document may have been written by anyone: fields that name where files are stored are left out, and no text in
    it is safe as HTML. The `collection` is the one that is served.

    Args:
        found: From a search.

    Raises:
        SourceUnavailable: The document in the index is not a STAC item.
    """
    try:
        document = orjson.loads(found.document)
        properties, assets = document["properties"], document.get("assets") or {}
        extensions = document.get("stac_extensions") or ()
        shown = {name: document[name] for name in _MEMBERS if name in document}
        return {
            **shown,
            "id": found.ref.id,
            "collection": found.collection,
            "stac_extensions": [each for each in extensions if not any(part in each for part in _HIDDEN_EXTENSIONS)],
            "properties": _shown(properties),
            "assets": {name: _shown(asset) for name, asset in assets.items()},
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceUnavailable(f"item {found.ref.id} cannot be read in the index") from error


def _shown(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if _is_field_shown(name) and not _names_place(value)}


@lru_cache(maxsize=4096)
def _is_field_shown(name: str) -> bool:
    return name not in _HIDDEN_FIELDS and not name.startswith(_HIDDEN_PREFIXES)


def _names_place(value: object) -> bool:
    """Whether a value is, or holds, the place of a file."""
    if isinstance(value, str):
        return value.startswith(PLACES)
    if isinstance(value, dict):
        return "href" in value or any(map(_names_place, value.values()))
    if isinstance(value, list):
        return any(map(_names_place, value))
    return False
