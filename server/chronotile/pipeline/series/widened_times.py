"""The times that an analysis takes: those that are requested, and those of its reference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.model.series.analysis import Analysis, Curves, FloatArray
from chronotile.model.time.instants import InstantArray, TimeSelection
from chronotile.pipeline.resolve_series import instants_of, layer_with_values, selection_of, series_indexes
from chronotile.pipeline.series.analyse_point import check_analysis, reference_indexes
from chronotile.pipeline.services import Services


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WidenedTimes:
    """Which times are to be read, and which of them are what."""

    time: TimeSelection
    """Selects all of them."""
    requested: InstantArray
    """(time,) of the answer."""
    reference: InstantArray
    """(time,) that it is held against; none where nothing is."""

    def indexes_of_answer(self, read: InstantArray) -> NDArray[np.intp]:
        """Return where in the times that were read those of the answer stand."""
        return np.searchsorted(read, self.requested)

    def curves_of(self, read: InstantArray, values: FloatArray) -> tuple[Curves, Curves]:
        """Return the requested values and those of the reference, of the values (series, time) that were read."""
        requested, reference = self.indexes_of_answer(read), np.searchsorted(read, self.reference)
        return (
            Curves(times=self.requested, values=values[:, requested]),
            Curves(times=self.reference, values=values[:, reference]),
        )


def widen_times(analysis: Analysis, name: str, time: TimeSelection, *, series: int, services: Services) -> WidenedTimes:
    """Return the times of a layer that an analysis takes; reads no pixels.

    Args:
        analysis: What to compute.
        name: The layer's id or alias.
        time: As requested.
        series: How many there are.
        services: To resolve it with.

    Raises:
        ChronotileError: A name or time is not accepted, or as `check_analysis`.
    """
    layer = layer_with_values(name, services)
    indexes = series_indexes(layer, time, services)
    reference = reference_indexes(analysis, layer, now=services.clock())
    check_analysis(analysis, layer, (indexes, reference), series=series, services=services)
    if not set(reference) <= set(indexes):
        time = selection_of(layer.times, sorted({*indexes, *reference}), is_of_open=time.is_open)
    return WidenedTimes(time=time, requested=instants_of(layer, indexes), reference=instants_of(layer, reference))
