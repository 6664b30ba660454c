"""Processes that return lists, or that read single elements of lists.

A list holds single values, or it is a stack with one array of all cells per element. The length of a stack is the same
in all cells: processes that remove values of single cells replace them by NaN.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chronotile.core.graph.dates import seconds_of
from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.numbers import is_equal
from chronotile.core.graph.reducers import BLOCK_VALUES
from chronotile.core.graph.values import (
    MAX_STACK_VALUES,
    Elements,
    GraphProcess,
    Stack,
    as_elements,
    as_number,
    as_stack,
    attach_labels,
    is_number,
    labels_of,
    members_of,
    require_number,
    require_whole,
)
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array

MAX_ELEMENTS = 1_000_000
"""Maximum length of a list that a process creates."""


def array_append(data: Any, value: Any, label: Any = None) -> Elements:  # noqa: ANN401 -- any value
    """Return a list with one more value."""
    elements = as_elements(data)
    labels = labels_of(elements)
    if labels is None:
        if label is not None:
            raise ProcessFault("ArrayNotLabeled", f"label: {shorten(label)} is not accepted: data has no labels")
        return _join([*members_of(elements), value], None)
    label = len(elements) if label is None else label
    if label in labels:
        raise ProcessFault("LabelExists", f"label: {shorten(label)} is a label of data; accepted is a new label")
    return _join([*members_of(elements), value], [*labels, label])


def array_apply(data: Any, process: Callable[..., Any], context: Any = None) -> Elements:  # noqa: ANN401 -- any value
    """Return a list with the result of a process for each element."""
    elements = as_elements(data)
    return _join(_results(elements, process, context), labels_of(elements)) if len(elements) else elements


def array_concat(array1: Any, array2: Any) -> Elements:  # noqa: ANN401 -- lists or stacks
    """Return two lists as one."""
    return _splice(as_elements(array1, "array1"), as_elements(array2, "array2"), len(array1), len(array1))


def array_modify(data: Any, values: Any, index: int, length: int = 0) -> Elements:  # noqa: ANN401 -- lists or stacks
    """Return a list with `values` instead of `length` elements from an index on."""
    elements, inserted = as_elements(data), as_elements(values, "values")
    start = require_whole(index, "index", most=MAX_ELEMENTS)
    if start > len(elements):
        reason = f"index: {start} is not accepted; accepted are 0 to {len(elements)}"
        raise ProcessFault("ArrayElementNotAvailable", reason)
    stop = start + require_whole(length, "length", most=1 << 53)
    return _splice(elements, inserted, start, stop)


def array_contains(data: Any, value: Any) -> Any:  # noqa: ANN401 -- any value
    """Return whether a list contains a value."""
    positions = array_find(data, value)
    return ~np.isnan(positions) if isinstance(positions, np.ndarray) else positions is not None


def array_find(data: Any, value: Any, reverse: bool = False) -> Any:  # noqa: ANN401 -- published
    """Return the index of the first or last element that equals a value, or no data."""
    elements = as_elements(data)
    matches = [is_equal(element, value) for element in members_of(elements)]
    indexes = range(len(matches)) if reverse else range(len(matches) - 1, -1, -1)
    if not isinstance(elements, Stack) and not isinstance(value, np.ndarray):
        return next((index for index in reversed(indexes) if matches[index] is True), None)
    positions = np.full(np.broadcast_shapes(*map(np.shape, matches), _cells_of(elements)), np.nan)
    for index in indexes:  # the last match that is written is the result
        is_match = False if matches[index] is None else np.asarray(matches[index]) == 1
        positions[np.broadcast_to(is_match, positions.shape)] = index
    return positions


def array_find_label(data: Any, label: Any) -> int | None:  # noqa: ANN401 -- any value
    """Return the index of a label; `None` without such a label."""
    labels = labels_of(as_elements(data)) or ()
    return labels.index(label) if label in labels else None


def array_create(data: Any = (), repeat: int = 1) -> Elements:  # noqa: ANN401 -- any value
    """Return a list that repeats the values of another list."""
    elements = as_elements(list(data) if isinstance(data, tuple) else data)
    count = require_whole(repeat, "repeat", least=1, most=1 << 53)
    if len(elements) * count > MAX_ELEMENTS:
        reason = f"{shorten(repeat)} times {len(elements)} elements; at most {MAX_ELEMENTS} elements are accepted"
        raise invalid("repeat", reason)
    if not isinstance(elements, Stack):
        return list(elements) * count
    if count > 1 and elements.values.size * count > MAX_STACK_VALUES:
        reason = f"{count} times {elements.values.size} values; at most {MAX_STACK_VALUES} values are accepted"
        raise invalid("repeat", reason)
    return Stack(np.concatenate([elements.values] * count)) if count > 1 else Stack(elements.values)


def array_create_labeled(data: Any, labels: Any) -> Elements:  # noqa: ANN401 -- any value
    """Return a list with a label for each value."""
    elements, names = as_elements(data), as_elements(labels, "labels")
    if isinstance(names, Stack) or not all(isinstance(name, str) or is_number(name) for name in names):
        raise invalid("labels", f"{shorten(names)} is not accepted; accepted are numbers and texts")
    if len(set(names)) < len(names):
        raise invalid("labels", f"{shorten(names)} has equal labels; accepted are different labels")
    if len(elements) != len(names):
        raise ProcessFault("ArrayLengthMismatch", f"labels: {len(names)} labels for {len(elements)} values")
    return _join(members_of(elements), names)


def array_element(
    data: Any,  # noqa: ANN401 -- a list or a stack
    index: int | None = None,
    label: Any = None,  # noqa: ANN401 -- a text or a number
    return_nodata: bool = False,
) -> Any:  # noqa: ANN401 -- any value
    """Return the element with an index or a label."""
    elements = as_elements(data)
    if index is None and label is None:
        raise ProcessFault("ArrayElementParameterMissing", "index, label: an index or a label is required")
    if index is not None and label is not None:
        raise ProcessFault("ArrayElementParameterConflict", "index, label: both are not accepted together")
    if label is not None:
        labels = labels_of(elements)
        if labels is None:
            raise ProcessFault("ArrayNotLabeled", f"label: {shorten(label)} is not accepted: data has no labels")
        index = labels.index(label) if label in labels else -1
        accepted = shorten(list(labels))
    else:
        index = require_whole(index, "index", least=-(1 << 53), most=1 << 53)
        accepted = f"0 to {len(elements) - 1}"
    if 0 <= index < len(elements):
        return members_of(elements)[index]
    if return_nodata:
        return np.full(_cells_of(elements), np.nan, np.float32) if isinstance(elements, Stack) else None
    reason = f"{shorten(index if label is None else label)} is not an element; accepted are {accepted}"
    raise ProcessFault("ArrayElementNotAvailable", f"{'index' if label is None else 'label'}: {reason}")


def array_filter(data: Any, condition: Callable[..., Any], context: Any = None) -> Elements:  # noqa: ANN401 -- any value
    """Return the elements that meet a condition.

    In a stack, a condition on the values replaces them by NaN in the cells that do not meet it.
    """
    elements = as_elements(data)
    results = _results(elements, condition, context)
    if not isinstance(elements, Stack) or not any(isinstance(result, np.ndarray) for result in results):
        return _take(elements, [index for index, result in enumerate(results) if result is True])
    is_met = np.stack([np.broadcast_to(np.asarray(result) == 1, _cells_of(elements)) for result in results])
    values = as_number(elements.values)
    return Stack(np.where(is_met, values, values.dtype.type(np.nan)), elements.labels)


def array_interpolate_linear(data: Any) -> Elements:  # noqa: ANN401 -- a list or a stack
    """Return a list with linear interpolation between the values around each gap.

    Positions are the labels if these are numbers or times, else the indexes. Gaps at the ends remain.
    """
    elements = as_elements(data)
    positions = _positions(labels_of(elements), len(elements))
    if isinstance(elements, Stack):
        filled = as_number(elements.values).copy()
        columns = filled.reshape(len(filled), -1 if filled.size else 0)
        step = max(1, BLOCK_VALUES // max(1, len(filled)))
        for start in range(0, columns.shape[1], step):
            _fill_gaps(columns[:, start : start + step], positions)
        return Stack(filled, elements.labels)
    numbers = [math.nan if value is None else require_number(value, "data") for value in elements]
    column = np.array(numbers, dtype=np.float64)[:, np.newaxis]
    _fill_gaps(column, positions)
    results = zip(elements, numbers, column[:, 0].tolist(), strict=True)
    values = [old if not math.isnan(number) or math.isnan(new) else new for old, number, new in results]
    return attach_labels(values, labels_of(elements))


def array_labels(data: Any) -> list[Any]:  # noqa: ANN401 -- a list or a stack
    """Return the labels of a list, or its indexes."""
    elements = as_elements(data)
    labels = labels_of(elements)
    return list(range(len(elements)) if labels is None else labels)


def sort(data: Any, asc: bool = True, nodata: bool | None = None) -> Elements:  # noqa: ANN401 -- published
    """Return the values in order; in a stack, missing values are moved to the end instead of removed."""
    elements = as_elements(data)
    if not isinstance(elements, Stack):
        return [elements[index] for index in _single_order(elements, is_ascending=asc, nodata=nodata)]
    values = as_number(elements.values)
    is_first = nodata is False
    ordered = np.sort(values, axis=0) if asc != is_first else -np.sort(-values, axis=0)
    return Stack(ordered[::-1] if is_first else ordered)


def order(data: Any, asc: bool = True, nodata: bool | None = None) -> Elements:  # noqa: ANN401 -- published
    """Return the indexes of the values in order; in a stack, indexes of removed missing values are NaN."""
    elements = as_elements(data)
    if not isinstance(elements, Stack):
        return _single_order(elements, is_ascending=asc, nodata=nodata)
    values = as_number(elements.values)
    is_missing = np.isnan(values)
    indexes = np.lexsort((values if asc else -values, is_missing != (nodata is False)), axis=0)
    positions = indexes.astype(np.float64)
    if nodata is None:
        positions[np.take_along_axis(is_missing, indexes, axis=0)] = np.nan
    return Stack(positions)


def rearrange(data: Any, order: Any) -> Elements:  # noqa: ANN401 -- lists or stacks
    """Return the elements at the indexes of a list."""
    elements, indexes = as_elements(data), as_elements(order, "order")
    if not isinstance(indexes, Stack):
        return _take(elements, [require_whole(index, "order", most=len(elements) - 1) for index in indexes])
    stack = as_stack([*members_of(elements), np.zeros(_cells_of(indexes), np.float32)]).values[:-1]
    places = np.where(np.isnan(as_number(indexes.values)), 0, indexes.values)
    if np.any((places < 0) | (places >= len(elements)) | (places != np.floor(places))):
        raise invalid("order", f"accepted are whole numbers from 0 to {len(elements) - 1}")
    moved = np.take_along_axis(as_number(stack), places.astype(np.intp), axis=0)
    return Stack(np.where(np.isnan(as_number(indexes.values)), moved.dtype.type(np.nan), moved))


def _accumulation(name: str, function: np.ufunc, start: float) -> GraphProcess:
    """Return a process for the result of each value with all values before it."""

    def call(data: Any, ignore_nodata: bool = True) -> Elements:  # noqa: ANN401 -- published
        elements = as_elements(data)
        with np.errstate(all="ignore"):
            if isinstance(elements, Stack):
                values = as_number(elements.values)
                is_missing = np.isnan(values)
                filled = np.where(is_missing, values.dtype.type(start), values) if ignore_nodata else values
                totals = function.accumulate(filled, axis=0)
                return Stack(np.where(is_missing, values, totals), elements.labels)
            present = [index for index, value in enumerate(elements) if value is not None]
            if not ignore_nodata:
                present = [index for position, index in enumerate(present) if position == index]
            numbers = [require_number(elements[index], "data") for index in present]
            totals = function.accumulate(np.array(numbers, dtype=np.float64))
        is_whole = all(isinstance(number, int) for number in numbers)
        results: list[Any] = [None] * len(elements)
        for index, total in zip(present, totals.tolist(), strict=True):
            results[index] = int(total) if is_whole and abs(total) < 2**53 else total
        return attach_labels(results, labels_of(elements))

    return GraphProcess(name, call)


def _cells_of(elements: Elements) -> tuple[int, ...]:
    return elements.values.shape[1:] if isinstance(elements, Stack) else ()


def _join(values: Sequence[Any], labels: Sequence[Any] | None) -> Elements:
    if any(isinstance(value, np.ndarray) for value in values):
        stack = as_stack(values)
        return Stack(stack.values, None if labels is None else tuple(labels))
    return attach_labels(list(values), labels)


def _take(elements: Elements, indexes: list[int]) -> Elements:
    labels = labels_of(elements)
    chosen = None if labels is None else tuple(labels[index] for index in indexes)
    if isinstance(elements, Stack):
        return Stack(elements.values[np.array(indexes, dtype=np.intp)], chosen)
    return attach_labels([elements[index] for index in indexes], chosen)


def _splice(elements: Elements, inserted: Elements, start: int, stop: int) -> Elements:
    """Return elements with others instead of `start` to `stop`.

    Labels remain if both lists have labels or are empty.
    """
    if len(elements) + len(inserted) > MAX_ELEMENTS:
        reason = f"{len(elements)} and {len(inserted)} elements; at most {MAX_ELEMENTS} are accepted"
        raise invalid("data", reason)
    old, new = (labels_of(part) or () for part in (elements, inserted))
    shared = set(old) & set(new)
    if shared:
        raise ProcessFault("ArrayLabelConflict", f"the label {shorten(min(shared, key=str))} is in both lists")
    are_labelled = (old or new) and len(old) == len(elements) and len(new) == len(inserted)
    labels = (*old[:start], *new, *old[stop:]) if are_labelled else None
    values = members_of(elements)
    return _join([*values[:start], *members_of(inserted), *values[stop:]], labels)


def _results(elements: Elements, process: Callable[..., Any], context: Any) -> list[Any]:  # noqa: ANN401 -- any value
    labels = labels_of(elements) or [None] * len(elements)
    numbered = enumerate(zip(members_of(elements), labels, strict=True))
    return [process(x=value, index=index, label=label, context=context) for index, (value, label) in numbered]


def _positions(labels: Sequence[Any] | None, count: int) -> Float64Array:
    if labels and all(map(is_number, labels)):
        return np.array(labels, dtype=np.float64)
    seconds = [seconds_of(label) for label in labels or ()]
    if seconds and None not in seconds:
        return np.array(seconds, dtype=np.float64)
    return np.arange(count, dtype=np.float64)


def _fill_gaps(columns: AnyArray, positions: Float64Array) -> None:
    """Replace NaN between two values of a column (n, m) by the line between them."""
    is_missing: BoolArray = np.isnan(columns)
    if not is_missing.any():
        return
    indexes = np.arange(len(columns))[:, np.newaxis]
    before = np.maximum.accumulate(np.where(is_missing, -1, indexes), axis=0)
    after = np.minimum.accumulate(np.where(is_missing, len(columns), indexes)[::-1], axis=0)[::-1]
    rows, cells = np.nonzero(is_missing & (before >= 0) & (after < len(columns)))
    low, high = before[rows, cells], after[rows, cells]
    with np.errstate(all="ignore"):
        part = (positions[rows] - positions[low]) / (positions[high] - positions[low])
        columns[rows, cells] = columns[low, cells] * (1 - part) + columns[high, cells] * part


def _single_order(values: list[Any], *, is_ascending: bool, nodata: bool | None) -> list[int]:
    keys = {index: _sort_key(value) for index, value in enumerate(values) if value is not None}
    if len({isinstance(value, str) for value in values if value is not None}) > 1:
        raise invalid("data", "it has numbers and texts; accepted are either numbers or times")
    present = sorted(keys, key=lambda index: keys[index], reverse=not is_ascending)
    missing = [index for index, value in enumerate(values) if value is None]
    if nodata is None:
        return present
    return present + missing if nodata else missing + present


def _sort_key(value: Any) -> tuple[bool, float]:  # noqa: ANN401 -- any value
    number = seconds_of(value) if isinstance(value, str) else require_number(value, "data")
    if number is None:
        raise invalid("data", f"{shorten(value)} is not a time; accepted are numbers and times in RFC 3339")
    return math.isnan(number), number


ARRAYS: Mapping[str, GraphProcess] = {
    process.name: process
    for process in (
        *(
            GraphProcess(function.__name__, function)
            for function in (
                array_append,
                array_apply,
                array_concat,
                array_contains,
                array_create,
                array_create_labeled,
                array_element,
                array_filter,
                array_find,
                array_find_label,
                array_interpolate_linear,
                array_labels,
                array_modify,
                order,
                rearrange,
                sort,
            )
        ),
        _accumulation("cummax", np.maximum, -np.inf),
        _accumulation("cummin", np.minimum, np.inf),
        _accumulation("cumproduct", np.multiply, 1),
        _accumulation("cumsum", np.add, 0),
    )
}
"""Processes by name."""
