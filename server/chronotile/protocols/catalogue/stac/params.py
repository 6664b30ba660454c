"""Queries and bodies turned into searches of items, and the values in them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from chronotile.catalog.items.cql2.tree import filter_from_text, is_geometry_type
from chronotile.catalog.items.search import MOST_IDS, MOST_ITEMS, MOST_SORTED
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, translate_error
from chronotile.core.model.geometry.json_text import load_json
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84_URI
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json
from chronotile.http.problems import problem_response
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
"""Properties, and whether descending."""


def limit_of(value: int) -> int:
    """Return how many items a page has: at most `MOST_ITEMS` if more are requested (OGC 17-069r4 §7.15.2).

    Raises:
        InvalidParameter: None are requested, or fewer.
    """
    if value < 1:
        raise InvalidParameter(f"limit must be from 1 to {MOST_ITEMS}, got {value}", locator="limit")
    return min(value, MOST_ITEMS)


def span_of(text: str) -> TimeSpan:
    """Return the span of an instant or interval in RFC 3339, as STAC has it: with time and zone.

    Raises:
        InvalidParameter: The text is not one, or an interval ends before it starts.
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
    """Return one of the properties to sort by; `properties.` before its name is left out."""
    return name.strip().removeprefix(PREFIX), is_descending


def check_filter_crs(uri: str | None) -> None:
    """Check the CRS of geometries of a filter, if one is named.

    Raises:
        InvalidParameter: It is not CRS84.
    """
    if uri is not None and uri != CRS84_URI:
        message = f"filter-crs {uri[:MAX_SHOWN]!r} is not offered; accepted is {CRS84_URI}"
        raise InvalidParameter(message, locator="filter-crs")


def geometry_of(value: object) -> Mapping[str, Any]:
    """Return a GeoJSON geometry; the index checks its coordinates.

    Raises:
        InvalidParameter: It is none.
    """
    if not isinstance(value, dict) or not is_geometry_type(value.get("type")):
        raise InvalidParameter("intersects must be a GeoJSON geometry", locator="intersects")
    return value


def check_place(box: BBox | None, geometry: Mapping[str, Any] | None) -> None:
    """Check that a search has one place at most.

    Raises:
        InvalidParameter: It has two.
    """
    if box is not None and geometry is not None:
        raise InvalidParameter("bbox does not go with intersects; give one of them", locator="intersects")


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


# Which members of items a page has (fields extension).

MOST_FIELDS = 200
ALWAYS = ("type", "stac_version", "id", "collection")
DEFAULT = (*ALWAYS, "geometry", "bbox", "links", "assets", "properties.datetime")
"""Of a request that names no field: what makes a valid item."""


@dataclass(frozen=True, slots=True)
class FieldSelection:
    """Members by their paths, such as `properties.eo:cloud_cover`."""

    included: tuple[str, ...] | None
    """`None`: all."""
    excluded: tuple[str, ...]
    """Unless they are included by the same path, or a longer one."""

    def select(self, document: Json) -> Json:
        """Return what is left of an item; `document` may be changed."""
        chosen = document if self.included is None else _select(document, (*ALWAYS, *self.included))
        excluded = [each for each in self.excluded if each not in (self.included or ())]
        kept = [each for each in self.included or () if any(each.startswith(f"{out}.") for out in excluded)]
        again = _select(chosen, kept)
        for path in excluded:
            _remove(chosen, path)
        return _merge(chosen, again)


def fields_of_text(text: str) -> FieldSelection:
    """Return the fields of `+a,b,-c`; of an empty text the default.

    Raises:
        InvalidParameter: There are too many.
    """
    names = [each.strip() for each in text.split(",")]
    included = [each.removeprefix("+").strip() for each in names if each and not each.startswith("-")]
    excluded = [each[1:].strip() for each in names if each.startswith("-")]
    return _fields(None if not included and excluded else included, excluded)


def fields_of_json(value: object) -> FieldSelection:
    """Return the fields of an object with `include` and `exclude`.

    Without `include` all fields are included; with an empty one or null, as clients write for none, the default.

    Raises:
        InvalidParameter: It is no such object, or has too many.
    """
    if not isinstance(value, dict):
        raise InvalidParameter("fields must be an object with the lists include and exclude", locator="fields")
    included, excluded = _asked_names(value, "include"), _asked_names(value, "exclude")
    return _fields(None if "include" not in value and excluded else included, excluded)


