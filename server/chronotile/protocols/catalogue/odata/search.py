"""The question of a `$filter` put to the index: pages of products, one product, the attributes of a collection."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

import numpy as np

from chronotile.catalog.items.cql2.tree import join_filters, negate_filter
from chronotile.catalog.items.lookups import ADDED_BYTES, MOST_BYTES
from chronotile.core.errors import MAX_SHOWN, LimitExceeded, UnknownItem
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch, Unanswered
from chronotile.core.model.time.instants import DAY, DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.core.model.types import Instant
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.search_items import (
    find_product,
    require_filled,
    search_index,
    search_items,
    unanswered_by,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.odata.attributes import ALWAYS_THERE, PROPERTIES, ProductProperty
from chronotile.protocols.catalogue.odata.params import LOCATOR, ODataQuery
from chronotile.protocols.catalogue.odata.parser import (
    AttributeTest,
    Comparison,
    FilterCondition,
    Intersects,
    JoinedConditions,
    Literal,
    Membership,
    Moment,
    Negated,
    TextMatch,
    conjuncts,
    filter_error,
    literal_of_text,
    moment_of,
)
from chronotile.protocols.common.attributes import Attribute, Form, attribute_of, attributes_in

OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
MARGIN = DAY
"""By which the narrowed time is wider than the condition, which is tested after it: items that last less than a day
are indexed by their `datetime`, which may be anywhere in their period."""

ValueKind = TypeVar("ValueKind", bool, str, Moment)

Node = Any
"""Of CQL2 JSON: an object, or true or false."""
Lookup = Callable[[UUID], tuple[str, str] | None]
"""Collection and id of a product's item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFilter:
    """A search of items."""

    collections: tuple[str, ...] = ()
    """Empty: all."""
    ids: tuple[str, ...] = ()
    """Empty: all."""
    span: TimeSpan | None = None
    cql2: Node = True
    """CQL2 JSON; `True`: any item, `False`: none."""


def search_of(condition: FilterCondition | None, lookup: Lookup) -> ProductFilter:
    """Return the search of a condition.

    Args:
        condition: `None`: all products.
        lookup: Finds products by their ids.

    Raises:
        InvalidParameter: A property, operator or value in it is not accepted.
    """
    if condition is None:
        return ProductFilter()
    parts, translator = conjuncts(condition), _Translator(lookup)
    names, rest = _first_listed(parts, "Name")
    collections, rest = _first_listed(rest, "Collection/Name")
    narrowed = [names, collections]
    if len(rest) == 1 and isinstance(rest[0], Comparison) and (rest[0].path, rest[0].operator) == ("Id", "eq"):
        found = lookup(_uuid(rest[0].value))
        if found is None or (collections and found[0] not in collections) or (names and found[1] not in names):
            return ProductFilter(cql2=False)
        narrowed, rest = [(found[1],), (found[0],)], ()
    cql2 = join_filters("and", [translator.node(part) for part in rest])
    return ProductFilter(ids=narrowed[0], collections=narrowed[1], span=_span(rest), cql2=cql2)


def _first_listed(parts: Sequence[FilterCondition], path: str) -> tuple[tuple[str, ...], tuple[FilterCondition, ...]]:
    """The texts that a property has to be one of by the first such condition, and the other conditions."""
    for number, part in enumerate(parts):
        if isinstance(part, Comparison) and (part.path, part.operator) == (path, "eq"):
            return (_text(path, part.value),), (*parts[:number], *parts[number + 1 :])
        if isinstance(part, Membership) and part.path == path:
            texts = dict.fromkeys(_text(path, each) for each in part.values)
            return tuple(texts), (*parts[:number], *parts[number + 1 :])
    return (), tuple(parts)


def _span(parts: Sequence[FilterCondition]) -> TimeSpan | None:
    """What the time of items has to meet, by the conditions of its start and end."""
    start: Instant = DISTANT_PAST
    end: Instant = DISTANT_FUTURE
    for part in parts:
        if not isinstance(part, Comparison) or part.path not in {"ContentDate/Start", "ContentDate/End"}:
            continue
        if not isinstance(part.value, Moment):
            continue
        instant: Instant = np.datetime64(part.value.text.removesuffix("Z"), "ns")
        if part.operator in {"gt", "ge", "eq"}:
            start = max(start, instant + -MARGIN)
        if part.operator in {"lt", "le", "eq"}:
            end = min(end, instant + MARGIN)
    if (start, end) == (DISTANT_PAST, DISTANT_FUTURE):
        return None
    return TimeSpan(start, max(end, start + MARGIN))


