"""Warnings about points and areas in a limited number, and reasons of areas without values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from chronotile_client.exchange import Notice

Document = Mapping[str, Any]

OUTSIDE: Final = "outside_extent"
"""The reason of points outside the layer, as in the server's tables, and of areas outside."""
WITHOUT_CELLS: Final = "no_cells"
"""The reason of areas without a cell's centre or without a geometry."""
OUTSIDE_NOTE: Final = "it lies outside the layer"
"""Text of the server's notes on areas outside; its counts have no reason for areas without cells."""
MOST_NOTES: Final = 5
MOST_IDS: Final = 5
"""Maximum number of different notes that are reported, and of ids in each."""


def notices_of_notes(features: Sequence[Document], ids: Sequence[object] | None, kind: str) -> Iterator[Notice]:
    """Yield each note of the server once, with its ids.

    Args:
        features: Members of the documents of series.
        ids: Ids of the features; None for a single one.
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
        yield Notice(f"{further} more {kind} have other notes, not listed here")


def notices_of_seasons(
    features: Sequence[Document], ids: Sequence[object] | None, kind: str, *, has_time: bool
) -> Iterator[Notice]:
    """Yield the number of points or areas with values and without a season, with a remedy if a time was requested."""
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
    """Return the number, the total and the first ids; empty for a single point or area."""
    if ids is None:
        return ""
    named = ", ".join(repr(ids[number]) for number in numbers[:MOST_IDS])
    further = f" and {len(numbers) - MOST_IDS} more" if len(numbers) > MOST_IDS else ""
    return f"{len(numbers)} of {len(ids)} {kind} (id {named}{further}): "
