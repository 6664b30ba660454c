"""A Zarr group or NetCDF file interpreted by the CF conventions: its variables and their grids and times."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.core.model.space.grid import NativeGrid
from chronotile.readers.cf.axes import (
    Axes,
    CurvilinearArray,
    axes_of,
    each_step,
    further_dimensions,
    is_coordinate,
    is_time,
    labels_of,
    selected_steps,
)
from chronotile.readers.cf.encoding import Meaning, meaning_of
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.geolocation import index_axes
from chronotile.readers.cf.grid import place_array
from chronotile.readers.cf.regular_grid import grid_over, levels_over
from chronotile.readers.cf.swath import Swath, Swaths, open_swath
from chronotile.readers.cf.time import Times, configured_climatology, configured_times, times_of_field, times_of_year
from chronotile.readers.cf.valid_times import FoldedTimes, fold_times, is_time_part, run_steps
from chronotile.readers.configured_encoding import apply_configuration, is_scaled, require_real

NO_RASTER = "it holds no variable over x and y"
MAX_REASONS = 3
"""Maximum number of groups that an error explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CfVariable:
    """One variable with the layout of its array."""

    info: VariableInfo
    """With the one level of this array."""
    array: str
    """The array's name."""
    axes: Axes
    dims: tuple[str, ...]
    steps: Mapping[str, int]
    """The served index, by additional dimension; 0 if missing."""
    labels: Mapping[str, str]
    """Coordinate of the selected step as text, by dimension: `{"depth": "10"}`."""
    positions: tuple[int, ...]
    """(time,): the index along the stored time dimension."""
    findings: tuple[Finding, ...] = field(default=())
    folded: FoldedTimes | None = None
    """The stored dimensions that give the time together, if there are several axes of time."""
    stored_dims: tuple[str, ...] = ()
    """The dimensions of the array, if some of them are folded."""
    swath: Swath | None = None
    """The cells that the grid shows, if each has a latitude and longitude; else the cells of the array are its grid."""

    @property
    def size(self) -> tuple[int, int]:
        """Number of rows and columns of the array."""
        if self.swath is None:
            return self.grid.height, self.grid.width
        return self.swath.geolocation.height, self.swath.geolocation.width

    @property
    def growing(self) -> str | None:
        """The stored dimension that grows when times are appended."""
        return self.axes.time if self.folded is None else next(iter(self.folded.dims), None)

    @property
    def grid(self) -> NativeGrid:
        """The grid of this array."""
        return self.info.grid


@dataclass(frozen=True, slots=True)
class CfVariables:
    """The variables of a group or file by id, with findings on these and on skipped ones."""

    variables: dict[str, CfVariable]
    findings: tuple[Finding, ...]

    @property
    def swaths(self) -> dict[str, Swath]:
        """The cells of variables that have a latitude and longitude each, by id."""
        return {name: variable.swath for name, variable in self.variables.items() if variable.swath is not None}


@dataclass(frozen=True, slots=True)
class _Content:
    """The arrays of a group or file, and their configuration."""

    fields: FieldSet
    spec: SourceSpec
    swath: Swath | None = None
    """The cells of the interpreted array, if they have no regular grid."""


def understand(
    fields: FieldSet, spec: SourceSpec, *, others: tuple[Finding, ...] = (), swaths: Swaths | None = None
) -> CfVariables:
    """Return the configured variables or, by default, all that can be served.

    Args:
        fields: The arrays.
        spec: Configuration of the source.
        others: Findings about other parts of the file or store, which explain why nothing can be served.
        swaths: Swaths of these arrays, if they were interpreted before.

    Raises:
        UnsupportedSource: A configured variable, or all existing ones, cannot be served.
    """
    content, swaths = _Content(fields, spec), swaths or Swaths(fields, spec.grid, open_swath)
    if spec.variables:
        variables = {
            variable.id: _configured_variable(content, swaths, variable) for variable in spec.variables.values()
        }
        variables = _align_swaths(variables, spec)
        return CfVariables(variables, (*_findings_of(variables), *_unused_grid(variables, spec)))
    variables, failures = _all(content, swaths)
    if not variables:
        failures.sort(key=lambda each: is_time(fields.fields[each.place]))
        reasons = [f"{each.place}: {each.message}" for each in failures[:1]] or [NO_RASTER]
        more = [f"{len(others) - MAX_REASONS} more groups are not served"] if len(others) > MAX_REASONS else []
        raise UnsupportedSource("; ".join((*reasons, *(each.message for each in others[:MAX_REASONS]), *more)))
    variables = _align_swaths(variables, spec)
    return CfVariables(variables, (*_findings_of(variables), *_unused_grid(variables, spec), *failures, *others))


