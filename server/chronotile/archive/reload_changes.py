"""One line for the log about the differences between an archive and its successor."""

from collections.abc import Collection, Iterator

import numpy as np

from chronotile.archive.describe import count_text
from chronotile.archive.open import Archive
from chronotile.catalog.resolve_times import fills_gaps_on_maps
from chronotile.core.model.collection import Layer
from chronotile.core.yaml_source import list_names

MAX_NAMES = 6
"""Number of layers or skipped files listed by name."""


def changes_line(before: Archive, after: Archive) -> str:
    """Return one line of limited length about added, removed and skipped layers and files since `before`."""
    opened = before.unavailable & after.specs.keys() - after.unavailable - before.services.readers.keys()
    changes = _away_changes, _layer_changes, _skip_changes
    parts = [text for change in changes for text in change(before, after, opened)]
    if not parts:  # only files were rewritten: report their collections
        old, new = before.services.readers, after.services.readers
        changed = [name for name, reader in new.items() if name in old and old[name] is not reader]
        parts += _names_text("files of collection", "replaced", changed)
        # If nothing else differs, the reasons for unavailable or skipped sources have changed.
        is_same = (before.state.written, before.state.styles) == (after.state.written, after.state.styles)
        parts += ["findings changed"] if is_same and before.findings != after.findings else []
        parts = parts or ["the configuration or a style was changed"]
    return f"reloaded: {', '.join(parts)}"


def _away_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    """Yield changes of availability; `opened` has the collections that are served for the first time."""
    yield from _names_text("source of collection", "away", sorted(after.unavailable - before.unavailable))
    yield from _names_text("collection", "served now", sorted(opened))
    back = (before.unavailable - after.unavailable) & before.services.readers.keys() & after.specs.keys()
    yield from _names_text("source of collection", "back", sorted(back))


def _layer_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    old = {layer.id: layer for layer in before.services.catalogue.layers}
    new = {layer.id: layer for layer in after.services.catalogue.layers}
    added = [name for name in new if name not in old and new[name].collection not in opened]
    yield from _names_text("layer", "added", added)
    yield from _names_text("layer", "removed", [name for name in old if name not in new])
    layers: dict[str, list[str]] = {}
    for name in new.keys() & old.keys():
        for text in _date_changes(old[name], new[name]):
            layers.setdefault(text, []).append(name)
    for text in sorted(layers):
        yield f"{text} {list_names(sorted(layers[text]), most=MAX_NAMES)}"


def _date_changes(old: Layer, new: Layer) -> Iterator[str]:
    added = np.setdiff1d(new.times.instants, old.times.instants).size
    removed = np.setdiff1d(old.times.instants, new.times.instants).size
    if added:
        yield f"{count_text(added, 'date')} added to"
    if removed:
        yield f"{count_text(removed, 'date')} removed from"
    if old.time_rules == new.time_rules and fills_gaps_on_maps(old) != fills_gaps_on_maps(new):
        how = "now" if fills_gaps_on_maps(new) else "no longer"
        yield f"maps of WMS and WMTS {how} show the latest date before a time between the dates of"


def _skip_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    removed = sorted(before.configuration.collections.keys() - after.configuration.collections.keys())
    without_layers = [
        name for name in removed if all(layer.collection != name for layer in before.services.catalogue.layers)
    ]
    yield from _names_text("collection", "removed", without_layers)  # others appear as removed layers
    new = {finding.place for finding in after.findings if finding.is_left_out}
    old = {f.place for f in before.findings if f.is_left_out and f.collection not in {*removed, *opened}}
    yield from _places_text("left out", new - old)
    yield from _places_text("no longer left out", old - new)


def _places_text(what: str, places: Collection[str]) -> Iterator[str]:
    if places:
        yield f"{len(places)} {what} ({list_names(sorted(places), most=MAX_NAMES, separator='; ')})"


def _names_text(what: str, how: str, names: list[str]) -> Iterator[str]:
    if names:
        yield f"{what}{'s' if len(names) > 1 else ''} {list_names(names, most=MAX_NAMES)} {how}"
