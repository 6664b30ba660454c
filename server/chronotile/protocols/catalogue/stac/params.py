"""Queries and bodies of STAC requests, parsed into searches of items."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chronotile.catalog.items.cql2.tree import filter_from_text, is_geometry_type
from chronotile.catalog.items.search import MAX_IDS, MAX_ITEMS, MAX_SORTED
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, translate_error
from chronotile.core.model.geometry.json_text import load_json
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84_URI
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json
from chronotile.protocols.catalogue.stac.fields import FieldSelection, fields_of_json, fields_of_text
from chronotile.protocols.common.openapi import NUMBER, OBJECT, WHOLE, enum_of
from chronotile.protocols.common.query.box import BBOX, box_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, choice, custom, names_of, text
from chronotile.protocols.common.query.values import integer

DEFAULT_ITEMS = 10
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
OPEN = {"", ".."}
PREFIX = "properties."
LANGUAGES = ("cql2-text", "cql2-json")

Sorting = tuple[tuple[str, bool], ...]
"""Names of properties, and whether the order is descending."""


def limit_of(value: int) -> int:
    """Return the number of items of a page: at most `MAX_ITEMS` if more are requested (OGC 17-069r4 §7.15.2).

    Raises:
        InvalidParameter: The value is less than 1.
    """
    if value < 1:
        raise InvalidParameter(f"limit must be from 1 to {MAX_ITEMS}, got {value}", locator="limit")
    return min(value, MAX_ITEMS)


def span_of(text: str) -> TimeSpan:
    """Return the span of an instant or interval of RFC 3339; STAC requires times with a zone, not dates.

    Raises:
        InvalidParameter: The text is neither, or the interval ends before it starts.
    """
    bounds = text.split("/")
    if len(bounds) == 1:
        return _instant(text, text)
    if len(bounds) > 2 or OPEN.issuperset(bounds):
        raise _no_time(text)
    start = DISTANT_PAST if bounds[0] in OPEN else _instant(bounds[0], text).start
    end = DISTANT_FUTURE if bounds[1] in OPEN else _instant(bounds[1], text).end
    if end <= start:
        raise InvalidParameter(f"the interval {text[:MAX_SHOWN]!r} ends before it starts", locator="datetime")
    return TimeSpan(start, end)


def sort_key(name: str, *, is_descending: bool) -> tuple[str, bool]:
    """Return the property to sort by, without the prefix `properties.`, and its direction."""
    return name.strip().removeprefix(PREFIX), is_descending


def check_filter_crs(uri: str | None) -> None:
    """Check the CRS of geometries of a filter; `None` is accepted.

    Raises:
        InvalidParameter: It is not CRS84.
    """
    if uri is not None and uri != CRS84_URI:
        message = f"filter-crs {uri[:MAX_SHOWN]!r} is not offered; accepted is {CRS84_URI}"
        raise InvalidParameter(message, locator="filter-crs")


def geometry_of(value: object) -> Mapping[str, Any]:
    """Return a GeoJSON geometry; only its type is checked here, the index checks the coordinates.

    Raises:
        InvalidParameter: The value is not a geometry.
    """
    if not isinstance(value, dict) or not is_geometry_type(value.get("type")):
        raise InvalidParameter("intersects must be a GeoJSON geometry", locator="intersects")
    return value


def check_place(box: BBox | None, geometry: Mapping[str, Any] | None) -> None:
    """Check that a search has a box or a geometry, not both.

    Raises:
        InvalidParameter: It has both.
    """
    if box is not None and geometry is not None:
        raise InvalidParameter("bbox and intersects cannot be combined; send only one", locator="intersects")


def _instant(text: str, whole: str) -> TimeSpan:
    if not RFC_3339.fullmatch(text):
        raise _no_time(whole)
    with translate_error(InvalidParameter, InvalidParameter, locator="datetime"):
        return parse_instant(text)


def _no_time(text: str) -> InvalidParameter:
    return InvalidParameter(
        f"datetime {text[:MAX_SHOWN]!r} is not accepted; use an instant with its zone (2020-06-01T10:50:00Z) or an "
        "interval (2020-06-01T00:00:00Z/2020-06-30T23:59:59Z, ../2020-06-30T23:59:59Z, 2020-06-01T00:00:00Z/..)",
        locator="datetime",
    )


ORDERS = {"asc": False, "desc": True}
MAX_NAMES = MAX_IDS
"""Names of collections or items that a request lists."""
NAMES: Json = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_NAMES}


def _names(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


def _geometry(geometry: str) -> Mapping[str, Any]:
    return geometry_of(_json(geometry.encode(), "intersects"))


def _sorting(keys: str) -> Sorting:
    return tuple(
        sort_key(key.strip().lstrip("+-"), is_descending=key.strip().startswith("-"))
        for key in keys.split(",")
        if key.strip()
    )


IDS = custom("ids", "Ids of items, with commas between them", _names)
COLLECTIONS = custom("collections", "Ids of collections, with commas between them; default: all", _names)
INTERSECTS = custom("intersects", "A GeoJSON geometry, instead of `bbox`", _geometry)
DATETIME = custom("datetime", "An instant with time and zone, or an interval of two; an open end is `..`", span_of)
LIMIT: Parameter[int] = custom(
    "limit",
    f"Items of a page; a larger number counts as {MAX_ITEMS}",
    lambda limit: limit_of(integer(limit, locator="limit")),
    schema={**WHOLE, "minimum": 1, "default": DEFAULT_ITEMS},
    default=DEFAULT_ITEMS,
)
FILTER = text("filter", "A condition in CQL2")
FILTER_LANG = choice("filter-lang", "Language of `filter`", LANGUAGES, default="cql2-text")
FILTER_CRS = text("filter-crs", "CRS of geometries in `filter`: CRS84")
SORTBY = custom("sortby", "Properties with commas between them, descending with `-` before them", _sorting)
FIELDS = custom("fields", "Members of items to include, or with `-` before them to omit", fields_of_text)
CURSOR = text("cursor", "Start of the page, from the link `next`")
AGGREGATIONS = custom("aggregations", "Names of counts, with commas between them", _names)
OF_PLACE: tuple[Parameter[object], ...] = (BBOX, DATETIME)
OF_FILTER: tuple[Parameter[object], ...] = (FILTER, FILTER_LANG, FILTER_CRS)
OF_PAGE: tuple[Parameter[object], ...] = (SORTBY, FIELDS, LIMIT, CURSOR)
OF_ITEMS: tuple[Parameter[object], ...] = (*OF_PLACE, IDS, *OF_FILTER, *OF_PAGE)
"""Parameters for the items of a collection."""
OF_SEARCH: tuple[Parameter[object], ...] = (COLLECTIONS, IDS, *OF_PLACE, INTERSECTS, *OF_FILTER, *OF_PAGE)
OF_COUNTS_WITHIN: tuple[Parameter[object], ...] = (AGGREGATIONS, *OF_PLACE, IDS, *OF_FILTER)
"""Parameters for counts of items of a collection."""
OF_COUNTS: tuple[Parameter[object], ...] = (AGGREGATIONS, COLLECTIONS, IDS, *OF_PLACE, INTERSECTS, *OF_FILTER)
OF_BODY: Json = {
    "collections": NAMES,
    "ids": NAMES,
    "bbox": {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 6},
    "intersects": OBJECT,
    "datetime": {"type": "string"},
    "filter": OBJECT,
    "filter-lang": enum_of(LANGUAGES),
    "filter-crs": {"type": "string"},
    "sortby": {"type": "array", "items": OBJECT, "maxItems": MAX_SORTED},
    "fields": OBJECT,
    "limit": WHOLE,
    "cursor": {"type": "string"},
}
"""Members of the body of a search, as JSON Schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StacSearch:
    """A requested page of items."""

    items: ItemSearch
    fields: FieldSelection | None = None
    """`None` returns whole items."""


