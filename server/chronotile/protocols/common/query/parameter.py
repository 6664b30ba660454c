"""A query parameter as one value: what parses it describes it in the OpenAPI documents, too."""

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

from chronotile.core.errors import MAX_SHOWN, ChronotileError, InvalidParameter, raised_as
from chronotile.core.model.grid import BBox
from chronotile.core.model.time.instants import ABSENT, TimeSelection
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import NUMBER, TEXT, WHOLE, enum_of, in_query
from chronotile.protocols.common.query import kvp
from chronotile.protocols.common.query.kvp import Kvp

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
Word = TypeVar("Word", bound=str)

BOUNDS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", operator.ge),
    "exclusiveMinimum": ("more than", operator.gt),
    "maximum": ("at most", operator.le),
    "exclusiveMaximum": ("less than", operator.lt),
}
"""Members of a schema, in words, and whether a value keeps within one."""
NO_EXAMPLES: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Generic[Value_co]):
    """A parameter of the query."""

    name: str
    description: str
    parse: Callable[[str], Value_co]
    """Value of a text that is not empty; raises `InvalidParameter` with the name as its locator."""
    schema: Json
    default: Value_co | None = None
    """Value of a request without it; `None` where it is optional without a value, or required."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are accepted, in the order in which documents list them."""
        return tuple(self.schema["enum"])

    def given(self, query: Kvp) -> Value_co | None:
        """Return the value in a query, `None` where it is absent or empty.

        Raises:
            InvalidParameter: The text is not accepted.
        """
        text = query.optional(self.name)
        return None if text is None else self.parse(text)

    def of(self, query: Kvp) -> Value_co:
        """Return the value in a query, or the default.

        Raises:
            InvalidParameter: As `given`.
            MissingParameter: It is absent or empty, and there is no default.
        """
        value = self.given(query)
        if value is not None:
            return value
        return self.parse(query.required(self.name)) if self.default is None else self.default


def documents(
    parameters: Iterable[Parameter[object]],
    examples: Mapping[str, object] = NO_EXAMPLES,
    *,
    required: Collection[str] = (),
) -> list[Json]:
    """Return parameters as OpenAPI has them; `examples` and `required` are by name."""
    return [
        in_query(
            each.name, each.description, each.schema, example=examples.get(each.name), required=each.name in required
        )
        for each in parameters
    ]


def names_of(parameters: Iterable[Parameter[object]]) -> tuple[str, ...]:
    """Return the names of parameters."""
    return tuple(each.name for each in parameters)


def text(name: str, description: str, *, schema: Json = TEXT) -> Parameter[str]:
    """Return a parameter whose text is parsed elsewhere, such as a name that the catalogue resolves."""
    return custom(name, description, str, schema=schema)


def custom(
    name: str, description: str, parse: Callable[[str], Value], *, schema: Json = TEXT, default: Value | None = None
) -> Parameter[Value]:
    """Return a parameter with a form of its own, which `parse` reads; it raises `InvalidParameter` with the name."""
    return Parameter(name=name, description=description, parse=parse, schema=schema, default=default)


def whole(
    name: str, description: str, *, least: int | None = None, most: int | None = None, default: int | None = None
) -> Parameter[int]:
    """Return a parameter that is a whole number within bounds, both included."""
    schema = {**WHOLE, **_stated(minimum=least, maximum=most, default=default)}

    def parse(given: str) -> int:
        value = kvp.integer(given, locator=name)
        _check_bounds(name, given, value, schema)
        return value

    return custom(name, description, parse, schema=schema, default=default)


def clamped(name: str, description: str, *, most: int, default: int, least: int = 1) -> Parameter[int]:
    """Return a parameter that is a whole number, of which what is more than `most` is as much."""
    plain = whole(name, f"{description}; more than {most} is as many", least=least, default=default)
    return replace(plain, parse=lambda given: min(plain.parse(given), most), schema={**plain.schema, "maximum": most})


def number(  # noqa: PLR0913 -- four bounds, as JSON Schema has them
    name: str,
    description: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    default: float | None = None,
) -> Parameter[float]:
    """Return a parameter that is a finite number; `least` and `most` are included, `above` and `below` are not."""
    bounds = _stated(minimum=least, exclusiveMinimum=above, maximum=most, exclusiveMaximum=below)
    schema = {**NUMBER, **bounds, **_stated(default=default)}

    def parse(given: str) -> float:
        value = kvp.number(given, locator=name)
        _check_bounds(name, given, value, schema)
        return value

    return Parameter(name=name, description=description, parse=parse, schema=schema, default=default)


