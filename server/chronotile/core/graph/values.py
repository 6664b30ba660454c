"""Values of process graphs that are not cubes: numbers, texts, lists, and stacks of arrays.

A process gets single values, lists of them, or arrays with all cells of a cube. Among single values `None` is
no data, and NaN is a number. In arrays NaN is no data.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.graph.errors import invalid, shorten
from chronotile.core.model.types import AnyArray, BoolArray

MAX_STACK_VALUES = 1 << 27
"""Maximum number of values of a stack that a process creates by repetition: 1 GiB of float64."""


class GraphProcess(NamedTuple):
    """A process, with its published name and arguments."""

    name: str
    call: Callable[..., Any]
    """Function whose parameters are the published arguments, with their defaults."""


class LabelledList(list[Any]):
    """List of single values with a label for each."""

    def __init__(self, values: Sequence[Any], labels: Sequence[Any]) -> None:
        super().__init__(values)
        self.labels = tuple(labels)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """List of arrays of equal shape: the values of all cells along a dimension."""

    values: AnyArray
    """(n, …) floats or booleans."""
    labels: tuple[Any, ...] | None = None

    def __len__(self) -> int:
        return len(self.values)


Elements = list[Any] | Stack


def as_elements(data: object, argument: str = "data") -> Elements:
    """Return an argument that must be a list; a list with arrays becomes a stack.

    Raises:
        ProcessFault: It is not a list.
    """
    if isinstance(data, Stack):
        return data
    if isinstance(data, np.ndarray):  # one array for each cell, as `array_element` returns it
        return Stack(data[np.newaxis])
    if not isinstance(data, list):
        raise invalid(argument, f"{shorten(data)} is not a list")
    return as_stack(data) if any(isinstance(value, np.ndarray) for value in data) else data


def as_stack(data: Sequence[Any] | Stack) -> Stack:
    """Return a list with at least one array as a stack, with its labels; `None` becomes NaN.

    Single numbers do not change the dtype of the arrays.

    Raises:
        ProcessFault: An element is not a number, true, false, `None` or an array.
    """
    if isinstance(data, Stack):
        return data
    if not all(isinstance(value, np.ndarray | np.generic | bool | int | float | None) for value in data):
        raise invalid("data", f"{shorten(list(map(type, data)))} are not accepted next to the cells of a cube")
    are_truth = all(isinstance(value, bool) or getattr(value, "dtype", None) == np.dtype(bool) for value in data)
    members = [_as_member(value, are_truth=are_truth) for value in data]
    dtype = np.result_type(*(getattr(member, "dtype", member) for member in members))
    values = np.empty((len(members), *np.broadcast_shapes(*map(np.shape, members))), dtype=dtype)
    for index, member in enumerate(members):
        values[index] = member
    return Stack(values, getattr(data, "labels", None))


def _as_member(value: Any, *, are_truth: bool) -> Any:  # noqa: ANN401 -- an element of a list
    if value is None:
        return np.nan
    if isinstance(value, np.ndarray):
        return value if are_truth else as_number(value)
    return bool(value) if are_truth else float(value)


def labels_of(data: Elements) -> tuple[Any, ...] | None:
    """Return the labels of a list; `None` if it has none."""
    return getattr(data, "labels", None)


def members_of(elements: Elements) -> list[Any]:
    """Return the elements; the elements of a stack are arrays, also for a cube with one dimension."""
    if isinstance(elements, Stack):
        return [elements.values[index, ...] for index in range(len(elements))]
    return elements


def attach_labels(values: list[Any], labels: Sequence[Any] | None) -> list[Any]:
    """Return a list with labels, if there are any."""
    return values if labels is None else LabelledList(values, labels)


def as_number(array: AnyArray) -> AnyArray:
    """Return an array of floats; booleans become 0 and 1."""
    return array if array.dtype.kind == "f" else array.astype(np.float32 if array.dtype.kind == "b" else np.float64)


def is_number(value: object) -> bool:
    """Return whether a single value is a number; booleans are not."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def nullable(values: BoolArray, is_missing: BoolArray | np.bool_) -> AnyArray:
    """Return booleans; if some are missing, as float32 with NaN for them."""
    if not np.any(is_missing):
        return np.asarray(values)
    return np.where(is_missing, np.float32(np.nan), values.astype(np.float32))


def require_number(value: object, argument: str) -> Any:  # noqa: ANN401 -- of Python or numpy
    """Return a number.

    Raises:
        ProcessFault: The value is not a number.
    """
    if not isinstance(value, int | float | np.number) or isinstance(value, bool):
        raise invalid(argument, f"{shorten(value)} is not a number")
    return value


def require_whole(value: object, argument: str, *, least: int = 0, most: int) -> int:
    """Return an integer within limits.

    Raises:
        ProcessFault: The value is not an integer, or outside the limits.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or value != value // 1
        or not least <= value <= most
    ):
        raise invalid(argument, f"{shorten(value)} is not accepted; accepted is a whole number from {least} to {most}")
    return int(value)


def require_text(value: object, argument: str) -> str:
    """Return a text.

    Raises:
        ProcessFault: The value is not a text.
    """
    if not isinstance(value, str):
        raise invalid(argument, f"{shorten(value)} is not a text")
    return value