def search_of_query(query: Kvp, *, collection: str | None = None) -> StacSearch:
    """Return the search of a query, within `collection` unless that is `None`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling(names_of(OF_SEARCH if collection is None else OF_ITEMS))
    fields = FIELDS.optional(query) if query.optional("fields") else None
    if "fields" in query and fields is None:
        fields = fields_of_text("")
    items = ItemSearch(
        **_place_of(query, collection),
        sort=SORTBY.optional(query) or (),
        limit=LIMIT.value(query),
        cursor=CURSOR.optional(query),
    )
    return StacSearch(items=items, fields=fields)


def count_search_of_query(query: Kvp, *, collection: str | None = None) -> ItemSearch:
    """Return the search that selects the items to count, within `collection` unless that is `None`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling(names_of(OF_COUNTS if collection is None else OF_COUNTS_WITHIN))
    return ItemSearch(**_place_of(query, collection))


def members_of(body: bytes) -> Mapping[str, Any]:
    """Return the members of a JSON body that are not null; a null `fields` is retained, so that it is refused.

    Raises:
        InvalidParameter: The body is not a JSON object.
        LimitExceeded: It would take more memory than a body may.
    """
    document = _json(body or b"{}", None)
    if not isinstance(document, dict):
        raise InvalidParameter("the body must be a JSON object")
    return {name: value for name, value in document.items() if value is not None or name == "fields"}


