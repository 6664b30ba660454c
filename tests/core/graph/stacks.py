"""Stacks of arrays for tests, and the same values as lists of single values."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from chronotile.core.graph.values import Stack

NUMBERS = st.one_of(st.none(), st.sampled_from([0.0, 1.0, -1.0, 2.5]), st.floats(-1e6, 1e6, width=32))
"""Numbers and no data, with many equal values."""


def columns(cells: int = 3, least: int = 0) -> st.SearchStrategy[list[list[Any]]]:
    """Return lists of equal length, one for each cell."""
    return st.integers(least, 6).flatmap(
        lambda size: st.lists(st.lists(NUMBERS, min_size=size, max_size=size), min_size=cells, max_size=cells)
    )


def stack_of(lists: list[list[Any]], labels: Any = None) -> Stack:
    """Return lists of cells as a stack; `None` becomes NaN."""
    return Stack(array_of(lists).T.copy().reshape(-1, len(lists)), labels)


def array_of(values: Any) -> Any:
    """Return values as float64, with NaN for `None`."""
    return np.array([array_of(value) if isinstance(value, list) else value for value in values], dtype=np.float64)
