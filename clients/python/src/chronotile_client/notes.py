"""What the server remarks on points and areas: warnings of a bounded number, and why an area has no value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from chronotile_client.exchange import Notice

Document = Mapping[str, Any]

OUTSIDE: Final = "outside_extent"
"""The reason of points outside the layer, as tables of the server have it, and of areas outside."""
WITHOUT_CELLS: Final = "no_cells"
"""The reason of areas in which no cell's centre lies, and of areas without a geometry."""
OUTSIDE_NOTE: Final = "it lies outside the layer"
"""What notes of the server say of what is outside; the server's counts have no reason for areas without cells."""
MOST_NOTES: Final = 5
MOST_IDS: Final = 5
"""Different notes that are warned of, and ids that each warning names."""


def notices_of_notes(features: Sequence[Document], ids: Sequence[object] | None, kind: str) -> Iterator[Notice]:
    """Yield each note of the server once, with the ids that it is about.

    Args:
        features: Members of the documents of series.
        ids: Theirs; None for a single one.
        kind: `points` or `areas`.
    """
    found: dict[str, list[int]] = {}
    for number, feature in enumerate(features):
        if note := feature.get("note"):
            found.setdefault(note, []).append(number)
    by_count = sorted(found.items(), key=lambda each: -len(each[1]))
    for note, numbers in by_count[:MOST_NOTES]:
        yield Notice(f"{_which(numbers, ids, kind)}{note}")
    if further := sum(len(numbers) for _, numbers in by_count[MOST_NOTES:]):
        yield Notice(f"{further} further {kind} have other notes, not listed here")


def notices_of_seasons(
    features: Sequence[Document], ids: Sequence[object] | None, kind: str, *, has_time: bool
) -> Iterator[Notice]:
    """Yield how many points or areas with values have no season, and the remedy where a time was requested."""
    without = [
        number
        for number, feature in enumerate(features)
        if np.any(feature["total"]) and any(map(_has_no_season, feature.get("analysis", {}).values()))
    ]
    if without:
        remedy = ": seasons at its ends are left out, so request some months before and after" if has_time else ""
        time = "the requested time" if has_time else "all times"
        yield Notice(f"{_which(without, ids, kind)}no whole season was found in {time}{remedy}")


def reason_without_cells(feature: Document) -> str:
    """Return why an area has no cell."""
    return OUTSIDE if OUTSIDE_NOTE in feature.get("note", "") else WITHOUT_CELLS


def _has_no_season(analysis: Document) -> bool:
    return "phenology" in analysis and not analysis["phenology"]["start"]


def _which(numbers: Sequence[int], ids: Sequence[object] | None, kind: str) -> str:
    """How many of all, and the first ids; nothing for a single point or area."""
    if ids is None:
        return ""
    named = ", ".join(repr(ids[number]) for number in numbers[:MOST_IDS])
    further = f" and {len(numbers) - MOST_IDS} more" if len(numbers) > MOST_IDS else ""
    return f"{len(numbers)} of {len(ids)} {kind} (id {named}{further}): "
