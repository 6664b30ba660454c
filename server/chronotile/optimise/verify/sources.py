"""What the sources of a cube have at its points and times, read as `chronotile audit` does.

To find faults of the readers and of the conversion, neither is used: files are read with GDAL, NetCDF and Zarr with
xarray, each by its own metadata, places and times. From the conversion comes the source of each date alone.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chronotile.archive.audit.rasters import RasterTruth
from chronotile.archive.audit.sources import OtherPlace, StoredTruth, stored_truth
from chronotile.errors import UnsupportedSource
from chronotile.model.source import SourceSpec, VariableSpec
from chronotile.model.time.instants import Instant, format_instant
from chronotile.optimise.inputs import Inputs
from chronotile.optimise.plan import PlannedVariable
from chronotile.optimise.tasks import TaskDate
from chronotile.optimise.verify.cube import Cells, Points, Values
from chronotile.readers.kinds import kind_of_spec

REMEDY = "leave --verify out"


class SourceCells:
    """A variable of the files and stores that a cube is made of."""

    def __init__(self, inputs: Inputs, planned: PlannedVariable) -> None:
        self._info = planned.info
        self._conversion = planned.conversion
        starts = inputs.times.starts.astype("datetime64[ns]")
        self._starts = dict(zip(inputs.origins, starts, strict=True))
        self._truths = _truths(inputs, planned.info.name)
        dates, known = Counter(each.source for each in self._starts), Counter[int]()
        for origin, start in self._starts.items():
            truth = self._truths.get(origin.source)
            known[origin.source] += isinstance(truth, StoredTruth) and (truth.tells_dates or truth.has(start))
        self._dated = {source for source, number in known.items() if 2 * number > dates[source]}
        """Sources most of whose times are understood apart: then one that is not is wrong."""
        self._date_by_files(inputs)

    @property
    def drops_flags(self) -> bool:
        """Whether flags were to become nodata, as repacking makes them."""
        return not self._conversion.target.flags

    def tells_time(self, date: TaskDate) -> bool:
        """Return whether the time of a date is understood apart."""
        return date.origin.source in self._dated

    def close(self) -> None:
        """Nothing is held that is to be let go of."""

    def cells(self, date: TaskDate, instant: Instant, points: Points) -> Cells:
        """Return what the source has at points at a time of the cube.

        Raises:
            OtherPlace: It has no cells there, or not at that time.
            UnsupportedSource: It does not tell in a way that is understood.
        """
        truth, start = self._truths.get(date.origin.source), self._starts.get(date.origin)
        if not isinstance(truth, StoredTruth):
            raise truth or UnsupportedSource("it has no source")
        if start is not None and instant != start:
            raise OtherPlace(f"its values of {format_instant(start)} are at {format_instant(instant)}")
        if self.tells_time(date) and not truth.has(instant):
            raise OtherPlace(f"its values of {format_instant(instant)} have another time in their source")
        found = truth.cells(instant, date.origin.index, points.x, points.y)
        flags = np.where(found.is_there, found.meaning.flag_codes(found.numbers), np.uint32(0))
        return Cells(found.values, flags, found.origin)

    def _date_by_files(self, inputs: Inputs) -> None:
        """Let times that are not understood be those that the conversion has of each file."""
        column = list(inputs.variables).index(self._info.name)
        files: dict[int, dict[np.datetime64, str]] = defaultdict(dict)
        for origin, paths in inputs.files.items():
            if paths and origin.source not in self._dated:
                files[origin.source][self._starts[origin]] = str(paths[column])
        for source, dates in files.items():
            truth = self._truths.get(source)
            if isinstance(truth, RasterTruth):
                truth.date_by(dates)

    def tolerance(self, values: Values) -> Values:
        """Return how far stored values may lie from these: no farther than the last digits of their computation."""
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


def require_apart(inputs: Inputs) -> None:
    """Check, before anything is written, that some variable of the first source can be read apart.

    Raises:
        UnsupportedSource: None can.
    """
    found = [_truth(inputs.specs[:1], name) for name in inputs.variables]
    if (reason := next(iter(found), None)) and all(isinstance(each, UnsupportedSource) for each in found):
        assert isinstance(reason, UnsupportedSource)  # noqa: S101 -- as all are
        raise UnsupportedSource(f"--verify: {reason.message}; {REMEDY}")


def has_bands(spec: SourceSpec) -> bool:
    """Return whether a source is of files with bands."""
    return kind_of_spec(spec).options.has_bands


def _truths(inputs: Inputs, name: str) -> Mapping[int, StoredTruth | UnsupportedSource]:
    """What each source holds of a variable, or why that is not known; arrays of all files are one along time."""
    specs = dict(enumerate(inputs.specs))
    arrays = {number: spec for number, spec in specs.items() if not has_bands(spec)}
    joined = dict.fromkeys(arrays, _truth(tuple(arrays.values()), name)) if arrays else {}
    return {number: _of_bands(spec, name) for number, spec in specs.items() if number not in arrays} | joined


def _of_bands(spec: SourceSpec, name: str) -> StoredTruth | UnsupportedSource:
    """By the dates that bands or messages tell, or by the position of a band where they tell none."""
    found = _truth([replace(spec, times=None)], name)
    if spec.times is None or (isinstance(found, StoredTruth) and any(map(found.has, spec.times.starts))):
        return found
    return _truth([spec], name)


def _truth(specs: Sequence[SourceSpec], name: str) -> StoredTruth | UnsupportedSource:
    try:
        return stored_truth(specs, specs[0].variables.get(name, VariableSpec(id=name)))
    except UnsupportedSource as error:
        return error
