"""Mistakes in what a configuration says of a source and its variables for the kind of the source."""

from collections.abc import Iterable, Iterator, Mapping

from chronotile.catalog.kinds import LATER
from chronotile.model.source import KindOptions
from chronotile.yaml_source import KeyPath, Mistake, Node

Kinds = Mapping[str, KindOptions]
"""The options of each kind of source, by its name."""

PLANNED = "stac"
"""A kind that a later release reads."""


def kind_mistakes(collection: Node, path: KeyPath, kinds: Kinds) -> Iterator[Mistake]:
    """Yield a kind that is not known, and keys of the source or of a variable that its kind does not have."""
    written = collection.child("source", "kind")
    kind = kinds.get(written.text or "")
    if kind is not None:
        yield from _source_mistakes(collection.child("source"), (*path, "source"), kind, kinds)
        yield from _variable_mistakes(collection, path, kind, kinds)
    elif written.text == PLANNED:
        problem = f"kind {PLANNED}: {LATER}; accepted are {_in_words(kinds, 'and')}"
        yield Mistake(written.place, (*path, "source", "kind"), problem)
    elif written.text:
        names = _in_words(map(repr, (*kinds, PLANNED)), "or")
        problem = f"accepted are {names}, got {written.text[:60]!r}"
        yield Mistake(written.place, (*path, "source", "kind"), problem)


def _source_mistakes(source: Node, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    of_files = _in_words([name for name, each in kinds.items() if each.is_of_files], "and")
    of_bands = _in_words([name for name, each in kinds.items() if each.has_bands], "and")
    if not kind.has_bands and "{variable}" in (source.child("href").text or ""):
        yield Mistake(source.place, path, f"{{variable}} in href belongs to kind {of_bands}")
    if not kind.has_bands and source.child("series").text:
        problem = f"series belongs to kind {of_bands}; serve a cube made by optimise as its own source"
        yield Mistake(source.place, path, problem)
    if not kind.is_of_files and source.child("time_pattern").text:
        problem = f"time_pattern belongs to kinds {of_files}; for a store without times use times: [2020-06-01]"
        yield Mistake(source.place, path, problem)


def _variable_mistakes(collection: Node, path: KeyPath, kind: KindOptions, kinds: Kinds) -> Iterator[Mistake]:
    others = _in_words([name for name, each in kinds.items() if each.has_bands != kind.has_bands], "or")
    for name, variable in collection.child("variables").entries.items():
        where = (*path, "variables", name)
        if "band" in variable.entries and not kind.has_bands:
            problem = f"band belongs to sources of kind {others}; in kind {kind.name} name the array with name"
            yield Mistake(variable.entries["band"].place, (*where, "band"), problem)
        if "select" in variable.entries and kind.has_bands:
            problem = f"select belongs to sources of kind {others}; in kind {kind.name} choose a band"
            yield Mistake(variable.entries["select"].place, (*where, "select"), problem)


def _in_words(names: Iterable[str], last: str) -> str:
    """Names as a sentence has them: `a, b and c`."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end
