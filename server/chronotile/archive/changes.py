"""What changed when an archive was reopened, in one line for the log."""

from collections.abc import Collection, Iterator

import numpy as np

from chronotile.archive.describe import counted
from chronotile.archive.open import Archive
from chronotile.catalog.resolve_times import fills_gaps_on_maps
from chronotile.model.collection import Layer
from chronotile.yaml_source import list_names

MOST_NAMES = 6
"""Layers, or files left out, that are named; of the others there is the number."""


def changes_line(before: Archive, after: Archive) -> str:
    """Return what was added, removed and left out since `before`; each in a few words, however much it is."""
    opened = before.away & after.specs.keys() - after.away - before.services.readers.keys()
    parts = [
        *_away_changes(before, after, opened),
        *_layer_changes(before, after, opened),
        *_left_out(before, after, opened),
    ]
    if not parts:
        parts = [*_source_changes(before, after), *_other_findings(before, after)]
        parts = parts or ["the configuration or a style was changed"]
    return f"reloaded: {', '.join(parts)}"


def _away_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    """`opened` are collections that are served now for the first time, which says all of their layers and findings."""
    yield from _named("source of collection", "away", sorted(after.away - before.away))
    yield from _named("collection", "served now", sorted(opened))
    back = (before.away - after.away) & before.services.readers.keys() & after.specs.keys()
    yield from _named("source of collection", "back", sorted(back))


def _layer_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    old = {layer.id: layer for layer in before.services.catalogue.layers}
    new = {layer.id: layer for layer in after.services.catalogue.layers}
    yield from _named(
        "layer", "added", [name for name in new if name not in old and new[name].collection not in opened]
    )
    yield from _named("layer", "removed", [name for name in old if name not in new])
    layers: dict[str, list[str]] = {}
    for name in new.keys() & old.keys():
        for text in _date_changes(old[name], new[name]):
            layers.setdefault(text, []).append(name)
    for text in sorted(layers):
        yield f"{text} {list_names(sorted(layers[text]), most=MOST_NAMES)}"


def _date_changes(old: Layer, new: Layer) -> Iterator[str]:
    added = np.setdiff1d(new.times.instants, old.times.instants).size
    removed = np.setdiff1d(old.times.instants, new.times.instants).size
    if added:
        yield f"{counted(added, 'date')} added to"
    if removed:
        yield f"{counted(removed, 'date')} removed from"
    if old.time_rules == new.time_rules and fills_gaps_on_maps(old) != fills_gaps_on_maps(new):
        how = "now" if fills_gaps_on_maps(new) else "no longer"
        yield f"maps of WMS and WMTS {how} show the latest date before a time between the dates of"


def _left_out(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    configured = after.configuration.collections
    removed = sorted(before.configuration.collections.keys() - configured.keys())
    layers = [name for name in removed if all(each.collection != name for each in before.services.catalogue.layers)]
    yield from _named("collection", "removed", layers)  # of others, the removed layers are listed already
    new = {each.place for each in after.findings if each.is_left_out}
    old = {each.place for each in before.findings if each.is_left_out and each.collection not in {*removed, *opened}}
    yield from _places("left out", new - old)
    yield from _places("no longer left out", old - new)


def _places(what: str, places: Collection[str]) -> Iterator[str]:
    if places:
        yield f"{len(places)} {what} ({list_names(sorted(places), most=MOST_NAMES, separator='; ')})"


def _source_changes(before: Archive, after: Archive) -> Iterator[str]:
    """Collections whose files were rewritten, with the same dates."""
    old = before.services.readers
    changed = [name for name, reader in after.services.readers.items() if name in old and old[name] is not reader]
    yield from _named("files of collection", "replaced", changed)


def _other_findings(before: Archive, after: Archive) -> Iterator[str]:
    """That the reasons why sources are away or left out are other ones, if that is all."""
    is_same = (before.state.written, before.state.styles) == (after.state.written, after.state.styles)
    if is_same and before.findings != after.findings:
        yield "findings changed"


def _named(what: str, how: str, names: list[str]) -> Iterator[str]:
    if names:
        yield f"{what}{'s' if len(names) > 1 else ''} {list_names(names, most=MOST_NAMES)} {how}"
