"""Parts of a CQL2 filter as parameters for a STAC API without filters: core parameters, and `query` if it has that.

The parameters may select too many items. The whole filter is applied to the items afterwards.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cql2
import orjson
import shapely

from chronotile.core.model.types import Json

_COMPARISONS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "=": "eq"}
_NO_PROPERTIES = {"id", "collection", "geometry", "datetime"}
_OPEN = ".."
_MAX_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSearch:
    """Parameters of a search that finds all items that match a filter, and possibly others."""

    intersects: Json | None = None
    """GeoJSON."""
    datetime: str | None = None
    query: Mapping[str, Json] = field(default_factory=dict)
    """Comparisons by property."""
    compared: tuple[Json, ...] = ()
    """Parts of the filter that are in `query`."""
    unused: tuple[Json, ...] = ()
    """Parts of the filter that the search of the API cannot express."""

    def not_looked_up(self, *, has_query: bool) -> list[str]:
        """Return the parts of the filter that the API cannot apply, as CQL2 text of limited length."""
        parts = (*(() if has_query else self.compared), *self.unused)
        texts = [cql2.parse_json(orjson.dumps(part).decode()).to_text() for part in parts]
        return [text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…" for text in texts]

    def body(self, *, has_query: bool) -> Json:
        """Return the members of a POST body."""
        return {
            **({} if self.intersects is None else {"intersects": self.intersects}),
            **({} if self.datetime is None else {"datetime": self.datetime}),
            **({"query": dict(self.query)} if self.query and has_query else {}),
        }

    def pairs(self, *, has_query: bool) -> list[tuple[str, str]]:
        """Return the pairs of a GET query; a geometry is sent as its box."""
        pairs = [] if self.datetime is None else [("datetime", self.datetime)]
        if self.intersects is not None:
            bounds = shapely.from_geojson(orjson.dumps(self.intersects)).bounds
            pairs.append(("bbox", ",".join(f"{bound:.10g}" for bound in bounds)))
        if self.query and has_query:
            pairs.append(("query", orjson.dumps(dict(self.query)).decode()))
        return pairs


def core_search(expression: Json | None, since: str | None = None) -> CoreSearch:
    """Return the search for a filter in CQL2 JSON and for items updated since a time."""
    intersects: Json | None = None
    query: dict[str, Json] = {}
    compared, unused = list[Json](), list[Json]()
    first, last = _OPEN, _OPEN
    for condition in _conjuncts(expression):
        name, value = _split_comparison(condition)
        operator = condition.get("op")
        if name == "geometry" and operator == "s_intersects" and intersects is None and (geometry := _geometry(value)):
            intersects = geometry
        elif name == "datetime" and operator in _COMPARISONS and (time := _time(value, operator)) is not None:
            first = time if operator in {">", ">=", "="} else first
            last = time if operator in {"<", "<=", "="} else last
        elif name not in _NO_PROPERTIES and operator in _COMPARISONS and isinstance(value, int | float | str):
            query.setdefault(name, {})[_COMPARISONS[operator]] = value
            compared.append(condition)
        else:
            unused.append(condition)
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
    """Yield the conditions that are joined by `and`."""
    if expression is None:
        return
    if expression.get("op") == "and":
        for operand in expression.get("args", ()):
            if isinstance(operand, dict):
                yield from _conjuncts(operand)
    else:
        yield expression


def _split_comparison(expression: Json) -> tuple[str, Any]:
    """Return property and value of a comparison; an empty name for other conditions."""
    arguments = expression.get("args")
    if not (isinstance(arguments, list) and len(arguments) == 2 and isinstance(arguments[0], dict)):
        return "", None
    name = arguments[0].get("property")
    return (name.removeprefix("properties."), arguments[1]) if isinstance(name, str) else ("", None)


def _time(value: Any, operator: str) -> str | None:  # noqa: ANN401 -- JSON
    """Return the instant of a comparison; `None` for days if the comparison includes the whole day."""
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
    polygon: Json = orjson.loads(shapely.to_geojson(shapely.box(*box)))
    return polygon
