"""The values of a search: boxes, times, orders, filters, geometries, from text or from JSON."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chronotile.catalog.items.cql2.tree import is_geometry_type
from chronotile.catalog.items.search import MOST_ITEMS
from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.crs import CRS84_URI
from chronotile.model.geometry.json_text import is_number
from chronotile.model.grid import BBox
from chronotile.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.model.time.parser import parse_instant

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


def box_of(numbers: Sequence[object]) -> BBox:
    """Return a box in CRS84 of four numbers, or of six with heights, which are left out.

    Raises:
        InvalidParameter: They are not numbers, or not on the earth, or its south is north of its north.
    """
    found = [float(each) for each in numbers if is_number(each) and math.isfinite(each)]
    if len(found) != len(numbers) or len(found) not in {4, 6}:
        raise InvalidParameter("bbox takes 4 numbers, or 6 with heights: west, south, east, north", locator="bbox")
    half = len(found) // 2
    box = BBox(found[0], found[1], found[half], found[half + 1])
    if not (-90 <= box.ymin <= box.ymax <= 90 and -360 <= box.xmin <= 360 and -360 <= box.xmax <= 360):
        raise InvalidParameter(
            "bbox is not on the earth, or its south is north of its north; it is west, south, east, north in degrees",
            locator="bbox",
        )
    return box


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


def sorted_by(name: str, *, is_descending: bool) -> tuple[str, bool]:
    """Return one of the properties to sort by; `properties.` before its name is left out."""
    return name.strip().removeprefix(PREFIX), is_descending


def check_filter_crs(uri: str) -> None:
    """Check the CRS of geometries of a filter.

    Raises:
        InvalidParameter: It is not CRS84.
    """
    if uri != CRS84_URI:
        raise InvalidParameter(
            f"filter-crs {uri[:MAX_SHOWN]!r} is not offered; accepted is {CRS84_URI}", locator="filter-crs"
        )


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
    try:
        return parse_instant(text)
    except InvalidParameter as error:
        raise InvalidParameter(error.message, locator="datetime") from error


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

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """Members by their paths, such as `properties.eo:cloud_cover`."""

    included: tuple[str, ...] | None
    """`None`: all."""
    excluded: tuple[str, ...]
    """Unless they are included by the same path, or a longer one."""

    def of(self, document: Json) -> Json:
        """Return what is left of an item; `document` may be changed."""
        chosen = document if self.included is None else _chosen(document, (*ALWAYS, *self.included))
        excluded = [each for each in self.excluded if each not in (self.included or ())]
        kept = [each for each in self.included or () if any(each.startswith(f"{out}.") for out in excluded)]
        again = _chosen(chosen, kept)
        for path in excluded:
            _remove(chosen, path)
        return _merged(chosen, again)


def fields_of_text(text: str) -> Fields:
    """Return the fields of `+a,b,-c`; of an empty text the default.

    Raises:
        InvalidParameter: There are too many.
    """
    names = [each.strip() for each in text.split(",")]
    included = [each.removeprefix("+").strip() for each in names if each and not each.startswith("-")]
    excluded = [each[1:].strip() for each in names if each.startswith("-")]
    if not included and excluded:
        return _checked(None, excluded)
    return _checked(included or _default(excluded), excluded)


def fields_of_json(value: object) -> Fields:
    """Return the fields of an object with `include` and `exclude`.

    Without `include` all fields are included; with an empty one or null, as clients write for none, the default.

    Raises:
        InvalidParameter: It is no such object, or has too many.
    """
    if not isinstance(value, dict):
        raise InvalidParameter("fields must be an object with the lists include and exclude", locator="fields")
    included, excluded = _names(value, "include"), _names(value, "exclude")
    if "include" not in value and excluded:
        return _checked(None, excluded)
    return _checked(included or _default(excluded), excluded)


def _default(excluded: Collection[str]) -> list[str]:
    return [each for each in DEFAULT if each not in excluded]


def _names(value: Mapping[str, object], name: str) -> list[str]:
    names = value.get(name)
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InvalidParameter(f"{name} of fields must be a list of names", locator="fields")
    return names


def _checked(included: Iterable[str] | None, excluded: Iterable[str]) -> Fields:
    found = Fields(None if included is None else tuple(included), tuple(excluded))
    if len(found.included or ()) + len(found.excluded) > MOST_FIELDS:
        raise InvalidParameter(f"fields has more than {MOST_FIELDS} names", locator="fields")
    return found


def _chosen(document: Json, paths: Iterable[str]) -> Json:
    chosen: Json = {}
    for path in paths:
        _choose(document, path, chosen)
    return chosen


def _choose(document: Json, path: str, chosen: Json) -> None:
    if path in document:
        chosen[path] = document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if not dot or not isinstance(inner, dict):
        return
    within: Json = {}
    _choose(inner, rest, within)
    if within:
        chosen[name] = _merged(chosen.get(name, {}), within)


def _remove(document: Json, path: str) -> None:
    if path in document:
        del document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if dot and isinstance(inner, dict):
        document[name] = inner = dict(inner)
        _remove(inner, rest)


def _merged(first: Json, second: Json) -> Json:
    merged = dict(first)
    for name, value in second.items():
        known = merged.get(name)
        merged[name] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged
