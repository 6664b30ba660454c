"""Query parameters as values: each parses its text and describes itself in OpenAPI documents."""

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

from chronotile.core.errors import MAX_SHOWN, ChronotileError, InvalidParameter, translate_error
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import Json
from chronotile.protocols.common.openapi import NUMBER, TEXT, WHOLE, enum_of, in_query
from chronotile.protocols.common.query import values as parsers
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
"""Members of JSON Schema: their meaning in words and their comparison with a value."""
NO_EXAMPLES: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Generic[Value_co]):
    """A query parameter."""

    name: str
    description: str
    parse: Callable[[str], Value_co]
    """Parse a text that is not empty; raises `InvalidParameter` with the name as locator."""
    schema: Json
    default: Value_co | None = None
    """Value if the parameter is missing. `None` if it is required, or optional without a default."""

    @property
    def words(self) -> tuple[str, ...]:
        """The accepted words, in the order of documents."""
        return tuple(self.schema["enum"])

    def optional(self, query: Kvp) -> Value_co | None:
        """Return the value in a query, or `None` if it is missing or empty.

        Raises:
            InvalidParameter: The text is not accepted.
        """
        text = query.optional(self.name)
        return None if text is None else self.parse(text)

    def value(self, query: Kvp) -> Value_co:
        """Return the value in a query, or the default.

        Raises:
            InvalidParameter: The text is not accepted.
            MissingParameter: It is missing or empty, and has no default.
        """
        value = self.optional(query)
        if value is not None:
            return value
        return self.parse(query.require(self.name)) if self.default is None else self.default


def documents(
    parameters: Iterable[Parameter[object]],
    examples: Mapping[str, object] = NO_EXAMPLES,
    *,
    required: Collection[str] = (),
) -> list[Json]:
    """Return the OpenAPI objects of parameters; `examples` and `required` refer to names."""
    return [
        in_query(
            parameter.name,
            parameter.description,
            parameter.schema,
            example=examples.get(parameter.name),
            required=parameter.name in required,
        )
        for parameter in parameters
    ]


def names_of(parameters: Iterable[Parameter[object]]) -> tuple[str, ...]:
    """Return the names of parameters."""
    return tuple(parameter.name for parameter in parameters)


def text(name: str, description: str, *, schema: Json = TEXT) -> Parameter[str]:
    """Return a parameter whose value is its text, such as a name that the catalogue resolves later."""
    return custom(name, description, str, schema=schema)


def custom(
    name: str, description: str, parse: Callable[[str], Value], *, schema: Json = TEXT, default: Value | None = None
) -> Parameter[Value]:
    """Return a parameter with its own parser, which raises `InvalidParameter` with the name as locator."""
    return Parameter(name=name, description=description, parse=parse, schema=schema, default=default)


def whole(
    name: str, description: str, *, least: int | None = None, most: int | None = None, default: int | None = None
) -> Parameter[int]:
    """Return a whole number; both bounds are inclusive."""
    schema = {**WHOLE, **_present(minimum=least, maximum=most, default=default)}

    def parse(text: str) -> int:
        value = parsers.integer(text, locator=name)
        _check_bounds(name, text, value, schema)
        return value

    return custom(name, description, parse, schema=schema, default=default)


def whole_up_to(name: str, description: str, *, most: int, default: int, least: int = 1) -> Parameter[int]:
    """Return a whole number; more than `most` is reduced to `most`."""
    plain = whole(name, f"{description}; more than {most} counts as {most}", least=least, default=default)
    return replace(plain, parse=lambda text: min(plain.parse(text), most), schema={**plain.schema, "maximum": most})


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
    """Return a finite number; `least` and `most` are inclusive bounds, `above` and `below` exclusive ones."""
    bounds = _present(minimum=least, exclusiveMinimum=above, maximum=most, exclusiveMaximum=below)
    schema = {**NUMBER, **bounds, **_present(default=default)}

    def parse(text: str) -> float:
        value = parsers.number(text, locator=name)
        _check_bounds(name, text, value, schema)
        return value

    return Parameter(name=name, description=description, parse=parse, schema=schema, default=default)


