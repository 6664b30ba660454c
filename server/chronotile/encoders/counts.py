"""Numbers of cells in JSON."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

WHOLE_KINDS = frozenset({"count", "histogram"})
"""Kinds of reducers that give numbers of cells, the latter with weights of areas square metres."""


def whole_counts(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return a reducer's values (time, …) as they are written: numbers of cells as integers, where all are whole."""
    if name.partition(":")[0] in WHOLE_KINDS and bool((values == np.floor(values)).all()):
        return values.astype(np.int64)
    return np.ascontiguousarray(values)
