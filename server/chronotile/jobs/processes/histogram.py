"""The process *histogram*: counts of the values of a layer in an area over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import orjson

from chronotile.core.errors import InvalidParameter, OutsideData
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import Area, area_of_box
from chronotile.core.model.geometry.geojson import area_of
from chronotile.core.model.job import Result
from chronotile.core.model.series.reducers import Reducer
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import Float64Array, Int64Array, Json
from chronotile.core.stats.histogram_bins import even_edges
from chronotile.core.stats.samples import reduce_samples
from chronotile.jobs.processes.inputs import (
    geometry_rules,
    locate_errors,
    resolve_input_times,
    times_from_json,
    trims_of,
)
from chronotile.jobs.processes.process import Inputs, JobPlan, Output, Process, Work, cuts, optional, require_few_tasks
from chronotile.jobs.processes.shared_inputs import BBOX, DATETIME, LAYER
from chronotile.jobs.processes.work.windows import read_bytes
from chronotile.pipeline.estimate import window_seconds
from chronotile.pipeline.native_cell import reach_of
from chronotile.pipeline.series.area_cells import AreaCells, cheapest_reading
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.spans import Spans, centre_spans

MAX_BINS, DEFAULT_BINS = 4096, 64
TASK_CELLS = 1 << 22
"""Cells of a task at one time, unless one row of source blocks has more."""
TASK_NUMBERS = 1 << 27
"""Numbers of a task at all its times, unless one time has more."""

NUMBER_S = 1e-7
"""Processor time to read and count a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _HistogramCounts:
    """Counts of the values of a task."""

    counts: Int64Array
    """Per bin."""
    outside: int
    """Values beyond the edges."""
    no_data: int
    """Cells without a value, counted at each time."""


