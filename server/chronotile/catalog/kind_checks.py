"""Mistakes in what a configuration says of a source and its variables for the kind of the source."""

from collections.abc import Iterator, Mapping

from chronotile.catalog.items_checks import items_mistakes
from chronotile.catalog.kinds import in_words
from chronotile.catalog.source_section import kind_of_word
from chronotile.model.source import KindOptions
from chronotile.yaml_source import KeyPath, Mistake, Node

Kinds = Mapping[str, KindOptions]
"""The options of each kind of source, by its name."""

_TIMES_OF_ITEMS = "items have times of their own"
_TIMES_OF_STORE = "for a store without times use times: [2020-06-01]"


def kind_mistakes(collection: Node, path: KeyPath, kinds: Kinds) -> Iterator[Mistake]:
    """Yield a kind that is not known, and keys of the source or of a variable that its kind does not have."""
    written = collection.child("source", "kind")
    kind = kinds.get(kind_of_word(written.text or ""))
    if kind is not None:
        yield from _source_mistakes(collection.child("source"), (*path, "source"), kind, kinds)
        yield from _variable_mistakes(collection, path, kind, kinds)
        yield from items_mistakes(collection, path, kind, kinds)
    elif written.text:
        names = in_words(map(repr, kinds), "or")
        problem = f"accepted are {names}, got {written.text[:60]!r}"
        yield Mistake(written.place, (*path, "source", "kind"), problem)


def _source_mistakes(source: Node, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    of_files = in_words([name for name, each in kinds.items() if each.is_of_files], "and")
    of_bands = in_words([name for name, each in kinds.items() if each.is_of_files and each.has_bands], "and")
    has_rasters = kind.is_of_files and kind.has_bands
    if not has_rasters and "{variable}" in (source.child("href").text or ""):
        yield Mistake(source.place, path, f"{{variable}} in href belongs to kind {of_bands}")
    if not has_rasters and not kind.has_items and source.child("series").text:
        problem = f"series belongs to kind {of_bands}; serve a cube made by optimise as its own source"
        yield Mistake(source.place, path, problem)
    if not kind.is_of_files and source.child("time_pattern").text:
        remedy = _TIMES_OF_ITEMS if kind.has_items else _TIMES_OF_STORE
        yield Mistake(source.place, path, f"time_pattern belongs to kinds {of_files}; {remedy}")
    if not kind.is_of_files and "without" in source.entries:
        yield Mistake(source.place, path, f"without belongs to kinds {of_files}, whose href may match several files")


def _variable_mistakes(collection: Node, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    others = in_words([name for name, each in kinds.items() if each.has_bands != kind.has_bands], "or")
    for name, variable in collection.child("variables").entries.items():
        where = (*path, "variables", name)
        if "band" in variable.entries and not kind.has_bands:
            problem = f"band belongs to sources of kind {others}; in kind {kind.name} name the array with name"
            yield Mistake(variable.entries["band"].place, (*where, "band"), problem)
        if "select" in variable.entries and kind.has_bands:
            problem = f"select belongs to sources of kind {others}; in kind {kind.name} choose a band"
            yield Mistake(variable.entries["select"].place, (*where, "select"), problem)
