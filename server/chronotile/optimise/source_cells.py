"""Cells of the sources of a cube at its points and times, read as by `chronotile audit`.

To find faults of the readers and of the conversion, neither is used: GDAL reads files and xarray reads NetCDF and
Zarr, each by the metadata, coordinates and times in it. Only the source of each date comes from the run.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chronotile.audit.rasters import RasterTruth
from chronotile.audit.sources import stored_truth
from chronotile.audit.truth import OtherPlace, StoredTruth
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Float64Array, Instant
from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.plan import PlannedVariable
from chronotile.optimise.stored_cubes import CellCentres, CellValues
from chronotile.optimise.tasks import TaskDate
from chronotile.readers.kinds import kind_of_spec


class SourceCells:
    """A variable of the files and stores of a cube."""

    def __init__(self, inputs: CubeInputs, planned: PlannedVariable) -> None:
        self._info = planned.info
        self._conversion = planned.conversion
        starts = inputs.times.starts.astype("datetime64[ns]")
        self._starts = dict(zip(inputs.origins, starts, strict=True))
        self._truths = _truths(inputs, planned.info.name)
        dates, dated_counts = Counter(date_origin.source for date_origin in self._starts), Counter[int]()
        for origin, start in self._starts.items():
            truth = self._truths.get(origin.source)
            dated_counts[origin.source] += isinstance(truth, StoredTruth) and (
                truth.has_known_dates or truth.has(start)
            )
        self._dated = {source for source, number in dated_counts.items() if 2 * number > dates[source]}
        """Sources with independently readable times for most dates: other times of theirs are faults."""
        self._date_by_files(inputs)

    @property
    def drops_flags(self) -> bool:
        """Whether the cube has nodata instead of flags, as after packing."""
        return not self._conversion.target.flags

    def has_readable_time(self, date: TaskDate) -> bool:
        """Return whether the time of a date can be read independently."""
        return date.origin.source in self._dated

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def cells(self, date: TaskDate, instant: Instant, points: CellCentres) -> CellValues:
        """Return the cells of the source at points, at a time of the cube.

        Raises:
            OtherPlace: The source has no cells there, or not at that time.
            UnsupportedSource: The metadata of the source are not understood.
        """
        truth, start = self._truths.get(date.origin.source), self._starts.get(date.origin)
        if start is not None and instant != start:
            raise OtherPlace(f"its values of {format_instant(start)} are at {format_instant(instant)}")
        if not isinstance(truth, StoredTruth):
            raise truth or UnsupportedSource("it has no source")
        if self.has_readable_time(date) and not truth.has(instant):
            raise OtherPlace(f"its values of {format_instant(instant)} have another time in their source")
        truth_cells = truth.cells(instant, date.origin.index, points.x, points.y)
        flags = np.where(truth_cells.is_there, truth_cells.meaning.flag_codes(truth_cells.numbers), np.uint32(0))
        return CellValues(truth_cells.values, flags, truth_cells.origin)

    def _date_by_files(self, inputs: CubeInputs) -> None:
        """Use the times of the run for files whose times cannot be read independently."""
        column = list(inputs.variables).index(self._info.name)
        files: dict[int, dict[np.datetime64, str]] = defaultdict(dict)
        for origin, paths in inputs.files.items():
            if paths and origin.source not in self._dated:
                files[origin.source][self._starts[origin]] = str(paths[column])
        for source, dates in files.items():
            truth = self._truths.get(source)
            if isinstance(truth, RasterTruth):
                truth.date_by(dates)

    def tolerance(self, values: Float64Array) -> Float64Array:
        """Return the allowed differences of stored values: rounding of the computation only."""
        target = self._conversion.target
        size = np.abs(np.where(np.isfinite(values), values, 0))
        kind = np.dtype(target.dtype)
        if self._conversion.is_exact:
            step = abs(target.scale) * 1e-6 if kind.kind != "f" else 0.0
        elif kind.kind == "f":
            return np.asarray(np.spacing(size.astype(kind)), dtype=np.float64)
        else:
            step = abs(target.scale) * (0.5 + 1e-6)
        return np.asarray(size * 1e-12 + step)


def require_readable_sources(inputs: CubeInputs) -> None:
    """Check that one or more variables of the first source can be read independently.

    Raises:
        UnsupportedSource: No variable can.
    """
    truths = [_truth(inputs.specs[:1], name) for name in inputs.variables]
    if (reason := next(iter(truths), None)) and all(isinstance(truth, UnsupportedSource) for truth in truths):
        assert isinstance(reason, UnsupportedSource)  # noqa: S101 -- as all are
        raise UnsupportedSource(f"the cube cannot be verified: {reason.message}")


def has_bands(spec: SourceSpec) -> bool:
    """Return whether a source consists of files with bands."""
    return kind_of_spec(spec).options.has_bands


def _truths(inputs: CubeInputs, name: str) -> Mapping[int, StoredTruth | UnsupportedSource]:
    """Return the independent reader of each source, or the error; files of arrays are joined along time."""
    specs = dict(enumerate(inputs.specs))
    arrays = {number: spec for number, spec in specs.items() if not has_bands(spec)}
    joined = dict.fromkeys(arrays, _truth(tuple(arrays.values()), name)) if arrays else {}
    return {number: _band_truth(spec, name) for number, spec in specs.items() if number not in arrays} | joined


def _band_truth(spec: SourceSpec, name: str) -> StoredTruth | UnsupportedSource:
    """Return the reader of a band file by the dates in it, or by the positions of bands if it has no dates."""
    truth = _truth([replace(spec, times=None)], name)
    if spec.times is None or (isinstance(truth, StoredTruth) and any(map(truth.has, spec.times.starts))):
        return truth
    return _truth([spec], name)


def _truth(specs: Sequence[SourceSpec], name: str) -> StoredTruth | UnsupportedSource:
    try:
        return stored_truth(specs, specs[0].variables.get(name, VariableSpec(id=name)))
    except UnsupportedSource as error:
        return error
