"""What of a CQL2 filter a STAC API without filters can look up: by its core parameters, and by `query` if it has that.

What is left over is applied to the items that come, as all of the filter is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cql2
import orjson
import shapely

from chronotile.archive.index.documents import Json

_COMPARISONS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "=": "eq"}
_NO_PROPERTIES = {"id", "collection", "geometry", "datetime"}
_OPEN = ".."
_MOST_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSearch:
    """Parameters of a search that give at least all items that match a filter."""

    intersects: Json | None = None
    """GeoJSON."""
    datetime: str | None = None
    query: Mapping[str, Json] = field(default_factory=dict)
    """By property: comparisons."""
    compared: tuple[Json, ...] = ()
    """The parts of the filter that `query` has."""
    unused: tuple[Json, ...] = ()
    """The parts of the filter that no parameter has."""

    def not_looked_up(self, *, has_query: bool) -> list[str]:
        """Return the parts of the filter that the API cannot look up, as CQL2 text, cut where long."""
        parts = (*(() if has_query else self.compared), *self.unused)
        texts = [cql2.parse_json(orjson.dumps(each).decode()).to_text() for each in parts]
        return [text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…" for text in texts]

    def body(self, *, has_query: bool) -> Json:
        """Return the members of the body of a POST."""
        return {
            **({} if self.intersects is None else {"intersects": self.intersects}),
            **({} if self.datetime is None else {"datetime": self.datetime}),
            **({"query": dict(self.query)} if self.query and has_query else {}),
        }

    def pairs(self, *, has_query: bool) -> list[tuple[str, str]]:
        """Return the pairs of a GET; of a geometry its box."""
        pairs = [] if self.datetime is None else [("datetime", self.datetime)]
        if self.intersects is not None:
            bounds = shapely.from_geojson(orjson.dumps(self.intersects)).bounds
            pairs.append(("bbox", ",".join(f"{each:.10g}" for each in bounds)))
        if self.query and has_query:
            pairs.append(("query", orjson.dumps(dict(self.query)).decode()))
        return pairs


def core_search(expression: Json | None, since: str | None = None) -> CoreSearch:
    """Return the search for what a filter in CQL2 JSON lets through, and for what was updated since a time."""
    intersects: Json | None = None
    query: dict[str, Json] = {}
    compared, unused = list[Json](), list[Json]()
    first, last = _OPEN, _OPEN
    for each in _conjuncts(expression):
        name, value = _compared(each)
        operator = each.get("op")
        if name == "geometry" and operator == "s_intersects" and intersects is None and (place := _geometry(value)):
            intersects = place
        elif name == "datetime" and operator in _COMPARISONS and (time := _time(value, operator)) is not None:
            first = time if operator in {">", ">=", "="} else first
            last = time if operator in {"<", "<=", "="} else last
        elif (
            name is not None
            and name not in _NO_PROPERTIES
            and operator in _COMPARISONS
            and isinstance(value, int | float | str)
        ):
            query.setdefault(name, {})[_COMPARISONS[operator]] = value
            compared.append(each)
        else:
            unused.append(each)
    if since is not None:
        query["updated"] = {"gte": since}
    is_open = first == last == _OPEN
    return CoreSearch(
        intersects=intersects,
        datetime=None if is_open else f"{first}/{last}",
        query=query,
        compared=tuple(compared),
        unused=tuple(unused),
    )


def _conjuncts(expression: Json | None) -> Iterator[Json]:
    """Yield what has to be true of each item."""
    if expression is None:
        return
    if expression.get("op") == "and":
        for each in expression.get("args", ()):
            if isinstance(each, dict):
                yield from _conjuncts(each)
    else:
        yield expression


def _compared(expression: Json) -> tuple[str | None, Any]:
    """The property and the value of a comparison."""
    arguments = expression.get("args")
    if not (isinstance(arguments, list) and len(arguments) == 2 and isinstance(arguments[0], dict)):
        return None, None
    name = arguments[0].get("property")
    return (name.removeprefix("properties."), arguments[1]) if isinstance(name, str) else (None, None)


def _time(value: Any, operator: str) -> str | None:  # noqa: ANN401 -- JSON
    """The instant that a time is compared with; days have none where they last until their end."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("timestamp"), str):
        return str(value["timestamp"])
    is_start = isinstance(value.get("date"), str) and operator in {">=", ">", "<"}
    return f"{value['date']}T00:00:00Z" if is_start else None


def _geometry(value: Any) -> Json | None:  # noqa: ANN401 -- JSON
    if isinstance(value, dict) and "coordinates" in value:
        return value
    box = value.get("bbox") if isinstance(value, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        return None
    found: Json = orjson.loads(shapely.to_geojson(shapely.box(*box)))
    return found
