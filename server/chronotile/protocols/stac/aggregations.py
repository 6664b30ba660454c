"""Counts of items (aggregation extension)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import orjson

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.items import ItemSearch, Unanswered
from chronotile.model.time.instants import format_instant
from chronotile.pipeline.search.search_items import count_by_month, counted_collections, not_counted, unanswered_by
from chronotile.pipeline.search.served_index import items_of
from chronotile.pipeline.services import Services
from chronotile.protocols.common.responses.unanswered import unanswered_members
from chronotile.protocols.stac.context import JSON_TYPE, Json, StacContext, link

MONTHS = "datetime_frequency"
OFFERED: Sequence[Json] = (
    {"name": "total_count", "data_type": "integer"},
    {"name": "datetime_min", "data_type": "datetime"},
    {"name": "datetime_max", "data_type": "datetime"},
    {"name": MONTHS, "data_type": "frequency_distribution", "frequency_distribution_data_type": "datetime"},
)
NAMES = tuple(str(each["name"]) for each in OFFERED)


def aggregations_document(url: str, context: StacContext) -> Json:
    """Return which counts there are; `url` is that of the catalogue or collection."""
    own = [link("self", f"{url}/aggregations", JSON_TYPE), context.root_link]
    return {"type": "AggregationCollection", "aggregations": list(OFFERED), "links": own}


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of counts, of which each is there.

    Raises:
        InvalidParameter: One is not.
    """
    unknown = next((each for each in names if each not in NAMES), None)
    if unknown is not None:
        raise InvalidParameter(
            f"aggregation {unknown[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(NAMES)}",
            locator="aggregations",
        )
    return tuple(dict.fromkeys(names))


def aggregate(
    search: ItemSearch, names: Sequence[str], url: str, context: StacContext
) -> tuple[bytes, tuple[Unanswered, ...]]:
    """Return counts of the items that a search finds as JSON, and the collections of which they lack items.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer.
    """
    services = context.services
    unanswered = (*not_counted(search, services), *unanswered_by(search, services))
    values = _Values(search, services)
    found: Mapping[str, Callable[[], Json]] = {
        "total_count": values.total,
        "datetime_min": values.first,
        "datetime_max": values.last,
        MONTHS: values.months,
    }
    document: Json = {
        "type": "AggregationCollection",
        "aggregations": [{**each, **found[str(each["name"])]()} for each in OFFERED if each["name"] in names],
        "links": [link("self", f"{url}/aggregate", JSON_TYPE), context.root_link],
    }
    if unanswered:
        document["unanswered"] = unanswered_members(unanswered)
    return orjson.dumps(document), unanswered


class _Values:
    def __init__(self, search: ItemSearch, services: Services) -> None:
        self._search = search
        self._services = services
        self._months: Sequence[tuple[str, int]] | None = None

    def total(self) -> Json:
        return {"value": sum(count for _month, count in self._by_month())}

    def months(self) -> Json:
        buckets = [{"key": key, "data_type": "datetime", "frequency": count} for key, count in self._by_month()]
        return {"buckets": buckets, "overflow": 0, "interval": "month"}

    def first(self) -> Json:
        return self._edge(is_descending=False)

    def last(self) -> Json:
        return self._edge(is_descending=True)

    def _by_month(self) -> Sequence[tuple[str, int]]:
        if self._months is None:
            counted = count_by_month(self._search, self._services)
            self._months = [(format_instant(month), count) for month, count in counted]
        return self._months

    def _edge(self, *, is_descending: bool) -> Json:
        """The time of the first or last item; `null` where there is none."""
        wanted = replace(self._search, sort=(("datetime", is_descending),), limit=1)
        found = items_of(self._services).search(wanted, among=counted_collections(self._services)).items
        properties = orjson.loads(found[0].document)["properties"] if found else {}
        return {"value": properties.get("datetime") or properties.get("start_datetime")}