def search_of_members(members: Mapping[str, Any]) -> StacSearch:
    """Return the search of the members of a body.

    Raises:
        InvalidParameter: A member is not accepted.
    """
    limit = members.get("limit", DEFAULT_ITEMS)
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise InvalidParameter("limit must be a whole number", locator="limit")
    items = ItemSearch(
        **search_arguments(members),
        sort=_sorting_of(members.get("sortby", [])),
        limit=limit_of(limit),
        cursor=_text(members, "cursor"),
    )
    return StacSearch(items=items, fields=fields_of_json(members["fields"]) if "fields" in members else None)


def search_arguments(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `ItemSearch` that select items, parsed from the members of a body.

    Raises:
        InvalidParameter: A member is not accepted.
    """
    box, time = members.get("bbox"), _text(members, "datetime")
    if box is not None and not isinstance(box, list):
        raise InvalidParameter("bbox must be a list of numbers", locator="bbox")
    arguments: dict[str, Any] = {
        "collections": _list(members, "collections"),
        "ids": _list(members, "ids"),
        "bbox": None if box is None else box_of(box),
        "geometry": geometry_of(members["intersects"]) if "intersects" in members else None,
        "span": None if time is None else span_of(time),
        "filter": _filter_of(members),
    }
    check_place(arguments["bbox"], arguments["geometry"])
    return arguments


def _place_of(query: Kvp, collection: str | None) -> dict[str, Any]:
    box = BBOX.optional(query)
    geometry = INTERSECTS.optional(query) if collection is None else None
    check_place(box, geometry)
    return {
        "collections": (collection,) if collection is not None else COLLECTIONS.optional(query) or (),
        "ids": IDS.optional(query) or (),
        "bbox": box,
        "geometry": geometry,
        "span": DATETIME.optional(query),
        "filter": _filter(query),
    }


def _filter(query: Kvp) -> Mapping[str, Any] | None:
    condition, crs, language = FILTER.optional(query), FILTER_CRS.optional(query), FILTER_LANG.value(query)
    check_filter_crs(crs)
    if condition is None:
        return None
    if language == "cql2-json":
        return _filter_object(_json(condition.encode(), "filter"))
    return filter_from_text(condition)


def _filter_of(members: Mapping[str, Any]) -> Mapping[str, Any] | None:
    check_filter_crs(_text(members, "filter-crs"))
    condition, language = members.get("filter"), members.get("filter-lang", "cql2-json")
    if language not in LANGUAGES:
        raise InvalidParameter(f"filter-lang must be {' or '.join(LANGUAGES)}", locator="filter-lang")
    if isinstance(condition, str) and language == "cql2-text":
        return filter_from_text(condition)
    return None if condition is None else _filter_object(condition)


def _filter_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParameter("filter must be an object of CQL2 JSON, or filter-lang cql2-text", locator="filter")
    return value


def _sorting_of(value: object) -> Sorting:
    if isinstance(value, list) and len(value) > MAX_SORTED:
        raise InvalidParameter(f"sortby has more than {MAX_SORTED} properties", locator="sortby")
    if not isinstance(value, list) or not all(isinstance(key, dict) for key in value):
        raise InvalidParameter("sortby must be a list of objects with field and direction", locator="sortby")
    return tuple(_sort_key_of(key.get("field"), key.get("direction", "asc")) for key in value)


def _sort_key_of(field: object, direction: object) -> tuple[str, bool]:
    if not isinstance(field, str) or not isinstance(direction, str) or direction not in ORDERS:
        raise InvalidParameter("sortby takes a field and the direction asc or desc", locator="sortby")
    return sort_key(field, is_descending=ORDERS[direction])


def _list(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = members.get(name, [])
    if isinstance(value, str):  # some clients send one name without a list
        return (value,)
    if isinstance(value, list) and len(value) > MAX_NAMES:
        raise InvalidParameter(f"{name} has {len(value)} names; at most {MAX_NAMES} are accepted", locator=name)
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise InvalidParameter(f"{name} must be a list of texts", locator=name)
    return tuple(value)


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidParameter(f"{name} must be a text", locator=name)
    return value


def _json(text_: bytes, locator: str | None) -> Any:  # noqa: ANN401 -- JSON
    try:
        return load_json(text_, locator=locator)
    except orjson.JSONDecodeError as error:
        where = "the body" if locator is None else locator
        raise InvalidParameter(f"{where} is not valid JSON: {error}", locator=locator) from error