def _asked_names(value: Mapping[str, object], name: str) -> list[str]:
    names = [] if value.get(name) is None else value[name]
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InvalidParameter(f"{name} of fields must be a list of names", locator="fields")
    return names


def _fields(included: Sequence[str] | None, excluded: Sequence[str]) -> FieldSelection:
    """All members for `None`, the default for none."""
    chosen = None if included is None else included or [each for each in DEFAULT if each not in excluded]
    found = FieldSelection(None if chosen is None else tuple(chosen), tuple(excluded))
    if len(found.included or ()) + len(found.excluded) > MOST_FIELDS:
        raise InvalidParameter(f"fields has more than {MOST_FIELDS} names", locator="fields")
    return found


def _select(document: Json, paths: Iterable[str]) -> Json:
    chosen: Json = {}
    for path in paths:
        _select_path(document, path, chosen)
    return chosen


def _select_path(document: Json, path: str, chosen: Json) -> None:
    if path in document:
        chosen[path] = document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if not dot or not isinstance(inner, dict):
        return
    within: Json = {}
    _select_path(inner, rest, within)
    if within:
        chosen[name] = _merge(chosen.get(name, {}), within)


def _remove(document: Json, path: str) -> None:
    if path in document:
        del document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if dot and isinstance(inner, dict):
        document[name] = inner = dict(inner)
        _remove(inner, rest)


def _merge(first: Json, second: Json) -> Json:
    merged = dict(first)
    for name, value in second.items():
        known = merged.get(name)
        merged[name] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


# Queries and bodies turned into searches.

ORDERS = {"asc": False, "desc": True}
MOST_NAMES = MOST_IDS
"""Of collections or items."""
NAMES: Json = {"type": "array", "items": {"type": "string"}, "maxItems": MOST_NAMES}


def _names(given: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in given.split(",") if each.strip())


def _geometry(given: str) -> Mapping[str, Any]:
    return geometry_of(_json(given.encode(), "intersects"))


def _sorting(given: str) -> Sorting:
    return tuple(
        sort_key(each.strip().lstrip("+-"), is_descending=each.strip().startswith("-"))
        for each in given.split(",")
        if each.strip()
    )


