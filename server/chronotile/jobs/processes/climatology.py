"""The process *climatology*: the usual value for each time of the year."""

from chronotile.core.model.coverage import Coverage
from chronotile.core.model.series.analysis import Analysis, Climatology, Curves
from chronotile.core.model.series.reducers import MEAN, parse_reducer
from chronotile.core.model.types import Float64Array
from chronotile.core.stats.climatology import find_normals, slot_kind, slot_names
from chronotile.jobs.processes.process import Inputs, optional
from chronotile.jobs.processes.work.cell_maps import CellMaps, CellProcess
from chronotile.jobs.processes.work.map_files import dates

VALUE_S = 40e-9
"""Processor time to reduce a number; percentiles sort."""


def _maps(inputs: Inputs, coverage: Coverage) -> CellMaps:
    climatology = Climatology(reducer=parse_reducer(inputs.get("reducer", MEAN.name)), by=inputs.get("by"))
    units, span = coverage.fields[0].encoding.units, dates(coverage.times)
    slots = slot_names(slot_kind(coverage.times.instants, climatology.by))

    def find(curves: Curves) -> Float64Array:
        return find_normals(curves, curves.times, climatology).values

    return CellMaps(
        bands=[(f"{slot}, {climatology.reducer.name} of {span}", units) for slot in slots],
        find=find,
        value_s=VALUE_S,
        analysis=Analysis(climatology=climatology, has_climatology=True),
    )


process = CellProcess(
    id="climatology",
    title="Climatology",
    description="The climatology of each cell: for each time of the year the mean, or a percentile, of the values "
    "of all years; for a day, of the eleven days around it.",
    inputs={
        "reducer": optional(
            "Reducer",
            "A mean, median or percentile (p10).",
            {"type": "string", "pattern": r"^(mean|median|p([0-9]{1,2}(\.[0-9]{1,4})?|100))$", "default": "mean"},
        )
    },
    output="A cloud optimised GeoTIFF with a band for each month, dekad or day of the year, whose name has the month "
    "and day it begins with; NaN where there is no value.",
    maps=_maps,
).process()
