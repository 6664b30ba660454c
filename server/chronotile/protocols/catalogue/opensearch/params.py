"""OpenSearch queries, parsed into searches of items (OGC 13-026r9 §8, OGC 10-032r8 §9)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from chronotile.catalog.items.search import MAX_IDS, MAX_SKIPPED
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
DEFAULT_COUNT, MAX_COUNT = 100, 1_000
MAX_START = MAX_SKIPPED + 1
MAX_VERTICES = 2_000
MAX_WORDS, MAX_PERCENTS = 180, 8
URN = "urn:eop:"
"""Prefix of the id of a product, before the ids of collection and item."""
BELOW, ABOVE = {"]": "<=", "[": "<"}, {"[": ">=", "]": ">"}
"""Operators for an upper and a lower bound of an interval, by its bracket."""
RANGE = re.compile(
    r"""
    \{(?P<set>[^\[\]{}]+)\} | (?P<equal>[^\[\]{},]+)
    | (?=.*[\[\]]) (?:(?P<after>[\[\]])(?P<low>[^\[\]{},]+))? (?:(?(after),)(?P<high>[^\[\]{},]+)(?P<before>[\[\]]))?
    """,
    re.VERBOSE,
)
FORMS = "value, set {1,2} or interval [1,2], ]1,2[, [1 or 2]"
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
"""A value that is a date: it is equal to all times of the day."""


def _comparison(operator: str, value: object, name: str) -> Json:
    return {"op": operator, "args": [{"property": name}, value]}


def _join(operator: str, nodes: Sequence[Json]) -> Json:
    return nodes[0] if len(nodes) == 1 else {"op": operator, "args": list(nodes)}


def _moment(name: str, text: str) -> TimeSpan:
    with translate_error(InvalidParameter, InvalidParameter, locator=name):
        return parse_instant(text)


def _words(name: str, words: str) -> str:
    if "\0" in words or len(words) > MAX_WORDS or words.count("%") > MAX_PERCENTS:
        message = f"{name} takes up to {MAX_WORDS} characters, at most {MAX_PERCENTS} of them %"
        raise InvalidParameter(message, locator=name)
    return words


def _condition(attribute: Attribute, text: str) -> Json:
    """Return the condition of an attribute in CQL2 JSON; numbers and times may be sets and intervals.

    The forms are those of OGC 13-026r9 §8.3.
    """
    if attribute.type == "String":
        return _join("or", [_equal(form, _words(attribute.name, text)) for form in attribute.forms])
    match = RANGE.fullmatch(text)
    if match is None:
        raise InvalidParameter(f"{attribute.name} {text[:MAX_SHOWN]!r} is no {FORMS}", locator=attribute.name)
    if match["set"]:
        bounds = [("in", [_value(attribute, value) for value in match["set"].split(",", MAX_IDS)])]
    elif match["equal"]:
        bounds = [("=", _value(attribute, match["equal"]))]
    else:
        ends = [(ABOVE, match["after"], match["low"]), (BELOW, match["before"], match["high"])]
        bounds = [(operators[mark], _value(attribute, end)) for operators, mark, end in ends if mark]
    names = [form.property for form in attribute.forms]
    return _join("or", [_join("and", [_comparison(*bound, name) for bound in bounds]) for name in names])


def _value(attribute: Attribute, text: str) -> Any:  # noqa: ANN401 -- of CQL2 JSON
    if attribute.type != "DateTimeOffset":
        return number(text.strip(), locator=attribute.name)
    start = format_instant(_moment(attribute.name, text.strip()).start)
    return {"timestamp": text.strip() if DAY.fullmatch(text.strip()) else start}


def _equal(form: Form, value: str) -> Json:
    if form.way == "upper":
        return {"op": "=", "args": [{"op": "casei", "args": [side]} for side in ({"property": form.property}, value)]}
    return _comparison("=", value if value.startswith(form.prefix) else f"{form.prefix}{value}", form.property)


ATTRIBUTES: Sequence[Attribute] = (
    Attribute("platform", "String", (Form("platform", "upper"), Form("constellation", "upper"))),
    *(BY_NAME[name] for name in ("productType", "processingLevel", "operationalMode", "tileId", "orbitDirection")),
    *(BY_NAME[name] for name in ("orbitNumber", "relativeOrbitNumber", "cloudCover", "snowCover", "processingDate")),
    Attribute("productGroupId", "String", (Form("productGroupId"),)),
    Attribute("publicationDate", "DateTimeOffset", (Form("created"),)),
    Attribute("modificationDate", "DateTimeOffset", (Form("updated"),)),
)
"""Attributes that are parameters."""
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
        custom(attribute.name, "A text" if attribute.type == "String" else FORMS, partial(_condition, attribute))
        for attribute in ATTRIBUTES
    ),
)
COLLECTION = text("collection", "Id of the collection; default: all")
UID = text("uid", "Id of a product from an answer, or id of an item")
GEOMETRY = custom(
    "geometry",
    "Well-known text in degrees, longitude first; footprints that meet it match",
    lambda wkt: geometry_of_wkt(wkt, most=MAX_VERTICES, locator="geometry")[0],
)
START = custom("start", "Date or time; products that end before it do not match", partial(_moment, "start"))
END = custom("end", "Date or time; products that start after it do not match", partial(_moment, "end"))
COUNT = whole_up_to("count", "Products of a page", most=MAX_COUNT, default=DEFAULT_COUNT, least=0)
START_INDEX = whole(
    "startIndex", f"Number of the first product, to {MAX_START}; then follow `next`", least=1, default=1
)
CURSOR = text("cursor", "Start of the page, from the link `next`")
FORMAT = custom(
    "httpAccept",
    "Media type, instead of the header Accept",
    lambda media_type: one_of(media_type.replace(" ", "+"), [GEOJSON, ATOM], locator="httpAccept"),  # + means a blank
    schema=enum_of([GEOJSON, ATOM]),
)
ACCESSED_FROM = text("accessedFrom", "Name of the client, sent by clients of Terrascope; ignored")
OF_COLLECTIONS: tuple[Parameter[Any], ...] = (
    *(UID, BBOX, GEOMETRY, START, END, *COMPARED),
    *(COUNT, START_INDEX, FORMAT, ACCESSED_FROM),
)
OF_PRODUCTS: tuple[Parameter[Any], ...] = (COLLECTION, *OF_COLLECTIONS, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """A requested page of products, or of collections with matching products."""

    search: ItemSearch
    count: int
    """Products of a page; 0 requests only their number."""
    start: int
    """Number of the first product, counted from 1."""
    written: tuple[tuple[str, str], ...]
    """Parameters that links to other pages repeat."""


def search_query(query: Kvp, parameters: Sequence[Parameter[Any]]) -> SearchQuery:
    """Return the search of a query that may have some parameters.

    Raises:
        InvalidParameter: A parameter is not accepted.
        LimitExceeded: `startIndex` or the number of vertices is too large.
    """
    query.check_names(names_of(parameters))
    count, start, cursor = COUNT.value(query), START_INDEX.value(query), CURSOR.optional(query)
    if cursor is None and start > MAX_START:
        next_ = "follow the link next, which has no such limit"
        raise LimitExceeded("startIndex", allowed=MAX_START, needed=start, alternative=next_, locator="startIndex")
    first, last = START.optional(query), END.optional(query)
    span = (first.start if first else DISTANT_PAST, last.end if last else DISTANT_FUTURE)
    if span[1] <= span[0]:
        raise InvalidParameter("end is before start", locator="end")
    conditions = [node for parameter in COMPARED if (node := parameter.optional(query)) is not None]
    collection, uid = COLLECTION.optional(query), UID.optional(query) or ""
    scheme, _, item = uid.removeprefix(URN).partition(":") if uid.startswith(URN) else ("", "", uid)
    if not item:
        scheme, item = "", uid  # not the form of a product id, so no item has this id
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
    written = query.select(name for name in names_of(parameters) if name not in {START_INDEX.name, CURSOR.name})
    return SearchQuery(search=search, count=count, start=start, written=written)
