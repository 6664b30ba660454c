"""Values of several variables along time, at the same places."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from chronotile.model.collection import Layer
from chronotile.model.geometry.area import Area
from chronotile.model.number_text import text_values
from chronotile.model.request import Point
from chronotile.model.time.instants import ABSENT, Instant, InstantArray, TimeSelection

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsRequest:
    """What happened at these places, by several variables."""

    layers: tuple[str, ...]
    """Ids or aliases, at least one."""
    points: tuple[Point, ...]
    """At least one."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class AreasRequest:
    """What happened in these areas, by several variables."""

    layers: tuple[str, ...]
    """Ids or aliases, at least one."""
    areas: tuple[Area, ...]
    """At least one."""
    time: TimeSelection = ABSENT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldSeries:
    """One variable."""

    layer: Layer
    times: InstantArray
    """(time,); not a time (NaT) for the one value of a layer without time."""
    values: FloatArray
    """(place, time), NaN where there is none."""

    @property
    def name(self) -> str:
        """Of the variable."""
        return self.layer.main_variable.name

    @property
    def has_time(self) -> bool:
        """Whether the layer has times, be there none of those asked for."""
        return not bool(np.isnat(self.times).any())


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldsSeries:
    """Several variables at the same places, each at its own times."""

    places: Sequence[Point | Area]
    """All points of one CRS, or all areas."""
    fields: tuple[FieldSeries, ...]
    """At least one."""
    unreadable: tuple[Instant, ...] = ()
    """Ascending: times at which a cell of any variable could not be read, so that it has no value."""
    method: str | None = None
    """How values of cells became one of a place, such as `mean`; `None` where a place is one cell."""

    @property
    def has_areas(self) -> bool:
        """Whether the places are areas."""
        return len(self.places) > 0 and isinstance(self.places[0], Area)

    @property
    def has_time(self) -> bool:
        """Whether any has times."""
        return any(field.has_time for field in self.fields)

    @cached_property
    def times(self) -> InstantArray:
        """(time,): all that any has, ascending; not a time (NaT) where none has times."""
        return reduce(np.union1d, [field.times for field in self.fields if field.has_time] or [self.fields[0].times])

    @property
    def columns(self) -> dict[str, FloatArray]:
        """(place, time) at `times` by name: NaN where a variable has no such time; one without time has all."""
        return {field.name: self._at_all_times(field) for field in self.fields}

    def texts(self, name: str, values: FloatArray) -> FloatArray:
        """Return values of one of the variables as text has them."""
        field = next(each for each in self.fields if each.name == name)
        return text_values(values, field.layer.main_variable.encoding if self.method is None else None)

    def groups(self) -> list[tuple[FieldSeries, ...]]:
        """Return the variables in groups of the same times."""
        grouped: dict[bytes, list[FieldSeries]] = {}
        for field in self.fields:
            grouped.setdefault(field.times.tobytes(), []).append(field)
        return [tuple(group) for group in grouped.values()]

    def _at_all_times(self, field: FieldSeries) -> FloatArray:
        if field.has_time and len(field.times) == len(self.times):
            return field.values
        shape = len(self.places), len(self.times)
        if not field.has_time:
            return np.broadcast_to(field.values, shape)
        values = np.full(shape, np.nan)
        values[:, np.searchsorted(self.times, field.times)] = field.values
        return values