def _plan(inputs: Inputs, services: Services) -> JobPlan:
    with locate_errors(_names(inputs)):
        times = resolve_input_times(inputs["layer"], inputs, services)
        _edges(inputs, times.layer)
        first, last = _rows(_spans(inputs, times.layer, services))
        with reading(times.layer):
            shape = services.reader(times.layer).block_shape(times.layer.main_variable.name, "space")
    width, count = times.layer.main_variable.grid.width, len(times.indexes)
    encoding = times.layer.main_variable.encoding
    rows = _length(TASK_CELLS // width, shape.height)
    dates = _length(TASK_NUMBERS // (rows * width), shape.times)
    along, down = cuts(0, count, dates), cuts(first, last, rows)
    require_few_tasks(len(along) * len(down), alternative="request a smaller bbox or fewer times")
    return JobPlan(
        tasks=[{"rows": task_rows, "dates": task_dates} for task_dates, task_rows in product(along, down)],
        seconds=(last - first) * width * count * NUMBER_S
        + window_seconds(times.layer, times.indexes, Window(first, last, 0, width), services),
        held_bytes=read_bytes((last - first) * width * count * np.dtype(encoding.dtype).itemsize),
        shared={"times": times.as_json, "count": count},
        sources=[times.source],
        pixels=(last - first) * width * count,
    )


def _run(inputs: Inputs, task: Json, work: Work) -> Json:
    with locate_errors(_names(inputs)):
        times = times_from_json(inputs["layer"], work.shared["times"], work.services)
        spans = _spans(inputs, times.layer, work.services)
        first, last = task["rows"]
        task_spans = spans.select((spans.rows >= first) & (spans.rows < last))
        indexes = times.indexes[slice(*task["dates"])]
        task_counts = _count_values(task_spans, times.layer, indexes, edges=_edges(inputs, times.layer), work=work)
    return {"counts": task_counts.counts.tolist(), "outside": task_counts.outside, "no_data": task_counts.no_data}


def _finish(inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    layer = work.services.catalogue.layer(inputs["layer"])
    edges = _edges(inputs, layer)
    counts = np.zeros(edges.size - 1, dtype=np.int64)
    for task in done:
        counts += np.array(task["counts"], dtype=np.int64)
    document = {
        "layer": layer.id,
        "units": layer.main_variable.encoding.units,
        "times": work.shared["count"],
        "edges": edges.tolist(),
        "counts": counts.tolist(),
        "outside": sum(task["outside"] for task in done),
        "no_data": sum(task["no_data"] for task in done),
    }
    return {"histogram": Result(value=document)}


def _count_values(
    spans: Spans, layer: Layer, indexes: tuple[int, ...], *, edges: Float64Array, work: Work
) -> _HistogramCounts:
    """Count the values of cells at some times."""
    reducer = Reducer(name="histogram", kind="histogram", bins=edges.size - 1)
    counts, valid = np.zeros(edges.size - 1), 0
    if spans.cells:
        how = cheapest_reading(spans, 1, layer=layer, indexes=indexes, services=work.services)
        cells = AreaCells(how, UnreadableDates(layer, work.services), work.is_active)
        for slab in how.slabs():
            cells.require_active()
            reduced = reduce_samples(
                cells.samples(slab), layer.main_variable.encoding, (reducer,), {reducer.name: edges}
            )
            counts += np.nansum(reduced.values[reducer.name], axis=(0, 1))  # NaN: no cell has a value
            valid += int(reduced.valid.sum())
        cells.require_source()
    return _HistogramCounts(
        counts=counts.astype(np.int64), outside=valid - int(counts.sum()), no_data=spans.cells * len(indexes) - valid
    )


def _edges(inputs: Inputs, layer: Layer) -> Float64Array:
    """Return edges (bin + 1,), ascending."""
    if "edges" in inputs:
        if "bins" in inputs or "range" in inputs:
            raise InvalidParameter("give either edges, or bins and range", locator="edges")
        edges = np.array(inputs["edges"], dtype=np.float64)
    else:
        low, high = inputs.get("range", layer.styles[0].range)
        bins = int(inputs.get("bins", DEFAULT_BINS))  # 10.0 is an integer in JSON Schema
        edges = even_edges(low, high, bins)
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise InvalidParameter("edges must ascend", locator="edges" if "edges" in inputs else "range")
    return edges


def _spans(inputs: Inputs, layer: Layer, services: Services) -> Spans:
    """Return the cells with their centre in the area; all cells without an area.

    Raises:
        OutsideData: The area contains no cell centre.
    """
    grid = layer.main_variable.grid
    area = _area(inputs, layer, services)
    if area is None:
        rows = np.arange(grid.height)
        return Spans(
            areas=np.zeros_like(rows), rows=rows, starts=np.zeros_like(rows), stops=np.full_like(rows, grid.width)
        )
    spans = centre_spans(outlines_of((area,), grid), grid)
    if not spans.cells:
        raise OutsideData(
            f"no cell centre of layer {layer.id}, which {reach_of(layer)}, is in it; longitude comes first",
            locator="area" if "area" in inputs else "bbox",
        )
    return spans


def _area(inputs: Inputs, layer: Layer, services: Services) -> Area | None:
    if "area" in inputs:
        if "bbox" in inputs:
            raise InvalidParameter("give either area or bbox", locator="bbox")
        return area_of(orjson.dumps(inputs["area"]), geometry_rules(layer, services))
    for trim in trims_of(inputs, services):
        return area_of_box(trim.box, trim.crs)
    return None


def _names(inputs: Inputs) -> Mapping[str, str]:
    # Names of inputs by the locators of errors of operations
    area = "area" if "area" in inputs else "bbox"
    return {"geometry": area, "time": "datetime", "crs": f"{area}.crs"}


def _rows(spans: Spans) -> tuple[int, int]:
    # First row with cells, and the row after the last
    return int(spans.rows.min()), int(spans.rows.max()) + 1


def _length(most: int, unit: int) -> int:
    # At most `most`, in whole source blocks if one fits
    return max(1, most // unit * unit or most)


process = Process(
    id="histogram",
    title="Histogram",
    description="Histogram of the values of a layer in an area over all requested times; tiles are counted "
    "separately and summed.",
    keywords=("statistics", "histogram"),
    inputs={
        "layer": LAYER,
        "datetime": DATETIME,
        "bbox": BBOX,
        "area": optional(
            "Area",
            "A GeoJSON polygon, or a feature with one: cells with their centre in it count.",
            {"type": "object", "required": ["type"], "format": "geojson-geometry"},
        ),
        "bins": optional(
            "Bins",
            "Number of bins of equal width.",
            {"type": "integer", "minimum": 1, "maximum": MAX_BINS, "default": DEFAULT_BINS},
        ),
        "range": optional(
            "Range",
            "Values at both ends of the bins; default: the range of the layer's first style.",
            {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
        ),
        "edges": optional(
            "Edges",
            "Edges of the bins, ascending, instead of their number and range.",
            {"type": "array", "minItems": 2, "maxItems": MAX_BINS + 1, "items": {"type": "number"}},
        ),
    },
    outputs={
        "histogram": Output(
            title="Histogram",
            description="Counts of cells at all times per bin. A bin includes its lower edge, the last one both. "
            "`outside` "
            "counts values beyond the edges, `no_data` cells without a value.",
            schema={
                "type": "object",
                "required": ["layer", "units", "times", "edges", "counts", "outside", "no_data"],
                "properties": {
                    "layer": {"type": "string"},
                    "units": {"type": "string"},
                    "times": {"type": "integer"},
                    "edges": {"type": "array", "items": {"type": "number"}},
                    "counts": {"type": "array", "items": {"type": "integer"}},
                    "outside": {"type": "integer"},
                    "no_data": {"type": "integer"},
                },
            },
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
