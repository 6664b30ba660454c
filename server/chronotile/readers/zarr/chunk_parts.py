"""A selection of an array, chunk by chunk."""

from collections.abc import Iterator
from itertools import groupby, product
from typing import NamedTuple

from chronotile.readers.cf.array_source import Selection


class Part(NamedTuple):
    """What a selection takes of one chunk."""

    target: tuple[slice, ...]
    """Its position in the selection."""
    own: Selection
    first: tuple[int, ...]
    """The first of its indexes along each dimension."""


def parts_of(selection: Selection, chunk: tuple[int, ...]) -> Iterator[Part]:
    """Yield what a selection takes of each chunk that it touches.

    Args:
        selection: Within the array; its slices have a start and an end.
        chunk: The shape of a chunk.
    """
    for splits in product(*(_splits(part, length) for part, length in zip(selection, chunk, strict=True))):
        target = tuple(target for target, _own, _first in splits if target is not None)
        yield Part(target, tuple(own for _, own, _first in splits), tuple(first for *_, first in splits))


def _splits(part: int | slice | list[int], length: int) -> list[tuple[slice | None, int | slice | list[int], int]]:
    """Part of one dimension, chunk by chunk: where it stands among what is selected, what it is, its first index."""
    if isinstance(part, int):
        return [(None, part, part)]
    indexes = indexes_of(part)
    found: list[tuple[slice | None, int | slice | list[int], int]] = []
    for _chunk, places in groupby(range(len(indexes)), key=lambda place: indexes[place] // length):
        first, *others = places
        own = indexes[first : first + len(others) + 1]
        selected = own if isinstance(own, list) else slice(own.start, own.stop, own.step)
        found.append((slice(first, first + len(own)), selected, indexes[first]))
    return found


def indexes_of(part: slice | list[int]) -> range | list[int]:
    """Return the indexes along one dimension that are selected."""
    return range(part.start, part.stop, part.step or 1) if isinstance(part, slice) else part
