"""Filters translated into searches of the index: pages of products, single products, attributes of a collection."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

import numpy as np

from chronotile.catalog.items.cql2.tree import join_filters, negate_filter
from chronotile.catalog.items.lookups import ADDED_BYTES, MAX_BYTES
from chronotile.core.errors import MAX_SHOWN, LimitExceeded, UnknownItem
from chronotile.core.model.items import FoundItem, ItemPage, ItemSearch, Unanswered
from chronotile.core.model.time.instants import DAY, DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.core.model.types import Instant
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.search.search_items import (
    find_product,
    list_unanswered,
    require_filled,
    search_index,
    search_items,
)
from chronotile.pipeline.services import Services
from chronotile.protocols.catalogue.odata.attributes import ALWAYS_THERE, PROPERTIES, ProductProperty
from chronotile.protocols.catalogue.odata.conditions import (
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
)
from chronotile.protocols.catalogue.odata.filter_list import LOCATOR
from chronotile.protocols.catalogue.odata.params import ODataQuery
from chronotile.protocols.catalogue.odata.parser import filter_error, literal_of_text, moment_of
from chronotile.protocols.common.attributes import Attribute, Form, attribute_of, attributes_in

OPERATORS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
MARGIN = DAY
"""Extension of the span on both sides. Items that last less than a day are indexed by their `datetime`, which may be
anywhere in their period; the exact condition is tested afterwards."""

ValueKind = TypeVar("ValueKind", bool, str, Moment)

Node = Any
"""CQL2 JSON: an object, or true or false."""
Lookup = Callable[[UUID], tuple[str, str] | None]
"""Returns collection and id of a product's item; `None` if no such product exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFilter:
    """A search of items."""

    collections: tuple[str, ...] = ()
    """Empty searches all collections."""
    ids: tuple[str, ...] = ()
    """Empty searches items with any id."""
    span: TimeSpan | None = None
    cql2: Node = True
    """CQL2 JSON; `True` matches any item, `False` none."""


def search_of(condition: ODataCondition | None, lookup: Lookup) -> ProductFilter:
    """Return the search of a condition.

    Args:
        condition: Condition of the filter; `None` matches all products.
        lookup: Returns the item of a product.

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
        item = lookup(_uuid(rest[0].value))
        if item is None or (collections and item[0] not in collections) or (names and item[1] not in names):
            return ProductFilter(cql2=False)
        narrowed, rest = [(item[1],), (item[0],)], ()
    cql2 = join_filters("and", [translator.node(part) for part in rest])
    return ProductFilter(ids=narrowed[0], collections=narrowed[1], span=_span(rest), cql2=cql2)


def _first_listed(parts: Sequence[ODataCondition], path: str) -> tuple[tuple[str, ...], tuple[ODataCondition, ...]]:
    """Return the texts that the first condition on a property accepts (`eq` or `in`), and the other conditions."""
    for number, part in enumerate(parts):
        if isinstance(part, Comparison) and (part.path, part.operator) == (path, "eq"):
            return (_text(path, part.value),), (*parts[:number], *parts[number + 1 :])
        if isinstance(part, Membership) and part.path == path:
            texts = dict.fromkeys(_text(path, value) for value in part.values)
            return tuple(texts), (*parts[:number], *parts[number + 1 :])
    return (), tuple(parts)


def _span(parts: Sequence[ODataCondition]) -> TimeSpan | None:
    """Return the span that the times of items must meet by conditions on start and end; `None` if it is unlimited."""
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
    """Number of `not` around the translated condition. There, a comparison of a missing property must be false, not
    unknown."""

    def node(self, condition: ODataCondition) -> Node:
        if isinstance(condition, JoinedConditions):
            return join_filters("and" if condition.is_all else "or", [self.node(part) for part in condition.parts])
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
        property_ = PROPERTIES.get(condition.path)
        if property_ is None:
            raise filter_error(
                f"has the property {condition.path[:MAX_SHOWN]!r}; accepted: {', '.join(PROPERTIES)}, and attributes "
                "by Attributes/OData.CSC.StringAttribute/any"
            )
        if isinstance(condition, TextMatch):
            if property_.kind != "text":
                raise filter_error(f"has {condition.function} of {condition.path}, which is not a text")
            return _match_text(_property(property_.properties[0]), condition.function, condition.text)
        if isinstance(condition, Membership) and property_.kind == "text":
            texts = [_text(condition.path, value) for value in condition.values]
            return _op("in", _property(property_.properties[0]), texts)
        if isinstance(condition, Membership):
            equal = (Comparison(condition.path, "eq", value) for value in condition.values)
            return join_filters("or", [self._comparison_node(property_, comparison) for comparison in equal])
        return self._comparison_node(property_, condition)

    def _comparison_node(self, property_: ProductProperty, condition: Comparison) -> Node:
        path, operator, value = condition.path, condition.operator, condition.value
        if property_.kind == "truth":
            is_online = _require_kind(path, value, bool, "true or false")
            _require_equality(path, operator)
            return is_online == (operator == "eq")
        if property_.kind == "id":
            _require_equality(path, operator)
            item = self.lookup(_uuid(value))
            node = item is not None and join_filters(
                "and", [_op("=", _property(name), part) for name, part in zip(("collection", "id"), item, strict=True)]
            )
            return node if operator == "eq" else negate_filter(node)
        if property_.kind == "text":
            return _op(OPERATORS[operator], _property(property_.properties[0]), _text(path, value))
        if operator == "ne":
            return self.node(Negated(Comparison(path, "eq", value)))  # null is not equal either (OData 4.01 §5.1.1.1.2)
        return self._time_node(property_.properties, operator, _moment(path, value))

    def _time_node(self, properties: Sequence[str], operator: str, moment: Moment) -> Node:
        """Return the condition of a time: the value of the first property that an item has."""
        first, *alternatives = properties
        time = {"timestamp": moment.text}
        node = _op(OPERATORS[operator], _property(first), time)
        # Items that state no end have one in the index.
        node = (
            join_filters("and", [negate_filter(_op("isNull", _property(first))), node])
            if alternatives
            else self._guard(first, node)
        )
        for other in alternatives:
            compared = self._guard(other, _op(OPERATORS[operator], _property(other), time))
            node = join_filters("or", [node, join_filters("and", [_op("isNull", _property(first)), compared])])
        return node

    def _form_node(self, attribute: Attribute, form: Form, condition: ODataCondition) -> Node:
        """Return the condition of an attribute's value for one of its equivalent properties."""
        if isinstance(condition, JoinedConditions):
            nodes = [self._form_node(attribute, form, part) for part in condition.parts]
            return join_filters("and" if condition.is_all else "or", nodes)
        if isinstance(condition, Negated):
            self.negated += 1
            node = negate_filter(self._form_node(attribute, form, condition.part))
            self.negated -= 1
            # `any` is false for an item without the attribute.
            return join_filters("and", [negate_filter(_op("isNull", _property(form.property))), node])
        if isinstance(condition, Membership):
            equal = (Comparison(condition.path, "eq", value) for value in condition.values)
            return join_filters("or", [self._form_node(attribute, form, comparison) for comparison in equal])
        assert isinstance(condition, Comparison | TextMatch)  # noqa: S101 -- the parser accepts no other condition here
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
    number = literal_of_text(value) if isinstance(value, str) else value  # eodag writes some numbers in quotes
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise filter_error(f"compares {attribute.name[:MAX_SHOWN]} with {_format_value(value)}; accepted: a number")
    return float(number)