@dataclass(slots=True)
class _Translator:
    lookup: Lookup
    negated: int = field(default=0)
    """How many `not` are around what is translated: there, what an item lacks has to be false, not unknown."""

    def node(self, condition: FilterCondition) -> Node:
        if isinstance(condition, JoinedConditions):
            return join_filters("and" if condition.is_all else "or", [self.node(each) for each in condition.parts])
        if isinstance(condition, Negated):
            self.negated += 1
            node = self.node(condition.part)
            self.negated -= 1
            return negate_filter(node)
        if isinstance(condition, Intersects):
            return _op("s_intersects", _property("geometry"), dict(condition.geometry))
        if isinstance(condition, AttributeTest):
            attribute = attribute_of(condition.name, condition.type)
            return join_filters(
                "or", [self._form_node(attribute, form, condition.condition) for form in attribute.forms]
            )
        return self._product_node(condition)

    def _product_node(self, condition: Comparison | Membership | TextMatch) -> Node:
        known = PROPERTIES.get(condition.path)
        if known is None:
            raise filter_error(
                f"has the property {condition.path[:MAX_SHOWN]!r}; accepted: {', '.join(PROPERTIES)}, and attributes "
                "by Attributes/OData.CSC.StringAttribute/any"
            )
        if isinstance(condition, TextMatch):
            if known.kind != "text":
                raise filter_error(f"has {condition.function} of {condition.path}, which is not a text")
            return _match_text(_property(known.properties[0]), condition.function, condition.text)
        if isinstance(condition, Membership) and known.kind == "text":
            texts = [_text(condition.path, each) for each in condition.values]
            return _op("in", _property(known.properties[0]), texts)
        if isinstance(condition, Membership):
            equal = (Comparison(condition.path, "eq", each) for each in condition.values)
            return join_filters("or", [self._comparison_node(known, each) for each in equal])
        return self._comparison_node(known, condition)

    def _comparison_node(self, known: ProductProperty, condition: Comparison) -> Node:
        path, operator, value = condition.path, condition.operator, condition.value
        if known.kind == "truth":
            is_online = _require_kind(path, value, bool, "true or false")
            _require_equality(path, operator)
            return is_online == (operator == "eq")
        if known.kind == "id":
            _require_equality(path, operator)
            found = self.lookup(_uuid(value))
            node = found is not None and join_filters(
                "and", [_op("=", _property(name), each) for name, each in zip(("collection", "id"), found, strict=True)]
            )
            return node if operator == "eq" else negate_filter(node)
        if known.kind == "text":
            return _op(OPERATORS[operator], _property(known.properties[0]), _text(path, value))
        if operator == "ne":
            return self.node(Negated(Comparison(path, "eq", value)))  # of what is null, too (OData 4.01 §5.1.1.1.2)
        return self._time_node(known.properties, operator, _moment(path, value))

    def _time_node(self, properties: Sequence[str], operator: str, moment: Moment) -> Node:
        """The condition of a time that is that of the first property which an item has."""
        first, *others = properties
        time = {"timestamp": moment.text}
        node = _op(OPERATORS[operator], _property(first), time)
        # The index knows an end of items that state none.
        node = (
            join_filters("and", [negate_filter(_op("isNull", _property(first))), node])
            if others
            else self._guard(first, node)
        )
        for other in others:
            compared = self._guard(other, _op(OPERATORS[operator], _property(other), time))
            node = join_filters("or", [node, join_filters("and", [_op("isNull", _property(first)), compared])])
        return node

    def _form_node(self, attribute: Attribute, form: Form, condition: FilterCondition) -> Node:
        """The condition of an attribute's value, of one of the properties that say it."""
        if isinstance(condition, JoinedConditions):
            nodes = [self._form_node(attribute, form, each) for each in condition.parts]
            return join_filters("and" if condition.is_all else "or", nodes)
        if isinstance(condition, Negated):
            self.negated += 1
            node = negate_filter(self._form_node(attribute, form, condition.part))
            self.negated -= 1
            # Of an item without the attribute, any is false.
            return join_filters("and", [negate_filter(_op("isNull", _property(form.property))), node])
        if isinstance(condition, Membership):
            equal = (Comparison(condition.path, "eq", each) for each in condition.values)
            return join_filters("or", [self._form_node(attribute, form, each) for each in equal])
        assert isinstance(condition, Comparison | TextMatch)  # noqa: S101 -- the parser lets nothing else in
        return self._guard(form.property, _value_node(attribute, form, condition))

    def _guard(self, name: str, node: Node) -> Node:
        if not self.negated or name in ALWAYS_THERE:
            return node
        return join_filters("and", [negate_filter(_op("isNull", _property(name))), node])


