"""What several documents share: links, times, boxes, the extensions of STAC."""

import re
from collections.abc import Iterable
from typing import Any

import orjson

from chronotile.model.grid import BBox

Json = dict[str, Any]

STAC_VERSION = "1.1.0"
JSON, GEOJSON = "application/json", "application/geo+json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
CUBE = "https://stac-extensions.github.io/datacube/v2.2.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
PROCESSING = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v2.0.0/schema.json"
_NAME = re.compile(r"https://stac-extensions\.github\.io/([a-z-]+)/")
_PREFIXES = {"projection": "proj", "datacube": "cube", "scientific": "sci"}
"""Of fields, by the name of their extension where that is another."""


def encode(document: Json) -> bytes:
    """Return a document as a file has it: for people too, and equal documents as equal bytes."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def link(rel: str, href: str, title: str | None = None, *, media_type: str = JSON) -> Json:
    """Return a link."""
    return {"rel": rel, "href": href, "type": media_type, **({} if title is None else {"title": title})}


def box_of(bbox: BBox) -> list[float]:
    """Return west, south, east, north, to a hundred millionth of a degree."""
    return [round(each, 8) for each in bbox]


def used_extensions(extensions: Iterable[str], members: Json) -> list[str]:
    """Return those extensions of items whose fields members of their collection have, too."""
    text = orjson.dumps(members).decode()
    found = ((each, _NAME.match(each)) for each in extensions)
    return [each for each, name in found if name is not None and f'"{_PREFIXES.get(name[1], name[1])}:' in text]


def widen(boxes: Iterable[BBox]) -> BBox | None:
    """Return a CRS84 box that holds all; one that crosses the antimeridian makes it go round the Earth."""
    found = list(boxes)
    if not found:
        return None
    south, north = min(each.ymin for each in found), max(each.ymax for each in found)
    if len(set(found)) == 1:
        return found[0]
    if any(each.xmin > each.xmax for each in found):
        return BBox(-180.0, south, 180.0, north)
    return BBox(min(each.xmin for each in found), south, max(each.xmax for each in found), north)


def linked(document: Json, rel: str) -> dict[str, str]:
    """Return what links of a relation lead to: names of folders of catalogues, or paths of items, with their titles."""
    links = [each for each in document.get("links", ()) if each["rel"] == rel]
    return {str(each["href"]).removeprefix("./").removesuffix("/catalog.json"): str(each["title"]) for each in links}
