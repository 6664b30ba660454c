"""Processes that reduce the values of each cell over time to bands of one GeoTIFF."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from chronotile.core.model.coverage import Coverage
from chronotile.core.model.job import Result
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.types import Float64Array, Json
from chronotile.core.stats.analysis_costs import check_directions
from chronotile.jobs.processes.inputs import locate_errors
from chronotile.jobs.processes.process import Input, Inputs, JobPlan, Output, Process, Work
from chronotile.jobs.processes.shared_inputs import BBOX, BY, DATETIME, LAYER
from chronotile.jobs.processes.work.map_files import (
    GEOTIFF,
    geotiff_of_partial_maps,
    make_bands,
    require_geotiff,
    store_partial_maps,
)
from chronotile.jobs.processes.work.stored_coverage import max_file_bytes
from chronotile.jobs.processes.work.windows import (
    all_of,
    compute_by_cell,
    itemsize,
    planned_windows,
    select_cells,
    window_of,
)
from chronotile.pipeline.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMaps:
    """The computation of a job."""

    bands: Sequence[tuple[str, str]]
    """Text after the name of the layer's variable, and units, of each band."""
    find: Callable[..., Float64Array]
    """Computes (series, band) from the `Curves` of some cells, followed by those at the times of `references`."""
    value_s: float
    """Processor time to process a number."""
    analysis: Analysis
    """The same analysis of a series, to refuse it for directions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellProcess:
    """A process that computes maps cell by cell, window by window."""

    id: str
    """Also the name of the output and of the file."""
    title: str
    description: str
    inputs: Mapping[str, Input]
    """Inputs in addition to the shared ones."""
    output: str
    """Description of the file."""
    maps: Callable[[Inputs, Coverage], CellMaps]
    """Return the maps of a coverage of the requested cells and times; raise if it has too many or too few times."""
    references: Sequence[str] = ()
    """Names of inputs with further times whose values are read."""

    def process(self) -> Process:
        """Return the process."""
        return Process(
            id=self.id,
            title=self.title,
            description=self.description,
            keywords=("map", "time"),
            inputs={"layer": LAYER, "datetime": DATETIME, **self.inputs, "by": BY, "bbox": BBOX},
            outputs={self.id: Output(title=self.title, description=self.output, schema=GEOTIFF)},
            plan=self._plan,
            run=self._run,
            finish=self._finish,
        )

    def _plan(self, inputs: Inputs, services: Services) -> JobPlan:
        coverage = select_cells(inputs, services)
        require_geotiff(coverage)
        references = [select_cells(inputs, services, name) for name in self.references]
        maps = self.maps(inputs, coverage)
        with locate_errors({"anomaly": "kind", "climatology": "reducer", "trend": "layer"}):
            check_directions(maps.analysis, inputs["layer"], coverage.fields[0].encoding.circle)
        times = sum(len(c.times) for c in (coverage, *references))
        held_bytes = times * itemsize(coverage) + len(maps.bands) * 4
        plan = planned_windows(coverage, *references, value_s=maps.value_s, held_bytes=held_bytes)
        return replace(plan, result_bytes=max_file_bytes(coverage.grid, len(maps.bands), 4))

    def _run(self, inputs: Inputs, task: Json, work: Work) -> Json:
        windows = [window_of(inputs, task, work, number=number) for number in range(1 + len(self.references))]
        maps = self.maps(inputs, windows[0])
        return store_partial_maps(compute_by_cell(windows, len(maps.bands), maps.find, work), task, work)

    def _finish(self, inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
        coverage = all_of(inputs, work)
        bands = make_bands(coverage, self.maps(inputs, coverage).bands)
        return {self.id: geotiff_of_partial_maps(coverage, bands, done, work, name=self.id)}