def _value_node(attribute: Attribute, form: Form, condition: Comparison | TextMatch) -> Node:
    name, is_text = attribute.name, attribute.type == "String"
    if form.way == "listed":
        raise filter_error(f"has the attribute {name}, which is a list in the items and cannot be searched")
    if isinstance(condition, TextMatch):
        if not is_text or form.way == "serial":
            raise filter_error(f"has {condition.function} of the attribute {name}; accepted: eq and ne")
        text = f"{form.prefix}{condition.text}" if condition.function == "startswith" else condition.text
        return _match_text(_property(form.property), condition.function, text, is_without_case=form.way == "upper")
    value = condition.value
    if not is_text:
        return _op(OPERATORS[condition.operator], _property(form.property), _attribute_value(attribute, value))
    text = f"{form.prefix}{_text(name, value)}"
    if form.way == "serial":
        _require_equality(name, condition.operator)
        node = _serial(form, text)
        return node if condition.operator == "eq" else negate_filter(node)
    is_upper = form.way == "upper"
    sides = (_casei(_property(form.property)), _casei(text)) if is_upper else (_property(form.property), text)
    return _op(OPERATORS[condition.operator], *sides)


def _attribute_value(attribute: Attribute, value: Literal) -> Node:
    if attribute.type == "Boolean":
        return _require_kind(attribute.name, value, bool, "true or false")
    if attribute.type == "DateTimeOffset":
        return {"timestamp": _moment(attribute.name, value).text}
    number = literal_of_text(value) if isinstance(value, str) else value  # eodag writes some in quotes
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise filter_error(f"compares {attribute.name[:MAX_SHOWN]} with {_format_value(value)}; accepted: a number")
    return float(number)


def _serial(form: Form, text: str) -> Node:
    """A platform whose name ends as in `sentinel-2a`, for A, or `landsat-8`, for 8."""
    if not (text.isascii() and (text.isdigit() or (text.isalpha() and len(text) == 1)) and len(text) <= 3):
        return False
    end = f"%-{text}" if text.isdigit() else f"%-_{text}"
    return _op("like", _casei(_property(form.property)), _casei(end))


def _match_text(property_: Node, function: str, text: str, *, is_without_case: bool = False) -> Node:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    before, after = ("" if function == "startswith" else "%"), ("" if function == "endswith" else "%")
    pattern = f"{before}{escaped}{after}"
    return _op("like", _casei(property_), _casei(pattern)) if is_without_case else _op("like", property_, pattern)


def _require_equality(path: str, operator: str) -> None:
    if operator not in {"eq", "ne"}:
        raise filter_error(f"has {operator} of {path[:MAX_SHOWN]}; accepted: eq, ne and in")


def _text(path: str, value: Literal) -> str:
    if isinstance(value, UUID):
        return str(value)
    return _require_kind(path, value, str, "a text in quotes")


def _moment(path: str, value: Literal) -> Moment:
    if isinstance(value, str):
        return moment_of(value)
    return _require_kind(path, value, Moment, "a time, such as 2024-05-01T10:30:00.000Z")


def _uuid(value: Literal) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(_text("Id", value))
    except ValueError as error:
        raise filter_error(f"has the Id {_format_value(value)}; an Id is a UUID") from error