def choice(
    name: str, description: str, words: Iterable[Word], *, default: Word | None = None, any_case: bool = True
) -> Parameter[Word]:
    """Return a parameter that accepts words; its value is the word."""
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
    """Return a parameter that accepts words with separate values.

    Args:
        name: Name of the parameter.
        description: Text for OpenAPI.
        values: Value of each word, lower case if `any_case`.
        default: Word whose value is the default.
        any_case: Whether case is ignored.
        described: Words that the schema lists; all if empty.
    """

    def parse(text: str) -> Value:
        return values[parsers.choice(text.lower() if any_case else text, values, locator=name)]

    schema = {**enum_of(list(described or values)), **_present(default=default)}
    value = None if default is None else values[default]
    return Parameter(name=name, description=description, parse=parse, schema=schema, default=value)


def keyword(
    name: str,
    description: str,
    values: Mapping[str, Value],
    *,
    aliases: Mapping[str, Value] = MappingProxyType({}),
    default: Value | None = None,
    error: Callable[..., ChronotileError] = InvalidParameter,
) -> Parameter[Value]:
    """Return a parameter that accepts the words listed in capabilities, in any case.

    Args:
        name: Name of the parameter.
        description: Text for OpenAPI.
        values: Value of each listed word.
        aliases: Value of each unlisted word that clients use, in lower case.
        default: Value if the parameter is missing.
        error: Raised for other words, with a message and the name as `locator`.
    """
    accepted = {**{word.lower(): value for word, value in values.items()}, **aliases}

    def parse(text: str) -> Value:
        if text.lower() not in accepted:
            raise error(f"{name} {text[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(values)}", locator=name)
        return accepted[text.lower()]

    return custom(name, description, parse, schema=enum_of(list(values)), default=default)


def name_list(name: str, description: str, *, default: tuple[str, ...] | None = None) -> Parameter[tuple[str, ...]]:
    """Return names separated by commas; a name may be empty."""

    def parse(text: str) -> tuple[str, ...]:
        return tuple(name.strip() for name in text.split(","))

    return custom(name, description, parse, default=default)


def truth(name: str, description: str) -> Parameter[bool]:
    """Return a parameter `true` or `false`; the default is `false`."""
    return code(name, description, {"true": True, "false": False}, default="false")


def box(name: str, description: str, *, may_cross: bool = False) -> Parameter[BBox]:
    """Return a box that is not empty, x before y; with `may_cross` it may cross 180 degrees."""
    return custom(name, description, partial(parsers.bbox, locator=name, may_cross=may_cross))


def times(name: str, description: str) -> Parameter[TimeSelection]:
    """Return a selection of times (instants, intervals, lists); the default is `ABSENT`."""

    def parse(text: str) -> TimeSelection:
        with translate_error(InvalidParameter, InvalidParameter, locator=name):
            return parse_time(text)

    return custom(name, description, parse, default=ABSENT)


datetime = partial(times, "datetime")


F = text("f", "The format, instead of the Accept header")
LANG = text("lang", "The language of titles, instead of Accept-Language")


def format_of(names: Sequence[str]) -> Json:
    """Return the OpenAPI object of `f` with the names of formats."""
    return in_query(F.name, F.description, enum_of(names))


def _present(**members: float | str | None) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def _check_bounds(name: str, text: str, value: float, schema: Json) -> None:
    bounds = [(words, holds, schema[member]) for member, (words, holds) in BOUNDS.items() if member in schema]
    if not all(holds(value, bound) for _words, holds, bound in bounds):
        accepted = " and ".join(f"{words} {bound:g}" for words, _holds, bound in bounds)
        if {"minimum", "maximum"} <= schema.keys():
            accepted = f"from {schema['minimum']:g} to {schema['maximum']:g}"
        raise InvalidParameter(f"{name} must be {accepted}, got {text[:MAX_SHOWN]}", locator=name)
