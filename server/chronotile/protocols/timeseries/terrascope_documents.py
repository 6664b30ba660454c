"""The documents of Terrascope's time-series service: the same keys, JSON types and order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from chronotile.catalog.catalogue import Catalogue
from chronotile.encoders.instants import format_instants
from chronotile.model.collection import Layer
from chronotile.model.number_text import number_texts, statistics, text_values
from chronotile.model.series.reducer import MEAN, STD
from chronotile.model.series.series import AreaSeries, AreasSeries, Series
from chronotile.model.time.instants import InstantArray, TimeDomain, format_day, format_instant
from chronotile.protocols.common.extent import longitude_latitude_box
from chronotile.protocols.timeseries.terrascope_params import EntryOptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """What there is to say of one place at each time."""

    total: int
    """Cells."""
    valid: NDArray[np.int64]
    """(time,) cells with a value."""
    averages: list[str]
    """(time,) as text; empty where no cell has one."""
    deviations: list[str] | None = None
    """(time,) as text, of the values at one time."""


def layer_list(catalogue: Catalogue) -> dict[str, Any]:
    """Return every layer that has series, under its id and under each alias; composites have none."""
    layers = (layer for layer in catalogue.layers if not layer.is_composite)
    return {"layers": [entry for layer in layers for entry in _listed(layer)]}


def _listed(layer: Layer) -> Iterable[dict[str, Any]]:
    dates = format_instants(layer.times.instants)
    xmin, ymin, xmax, ymax = longitude_latitude_box(layer)
    bounds = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
    for name in (layer.id, *(alias.name for alias in layer.aliases)):
        yield {"name": name, "dates": dates, "bounds": bounds}


def encode_point_series(series: Series, domain: TimeDomain, options: EntryOptions) -> bytes:
    """Return one result per date, dates without a valid value included unless excluded by the query.

    Args:
        series: Of one native cell.
        domain: All times of the layer, which show whether a day identifies one of them.
        options: Which entries, and which members of each.
    """
    has_value = np.isfinite(series.values)
    cell = Column(
        total=1, valid=has_value.astype(np.int64), averages=number_texts(text_values(series.values, series.encoding))
    )
    return b'{"results":' + _entries(cell, _dates(series.times, domain), options) + b"}"


def encode_area_series(series: AreasSeries, domain: TimeDomain, options: EntryOptions) -> bytes:
    """Return the results of the one area, as of a point."""
    return b'{"results":' + _entries(_column(series.areas[0]), _dates(series.times, domain), options) + b"}"


def encode_areas_series(series: AreasSeries, domain: TimeDomain, options: EntryOptions) -> bytes:
    """Return a list of results for each area, in their order."""
    dates = _dates(series.times, domain)
    # Area by area, since an entry takes ten times as much memory as its text.
    lists = b",".join(_entries(_column(each), dates, options) for each in series.areas)
    return b'{"results":[' + lists + b"]}"


def _column(series: AreaSeries) -> Column:
    texts = {name: number_texts(statistics(values)) for name, values in series.reduced.items()}
    return Column(total=series.total, valid=series.valid, averages=texts[MEAN.name], deviations=texts.get(STD.name))


def _entries(column: Column, dates: list[str], options: EntryOptions) -> bytes:
    """The JSON list of the requested ones; empty without dates, as of a layer without time."""
    if not dates:
        return b"[]"
    indexes = np.arange(len(dates))
    if options.max_valids is not None:
        indexes = np.flatnonzero(column.valid)
        if options.max_valids > 0:
            indexes = indexes[-options.max_valids :]
    return orjson.dumps(
        [{"date": dates[index], "result": _result(column, index, options)} for index in indexes.tolist()]
    )


def _result(column: Column, index: int, options: EntryOptions) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if options.has_counts:
        result = {"totalCount": column.total, "validCount": int(column.valid[index])}
    result["average"] = _number(column.averages[index])
    if options.has_deviation and column.deviations is not None:
        result["uncertainty"] = _number(column.deviations[index])
    return result


def _number(text: str) -> orjson.Fragment:
    return orjson.Fragment(text or "null")


def _dates(instants: InstantArray, domain: TimeDomain) -> list[str]:
    """`YYYY-MM-DD`, or the full instant on days that have several; none for a layer without time."""
    if len(domain) == 0:
        return []
    days, counts = np.unique(domain.instants.astype("datetime64[D]"), return_counts=True)
    shared = set(days[counts > 1].tolist())
    return [
        format_instant(instant) if day in shared else format_day(instant)
        for instant, day in zip(instants, instants.astype("datetime64[D]").tolist(), strict=True)
    ]
