"""The process *anomaly*: values compared with the same time of other years."""

from chronotile.core.errors import require_at_most
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.series.analysis import (
    ANOMALY_KINDS,
    ANOMALY_UNITS,
    Analysis,
    AnomalyKind,
    Climatology,
    Curves,
)
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Float64Array
from chronotile.core.stats.climatology import find_anomalies, find_normals
from chronotile.jobs.processes.process import Input, Inputs, choice, optional
from chronotile.jobs.processes.shared_inputs import DATETIME
from chronotile.jobs.processes.work.cell_maps import CellMaps, CellProcess
from chronotile.pipeline.encoders.coverage.cog import MAX_BANDS

VALUE_S = 40e-9
"""Processor time to compare a number with the reference."""


def _maps(inputs: Inputs, coverage: Coverage) -> CellMaps:
    count = len(coverage.times)
    alternative = "request fewer times"
    require_at_most("bands of a GeoTIFF", count, MAX_BANDS, alternative=alternative, locator="inputs.datetime")
    kind: AnomalyKind = inputs.get("kind", ANOMALY_KINDS[0])
    climatology = Climatology(by=inputs.get("by"))
    units = ANOMALY_UNITS.get(kind, coverage.fields[0].encoding.units)

    def find(series: Curves, reference: Curves) -> Float64Array:
        return find_anomalies(series, reference, find_normals(reference, series.times, climatology), kind)

    bands = [(f"anomaly ({kind}) {format_instant(instant)}", units) for instant in coverage.times]
    return CellMaps(bands=bands, find=find, value_s=VALUE_S, analysis=Analysis(anomaly=kind, climatology=climatology))


process = CellProcess(
    id="anomaly",
    title="Anomaly",
    description="The anomaly of each cell: its values compared with a reference for the same time of the year.",
    inputs={
        "datetime": Input(
            title="Times",
            description="Times to compare with the reference: an instant, an interval, or a list of either.",
            schema=DATETIME.schema,
        ),
        "reference": optional("Reference", "Times of the reference; default: all of the layer.", DATETIME.schema),
        "kind": optional(
            "Kind",
            "abs: the difference from the mean; z: the difference divided by the standard deviation; "
            "percentile: the share of reference values that are less.",
            choice(ANOMALY_KINDS),
        ),
    },
    output="A cloud optimised GeoTIFF with a band for each time, NaN where there is no result.",
    maps=_maps,
    references=("reference",),
).process()