IDS = custom("ids", "Ids of items, with commas between them", _names)
COLLECTIONS = custom("collections", "Ids of collections, with commas between them; default: all", _names)
INTERSECTS = custom("intersects", "A GeoJSON geometry, instead of `bbox`", _geometry)
DATETIME = custom("datetime", "An instant with time and zone, or an interval of two, one of which may be `..`", span_of)
LIMIT: Parameter[int] = custom(
    "limit",
    f"Items of a page; more than {MOST_ITEMS} are {MOST_ITEMS}",
    lambda given: limit_of(integer(given, locator="limit")),
    schema={**WHOLE, "minimum": 1, "default": DEFAULT_ITEMS},
    default=DEFAULT_ITEMS,
)
FILTER = text("filter", "A condition in CQL2")
FILTER_LANG = choice("filter-lang", "Of `filter`", LANGUAGES, default="cql2-text")
FILTER_CRS = text("filter-crs", "CRS of geometries in `filter`: CRS84")
SORTBY = custom("sortby", "Properties with commas between them, descending with `-` before them", _sorting)
FIELDS = custom(
    "fields", "Members of items that are wanted, and with `-` before them those that are not", fields_of_text
)
CURSOR = text("cursor", "Of a page, from the link `next`")
AGGREGATIONS = custom("aggregations", "Names of counts, with commas between them", _names)
OF_PLACE: tuple[Parameter[object], ...] = (BBOX, DATETIME)
OF_FILTER: tuple[Parameter[object], ...] = (FILTER, FILTER_LANG, FILTER_CRS)
OF_PAGE: tuple[Parameter[object], ...] = (SORTBY, FIELDS, LIMIT, CURSOR)
OF_ITEMS: tuple[Parameter[object], ...] = (*OF_PLACE, IDS, *OF_FILTER, *OF_PAGE)
"""Of the items of a collection."""
OF_SEARCH: tuple[Parameter[object], ...] = (COLLECTIONS, IDS, *OF_PLACE, INTERSECTS, *OF_FILTER, *OF_PAGE)
OF_COUNTS_WITHIN: tuple[Parameter[object], ...] = (AGGREGATIONS, *OF_PLACE, IDS, *OF_FILTER)
"""Of counts of items of a collection."""
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
    "sortby": {"type": "array", "items": OBJECT, "maxItems": MOST_SORTED},
    "fields": OBJECT,
    "limit": WHOLE,
    "cursor": {"type": "string"},
}
"""Members of the body of a search, as JSON Schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StacSearch:
    """A page of items as it is requested."""

    items: ItemSearch
    fields: FieldSelection | None = None
    """`None`: whole items."""


def search_of_query(query: Kvp, *, collection: str | None = None) -> StacSearch:
    """Return the search that a query requests; `collection`: the one whose items are requested.

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
    """Return which items a query counts; `collection`: the one whose items are counted.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling(names_of(OF_COUNTS if collection is None else OF_COUNTS_WITHIN))
    return ItemSearch(**_place_of(query, collection))


def members_of(body: bytes) -> Mapping[str, Any]:
    """Return the members of a JSON body, without those that are null.

    Raises:
        InvalidParameter: It is not an object.
        LimitExceeded: It is too large.
    """
    document = _json(body or b"{}", None)
    if not isinstance(document, dict):
        raise InvalidParameter("the body must be a JSON object")
    return {name: value for name, value in document.items() if value is not None or name == "fields"}


def search_of_members(members: Mapping[str, Any]) -> StacSearch:
    """Return the search that the members of a body request.

    Raises:
        InvalidParameter: One is not accepted.
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
    """Return which items the members of a body are about, as `ItemSearch` has it.

    Raises:
        InvalidParameter: A member is not accepted.
    """
    box, time = members.get("bbox"), _text(members, "datetime")
    if box is not None and not isinstance(box, list):
        raise InvalidParameter("bbox must be a list of numbers", locator="bbox")
    found: dict[str, Any] = {
        "collections": _list(members, "collections"),
        "ids": _list(members, "ids"),
        "bbox": None if box is None else box_of(box),
        "geometry": geometry_of(members["intersects"]) if "intersects" in members else None,
        "span": None if time is None else span_of(time),
        "filter": _filter_of(members),
    }
    check_place(found["bbox"], found["geometry"])
    return found


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
    given, crs, language = FILTER.optional(query), FILTER_CRS.optional(query), FILTER_LANG.value(query)
    check_filter_crs(crs)
    if given is None:
        return None
    if language == "cql2-json":
        return _filter_object(_json(given.encode(), "filter"))
    return filter_from_text(given)


def _filter_of(members: Mapping[str, Any]) -> Mapping[str, Any] | None:
    check_filter_crs(_text(members, "filter-crs"))
    given, language = members.get("filter"), members.get("filter-lang", "cql2-json")
    if language not in LANGUAGES:
        raise InvalidParameter(f"filter-lang must be {' or '.join(LANGUAGES)}", locator="filter-lang")
    if isinstance(given, str) and language == "cql2-text":
        return filter_from_text(given)
    return None if given is None else _filter_object(given)


def _filter_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidParameter("filter must be an object of CQL2 JSON, or filter-lang cql2-text", locator="filter")
    return value


def _sorting_of(value: object) -> Sorting:
    if isinstance(value, list) and len(value) > MOST_SORTED:
        raise InvalidParameter(f"sortby has more than {MOST_SORTED} properties", locator="sortby")
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InvalidParameter("sortby must be a list of objects with field and direction", locator="sortby")
    return tuple(_sort_key_of(each.get("field"), each.get("direction", "asc")) for each in value)


def _sort_key_of(field: object, direction: object) -> tuple[str, bool]:
    if not isinstance(field, str) or not isinstance(direction, str) or direction not in ORDERS:
        raise InvalidParameter("sortby takes a field and the direction asc or desc", locator="sortby")
    return sort_key(field, is_descending=ORDERS[direction])


def _list(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = members.get(name, [])
    if isinstance(value, str):  # as clients write a single one
        return (value,)
    if isinstance(value, list) and len(value) > MOST_NAMES:
        raise InvalidParameter(f"{name} has {len(value)} names; at most {MOST_NAMES} are accepted", locator=name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
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


# Errors of the STAC API: problem documents that name its parameters.

SPELLING = {"time": "datetime", "geometry": "intersects"}
"""Names of parameters, by the core's."""

stac_problem = partial(problem_response, spelling=SPELLING)
