"""Translation of filters in CQL2 JSON into conditions on the tables of the index."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Null, and_, false, func, literal, not_, or_, true
from sqlalchemy.exc import ArgumentError
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2 import conditions
from chronotile.catalog.items.cql2.columns import Property, PropertyColumns, lower
from chronotile.catalog.items.cql2.conditions import FilterCondition
from chronotile.catalog.items.cql2.spatial import TESTS, spatial_test
from chronotile.catalog.items.cql2.times import (
    RELATIONS,
    TimeBounds,
    interval_of_text,
    literal_interval,
    temporal_operand,
)
from chronotile.catalog.items.cql2.tree import Node, check_filter, filter_error, filter_from_text, operands, quote_node
from chronotile.core.errors import InvalidParameter

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MAX_INTEGER = 1 << 63
"""Integers from here on are floating-point numbers in databases."""
MAX_PATTERN, MAX_WILDCARDS = 200, 10
ACCEPTED = "and, or, not, = <> < <= > >=, between, in, like, isNull, casei, s_... and t_... of CQL2"

Sql = ColumnElement[bool]


def translate(node: Node, columns: PropertyColumns) -> FilterCondition:
    """Return the condition of a filter that `check_filter` returned.

    Raises:
        InvalidParameter: An operator, property or value in it is not accepted.
    """
    if isinstance(node, bool):
        return conditions.PlainCondition(true() if node else false())
    if not isinstance(node, Mapping):
        raise filter_error(f"has {quote_node(node)} where a condition is accepted")
    if "property" in node:
        return conditions.PlainCondition(_sql(columns.property(node["property"]).boolean == true()))
    name = node.get("op")
    if not isinstance(name, str):
        raise filter_error(f"has {quote_node(node)} where a condition is accepted")
    if name in {"and", "or"}:
        parts = [translate(part, columns) for part in operands(node, name)]
        return conditions.join(parts, is_all=name == "and")
    if name == "not":
        return conditions.negate(translate(operands(node, name, 1)[0], columns))
    if name in TESTS:
        return conditions.Spatial(spatial_test(name, operands(node, name, 2)))
    try:
        return conditions.PlainCondition(_plain(name, node, columns))
    except ArgumentError as error:  # for example a property that is never true or false
        raise filter_error(f"has {name} with {quote_node(node.get('args'))}, which cannot be compared") from error


def meeting(geometry: Mapping[str, Any], columns: PropertyColumns) -> Mapping[str, Any]:
    """Return the filter that footprints of items meet a geometry.

    Raises:
        InvalidParameter: The geometry is not valid.
    """
    try:
        filter_ = check_filter({"op": "s_intersects", "args": [{"property": "geometry"}, geometry]})
        translate(filter_, columns)
    except InvalidParameter as error:
        raise InvalidParameter(error.message.replace("filter", "geometry", 1), locator="geometry") from error
    return filter_


def require_accepted(text: str) -> None:
    """Check that `translate` accepts a filter in CQL2 text.

    Raises:
        InvalidParameter: It does not.
    """
    translate(filter_from_text(text), PropertyColumns("sqlite"))


def _plain(name: str, node: Node, columns: PropertyColumns) -> Sql:
    if name in COMPARISONS:
        return _comparison(name, operands(node, name, 2), columns)
    if name in RELATIONS:
        first, second = (temporal_operand(operand, columns) for operand in operands(node, name, 2))
        return RELATIONS[name](first, second)
    if name == "between":
        value, low, high = operands_of_between(node)
        return and_(_comparison(">=", [value, low], columns), _comparison("<=", [value, high], columns))
    if name == "in":
        return _is_in(operands(node, "in", 2), columns)
    if name == "like":
        return _compile_like(operands(node, "like", 2), columns)
    if name == "isNull":
        return not_(_property(operands(node, "isNull", 1)[0], columns, "isNull").is_there)
    raise filter_error(f"has the operator {quote_node(name)}, which is not accepted here; accepted: {ACCEPTED}")


def operands_of_between(node: Node) -> list[Node]:
    """Return the three arguments of between; drafts of CQL2 and clients of STAC send the last two in a list."""
    arguments = operands(node, "between")
    if len(arguments) == 2 and isinstance(arguments[1], list | tuple):
        return operands({"args": [arguments[0], *arguments[1]]}, "between", 3)
    return operands(node, "between", 3)


def _comparison(name: str, arguments: Sequence[Node], columns: PropertyColumns) -> Sql:
    first, second = arguments
    if not _is_of_property(first) and _is_of_property(second):
        return _comparison(TURNED.get(name, name), [second, first], columns)
    compare = COMPARISONS[name]
    is_without_case = _is_casei(first)
    property_ = _property(_inner(first), columns, name)
    if _is_of_property(second):
        return _compare_properties(
            compare, property_, _property(_inner(second), columns, name), is_without_case=is_without_case
        )
    if is_without_case or _is_casei(second):
        return _sql(compare(func.lower(property_.text), lower(_text(_inner(second), "casei"))))
    return _compare_literal(name, property_, second)


def _compare_literal(name: str, property_: Property, second: Node) -> Sql:
    compare = COMPARISONS[name]
    interval = interval_of_text(second) if property_.is_time and isinstance(second, str) else literal_interval(second)
    if interval is not None:
        return _compare_time(name, property_.time, interval)
    if isinstance(second, bool):
        return _sql(compare(property_.boolean, literal(second, Boolean())))
    if isinstance(second, int | float):
        return _sql(compare(property_.number, second if abs(second) < _MAX_INTEGER else float(second)))
    return _sql(compare(property_.text, _text(second, name)))


def _compare_time(name: str, time: ColumnElement[Any], interval: TimeBounds) -> Sql:
    """Return the comparison of a time with an instant or a day."""
    if name in {"<", ">="}:
        return _sql(COMPARISONS[name](time, interval.first))
    if name in {">", "<="}:
        return _sql(COMPARISONS[name](time, interval.last))
    is_within = and_(time >= interval.first, time <= interval.last)
    return is_within if name == "=" else not_(is_within)


def _compare_properties(
    compare: Callable[[Any, Any], Any], one: Property, other: Property, *, is_without_case: bool
) -> Sql:
    if is_without_case:
        return _sql(compare(func.lower(one.text), func.lower(other.text)))
    pairs = ((one.time, other.time), (one.number, other.number), (one.text, other.text), (one.boolean, other.boolean))
    comparisons = [compare(a, b) for a, b in pairs if not isinstance(a, Null) and not isinstance(b, Null)]
    if not comparisons:
        raise filter_error(f"compares {one.name} with {other.name}, which are never of one type")
    return _sql(func.coalesce(*comparisons) if len(comparisons) > 1 else comparisons[0])


def _is_in(arguments: Sequence[Node], columns: PropertyColumns) -> Sql:
    value, listed = arguments
    if not isinstance(listed, list | tuple) or not listed:
        raise filter_error("has in without a list of values")
    # The type of each value selects the expression of the property;
    # the comparison is unknown if the property has another type.
    comparisons = [_comparison("=", [value, part], columns) for part in listed]
    return or_(*(func.coalesce(part, false()) for part in comparisons), and_(*comparisons))


def _compile_like(arguments: Sequence[Node], columns: PropertyColumns) -> Sql:
    value, pattern = arguments
    is_without_case = _is_casei(value) or _is_casei(pattern)
    text = _text(_inner(pattern), "like")
    if len(text) > MAX_PATTERN or text.count("%") > MAX_WILDCARDS:
        raise filter_error(f"has like with more than {MAX_PATTERN} characters or {MAX_WILDCARDS} of %")
    value_text = _property(_inner(value), columns, "like").text
    if is_without_case:
        value_text, text = func.lower(value_text), lower(text)
    return _sql(columns.matching(value_text, text))


def _is_casei(node: Node) -> bool:
    return isinstance(node, Mapping) and node.get("op") == "casei"


def _inner(node: Node) -> Node:
    return operands(node, "casei", 1)[0] if _is_casei(node) else node


def _is_of_property(node: Node) -> bool:
    inner = _inner(node)
    return isinstance(inner, Mapping) and "property" in inner


def _property(node: Node, columns: PropertyColumns, name: str) -> Property:
    if not isinstance(node, Mapping) or "property" not in node:
        raise _operand_error(node, f"has {name} of {quote_node(node)}, where a property is accepted")
    return columns.property(node["property"])


def _text(node: Node, name: str) -> str:
    if isinstance(node, str) and "\0" not in node:
        return node
    raise _operand_error(
        node, f"has {name} with {quote_node(node)}, where a number, text, time, true or false is accepted"
    )


def _operand_error(node: Node, why: str) -> InvalidParameter:
    # An operand that is an operation has an operator that is not accepted here.
    if isinstance(node, Mapping) and "op" in node:
        why = f"has the operator {quote_node(node['op'])}, which is not accepted here; accepted: {ACCEPTED}"
    return filter_error(why)


def _sql(comparison: Any) -> Sql:  # noqa: ANN401 -- results of operators of expressions
    sql: Sql = comparison
    return sql