def _require_kind(path: str, value: Literal, kind: type[ValueKind], accepted: str) -> ValueKind:
    if not isinstance(value, kind):
        raise filter_error(f"compares {path[:MAX_SHOWN]} with {_format_value(value)}; accepted: {accepted}")
    return value


def _format_value(value: Literal) -> str:
    text = value.text if isinstance(value, Moment) else str(value) if isinstance(value, UUID) else repr(value)
    return text[:MAX_SHOWN]


def _op(name: str, *args: Node) -> Node:
    return {"op": name, "args": list(args)}


def _property(name: str) -> Node:
    return {"property": name}


def _casei(node: Node) -> Node:
    return _op("casei", node)


MOST_COUNTED = 10_000
"""Products that are counted."""
SAMPLED = 20
"""Items by which the attributes of a collection are known: its newest ones."""
NOTHING = ItemPage(items=(), next=None, matched=0)


def find_products(query: ODataQuery, services: Services) -> ItemPage:
    """Return the page of products of a query.

    Raises:
        InvalidParameter: The filter, order or token is not accepted, or the search takes too long.
        IndexIncomplete: Not all products of a collection are known yet.
        LimitExceeded: More products would be counted than are.
        SourceUnavailable: The index does not answer.
    """

    def item_of(product: UUID) -> tuple[str, str] | None:
        return next(((found.collection, found.ref.id) for found in _known_products((product,), services)), None)

    asked = search_of(query.condition, item_of)
    if asked.cql2 is False:
        return NOTHING
    search = ItemSearch(
        collections=asked.collections,
        ids=asked.ids,
        span=asked.span,
        filter=None if asked.cql2 is True else asked.cql2,
        sort=query.sort,
        limit=max(query.top, 1),
        skip=0 if query.token else query.skip,
        cursor=query.token,
    )
    require_filled(asked.collections, services)
    page = search_items(search, services)
    if query.is_counted and page.matched is None:
        raise LimitExceeded(
            "$count",
            allowed=MOST_COUNTED,
            needed=MOST_COUNTED + 1,
            alternative="narrow $filter, such as by ContentDate/Start, or leave $count out and follow @odata.nextLink",
            locator="$count",
        )
    return page if query.top else replace(page, items=(), next=None)


def find_by_names(names: tuple[str, ...], products: tuple[UUID, ...], services: Services) -> ItemPage:
    """Return the products that have one of some names or ids; others are left out.

    Raises:
        IndexIncomplete: Not all products of a collection are known yet.
        LimitExceeded: What is known of them is more than one answer has.
        SourceUnavailable: The index does not answer.
    """
    require_filled((), services)
    found, size = list[FoundItem](), 0
    unanswered = list(unanswered_by(ItemSearch(), services))
    for each in chain(_find_named(names, services, unanswered), _known_products(products, services)):
        size += len(each.document) + ADDED_BYTES
        if found and size > MOST_BYTES:
            raise LimitExceeded(
                LOCATOR,
                allowed=len(found),
                needed=len(found) + 1,
                alternative="send several lists: what is known of these products is more than one answer has",
                locator=LOCATOR,
            )
        found.append(each)
    items = tuple({each.product: each for each in found}.values())
    return ItemPage(items=items, next=None, matched=len(items), unanswered=tuple(dict.fromkeys(unanswered)))


def _find_named(names: tuple[str, ...], services: Services, unanswered: list[Unanswered]) -> Iterator[FoundItem]:
    """The products of some names; collections that were not searched are added to those `unanswered`."""
    search = ItemSearch(ids=names, limit=MOST_COUNTED) if names else None
    while search is not None:
        page = search_items(search, services)
        unanswered += page.unanswered
        yield from page.items
        search = None if page.next is None else replace(search, cursor=page.next)


def _known_products(products: tuple[UUID, ...], services: Services) -> Iterator[FoundItem]:
    for product in products:
        try:
            yield find_product(product, services)
        except UnknownItem:
            continue


def types_of_attributes(collection: str, services: Services) -> dict[str, str]:
    """Return the types of the attributes that the newest items of a collection have, by their names."""
    page = search_index(ItemSearch(collections=(collection,), limit=SAMPLED), services)
    return {
        attribute.name: attribute.type
        for found in page.items
        for attribute, _value in attributes_in(public_item(found)["properties"])
    }
