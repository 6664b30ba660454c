"""Times given by several axes of an array together: run and lead of a forecast, year and month, day of the year.

The dimensions that give the time are folded into one dimension of valid times. Its steps are sorted with the newest
run first, so the newest of several forecasts for one time is served.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from chronotile.core.errors import InvalidParameter, UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.source import DimensionStep
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import AnyArray, IndexArray, InstantArray, Int64Array
from chronotile.readers.cf.encoding import decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.time_numbers import add_durations, days_of, instants_of, is_since

PartName = Literal["run", "lead", "year", "month", "day", "yearday", "hour"]

_STANDARD_NAMES: Mapping[str, PartName] = {"forecast_reference_time": "run", "forecast_period": "lead"}
_NAMES: Mapping[PartName, str] = {
    "run": r"(forecast_)?(init|initial|initiali[sz]ation|reference|ref|base|issue|issued)_?(time|date)?|"
    r"(start|analysis|cycle|run|model_run)_?(time|date)|runs?|model_?run|cycle|s",
    "lead": r"(forecast_?)?(lead|step)s?_?(time|hours?|days?|months?)?|forecast_?(period|hour)|prediction_timedelta|"
    r"fhr|fhour|l",
    "year": r"years?|yr",
    "month": r"months?|mon",
    "day": r"day|day_?of_?month|dom",
    "yearday": r"day_?of_?year|doy|yearday|julian_?day|jday",
    "hour": r"hour|hour_?of_?day|hod",
}
_TOGETHER: tuple[tuple[PartName, ...], ...] = (
    *(("run", "lead"), ("year", "month", "day", "hour"), ("year", "month", "day")),
    *(("year", "yearday", "hour"), ("year", "yearday"), ("year", "month")),
)
"""Parts that make a time, the more precise ones first."""
_DIMENSION = "valid time"
"""Name of the dimension of folded times; the space prevents conflicts with arrays."""
VALID_TIME = re.compile(r"(valid|verification|forecast|target)_?(time|date)|time", re.IGNORECASE)
_LATEST = "latest"
_MAX_STEPS = 1_000_000
"""Valid times of an array, such as 30 years of daily runs with 90 leads."""


@dataclass(frozen=True, slots=True)
class FoldedTimes:
    """The dimensions that give the time of an array together."""

    dims: tuple[str, ...]
    """Dimensions in the order of the array; one or none if the others are selected or scalar."""
    cells: tuple[tuple[int, ...], ...]
    """(valid time,): the indices along `dims`."""


@dataclass(frozen=True, slots=True)
class Folded:
    """An array with one dimension of valid times, and the fields with their coordinate."""

    array: Field
    fields: FieldSet
    times: FoldedTimes
    findings: tuple[Finding, ...]


def run_steps(steps: Sequence[DimensionStep], array: Field, fields: FieldSet) -> tuple[DimensionStep, ...]:
    """Return the steps, with the run of a forecast (`run: latest`, `run: 2021-10-01`) as an index.

    Raises:
        UnsupportedSource: The run is not a time, or not exactly one run matches.
    """
    parts = _parts(array, fields)
    run = parts.get("run")
    if run is None or len(run.dims) != 1:
        return tuple(steps)
    return tuple(_run_step(step, run) if step.dimension in {"run", run.dims[0]} else step for step in steps)


def fold_times(array: Field, fields: FieldSet, selected: Mapping[str, int]) -> Folded | None:
    """Return an array with its time from several axes, folded; `None` for other arrays.

    Args:
        array: The array.
        fields: All arrays, including its coordinates.
        selected: The index along each dimension with a selected step.

    Raises:
        UnsupportedSource: The parts of the time cannot be read.
    """
    parts = _parts(array, fields)
    of_steps = (field for field in fields.fields.values() if _is_stated(field) and set(field.dims) < set(array.dims))
    stated = next(of_steps, None)
    names = () if stated is not None else _parts_together(parts)
    used = [stated] if stated is not None else [parts[name] for name in names]
    if not used:
        return None
    dims = tuple(dim for dim in array.dims if dim not in selected and any(dim in each.dims for each in used))
    grid = _StepGrid(dims, tuple(array.sizes[dim] for dim in dims), selected)
    if grid.size > _MAX_STEPS:
        raise UnsupportedSource(f"its dimensions {', '.join(dims)} have more than {_MAX_STEPS:,} times; select one run")
    run = parts.get("run")
    valid = grid.spread(stated, instants_of(stated).instants) if stated is not None else _combine(parts, names, grid)
    runs = grid.spread(run, instants_of(run).instants) if run and set(run.dims) <= {*dims, *selected} else None
    if runs is None and len(dims) > 1 and stated is not None:  # assume that runs are along the first dimension
        firsts = valid.reshape(grid.shape).min(axis=tuple(range(1, len(dims))), keepdims=True)
        runs = np.broadcast_to(firsts, grid.shape).ravel()
    order, findings = _newest(valid, runs, " and ".join(dims))
    steps = list(np.ndindex(grid.shape))
    times = FoldedTimes(dims, tuple(steps[step] for step in order))
    coordinate = _coordinate(valid[order], has_dimension=bool(dims), is_monthly=set(names) == {"year", "month"})
    sizes = array.sizes | {_DIMENSION: order.size}
    folded_dims = tuple(_DIMENSION if dim in dims[:1] else dim for dim in array.dims if dim not in dims[1:])
    auxiliary = [name for name in array.text("coordinates").split() if name in fields.fields]
    folded = replace(
        array,
        dims=folded_dims,
        shape=tuple(sizes[dim] for dim in folded_dims),
        attrs={**array.attrs, "coordinates": " ".join([*auxiliary, _DIMENSION])},
    )
    others = {name: field for name, field in fields.fields.items() if not (is_time_part(field) or _is_stated(field))}
    return Folded(folded, FieldSet({**others, _DIMENSION: coordinate}, fields.attrs), times, findings)


def _coordinate(valid: InstantArray, *, has_dimension: bool, is_monthly: bool) -> Field:
    """The valid times as a coordinate; months as numbers such as 202101, which name the whole month."""
    months = valid.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    numbers: AnyArray = months // 12 * 100 + months % 12 + 1 if is_monthly else valid
    numbers = numbers if has_dimension else numbers.reshape(())
    return Field(
        name=_DIMENSION,
        dims=(_DIMENSION,) if has_dimension else (),
        shape=numbers.shape,
        dtype=numbers.dtype,
        attrs={"standard_name": "time", "units": "%Y%m" if is_monthly else ""},
        load=lambda: numbers,
    )


@dataclass(frozen=True, slots=True)
class _StepGrid:
    """The steps of several dimensions, in the order of the array."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    selected: Mapping[str, int]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def spread(self, field: Field, values: AnyArray) -> AnyArray:
        """Return (step,): the values of a field over some of the dimensions, at each step of all."""
        values = values.reshape(field.shape)
        values = values[tuple(self.selected.get(dim, slice(None)) for dim in field.dims)]
        own = [dim for dim in field.dims if dim not in self.selected]
        values = values.transpose([own.index(dim) for dim in self.dims if dim in own])
        shape = [size if dim in own else 1 for dim, size in zip(self.dims, self.shape, strict=True)]
        return np.broadcast_to(values.reshape(shape), self.shape).ravel()