def _align_swaths(variables: dict[str, CfVariable], spec: SourceSpec) -> dict[str, CfVariable]:
    """Return variables whose swaths have the same cells of the configured lattice, so that one may mask another."""
    grids = {variable.grid for variable in variables.values() if variable.swath is not None}
    if spec.grid is None or len(grids) < 2:
        return variables
    levels = levels_over(grid_over(grids))
    if levels[0].wrap_columns is not None and levels[0].width > levels[0].wrap_columns:
        return variables
    return {
        name: variable
        if variable.swath is None
        else replace(variable, info=replace(variable.info, levels=levels), swath=replace(variable.swath, levels=levels))
        for name, variable in variables.items()
    }


def _all(content: _Content, swaths: Swaths) -> tuple[dict[str, CfVariable], list[Finding]]:
    found: dict[str, CfVariable] = {}
    failures: list[Finding] = []
    fields = content.fields
    candidates = [each for each in _arrays(fields) if not is_coordinate(each, fields)]
    for candidate in candidates:
        try:
            found |= {variable.info.name: variable for variable in _variables(candidate, content, swaths)}
        except UnsupportedSource as error:
            failures.append(Finding("warning", candidate.name, error.message))
    return found, failures


def _arrays(fields: FieldSet) -> list[Field]:
    return [field for name, field in fields.fields.items() if name not in fields.borrowed]


def _variables(
    array: Field, content: _Content, swaths: Swaths, variable: VariableSpec | None = None
) -> list[CfVariable]:
    """Return a configured variable, or all variables of an array, on its grid or on a regular grid over its cells."""
    try:
        return [_variable(array, content, part) for part in _parts(array, content, variable)]
    except UnsupportedSource as error:
        is_curvilinear = isinstance(error, CurvilinearArray) or content.spec.grid is not None
        swath = swaths.swath_of(array) if is_curvilinear else None
        if swath is None:
            raise
    content = _Content(index_axes(swath.geolocation, content.fields), content.spec, swath)
    return [_variable(array, content, part) for part in _parts(array, content, variable)]


def _parts(array: Field, content: _Content, variable: VariableSpec | None) -> tuple[VariableSpec, ...]:
    """Return the variables of an array: all of it, or one for each of few steps of additional dimensions."""
    if variable is not None:
        return (variable,)
    fields, spec = content.fields, content.spec
    whole = VariableSpec(id=array.name)
    if not spec.has_each_step:
        return (whole,)
    folded = fold_times(array, fields, {}) if spec.times is None else None
    if folded is not None:
        array, fields = folded.array, folded.fields
    time_count = len(spec.times) if spec.times is not None else None
    return each_step(array, fields, further_dimensions(array, fields, time_count=time_count)) or (whole,)


def _configured_variable(content: _Content, swaths: Swaths, variable: VariableSpec) -> CfVariable:
    fields = content.fields
    name = variable.name or variable.id
    if name not in fields.fields or name in fields.borrowed:
        there = ", ".join(each.name for each in _arrays(fields) if not is_coordinate(each, fields))
        raise UnsupportedSource(f"there is no array {name} in it; there are {there or 'none'}")
    try:
        return _variables(fields.fields[name], content, swaths, variable)[0]
    except UnsupportedSource as error:
        raise UnsupportedSource(f"{name}: {error.message}") from error