def _serial(form: Form, text: str) -> Node:
    """Return the condition of a platform such as `sentinel-2a` for A, or `landsat-8` for 8."""
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


MAX_COUNTED = 10_000
"""Maximum number of products that `$count` counts."""
SAMPLED = 20
"""Number of newest items that define the attributes of a collection."""
NOTHING = ItemPage(items=(), next=None, matched=0)


def find_products(query: ODataQuery, services: Services) -> ItemPage:
    """Return the page of products of a query.

    Raises:
        InvalidParameter: The filter, order or token is not accepted, or the search takes too long.
        IndexIncomplete: The first pass over the source of a collection has not ended.
        LimitExceeded: More than `MAX_COUNTED` products are to be counted.
        SourceUnavailable: The index does not answer.
    """

    def item_of(product: UUID) -> tuple[str, str] | None:
        return next(((item.collection, item.ref.id) for item in _known_products((product,), services)), None)

    filter_ = search_of(query.condition, item_of)
    if filter_.cql2 is False:
        return NOTHING
    search = ItemSearch(
        collections=filter_.collections,
        ids=filter_.ids,
        span=filter_.span,
        filter=None if filter_.cql2 is True else filter_.cql2,
        sort=query.sort,
        limit=max(query.top, 1),
        skip=0 if query.token else query.skip,
        cursor=query.token,
    )
    require_filled(filter_.collections, services)
    page = search_items(search, services)
    if query.is_counted and page.matched is None:
        raise LimitExceeded(
            "$count",
            allowed=MAX_COUNTED,
            needed=MAX_COUNTED + 1,
            alternative="narrow $filter, such as by ContentDate/Start, or omit $count and follow @odata.nextLink",
            locator="$count",
        )
    return page if query.top else replace(page, items=(), next=None)


def find_by_names(names: tuple[str, ...], products: tuple[UUID, ...], services: Services) -> ItemPage:
    """Return the products with one of the names or ids; unknown names and ids are ignored.

    Raises:
        IndexIncomplete: The first pass over the source of a collection has not ended.
        LimitExceeded: The documents of the products have more than `MAX_BYTES` bytes.
        SourceUnavailable: The index does not answer.
    """
    require_filled((), services)
    items, size = list[FoundItem](), 0
    unanswered = list(list_unanswered(ItemSearch(), services))
    for item in chain(_find_named(names, services, unanswered), _known_products(products, services)):
        size += len(item.document) + ADDED_BYTES
        if items and size > MAX_BYTES:
            raise LimitExceeded(
                LOCATOR,
                allowed=len(items),
                needed=len(items) + 1,
                alternative="send several lists: the documents of these products are too large for one answer",
                locator=LOCATOR,
            )
        items.append(item)
    unique = tuple({item.product: item for item in items}.values())
    return ItemPage(items=unique, next=None, matched=len(unique), unanswered=tuple(dict.fromkeys(unanswered)))


def _find_named(names: tuple[str, ...], services: Services, unanswered: list[Unanswered]) -> Iterator[FoundItem]:
    """Yield the products with some names; add collections that were not searched to `unanswered`."""
    search = ItemSearch(ids=names, limit=MAX_COUNTED) if names else None
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
    """Return the types of the attributes of the newest items of a collection, by the names of the attributes."""
    page = search_index(ItemSearch(collections=(collection,), limit=SAMPLED), services)
    return {
        attribute.name: attribute.type
        for item in page.items
        for attribute, _value in attributes_in(public_item(item)["properties"])
    }