def choice(
    name: str, description: str, words: Iterable[Word], *, default: Word | None = None, any_case: bool = True
) -> Parameter[Word]:
    """Return a parameter that is one of some words."""
    return code(name, description, {str(word): word for word in words}, default=default, any_case=any_case)


def code(
    name: str,
    description: str,
    values: Mapping[str, Value],
    *,
    default: str | None = None,
    any_case: bool = True,
    described: Sequence[str] = (),
) -> Parameter[Value]:
    """Return a parameter that is one of some words, each of which has a value.

    Args:
        name: Of the parameter.
        description: Of the parameter.
        values: By words.
        default: A word.
        any_case: Whether words are accepted in any case.
        described: Words that the schema lists; otherwise all.
    """

    def parse(given: str) -> Value:
        return values[kvp.choice(given.lower() if any_case else given, values, locator=name)]

    schema = {**enum_of(list(described or values)), **_stated(default=default)}
    value = None if default is None else values[default]
    return Parameter(name=name, description=description, parse=parse, schema=schema, default=value)


def keyword(
    name: str,
    description: str,
    values: Mapping[str, Value],
    *,
    others: Mapping[str, Value] = MappingProxyType({}),
    default: Value | None = None,
    error: Callable[..., ChronotileError] = InvalidParameter,
) -> Parameter[Value]:
    """Return a parameter that is one of the words that capabilities list, in any case.

    Args:
        name: Of the parameter.
        description: Of the parameter.
        values: By words.
        others: By further words that clients write, in lower case.
        default: A value.
        error: What another word raises, of a message and the name as `locator`.
    """
    accepted = {**{word.lower(): value for word, value in values.items()}, **others}

    def parse(given: str) -> Value:
        if given.lower() not in accepted:
            raise error(f"{name} {given[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(values)}", locator=name)
        return accepted[given.lower()]

    return custom(name, description, parse, schema=enum_of(list(values)), default=default)


def name_list(name: str, description: str, *, default: tuple[str, ...] | None = None) -> Parameter[tuple[str, ...]]:
    """Return a parameter that is names separated by commas, which may be empty."""

    def parse(given: str) -> tuple[str, ...]:
        return tuple(each.strip() for each in given.split(","))

    return custom(name, description, parse, default=default)


def truth(name: str, description: str) -> Parameter[bool]:
    """Return a parameter that is `true` or `false`, which is the default."""
    return code(name, description, {"true": True, "false": False}, default="false")


def box(name: str, description: str, *, may_cross: bool = False) -> Parameter[BBox]:
    """Return a parameter that is four numbers: a box with something inside, x before y; it may cross 180 degrees."""
    return custom(name, description, partial(kvp.bbox, locator=name, may_cross=may_cross))


def times(name: str, description: str) -> Parameter[TimeSelection]:
    """Return a parameter that selects times: instants, intervals, lists; all of them by default."""

    def parse(given: str) -> TimeSelection:
        with raised_as(InvalidParameter, InvalidParameter, locator=name):
            return parse_time(given)

    return custom(name, description, parse, default=ABSENT)


datetime = partial(times, "datetime")


F = text("f", "The format, instead of the Accept header")
LANG = text("lang", "The language of titles, instead of Accept-Language")


def format_of(names: Sequence[str]) -> Json:
    """Return `f` as OpenAPI has it, with the names of formats."""
    return in_query(F.name, F.description, enum_of(names))


def _stated(**members: float | str | None) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def _check_bounds(name: str, given: str, value: float, schema: Json) -> None:
    bounds = [(words, holds, schema[member]) for member, (words, holds) in BOUNDS.items() if member in schema]
    if not all(holds(value, bound) for _words, holds, bound in bounds):
        accepted = " and ".join(f"{words} {bound:g}" for words, _holds, bound in bounds)
        if {"minimum", "maximum"} <= schema.keys():
            accepted = f"from {schema['minimum']:g} to {schema['maximum']:g}"
        raise InvalidParameter(f"{name} must be {accepted}, got {given[:MAX_SHOWN]}", locator=name)