def _parts(array: Field, fields: FieldSet) -> dict[PartName, Field]:
    """The parts of a time over some dimensions of an array; those by standard name before those by their names."""
    found: dict[PartName, Field] = {}
    named = {field.name for field in fields.coordinates_named_by(array)}
    candidates = [field for field in fields.fields.values() if set(field.dims) <= set(array.dims)]
    candidates = [field for field in candidates if len(field.dims) == 1 or (not field.dims and _is_near(field, named))]
    for by_name in (False, True):
        for field in candidates:
            part = _part_by_name(field) if by_name else _STANDARD_NAMES.get(field.text("standard_name"))
            if part is not None:
                found.setdefault(part, field)
    lead = found.get("lead")
    time = next((field for field in candidates if field.name == "time" and not field.text("standard_name")), None)
    if lead is not None and "run" not in found and time is not None and time.dims != lead.dims and is_since(time):
        found["run"] = time
    return found


def _is_near(field: Field, named: set[str]) -> bool:
    # A scalar belongs to the array that names it, or by its standard name to all.
    return field.name in named or field.text("standard_name") in _STANDARD_NAMES or _part_by_name(field) == "run"


def _part_by_name(field: Field) -> PartName | None:
    if field.text("standard_name") or field.dtype.kind not in "iufmM":
        return None
    part = next((part for part, names in _NAMES.items() if re.fullmatch(names, field.name, re.IGNORECASE)), None)
    return part if is_since(field) == (part == "run") else None


