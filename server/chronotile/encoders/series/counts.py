"""Numbers of cells in JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from chronotile.model.number_text import numbers_json, without_noise

WHOLE_KINDS = frozenset({"count", "histogram"})
"""Kinds of reducers that give numbers of cells, the latter with weights of areas square metres."""


def whole_counts(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Return a reducer's values (time, …) as they are written: numbers of cells as integers, where all are whole."""
    if name.partition(":")[0] in WHOLE_KINDS and bool((values == np.floor(values)).all()):
        return values.astype(np.int64)
    return np.ascontiguousarray(values)


def edges_json(edges: Mapping[str, NDArray[np.float64]]) -> dict[str, orjson.Fragment]:
    """Return the edges (bin + 1,) of histograms by name, as they are written."""
    return {name: numbers_json(np.array([without_noise(edge) for edge in each])) for name, each in edges.items()}