def _variable(array: Field, content: _Content, variable: VariableSpec) -> CfVariable:
    fields, spec, swath = content.fields, content.spec, content.swath
    if array.fault is not None:
        raise UnsupportedSource(array.fault)
    if 0 in array.shape:
        empty = array.dims[array.shape.index(0)]
        raise UnsupportedSource(f"it has no values yet: its dimension {empty} has the length 0")
    require_real(array.dtype, "it")
    steps = selected_steps(array, fields, run_steps(variable.select, array, fields))
    folded = fold_times(array, fields, steps) if spec.times is None else None
    notes_of_times = () if folded is None else folded.findings
    stored = array.dims
    if folded is not None:
        array, fields = folded.array, folded.fields
    axes = axes_of(array, fields, time_count=len(spec.times) if spec.times is not None else None, selected=steps)
    levels, notes = (swath.levels, ()) if swath else _place(array, fields, axes, spec)
    times = _times(array, fields, axes, spec)
    if spec.times is None and axes.time_field is not None and is_time_part(axes.time_field):
        name = axes.time_field.name
        message = f"{name} is the time at which forecasts start, and no lead time is known: set times: for the source"
        notes_of_times = (*notes_of_times, Finding("warning", name, message))
    planes = {axes.time, axes.y, axes.x}
    meaning = meaning_of(array)
    encoding = apply_configuration(meaning.encoding, variable)
    info = VariableInfo(
        name=variable.id,
        encoding=encoding,
        stated=meaning.encoding,
        levels=levels,
        times=times.domain,
        title=variable.title or array.text("long_name") or None,
        standard_name=array.text("standard_name") or None,
        is_categorical=_is_categorical(meaning, variable, encoding),
        classes=meaning.classes,
        bit_flags=meaning.bit_flags,
        part=variable if variable.select else None,
    )
    return CfVariable(
        info=info,
        array=array.name,
        axes=axes,
        dims=array.dims,
        steps=steps,
        labels=labels_of({dim: steps.get(dim, 0) for dim in array.dims if dim not in planes}, array, fields),
        positions=times.positions,
        findings=(*notes, *notes_of_times, *times.findings, *meaning.findings),
        stored_dims=stored,
        folded=None if folded is None or not folded.times.dims else folded.times,
        swath=swath,
    )


def _is_categorical(meaning: Meaning, variable: VariableSpec, encoding: Encoding) -> bool:
    return bool(meaning.classes or meaning.bit_flags or (variable.has_classes and not is_scaled(encoding)))


def _place(
    array: Field, fields: FieldSet, axes: Axes, spec: SourceSpec
) -> tuple[tuple[NativeGrid, ...], tuple[Finding, ...]]:
    grid, notes = place_array(array, fields, axes, spec.crs)
    return (grid,), notes


def _times(array: Field, fields: FieldSet, axes: Axes, spec: SourceSpec) -> Times:
    count = array.sizes[axes.time] if axes.time is not None else None
    if spec.times is not None and axes.numbers_of_year is not None:
        return configured_climatology(spec.times, axes.numbers_of_year.size, fields)
    if spec.times is not None:
        return configured_times(spec.times, 1 if count is None else count, time=axes.time_field, fields=fields)
    if axes.time is not None and axes.numbers_of_year is not None:
        return times_of_year(axes.time, axes.numbers_of_year)
    return times_of_field(axes.time_field, fields, count)


def _findings_of(variables: dict[str, CfVariable]) -> tuple[Finding, ...]:
    # Each finding once, however many variables it is true of.
    return tuple(dict.fromkeys(finding for variable in variables.values() for finding in variable.findings))


def _unused_grid(variables: dict[str, CfVariable], spec: SourceSpec) -> tuple[Finding, ...]:
    if spec.grid is None or any(variable.swath is not None for variable in variables.values()):
        return ()
    message = "grid: is not used, because no variable has a latitude and longitude per cell; remove it"
    return (Finding("warning", next(iter(variables)), message),)