def is_time_part(field: Field) -> bool:
    """Return whether a field is the reference time or the lead of a forecast."""
    return field.text("standard_name") in _STANDARD_NAMES or _part_by_name(field) in {"run", "lead"}


def _is_stated(field: Field) -> bool:
    name = field.text("standard_name") or field.name
    return len(field.dims) > 1 and VALID_TIME.fullmatch(name) is not None and is_since(field)


def _parts_together(parts: Mapping[PartName, Field]) -> tuple[PartName, ...]:
    options = (option for option in _TOGETHER if set(option) <= set(parts) and any(parts[name].dims for name in option))
    return next(options, ())


def _combine(parts: Mapping[PartName, Field], names: Sequence[PartName], grid: _StepGrid) -> InstantArray:
    """Return (step,) instants from their parts; NaT for impossible ones, such as 30 February."""
    if "run" in names:
        decoded = decode(parts["lead"])
        leads = np.where(decoded.is_missing, np.nan, decoded.values.astype(np.float64))
        runs = grid.spread(parts["run"], instants_of(parts["run"]).instants)
        return add_durations(runs, grid.spread(parts["lead"], leads.ravel()), parts["lead"])
    values = {name: grid.spread(parts[name], _whole_numbers(parts[name])) for name in names}
    one = np.ones(grid.size, dtype=np.int64)
    of_year = values.get("yearday")
    days = values.get("day", one) if of_year is None else of_year
    starts = days_of(values["year"], values.get("month", one), days, are_of_year=of_year is not None)
    hours = values.get("hour", 0 * one)
    return np.where(hours < 0, np.datetime64("NaT", "ns"), starts + hours.astype("timedelta64[h]"))


def _whole_numbers(field: Field) -> Int64Array:
    decoded = decode(field)
    return np.where(decoded.is_missing, -1, decoded.values.astype(np.float64)).astype(np.int64).ravel()


def _newest(valid: InstantArray, runs: InstantArray | None, dims: str) -> tuple[IndexArray, tuple[Finding, ...]]:
    """Return the served steps: the step of the newest run for each valid time."""
    order = np.argsort(valid if runs is None else -runs.astype(np.int64), kind="stable")
    order = order[~np.isnat(valid[order])]
    _times, first, counts = np.unique(valid[order], return_index=True, return_counts=True)
    kept = np.sort(first)
    if not kept.size:
        raise UnsupportedSource(f"no step of {dims} makes a date")
    findings = []
    if kept.size < order.size:
        example = "" if runs is None else f" or {{run: {format_instant(runs[order].max())}}}"
        newest = f"is of the newest run; to serve one run, set select: {{run: latest}}{example}"
        message = f"{np.count_nonzero(counts > 1)} of {kept.size} valid times occur in several runs: each {newest}"
        findings.append(Finding("note", dims, message))
    if order.size < valid.size:
        findings.append(Finding("note", dims, f"{valid.size - order.size} of {valid.size} steps make no date: skipped"))
    return order[kept], tuple(findings)


def _run_step(step: DimensionStep, run: Field) -> DimensionStep:
    if not isinstance(step.value, str) or run.dtype.kind in "SUO":
        return replace(step, dimension=run.dims[0])
    instants = instants_of(run).instants
    if step.value == _LATEST:
        return DimensionStep(dimension=run.dims[0], index=int(np.nanargmax(instants.astype(np.int64))))
    try:
        span = parse_instant(step.value)
    except InvalidParameter as error:
        raise UnsupportedSource(f"select: the run {step.value!r} is not a time; {_accepted(instants)}") from error
    found = np.flatnonzero((instants >= span.start) & (instants < span.end))
    if found.size != 1:
        problem = "has several runs" if found.size else "has no run"
        raise UnsupportedSource(f"select: it {problem} {step.value}; {_accepted(instants)}")
    return DimensionStep(dimension=run.dims[0], index=int(found[0]))


def _accepted(instants: InstantArray) -> str:
    known = np.unique(instants[~np.isnat(instants)])
    return (
        f"accepted are {_LATEST} and {known.size} times from {format_instant(known[0])} to {format_instant(known[-1])}"
    )
