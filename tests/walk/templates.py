"""URI templates, expanded with layers, tiles, places and items from documents."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tests.walk.address import Address
from tests.walk.capabilities import Tile

VARIABLE = re.compile(r"\{([?&]?)([^{}]+)\}")
IN_PATH = ("layer", "set", "collection", "item", "id", "tms")


@dataclass
class Facts:
    """Facts from the documents so far."""

    layers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Layers of `/layers`, by id."""
    limits: dict[tuple[str, str], list[Tile]] = field(default_factory=dict)
    """Tiles of WMTS, by layer and tile matrix set."""
    words: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """Words that OpenAPI accepts in a segment, by the path without its variables and the name."""
    tilesets: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Limits of matrices, by the address of a tileset without its query."""
    products: list[Mapping[str, Any]] = field(default_factory=list)
    """Products of OData."""

    @property
    def with_files(self) -> list[Mapping[str, Any]]:
        """Products that have files; products of cubes have none."""
        return [each for each in self.products if each["ContentLength"]]

    @property
    def tells_all_tiles(self) -> bool:
        """Whether capabilities list the tiles of all layers; with very many layers they have no limits."""
        return self.layers.keys() <= {layer for (layer, _set), tiles in self.limits.items() if tiles}


def filled(address: Address, facts: Facts) -> list[Address]:
    """Return the addresses of a template, possibly none.

    There is one address per layer or product, and one for each additional word.
    """
    return [
        replace(address, url=url, is_template="{" in url, media_type=told)
        for values in _settings(address, facts)
        for url, told in _expanded(address, values)
    ]


def expand(template: str, values: Mapping[str, object]) -> str:
    """Return a URI template (RFC 6570, levels 1 and 3) with values; a name of the path that has none is left."""

    def of(match: re.Match[str]) -> str:
        sign, names = match[1], match[2].removesuffix("*").split(",")
        if sign:
            given = [f"{name}={quote(str(values[name]), safe=',:/')}" for name in names if name in values]
            return (sign + "&".join(given)) if given else ""
        return quote(str(values[names[0]]), safe="") if names[0] in values else match[0]

    return VARIABLE.sub(of, template)


def _expanded(address: Address, values: Mapping[str, Sequence[object]]) -> Iterator[tuple[str, str | None]]:
    """Yield the first value of each variable, then each other value of one variable."""
    used = {name for match in VARIABLE.finditer(address.url) for name in match[2].split(",")} & values.keys()
    first = {name: values[name][0] for name in used}
    # The media type that a document gives for a template applies only to its usual extension.
    told = None if "extension" in used else address.media_type
    yield expand(address.url, first), told
    for name in sorted(used):
        for value in values[name][1:]:
            yield expand(address.url, {**first, name: value}), told


def _settings(address: Address, facts: Facts) -> Iterator[dict[str, Sequence[object]]]:
    tileset, _slash, rest = address.url.partition("/{tileMatrix}")
    if rest:
        yield from _tiles(facts.tilesets.get(tileset, ()))
        return
    path = urlsplit(address.url).path
    names = {name for match in VARIABLE.finditer(address.url) for name in match[2].split(",")}
    segments = [unquote(each) for each in path.split("/")]
    asks_values = "/values{" in address.url
    if "id" in names or "item" in names:
        yield from _of_products(facts)
        return
    of = [
        name
        for name, layer in facts.layers.items()
        if name in segments or layer["collection"] in segments or any(part.startswith(f"{name}.") for part in segments)
    ]
    for name in of or [name for name, layer in facts.layers.items() if not asks_values or _has_values(layer)]:
        yield _of_layer(name, facts, segments) | _words(path, facts)


def _has_values(layer: Mapping[str, Any]) -> bool:
    """Return whether a layer has numbers to colour places with, which pictures lack."""
    return any(each["rel"] == "series" for each in layer["links"])


def _tiles(limits: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Sequence[object]]]:
    """Yield a tile of the first and one of the last matrix, in the middle of their limits."""
    for each in (*limits[:1], *limits[1:][-1:]):
        yield {
            "tileMatrix": [each["tileMatrix"]],
            "tileRow": [(each["minTileRow"] + each["maxTileRow"]) // 2],
            "tileCol": [(each["minTileCol"] + each["maxTileCol"]) // 2],
        }


def _of_layer(name: str, facts: Facts, segments: Sequence[str]) -> dict[str, Sequence[object]]:
    layer = facts.layers[name]
    west, south, east, north = layer["bbox"]
    east = east if east >= west else east + 360
    middle = (west + east) / 2
    sets = {of: tiles for (layer_id, of), tiles in facts.limits.items() if layer_id == name and tiles}
    named = next((each for each in sets if each in segments), next(iter(sets), ""))
    tile = sets[named][-1] if sets else {}
    values: dict[str, Sequence[object]] = {
        "layer": [name],
        "bbox": [f"{west},{south},{east},{north}"],
        "lon": [middle - 360 if middle > 180 else middle],
        "lat": [(south + north) / 2],
    }
    if tile:
        at = tile["TileMatrix"], tile["TileCol"], tile["TileRow"]
        values |= {"tms": [named], **{key: [value] for key, value in zip("zxy", at, strict=True)}}
    if layer["times"]["default"]:
        values["datetime"] = [layer["times"]["default"]]
    return values


def _words(path: str, facts: Facts) -> dict[str, Sequence[object]]:
    found = next((words for (start, _name), words in facts.words.items() if path.startswith(start)), None)
    return {} if found is None else {"extension": found}


def _of_products(facts: Facts) -> Iterator[dict[str, Sequence[object]]]:
    for product in facts.with_files[:1]:
        yield {"id": [product["Id"]], "collection": [product["Collection"]["Name"]], "item": [product["Name"]]}
