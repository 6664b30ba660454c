"""Keys of a collection that its kind of source does not have."""

from collections.abc import Iterator, Mapping

from chronotile.catalog.source_section import KIND_ALIASES, kind_of_word
from chronotile.catalog.value_types import join_words
from chronotile.core.model.source import KindOptions
from chronotile.core.yaml_source import KeyPath, Mistake, YamlNode

Kinds = Mapping[str, KindOptions]
"""The options of each kind of source, by its name."""

_TIMES_OF_ITEMS = "items have times of their own"
_TIMES_OF_STORE = "for a store without times use times: [2020-06-01]"


def kind_mistakes(collection: YamlNode, path: KeyPath, kinds: Kinds) -> Iterator[Mistake]:
    """Yield an unknown kind, and keys of the source and its variables that the kind does not have."""
    written = collection.child("source", "kind")
    kind = kinds.get(kind_of_word(written.text or ""))
    if kind is not None:
        yield from _source_mistakes(collection.child("source"), (*path, "source"), kind, kinds)
        yield from _variable_mistakes(collection, path, kind, kinds)
        yield from items_mistakes(collection, path, kind, kinds)
    elif written.text:
        names = join_words(map(repr, (*kinds, *KIND_ALIASES)), "or")
        problem = f"accepted are {names}, got {written.text[:60]!r}"
        yield Mistake(written.place, (*path, "source", "kind"), problem)


def _source_mistakes(source: YamlNode, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    of_files = join_words([name for name, k in kinds.items() if k.is_of_files], "and")
    of_bands = join_words([name for name, k in kinds.items() if k.is_of_files and k.has_bands], "and")
    has_rasters = kind.is_of_files and kind.has_bands
    if not has_rasters and "{variable}" in (source.child("href").text or ""):
        yield Mistake(source.place, path, f"{{variable}} in href belongs to kind {of_bands}")
    if not has_rasters and not kind.has_items and source.child("series").text:
        problem = f"series belongs to kind {of_bands}; serve a cube made by optimise as its own source"
        yield Mistake(source.place, path, problem)
    if not kind.is_of_files and source.child("time_pattern").text:
        remedy = _TIMES_OF_ITEMS if kind.has_items else _TIMES_OF_STORE
        yield Mistake(source.place, path, f"time_pattern belongs to kinds {of_files}; {remedy}")
    if not kind.has_groups:
        with_groups = join_words([name for name, k in kinds.items() if k.has_groups], "and")
        yield from refuse_key(source, ("group",), path, f"group belongs to kinds {with_groups}")
    if not kind.is_of_files and "without" in source.entries:
        yield Mistake(source.place, path, f"without belongs to kinds {of_files}, whose href may match several files")


def _variable_mistakes(collection: YamlNode, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    has_items = kind.has_items or collection.child("source", "tiles").content is True
    for name, variable in collection.child("variables").entries.items():
        where = (*path, "variables", name)
        if not kind.has_bands:
            of_bands = join_words([name for name, k in kinds.items() if k.has_bands], "or")
            problem = f"band belongs to sources of kind {of_bands}; in kind {kind.name} name the array with name"
            yield from refuse_key(variable, ("band",), where, problem)
        elif has_items:
            problem = "select belongs to arrays and to messages of GRIB files, without items; choose a band"
            yield from refuse_key(variable, ("select",), where, problem)


_ITEM_KEYS: tuple[KeyPath, ...] = (("mosaic",), ("search",), ("time", "group"))
_KEYS_WITHOUT_ITEMS = {
    "times": "items have times of their own; remove it",
    "series": "it belongs to files on one grid; serve a cube made by optimise as its own source",
}
_STAC_KEYS = ("filter", "mode")
_WEB = ("https://", "http://")
_CRS_PROBLEM = "items have CRSs of their own; remove it, and write it into files that lack it"


def items_mistakes(
    collection: YamlNode, path: KeyPath, kind: KindOptions, kinds: Mapping[str, KindOptions]
) -> Iterator[Mistake]:
    """Yield keys of a collection and its variables that do not fit a source with items, or without them."""
    source = collection.child("source")
    has_items = kind.has_items or (kind.may_have_items and source.child("tiles").content is True)
    yield from _items_source_mistakes(source, (*path, "source"), kind, kinds)
    if has_items:
        for key, problem in _KEYS_WITHOUT_ITEMS.items():
            yield from refuse_key(source, (key,), (*path, "source"), problem)
    else:
        of_items = f"it belongs to collections of items: {_kinds_with_items(kinds)}"
        for keys in _ITEM_KEYS:
            yield from refuse_key(collection, keys, path, of_items)
        if kind.has_bands:
            of_arrays = join_words([name for name, k in kinds.items() if not k.has_bands], "and")
            problem = f"{of_items}, and to kinds {of_arrays}, whose cells may have a latitude and longitude each"
            yield from refuse_key(collection, ("grid",), path, problem)
    if not kind.has_items:
        problem = f"asset belongs to sources of kind {_kind_names(kinds)}; in kind {kind.name} use name"
        for name, variable in collection.child("variables").entries.items():
            yield from refuse_key(variable, ("asset",), (*path, "variables", name), problem)


def _items_source_mistakes(
    source: YamlNode, path: KeyPath, kind: KindOptions, kinds: Mapping[str, KindOptions]
) -> Iterator[Mistake]:
    if not kind.may_have_items:
        of_tiles = join_words([name for name, k in kinds.items() if k.may_have_items], "and")
        yield from refuse_key(source, ("tiles",), path, f"tiles belongs to kinds {of_tiles}")
    if not kind.has_items:
        for key in _STAC_KEYS:
            yield from refuse_key(source, (key,), path, f"{key} belongs to kind {_kind_names(kinds)}")
    else:
        yield from refuse_key(source, ("crs",), path, _CRS_PROBLEM)
        if source.child("mode").text == "live" and not (source.child("href").text or "").startswith(_WEB):
            yield from refuse_key(
                source, ("mode",), path, "live belongs to STAC APIs, whose href is https:// or http://"
            )


def refuse_key(node: YamlNode, keys: KeyPath, path: KeyPath, problem: str) -> Iterator[Mistake]:
    """Yield one mistake if `node` has the key at `keys`, even if its value is empty."""
    nodes = node.follow(keys)
    if len(nodes) == len(keys) + 1:
        yield Mistake(nodes[-1].place, (*path, *keys), problem)


def _kind_names(kinds: Mapping[str, KindOptions]) -> str:
    return join_words([name for name, k in kinds.items() if k.has_items], "and")


def _kinds_with_items(kinds: Mapping[str, KindOptions]) -> str:
    tiled = join_words([name for name, k in kinds.items() if k.may_have_items], "and")
    return f"kind {_kind_names(kinds)}, and {tiled} with tiles: true"
