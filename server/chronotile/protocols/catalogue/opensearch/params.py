"""Queries of OpenSearch as searches of items (OGC 13-026r9 §8, OGC 10-032r8 §9)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from chronotile.catalog.items.search import MOST_IDS, MOST_SKIPPED
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, LimitExceeded, translate_error
from chronotile.core.model.geometry.wkt import geometry_of_wkt
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan, format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json
from chronotile.protocols.common.attributes import BY_NAME, Attribute, Form
from chronotile.protocols.common.links import ATOM
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.box import BBOX
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, text, whole, whole_up_to
from chronotile.protocols.common.query.terms import terms_filter
from chronotile.protocols.common.query.values import choice as one_of
from chronotile.protocols.common.query.values import number

GEOJSON = "application/geo+json"
DEFAULT_COUNT, MOST_COUNT = 100, 1_000
MOST_START = MOST_SKIPPED + 1
MOST_VERTICES = 2_000
MOST_WORDS, MOST_PERCENTS = 180, 8
URN = "urn:eop:"
"""Before the collection and the item in the id of a product."""
BELOW, ABOVE = {"]": "<=", "[": "<"}, {"[": ">=", "]": ">"}
"""Operators by the bracket after, and before, a bound."""
RANGE = re.compile(
    r"""
    \{(?P<set>[^\[\]{}]+)\} | (?P<equal>[^\[\]{},]+)
    | (?=.*[\[\]]) (?:(?P<after>[\[\]])(?P<low>[^\[\]{},]+))? (?:(?(after),)(?P<high>[^\[\]{},]+)(?P<before>[\[\]]))?
    """,
    re.VERBOSE,
)
FORMS = "value, set {1,2} or interval [1,2], ]1,2[, [1 or 2]"
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
"""All of which a time in it is compared with."""


def _comparison(operator: str, value: object, name: str) -> Json:
    return {"op": operator, "args": [{"property": name}, value]}


def _join(operator: str, nodes: Sequence[Json]) -> Json:
    return nodes[0] if len(nodes) == 1 else {"op": operator, "args": list(nodes)}


def _moment(name: str, given: str) -> TimeSpan:
    with translate_error(InvalidParameter, InvalidParameter, locator=name):
        return parse_instant(given)


def _words(name: str, given: str) -> str:
    if "\0" in given or len(given) > MOST_WORDS or given.count("%") > MOST_PERCENTS:
        message = f"{name} takes up to {MOST_WORDS} characters, of which {MOST_PERCENTS} may be %"
        raise InvalidParameter(message, locator=name)
    return given


def _condition(attribute: Attribute, given: str) -> Json:
    """What an attribute has to be, as CQL2 JSON; numbers and times may be sets and intervals (OGC 13-026r9 §8.3)."""
    if attribute.type == "String":
        return _join("or", [_equal(form, _words(attribute.name, given)) for form in attribute.forms])
    found = RANGE.fullmatch(given)
    if found is None:
        raise InvalidParameter(f"{attribute.name} {given[:MAX_SHOWN]!r} is no {FORMS}", locator=attribute.name)
    if found["set"]:
        bounds = [("in", [_value(attribute, each) for each in found["set"].split(",", MOST_IDS)])]
    elif found["equal"]:
        bounds = [("=", _value(attribute, found["equal"]))]
    else:
        ends = [(ABOVE, found["after"], found["low"]), (BELOW, found["before"], found["high"])]
        bounds = [(operators[mark], _value(attribute, text)) for operators, mark, text in ends if mark]
    names = [form.property for form in attribute.forms]
    return _join("or", [_join("and", [_comparison(*each, name) for each in bounds]) for name in names])


def _value(attribute: Attribute, given: str) -> Any:  # noqa: ANN401 -- of CQL2 JSON
    if attribute.type != "DateTimeOffset":
        return number(given.strip(), locator=attribute.name)
    start = format_instant(_moment(attribute.name, given.strip()).start)
    return {"timestamp": given.strip() if DAY.fullmatch(given.strip()) else start}


def _equal(form: Form, given: str) -> Json:
    if form.way == "upper":
        return {"op": "=", "args": [{"op": "casei", "args": [each]} for each in ({"property": form.property}, given)]}
    return _comparison("=", given if given.startswith(form.prefix) else f"{form.prefix}{given}", form.property)


ATTRIBUTES: Sequence[Attribute] = (
    Attribute("platform", "String", (Form("platform", "upper"), Form("constellation", "upper"))),
    *(BY_NAME[name] for name in ("productType", "processingLevel", "operationalMode", "tileId", "orbitDirection")),
    *(BY_NAME[name] for name in ("orbitNumber", "relativeOrbitNumber", "cloudCover", "snowCover", "processingDate")),
    Attribute("productGroupId", "String", (Form("productGroupId"),)),
    Attribute("publicationDate", "DateTimeOffset", (Form("created"),)),
    Attribute("modificationDate", "DateTimeOffset", (Form("updated"),)),
)
"""What products are compared by."""
COMPARED: Sequence[Parameter[Json]] = (
    custom(
        "q",
        "Words that the id, title or description of a product has, in this order",
        lambda q: terms_filter([_words("q", q)]),
    ),
    custom(
        "title",
        "Title of a product, or the id of its item",
        lambda title: _join("or", [_comparison("=", _words("title", title), name) for name in ("title", "id")]),
    ),
    *(
        custom(each.name, "A text" if each.type == "String" else FORMS, partial(_condition, each))
        for each in ATTRIBUTES
    ),
)
COLLECTION = text("collection", "Id of the collection; default: all")
UID = text("uid", "Id of a product as answers have it, or of an item")
GEOMETRY = custom(
    "geometry",
    "Well-known text in degrees, longitude first, which footprints meet",
    lambda given: geometry_of_wkt(given, most=MOST_VERTICES, locator="geometry")[0],
)
START = custom("start", "Date or time, before which no product ends", partial(_moment, "start"))
END = custom("end", "Date or time, after which no product starts", partial(_moment, "end"))
COUNT = whole_up_to("count", "Products of a page", most=MOST_COUNT, default=DEFAULT_COUNT, least=0)
START_INDEX = whole(
    "startIndex", f"Number of the first product, to {MOST_START}; then follow `next`", least=1, default=1
)
CURSOR = text("cursor", "Where the page begins, as links of `next` have it")
FORMAT = custom(
    "httpAccept",
    "Media type, instead of the header Accept",
    lambda given: one_of(given.replace(" ", "+"), [GEOJSON, ATOM], locator="httpAccept"),  # a plain + is a blank
    schema=enum_of([GEOJSON, ATOM]),
)
ACCESSED_FROM = text("accessedFrom", "What clients of Terrascope say of themselves; it does not matter")
OF_COLLECTIONS: tuple[Parameter[Any], ...] = (
    *(UID, BBOX, GEOMETRY, START, END, *COMPARED),
    *(COUNT, START_INDEX, FORMAT, ACCESSED_FROM),
)
OF_PRODUCTS: tuple[Parameter[Any], ...] = (COLLECTION, *OF_COLLECTIONS, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """Which page of products, or of collections that have such products, is requested."""

    search: ItemSearch
    count: int
    """0: no products, but how many there are."""
    start: int
    """Number of the first, counted from 1."""
    written: tuple[tuple[str, str], ...]
    """What selects, for links to other pages."""


def search_query(query: Kvp, known: Sequence[Parameter[Any]]) -> SearchQuery:
    """Return what a query searches for.

    Raises:
        InvalidParameter: A parameter is not accepted.
        LimitExceeded: It requests too much.
    """
    query.check_names(names_of(known))
    count, start, cursor = COUNT.value(query), START_INDEX.value(query), CURSOR.optional(query)
    if cursor is None and start > MOST_START:
        next_ = "follow the link next, which goes on without such a limit"
        raise LimitExceeded("startIndex", allowed=MOST_START, needed=start, alternative=next_, locator="startIndex")
    first, last = START.optional(query), END.optional(query)
    span = (first.start if first else DISTANT_PAST, last.end if last else DISTANT_FUTURE)
    if span[1] <= span[0]:
        raise InvalidParameter("end is before start", locator="end")
    conditions = [node for each in COMPARED if (node := each.optional(query)) is not None]
    collection, uid = COLLECTION.optional(query), UID.optional(query) or ""
    scheme, _, item = uid.removeprefix(URN).partition(":") if uid.startswith(URN) else ("", "", uid)
    if not item:
        scheme, item = "", uid  # of no product
    if scheme:
        conditions.append(_comparison("=", unquote(scheme), "collection"))
    search = ItemSearch(
        collections=(collection,) if collection else (),
        ids=(unquote(item) if scheme else item,) if item else (),
        bbox=BBOX.optional(query),
        geometry=GEOMETRY.optional(query),
        span=TimeSpan(*span) if first or last else None,
        filter=_join("and", conditions) if conditions else None,
        limit=max(count, 1),
        skip=0 if cursor else start - 1,
        cursor=cursor,
    )
    written = query.select(each for each in names_of(known) if each not in {START_INDEX.name, CURSOR.name})
    return SearchQuery(search=search, count=count, start=start, written=written)
