"""Roles of the dimensions of an array: x, y and time (CF §4)."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Literal

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import DimensionStep, VariableSpec
from chronotile.core.model.types import AnyArray, Attributes, BoolArray, InstantArray, Int64Array
from chronotile.readers.cf.encoding import decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.time import numbers_of_year
from chronotile.readers.cf.time_numbers import TEXT_KINDS, YEARS, is_of_years, is_since, parse_dates

Role = Literal["x", "y", "time"]

_STANDARD_NAMES: dict[str, Role] = {
    **dict.fromkeys(("longitude", "grid_longitude", "projection_x_coordinate", "projection_x_angular_coordinate"), "x"),
    **dict.fromkeys(("latitude", "grid_latitude", "projection_y_coordinate", "projection_y_angular_coordinate"), "y"),
    "time": "time",
}
_AXES: dict[str, Role] = {"X": "x", "Y": "y", "T": "time"}
_NAMES: dict[str, Role] = {
    **dict.fromkeys(("x", "lon", "longitude", "long", "easting", "xc", "rlon", "grid_longitude", "nx"), "x"),
    **dict.fromkeys(("y", "lat", "latitude", "northing", "yc", "rlat", "grid_latitude", "ny"), "y"),
    **dict.fromkeys(("time", "t", "date", "dates", "datetime", "valid_time"), "time"),
}
LONGITUDE_UNITS = re.compile(r"degrees?_?(east|e)", re.IGNORECASE)
LATITUDE_UNITS = re.compile(r"degrees?_?(north|n)", re.IGNORECASE)
_DEGREES = {"deg", "degree", "degrees"}
"""Units that producers write for arrays called latitude and longitude, instead of degrees_north and degrees_east."""
_DEGREE_NAMES: dict[str, Role] = {"latitude": "y", "lat": "y", "longitude": "x", "lon": "x"}

CURVILINEAR = "each of its cells has its own latitude and longitude (a curvilinear grid or a swath)"


class CurvilinearArray(UnsupportedSource):
    """Cells of an array have separate latitudes and longitudes, and no coordinates of a regular grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The dimensions of an array by role; all others have length one, or one step of them is selected."""

    x: str
    y: str
    time: str | None
    numbers_of_year: Int64Array | None = None
    """(time,): part of the year of each time, if the dimension of time numbers months or days of any year."""
    x_field: Field | None
    """The coordinates along x, if there are any."""
    y_field: Field | None
    time_field: Field | None
    """The coordinates along time; of a single time perhaps without dimension."""


def axes_of(field: Field, fields: FieldSet, *, time_count: int | None = None, selected: Collection[str] = ()) -> Axes:
    """Return the dimensions of a field by role.

    Args:
        field: The array.
        fields: All arrays, including its coordinates.
        time_count: The number of configured times; a dimension of this length may be the time.
        selected: Dimensions with a selected step.

    Raises:
        UnsupportedSource: It has no x and y, or an additional dimension that is longer than one.
    """
    roles, long, numbers = _all_roles(field, fields, time_count=time_count, selected=selected)
    if "x" not in roles or "y" not in roles:
        lack = f"its dimensions ({', '.join(field.dims)}) are not a grid: x and y are missing"
        if bare := _positions_without_units(field, fields):
            lack = f"{lack}, and {' and '.join(bare)} lack their units: degrees_north, degrees_east"
        raise CurvilinearArray(CURVILINEAR) if is_curvilinear(field, fields) else UnsupportedSource(lack)
    if long:
        raise UnsupportedSource(unselected_dimension(long[0], field, fields))
    time, time_field = roles.get("time", (None, _single_time(field, fields)))
    return Axes(
        x=roles["x"][0],
        y=roles["y"][0],
        time=time,
        numbers_of_year=numbers,
        x_field=roles["x"][1],
        y_field=roles["y"][1],
        time_field=time_field,
    )


def further_dimensions(field: Field, fields: FieldSet, *, time_count: int | None = None) -> tuple[str, ...]:
    """Return the dimensions of a field that need a selected step; empty for a field without x and y."""
    roles, long, _numbers = _all_roles(field, fields, time_count=time_count)
    return tuple(long) if {"x", "y"} <= roles.keys() else ()


def _all_roles(
    field: Field, fields: FieldSet, *, time_count: int | None, selected: Collection[str] = ()
) -> tuple[dict[Role, tuple[str, Field | None]], list[str], Int64Array | None]:
    """Return the roles of dimensions, long dimensions without a role, and numbers of the year if these are the times.

    Raises:
        UnsupportedSource: A selected dimension is the only one of its role.
    """
    roles = _roles(field, fields, selected)
    for dim in selected:
        role, _coordinate = _role_of(dim, field, fields)
        if role is not None and role not in roles:
            raise UnsupportedSource(f"select: the dimension {dim} is its {role}, all of which is served")
    taken = {*selected, *(dim for dim, _coordinate in roles.values())}
    free = [dim for dim in field.dims if dim not in taken]
    numbers = None
    if "time" not in roles and (found := _numbered_time(free, field, fields, time_count)):
        dim, coordinate, numbers = found
        roles["time"] = dim, coordinate
        free.remove(dim)
    return roles, [dim for dim in free if field.sizes[dim] > 1], numbers


def _roles(field: Field, fields: FieldSet, selected: Collection[str]) -> dict[Role, tuple[str, Field | None]]:
    """The dimension of each role with its coordinate; of two that have one the first."""
    roles: dict[Role, tuple[str, Field | None]] = {}
    for dim in field.dims:
        role, coordinate = (None, None) if dim in selected else _role_of(dim, field, fields)
        if role is not None:
            roles.setdefault(role, (dim, coordinate))
    return roles


def _numbered_time(
    dims: Sequence[str], field: Field, fields: FieldSet, time_count: int | None
) -> tuple[str, Field | None, Int64Array | None] | None:
    """Find the dimension of time among some: parts of the year (with its numbers), configured times, or years."""
    for dim in dims:
        numbers = numbers_of_year(dim, field.sizes[dim], fields.fields.get(dim))
        if numbers is not None:
            return dim, None, numbers
    long = [dim for dim in dims if field.sizes[dim] > 1]
    if len(long) == 1 and field.sizes[long[0]] == time_count:
        return long[0], None, None
    for dim in dims if _single_time(field, fields) is None else long:
        coordinate = fields.fields.get(dim)
        if dim.lower() in YEARS and coordinate is not None and coordinate.dims == (dim,) and is_of_years(coordinate):
            return dim, coordinate, None
    return None


def is_coordinate(field: Field, fields: FieldSet) -> bool:
    """Whether a field describes others: a coordinate, its bounds, or a latitude or longitude of each cell."""
    if field.name in field.dims or field.text("standard_name") in _STANDARD_NAMES or len(field.dims) < 2:
        return True
    if is_time(field) and not {"x", "y"} & set(_roles(field, fields, ())):
        return True
    bounds = {other.text(name) for other in fields.fields.values() for name in ("bounds", "climatology")}
    return field.name in bounds or field.name.endswith(("_bnds", "_bounds")) or _is_degrees(field)


def is_time(field: Field) -> bool:
    """Whether a field holds times."""
    return role_by_attributes(field) == "time"


COVERAGE = ("time_coverage_start", "time_coverage_end")
LAST_SECOND = np.timedelta64(1, "s")
"""Added to an end such as 23:59:59."""


def with_stated_time(fields: FieldSet, *, is_dated: bool = False) -> FieldSet:
    """Return fields with the time that only global attributes state (ACDD).

    Args:
        fields: All arrays.
        is_dated: Whether the name of the file has a time. Then only bounds are added, whose middle is a swath's time.

    Raises:
        UnsupportedSource: The attributes are no dates.
    """
    stated = [fields.attrs[name] for name in COVERAGE if name in fields.attrs]
    if not stated or "time" in fields.fields or any(map(is_time, fields.fields.values())):
        return fields
    times = parse_dates(" and ".join(COVERAGE), [stated[0], stated[-1]])
    times[1] += LAST_SECOND * (times[1].astype("datetime64[s]").astype(int) % 60 == 59)
    start = _field_of("time", times[0], {"standard_name": "time", "bounds": COVERAGE[0]})
    stated_times = {COVERAGE[0]: _field_of(COVERAGE[0], times, {})} | ({} if is_dated else {"time": start})
    return replace(fields, fields={**fields.fields, **stated_times})


def _field_of(name: str, times: InstantArray, attrs: Attributes) -> Field:
    dims = (COVERAGE[0],)[: times.ndim]
    return Field(name=name, dims=dims, shape=times.shape, dtype=times.dtype, attrs=attrs, load=lambda: times)


def _role_of(dim: str, field: Field, fields: FieldSet) -> tuple[Role | None, Field | None]:
    """Return the role of a dimension, and the coordinates along it; attributes override names."""
    candidates = _along(dim, field, fields)
    for candidate in candidates:
        role = role_by_attributes(candidate)
        if role == "time":
            return role, _time_of(dim, [each for each in candidates if is_time(each)])
        if role is not None:
            return role, candidate
    return _stated_role(dim, field, fields) or _NAMES.get(dim.lower()), candidates[0] if candidates else None


def _stated_role(dim: str, field: Field, fields: FieldSet) -> Role | None:
    """The role of a dimension by `spatial:dimensions` of the array or a group above it, which ends with y and x."""
    for attributes in (field.attrs, *fields.levels):
        names = attributes.get("spatial:dimensions")
        if isinstance(names, list) and dim in names[-2:] and set(names[-2:]) <= set(field.dims):
            return "x" if dim == names[-1] else "y"
    return None


def _time_of(dim: str, times: Sequence[Field]) -> Field:
    """Choose among several times along a dimension: by standard name, otherwise the first distinct ones."""

    def rank(time: Field) -> tuple[bool, bool, bool]:
        values = decode(time).values
        is_distinct = np.unique(values).size == values.size
        return time.text("standard_name") != "time", not is_distinct, time.name != dim

    return times[0] if len(times) == 1 else min(times, key=rank)


def _along(dim: str, field: Field, fields: FieldSet) -> list[Field]:
    """Return coordinates along a dimension: that with its name first, then those named by the array, then others."""
    own = [fields.fields[dim]] if dim in fields.fields else []
    others = [other for other in fields.fields.values() if role_by_attributes(other) is not None]
    candidates = (*own, *fields.coordinates_named_by(field), *others)
    return list({each.name: each for each in candidates if each.dims == (dim,)}.values())


def role_by_attributes(coordinate: Field) -> Role | None:
    """Return the role of coordinates by their standard name, axis or units."""
    standard_name = coordinate.text("standard_name")
    units = coordinate.text("units")
    if standard_name == "forecast_reference_time":
        return None
    return (
        _STANDARD_NAMES.get(standard_name)
        or _AXES.get(coordinate.text("axis").upper())
        or _role_in_degrees(coordinate)
        or ("time" if is_since(coordinate) or re.search(r"\bsince\b", units) else None)
    )


def _single_time(field: Field, fields: FieldSet) -> Field | None:
    """Return a time without dimension: one that the array names, or that is called time."""
    named = [other for other in fields.coordinates_named_by(field) if not other.dims and is_time(other)]
    times = [fields.fields[name] for name in ("time", "t") if name in fields.fields]
    standard = [other for other in named if other.text("standard_name") == "time"]
    found = [*standard, *named, *(other for other in times if not other.dims and is_time(other))]
    return found[0] if found else None


def _role_in_degrees(field: Field) -> Role | None:
    """Return the role of longitudes or latitudes by their units, and of several dimensions also by their name."""
    units = field.text("units")
    if LONGITUDE_UNITS.fullmatch(units):
        return "x"
    if LATITUDE_UNITS.fullmatch(units):
        return "y"
    is_named = len(field.dims) > 1 and units.lower() in _DEGREES
    return _DEGREE_NAMES.get(field.name.rpartition("/")[2].lower()) if is_named else None


def _is_degrees(field: Field) -> bool:
    return _role_in_degrees(field) is not None


def is_curvilinear(field: Field, fields: FieldSet) -> bool:
    """Return whether there is a latitude or longitude for each cell of a field, or the field names one."""
    is_near = any(_is_cell_coordinate(other, field) for other in fields.fields.values())
    return is_near or any(len(other.dims) > 1 and _is_degrees(other) for other in fields.coordinates_named_by(field))


def cell_coordinates(field: Field, fields: FieldSet, axes: Axes) -> tuple[Field, Field] | None:
    """Return latitude and longitude of each cell over y and x; those named by the array come first."""
    named = fields.coordinates_named_by(field)
    pair: dict[Role, Field] = {}
    for other in (*named, *fields.fields.values()):
        role = role_by_attributes(other)
        if role is not None and set(other.dims) == {axes.y, axes.x} and _is_cell_coordinate(other, field):
            pair.setdefault(role, other)
    return (pair["y"], pair["x"]) if pair.keys() >= {"x", "y"} else None


def _positions_without_units(field: Field, fields: FieldSet) -> list[str]:
    near = (other for other in fields.fields.values() if len(other.dims) > 1 and set(other.dims) <= set(field.dims))
    return [array.name for array in near if array.name.lower() in _DEGREE_NAMES and not array.text("units")]


def _is_cell_coordinate(other: Field, field: Field) -> bool:
    is_named = other.text("standard_name") in {"latitude", "longitude"}
    return len(other.dims) > 1 and set(other.dims) <= set(field.dims) and (is_named or _is_degrees(other))


MAX_LISTED_STEPS = 12
"""Maximum number of steps of other axes, such as levels: for more, messages abbreviate and no variables are made."""
FIRST_LISTED = 6


def selected_steps(field: Field, fields: FieldSet, steps: Iterable[DimensionStep]) -> Mapping[str, int]:
    """Return the position of each step along its dimension of an array.

    Raises:
        UnsupportedSource: The dimension or the step is missing; the message lists the existing ones.
    """
    return {step.dimension: _position(step, field, fields) for step in steps}


def labels_of(steps: Mapping[str, int], field: Field, fields: FieldSet) -> Mapping[str, str]:
    """Return the coordinate of each step along additional dimensions, selected or single, if it has any."""
    found = {dim: (_values(dim, field, fields), index) for dim, index in steps.items()}
    return {dim: _text(values[index]) for dim, (values, index) in found.items() if values is not None}


def unselected_dimension(dim: str, field: Field, fields: FieldSet) -> str:
    """Return the message for an array that needs a selected step, with the remedy."""
    values = _values(dim, field, fields)
    size = field.sizes[dim]
    example = "{index: 0}" if values is None else _quote_for_yaml(_text(values[0]))
    return (
        f"it has {size} steps of the dimension {dim} beside time, y and x; choose one in a configuration, "
        f"select: {{{_quote_for_yaml(dim)}: {example}}}: {_accepted(dim, size, values)}"
    )


def each_step(field: Field, fields: FieldSet, dims: Sequence[str]) -> tuple[VariableSpec, ...]:
    """Return a variable for each combination of steps of additional dimensions; empty if there are many."""
    if not dims or prod(field.sizes[dim] for dim in dims) > MAX_LISTED_STEPS:
        return ()
    return tuple(_of_steps(field, fields, steps) for steps in product(*(_steps(dim, field, fields) for dim in dims)))


def _of_steps(field: Field, fields: FieldSet, steps: Sequence[DimensionStep]) -> VariableSpec:
    words, title = [], field.text("long_name") or field.name
    for step in steps:
        coordinate = fields.fields.get(step.dimension)
        units = coordinate.text("units") if coordinate is not None and step.index is None else ""
        text = str(step.index) if step.value is None else _text(step.value)
        words.append(f"{step.dimension}{text}")
        title += f", {step.dimension} {text}" + (f" {units}" if units not in ("", "1") else "")
    return VariableSpec(id="_".join((field.name, *words)), name=field.name, select=tuple(steps), title=title)


def _steps(dim: str, field: Field, fields: FieldSet) -> list[DimensionStep]:
    """Return the steps of a dimension, by their values if these are unique."""
    values = _labels(dim, fields)
    values = _values(dim, field, fields) if values is None else values
    texts = [] if values is None else [_text(value) for value in values]
    if values is None or len(set(texts)) < len(texts) or "nan" in texts:
        return [DimensionStep(dimension=dim, index=index) for index in range(field.sizes[dim])]
    return [DimensionStep(dimension=dim, value=text if values.dtype.kind == "U" else _number(text)) for text in texts]


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _position(step: DimensionStep, field: Field, fields: FieldSet) -> int:
    dim = step.dimension
    if dim not in field.dims:
        raise UnsupportedSource(f"select: it has no dimension {dim}; it has {', '.join(field.dims)}")
    size, values = field.sizes[dim], _values(dim, field, fields)
    if step.index is not None:
        if step.index < size:
            return step.index
        raise UnsupportedSource(f"select: {dim} has no index {step.index}; accepted are 0 to {size - 1}")
    found = [] if values is None else np.flatnonzero(_is_value(values, step.value)).tolist()
    if not found and (labels := _labels(dim, fields)) is not None:
        found = np.flatnonzero(_is_value(labels, step.value)).tolist()
    if len(found) == 1:
        return int(found[0])
    problem = "has the value {} several times, choose one by its index" if found else "has no value {}"
    raise UnsupportedSource(f"select: {dim} {problem.format(_text(step.value))}; {_accepted(dim, size, values)}")


def _values(dim: str, field: Field, fields: FieldSet) -> AnyArray | None:
    """Return (step,) values along a dimension by the coordinate of its name, or the one that the array names.

    `None` if no coordinate has comparable values.
    """
    candidates = [fields.fields.get(dim), *fields.coordinates_named_by(field)]
    along = [each for each in candidates if each is not None and each.dims == (dim,)]
    if not along or along[0].dtype.kind not in f"iuf{TEXT_KINDS}":
        return None
    coordinate = along[0]
    values, is_missing, _rounding = decode(coordinate)
    if values.dtype.kind in TEXT_KINDS:
        return _texts(values)
    return np.where(is_missing, np.nan, values) if is_missing.any() else values


def _labels(dim: str, fields: FieldSet) -> AnyArray | None:
    """(step,): different names of the steps of a dimension, in any array of texts along it."""
    for other in fields.fields.values():
        if other.dims == (dim,) and other.dtype.kind in TEXT_KINDS:
            values = np.char.strip(_texts(decode(other).values))
            if np.unique(values).size == values.size and all(values):
                return values
    return None


def _texts(values: AnyArray) -> AnyArray:
    return np.array([each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in values])


def _is_value(values: AnyArray, value: float | str | None) -> BoolArray:
    """Return (step,) whether a coordinate has a value, within the precision of its type."""
    if isinstance(value, str) or values.dtype.kind == "U":
        return np.asarray(values.astype(str) == str(value), dtype=bool)
    requested = np.float64(np.nan if value is None else value)
    if values.dtype.kind in "iu":
        return np.asarray(values == requested, dtype=bool)
    step = 4 * np.finfo(values.dtype).eps * max(abs(requested), float(np.finfo(values.dtype).tiny))
    return np.asarray(np.abs(values.astype(np.float64) - requested) <= step, dtype=bool)


def _accepted(dim: str, size: int, values: AnyArray | None) -> str:
    if values is None:
        return f"it has no values, accepted are {{{dim}: {{index: 0}}}} to {{{dim}: {{index: {size - 1}}}}}"
    if size <= MAX_LISTED_STEPS:
        return f"accepted are {', '.join(map(_text, values))}"
    first = ", ".join(map(_text, values[:FIRST_LISTED]))
    return f"accepted are {first}, ... {_text(values[-1])} ({size} values)"


def _quote_for_yaml(text: str) -> str:
    # A flow mapping of YAML needs quotes around spaces and punctuation.
    return text if re.fullmatch(r"[\w.+-]+", text) else json.dumps(text, ensure_ascii=False)


def _text(value: object) -> str:
    # Text of a value, without `.0` for whole numbers.
    return str(value).removesuffix(".0")
