"""Mistakes in what a configuration says of items: keys that only collections of them have, and keys that they lack."""

from collections.abc import Iterator, Mapping

from chronotile.catalog.kinds import in_words
from chronotile.model.source import KindOptions
from chronotile.yaml_source import KeyPath, Mistake, Node

_OF_ITEMS: tuple[KeyPath, ...] = (("mosaic",), ("grid",), ("time", "group"))
_NOT_OF_ITEMS = {
    "times": "items have times of their own; remove it",
    "series": "it belongs to files on one grid; serve a cube made by optimise as its own source",
}
_OF_STAC = ("filter", "mode")
_WEB = ("https://", "http://")
_CRS_OF_ITEMS = "items have CRSs of their own; remove it, and write it into files that lack it"


def items_mistakes(
    collection: Node, path: KeyPath, kind: KindOptions, kinds: Mapping[str, KindOptions]
) -> Iterator[Mistake]:
    """Yield the keys of a collection and its variables that do not suit a source with, or without, items."""
    source = collection.child("source")
    has_items = kind.has_items or (kind.may_have_items and source.child("tiles").content is True)
    yield from _source_mistakes(source, (*path, "source"), kind, kinds)
    if has_items:
        for key, problem in _NOT_OF_ITEMS.items():
            yield from _refused(source, (key,), (*path, "source"), problem)
    else:
        for keys in _OF_ITEMS:
            yield from _refused(collection, keys, path, f"it belongs to collections of items: {_with_items(kinds)}")
    if not kind.has_items:
        problem = f"asset belongs to sources of kind {_names(kinds)}; in kind {kind.name} use name"
        for name, variable in collection.child("variables").entries.items():
            yield from _refused(variable, ("asset",), (*path, "variables", name), problem)


def _source_mistakes(
    source: Node, path: KeyPath, kind: KindOptions, kinds: Mapping[str, KindOptions]
) -> Iterator[Mistake]:
    if not kind.may_have_items:
        of_tiles = in_words([name for name, each in kinds.items() if each.may_have_items], "and")
        yield from _refused(source, ("tiles",), path, f"tiles belongs to kind {of_tiles}")
    if not kind.has_items:
        for key in _OF_STAC:
            yield from _refused(source, (key,), path, f"{key} belongs to kind {_names(kinds)}")
    else:
        yield from _refused(source, ("crs",), path, _CRS_OF_ITEMS)
        if source.child("mode").text == "live" and not (source.child("href").text or "").startswith(_WEB):
            yield from _refused(source, ("mode",), path, "live belongs to STAC APIs, whose href is https:// or http://")


def _refused(node: Node, keys: KeyPath, path: KeyPath, problem: str) -> Iterator[Mistake]:
    found = node.follow(keys)
    if len(found) == len(keys) + 1:
        yield Mistake(found[-1].place, (*path, *keys), problem)


def _names(kinds: Mapping[str, KindOptions]) -> str:
    return in_words([name for name, each in kinds.items() if each.has_items], "and")


def _with_items(kinds: Mapping[str, KindOptions]) -> str:
    tiled = [f"{name} with tiles: true" for name, each in kinds.items() if each.may_have_items]
    return f"kind {in_words([*(name for name, each in kinds.items() if each.has_items), *tiled], 'and')}"
