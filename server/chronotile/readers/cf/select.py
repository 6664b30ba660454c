"""One step of a further dimension, such as a depth: which it is, and which there are."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import UnsupportedSource
from chronotile.model.source import Step, VariableSpec
from chronotile.readers.cf.decoded import decode
from chronotile.readers.cf.fields import Field, FieldSet

MOST_LISTED = 12
"""Values of a coordinate up to which all are named; of more the first and the last are."""
FIRST_LISTED = 6

TEXT_KINDS = "SUO"


def selected_steps(field: Field, fields: FieldSet, steps: Iterable[Step]) -> Mapping[str, int]:
    """Return the position of each step along its dimension of an array.

    Raises:
        UnsupportedSource: The array has no such dimension, or that no such step; the message lists what is accepted.
    """
    return {step.dimension: _position(step, field, fields) for step in steps}


def unselected_dimension(dim: str, field: Field, fields: FieldSet) -> str:
    """Return what is wrong with an array of which a step has to be selected, and how to select it."""
    values = _values(dim, field, fields)
    size = field.sizes[dim]
    example = "{index: 0}" if values is None else _text(values[0])
    return (
        f"it has {size} steps of the dimension {dim} beside time, y and x; choose one in a configuration, "
        f"select: {{{dim}: {example}}}: {_accepted(dim, size, values)}"
    )


def each_step(field: Field, fields: FieldSet, dims: Sequence[str]) -> tuple[VariableSpec, ...]:
    """Return a variable for each combination of the steps of further dimensions; nothing where they are many."""
    if not dims or prod(field.sizes[dim] for dim in dims) > MOST_LISTED:
        return ()
    return tuple(_of_steps(field, fields, steps) for steps in product(*(_steps(dim, field, fields) for dim in dims)))


def _of_steps(field: Field, fields: FieldSet, steps: Sequence[Step]) -> VariableSpec:
    words, title = [], field.text("long_name") or field.name
    for step in steps:
        coordinate = fields.fields.get(step.dimension)
        units = coordinate.text("units") if coordinate is not None and step.index is None else ""
        text = str(step.index) if step.value is None else _text(step.value)
        words.append(f"{step.dimension}{text}")
        title += f", {step.dimension} {text}" + (f" {units}" if units not in ("", "1") else "")
    return VariableSpec(id="_".join((field.name, *words)), name=field.name, select=tuple(steps), title=title)


def _steps(dim: str, field: Field, fields: FieldSet) -> list[Step]:
    """The steps of a dimension, by their values where these tell them apart."""
    values = _values(dim, field, fields)
    texts = [] if values is None else [_text(value) for value in values]
    if values is None or len(set(texts)) < len(texts) or "nan" in texts:
        return [Step(dimension=dim, index=index) for index in range(field.sizes[dim])]
    return [Step(dimension=dim, value=text if values.dtype.kind == "U" else _number(text)) for text in texts]


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _position(step: Step, field: Field, fields: FieldSet) -> int:
    dim = step.dimension
    if dim not in field.dims:
        raise UnsupportedSource(f"select: it has no dimension {dim}; it has {', '.join(field.dims)}")
    size, values = field.sizes[dim], _values(dim, field, fields)
    if step.index is not None:
        if step.index < size:
            return step.index
        raise UnsupportedSource(f"select: {dim} has no index {step.index}; accepted are 0 to {size - 1}")
    found = [] if values is None else np.flatnonzero(_is_value(values, step.value)).tolist()
    if len(found) == 1:
        return int(found[0])
    problem = "has the value {} several times, choose one by its index" if found else "has no value {}"
    raise UnsupportedSource(f"select: {dim} {problem.format(_text(step.value))}; {_accepted(dim, size, values)}")


def _values(dim: str, field: Field, fields: FieldSet) -> NDArray[Any] | None:
    """(step,): the values along a dimension by the coordinate of its name, or the one that the array names.

    `None` where there is none whose values can be compared.
    """
    candidates = [fields.fields.get(dim), *fields.coordinates_named_by(field)]
    along = [each for each in candidates if each is not None and each.dims == (dim,)]
    if not along or along[0].dtype.kind not in f"iuf{TEXT_KINDS}":
        return None
    coordinate = along[0]
    values, is_missing, _rounding = decode(coordinate)
    if values.dtype.kind in TEXT_KINDS:
        return np.array([each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in values])
    return np.where(is_missing, np.nan, values) if is_missing.any() else values


def _is_value(values: NDArray[Any], value: float | str | None) -> NDArray[np.bool_]:
    """(step,): where a coordinate has a value, as nearly as its type holds it."""
    if isinstance(value, str) or values.dtype.kind == "U":
        return np.asarray(values.astype(str) == str(value), dtype=bool)
    requested = np.float64(np.nan if value is None else value)
    if values.dtype.kind in "iu":
        return np.asarray(values == requested, dtype=bool)
    step = 4 * np.finfo(values.dtype).eps * max(abs(requested), float(np.finfo(values.dtype).tiny))
    return np.asarray(np.abs(values.astype(np.float64) - requested) <= step, dtype=bool)


def _accepted(dim: str, size: int, values: NDArray[Any] | None) -> str:
    if values is None:
        return f"it has no values, accepted are {{{dim}: {{index: 0}}}} to {{{dim}: {{index: {size - 1}}}}}"
    if size <= MOST_LISTED:
        return f"accepted are {', '.join(map(_text, values))}"
    first = ", ".join(map(_text, values[:FIRST_LISTED]))
    return f"accepted are {first}, ... {_text(values[-1])} ({size} values)"


def _text(value: object) -> str:
    """A value in the fewest digits that its type needs."""
    return str(value).removesuffix(".0")
