"""Recursive descent parser of `$filter`, with limits on length, depth, comparisons and vertices.

The grammar is the part of OData 4.01 (ABNF, `boolCommonExpr`) that CDSE accepts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chronotile.core.errors import MAX_SHOWN, InvalidParameter, LimitExceeded
from chronotile.core.model.geometry.wkt import geometry_of_wkt
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.protocols.catalogue.odata.conditions import (
    NAME_OF_ATTRIBUTE,
    VALUE,
    AttributeTest,
    Comparison,
    Intersects,
    JoinedConditions,
    Literal,
    Membership,
    Moment,
    Negated,
    ODataCondition,
    TextMatch,
    conjuncts,
    join,
)

MAX_TEXT = 100_000
"""Characters of a filter."""
FILTER = "$filter"
_TOKEN = re.compile(
    r"""\s*+(?:
      (?P<geography>geo(?:graphy|metry)'[^']*+')
    | (?P<text>'(?:[^']|'')*+')
    | (?P<guid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))
    | (?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d)?)?(?![\w:.-]))
    | (?P<number>[+-]?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?(?![\w.]))
    | (?P<name>[a-z_][\w.]{0,127}(?:/[a-z_][\w.]{0,127}){0,4}(?![\w./]))
    | (?P<sign>[(),:=])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a filter."""

    kind: str
    text: str
    position: int
    """Position of its first character, counted from 1."""

    @property
    def word(self) -> str:
        """The text in lower case; empty for a literal."""
        return self.text.lower() if self.kind in {"name", "sign"} else ""


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of a filter; the last one is its end.

    Raises:
        InvalidParameter: The filter is too long, or has characters that start no token.
    """
    if len(text) > MAX_TEXT:
        raise filter_error(f"has {len(text)} characters; at most {MAX_TEXT} are accepted")
    tokens, at = list[Token](), 0
    while not tokens or tokens[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at = len(text) - len(text[at:].lstrip())
            raise filter_error(f"cannot be read from character {at + 1}: {text[at : at + MAX_SHOWN]!r}")
        kind = match.lastgroup
        tokens.append(Token(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return tokens


def literal_of(token: Token) -> Literal | None:
    """Return the value of a literal; `None` for another token.

    Raises:
        InvalidParameter: The token is a time that does not exist.
    """
    if token.kind == "text":
        return token.text[1:-1].replace("''", "'")
    if token.kind == "number":
        return int(token.text) if token.text.lstrip("+-").isdigit() else float(token.text)
    if token.kind == "guid":
        return UUID(token.text)
    if token.kind == "time":
        return moment_of(token.text)
    return {"true": True, "false": False}.get(token.word)


def literal_of_text(text: str) -> Literal | None:
    """Return the value of a text that is one literal; `None` for another text.

    Raises:
        InvalidParameter: The text has characters that start no token, or is a time that does not exist.
    """
    token, *rest = tokens_of(text)
    return literal_of(token) if [following.kind for following in rest] == ["end"] else None


def moment_of(text: str) -> Moment:
    """Return a time; it is UTC without a zone, and a date is its start.

    Raises:
        InvalidParameter: The time does not exist.
    """
    try:
        return Moment(format_instant(parse_instant(text).start))
    except InvalidParameter as error:
        raise filter_error(f"has the time {text[:MAX_SHOWN]!r}; accepted: 2024-05-01T10:30:00.000Z") from error


def filter_error(why: str) -> InvalidParameter:
    """Return the error of an invalid filter."""
    return InvalidParameter(f"{FILTER} {why}", locator=FILTER)


DEEPEST = 32
"""Maximum depth of nested brackets and `not`."""
MAX_COMPARISONS = 100
"""Comparisons and values in lists."""
TURNED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
"""Operators with their sides swapped."""
TEXT_FUNCTIONS = ("contains", "startswith", "endswith")
INTERSECTS = "odata.csc.intersects"
ATTRIBUTES = "Attributes"
CAST, CAST_END = "OData.CSC.", "Attribute"
TYPES = ("String", "Double", "Integer", "DateTimeOffset", "Boolean")
EXAMPLE = (
    "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
    "att/OData.CSC.DoubleAttribute/Value lt 20)"
)


def parse_filter(text: str) -> ODataCondition:
    """Return the condition of a filter.

    Raises:
        InvalidParameter: The filter is not valid, or uses a part of OData that is not accepted.
        LimitExceeded: It has too many comparisons or vertices.
    """
    parser = _Parser(tokens_of(text))
    condition = parser.disjunction()
    parser.expect("end")
    return condition


@dataclass(slots=True)
class _Lambda:
    """The variable of `any`, and the type that its value is cast to; `None` until a cast is read."""

    variable: str
    type: str | None


@dataclass(slots=True)
class _Parser:
    tokens: list[Token]
    at: int = 0
    depth: int = 0
    comparisons: int = 0
    vertices: int = 0
    within: _Lambda | None = field(default=None)

    def disjunction(self) -> ODataCondition:
        parts = [self._conjunction()]
        while self._take("or"):
            parts.append(self._conjunction())
        return join(parts, is_all=False)

    def expect(self, what: str) -> Token:
        """Return the next token, which must be the sign or keyword `what`, or a token of the kind `what`."""
        token = self._next
        if what not in {token.word, token.kind}:
            expected = {"end": "the end, and, or"}.get(what, what)
            raise filter_error(f"has {_describe_token(token)} where {expected} is accepted")
        self.at += token.kind != "end"
        return token

    def _conjunction(self) -> ODataCondition:
        parts = [self._negation()]
        while self._take("and"):
            parts.append(self._negation())
        return join(parts, is_all=True)

    def _negation(self) -> ODataCondition:
        if self._take("not"):
            self._go_deeper()
            part = self._negation()
            self.depth -= 1
            return part.part if isinstance(part, Negated) else Negated(part)
        if self._take("("):
            self._go_deeper()
            part = self.disjunction()
            self.expect(")")
            self.depth -= 1
            return part
        return self._predicate()

    def _predicate(self) -> ODataCondition:
        self._count_comparison()
        token = self._next
        value = literal_of(token)
        if value is not None:
            self.at += 1
            operator = self._operator()
            return Comparison(self._path(self.expect("name")), TURNED[operator], value)
        self.expect("name")
        if self._next.word == "(":
            return self._truth(self._function(token))
        path = self._path(token)
        if self._take("in"):
            return Membership(path, self._values())
        operator = self._operator()
        return Comparison(path, operator, self._literal())

    def _function(self, token: Token) -> ODataCondition:
        self.expect("(")
        if token.word in TEXT_FUNCTIONS:
            path = self._path(self.expect("name"))
            self.expect(",")
            condition: ODataCondition = TextMatch(path, token.word, str(literal_of(self.expect("text"))))
        elif token.word == INTERSECTS and self.within is None:
            self.expect("area")
            self.expect("=")
            geometry, vertices = geometry_of(self.expect("geography").text)
            self.vertices += vertices
            if self.vertices > MAX_VERTICES:
                raise _too_many("vertices", MAX_VERTICES, self.vertices, "use fewer or simpler geometries")
            condition = Intersects(geometry)
        elif token.word.endswith("/any") and self.within is None:
            condition = self._any(token)
        else:
            raise filter_error(
                f"has {_describe_token(token)}, which is not accepted here; accepted: {', '.join(TEXT_FUNCTIONS)}, "
                f"OData.CSC.Intersects, and any as in {EXAMPLE}"
            )
        self.expect(")")
        return condition

    def _truth(self, condition: ODataCondition) -> ODataCondition:
        """Return a condition, negated if older clients compare its function with `eq false` or `ne true`."""
        if self._next.word not in {"eq", "ne"}:
            return condition
        operator = self._operator()
        value = self._literal()
        if not isinstance(value, bool):
            raise filter_error("compares a condition with a value; accepted: true or false")
        return condition if value == (operator == "eq") else Negated(condition)

    def _any(self, token: Token) -> ODataCondition:
        """Parse `Attributes/OData.CSC.StringAttribute/any(att:…)` after the bracket."""
        owner, *cast = token.text.split("/")[:-1]
        if owner != ATTRIBUTES or len(cast) > 1:
            raise filter_error(f"has any of {'/'.join([owner, *cast])[:MAX_SHOWN]!r}; accepted: {EXAMPLE}")
        variable = self.expect("name").text
        self.expect(":")
        self.within = _Lambda(variable, _cast_type(cast[0]) if cast else None)
        self._go_deeper()
        condition = self.disjunction()
        self.depth -= 1
        type_, self.within = self.within.type, None
        return _attribute_test(condition, type_)

    def _path(self, token: Token) -> str:
        if self.within is None:
            return token.text
        variable, *rest = token.text.split("/")
        if variable == self.within.variable and rest == [NAME_OF_ATTRIBUTE]:
            return NAME_OF_ATTRIBUTE
        if variable == self.within.variable and rest[-1:] == [VALUE] and len(rest) <= 2:
            if len(rest) == 2:
                self.within.type = self.within.type or _cast_type(rest[0])  # eodag states a type here
            return VALUE
        raise filter_error(f"has {_describe_token(token)} within any; accepted: {EXAMPLE}")

    def _operator(self) -> str:
        token = self._next
        if token.word not in TURNED:
            raise filter_error(f"has {_describe_token(token)} where {', '.join(TURNED)} or in is accepted")
        self.at += 1
        return token.word

    def _literal(self) -> Literal:
        token = self._next
        value = literal_of(token)
        if value is None:
            raise filter_error(
                f"has {_describe_token(token)} where a text in quotes, number, time, id, true or false is accepted"
            )
        self.at += 1
        return value

    def _values(self) -> tuple[Literal, ...]:
        self.expect("(")
        values = [self._literal()]
        while self._take(","):
            self._count_comparison()
            values.append(self._literal())
        self.expect(")")
        return tuple(values)

    @property
    def _next(self) -> Token:
        return self.tokens[self.at]

    def _take(self, word: str) -> bool:
        is_next = self._next.word == word
        self.at += is_next
        return is_next

    def _go_deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise filter_error(f"has brackets and `not` nested more than {DEEPEST} levels deep")

    def _count_comparison(self) -> None:
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise _too_many(
                "comparisons", MAX_COMPARISONS, self.comparisons, "send several requests, or POST names to FilterList"
            )


def _attribute_test(condition: ODataCondition, type_: str | None) -> AttributeTest:
    """Return the test of a condition within `any`, which has one name and conditions on the value."""
    parts = conjuncts(condition)
    names = [part for part in parts if isinstance(part, Comparison) and part.path == NAME_OF_ATTRIBUTE]
    rest = [part for part in parts if part not in names]
    if len(names) != 1 or names[0].operator != "eq" or not isinstance(names[0].value, str) or not rest:
        raise filter_error(f"has any without one attribute's name and its value; accepted: {EXAMPLE}")
    tested = join(rest, is_all=True)
    _require_value_alone(tested)
    if type_ is None:
        raise filter_error(
            f"has any without a type of the attribute {names[0].value[:MAX_SHOWN]!r}; accepted: {EXAMPLE}"
        )
    return AttributeTest(names[0].value, type_, tested)


def _require_value_alone(condition: ODataCondition) -> None:
    if isinstance(condition, JoinedConditions):
        for part in condition.parts:
            _require_value_alone(part)
    elif isinstance(condition, Negated):
        _require_value_alone(condition.part)
    elif isinstance(condition, Comparison | Membership | TextMatch) and condition.path != VALUE:
        raise filter_error(
            f"uses an attribute's name in `or`, `not` or a second condition within `any`; accepted: {EXAMPLE}"
        )


def _cast_type(cast: str) -> str:
    type_ = cast.removeprefix(CAST).removesuffix(CAST_END)
    if cast != f"{CAST}{type_}{CAST_END}" or type_ not in TYPES:
        accepted = ", ".join(f"{CAST}{name}{CAST_END}" for name in TYPES)
        raise filter_error(f"casts to {cast[:MAX_SHOWN]!r}; accepted: {accepted}")
    return type_


def _too_many(limit: str, allowed: int, needed: int, alternative: str) -> LimitExceeded:
    return LimitExceeded(limit, allowed=allowed, needed=needed, alternative=alternative, locator=FILTER)


def _describe_token(token: Token) -> str:
    if token.kind == "end":
        return "its end"
    return f"{token.text[:MAX_SHOWN]!r} (character {token.position})"


MAX_VERTICES = 2_000
"""Vertices in all geometries of a filter."""
ACCEPTED = "geography'SRID=4326;POLYGON((4 50,5 50,5 51,4 50))', or POINT, LINESTRING, MULTIPOLYGON; longitude first"
_SRID = re.compile(r"\s*+SRID\s*+=\s*+4326\s*+;", re.ASCII | re.IGNORECASE)


def geometry_of(written: str) -> tuple[Mapping[str, Any], int]:
    """Return the GeoJSON of a geography literal, and its number of vertices.

    Raises:
        InvalidParameter: The literal is not a geometry in CRS84.
        LimitExceeded: The geometry has too many vertices.
    """
    text = written.partition("'")[2].removesuffix("'")
    plain = text[tagged.end() :] if (tagged := _SRID.match(text)) else ""
    return geometry_of_wkt(plain, most=MAX_VERTICES, locator=FILTER, accepted=ACCEPTED)
