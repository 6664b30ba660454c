"""Queries of records (OGC 20-004r1 §9 to §11, OGC 19-079r2 §7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.selection import TimeSelection
from chronotile.protocols.common.openapi import BOX, TEXT, list_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, custom, datetime, names_of, text, whole_up_to
from chronotile.protocols.common.query.values import number
from chronotile.protocols.ogcapi.crs import box_in_degrees
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS
from chronotile.protocols.ogcapi.filters import FILTER, FILTER_LANG, filter_of
from chronotile.protocols.ogcapi.paging import offset_parameter
from chronotile.protocols.ogcapi.records.record_collections import ITEM_RECORDS, RecordCollection, RecordProperty

DEFAULT_LIMIT = 10
MAX_LIMIT = 1000
"""Larger limits count as this."""
MAX_TERMS = 10
MAX_TERM = 100
"""Maximum number of characters of a term of `q`."""
MAX_IDS = 100
MAX_SORTED = 4
CRS84_NAMES = (CRS84.uri, "OGC:CRS84", "CRS84")


def _list_parameter(
    name: str, description: str, *, most: int = MAX_IDS, longest: int = 1000
) -> Parameter[tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        parts = tuple(dict.fromkeys(part for part in (text.strip() for text in value.split(",")) if part))
        if len(parts) > most or any(len(part) > longest for part in parts):
            message = f"{name} takes up to {most} texts of up to {longest} characters, separated by commas"
            raise InvalidParameter(message, locator=name)
        return parts

    return custom(name, description, parse, schema=list_of(TEXT), default=())


BBOX = text("bbox", "West, south, east, north in CRS84, or six numbers with heights: records that meet it", schema=BOX)
DATETIME = datetime("An instant, or an interval, either end of which may be open (`..`): records that share some of it")
LIMIT = whole_up_to("limit", "The most records of one page", most=MAX_LIMIT, default=DEFAULT_LIMIT)
Q = _list_parameter(
    "q",
    "Words to look for, in any case, of which one is enough; words with blanks between them have to follow each other",
    most=MAX_TERMS,
    longest=MAX_TERM,
)
TYPE = _list_parameter("type", "Types of records")
IDS = _list_parameter("ids", f"Ids of records, at most {MAX_IDS}")
EXTERNAL_IDS = _list_parameter("externalIds", "Ids that records have elsewhere: `value`, or `scheme:value`")
FILTER_CRS = text("filter-crs", "CRS of the geometries of `filter`: CRS84")
SORTBY = _list_parameter(
    "sortby", "Properties to sort by; `-` before one is for descending, `+` for ascending", most=MAX_SORTED
)
CURSOR = text("cursor", "Where the page begins; links of `next` have it")
OFFSET = offset_parameter("How many records come before the first of the page; links of `next` have it")
SELECTION: tuple[Parameter[object], ...] = (
    *(BBOX, DATETIME, LIMIT, Q, TYPE, IDS, EXTERNAL_IDS),
    *(FILTER, FILTER_LANG, FILTER_CRS, SORTBY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsQuery:
    """A parsed query of records."""

    box: BBox | None
    """Box in CRS84; west exceeds east across the antimeridian."""
    time: TimeSelection
    limit: int
    terms: tuple[str, ...]
    """Search terms; a record matches if it contains at least one."""
    types: tuple[str, ...]
    """Types of records; empty for all types."""
    ids: tuple[str, ...]
    external_ids: tuple[str, ...]
    values: Mapping[str, str | float]
    """Values of properties, by name."""
    filter: Mapping[str, Any] | None
    """CQL2 JSON."""
    order: tuple[tuple[str, bool], ...]
    """Names of properties, and whether the order is descending."""
    cursor: str | None
    offset: int
    written: tuple[tuple[str, str], ...]
    """Parameters of the selection, without `limit`, in the order of `parameters_of`, for links to other pages."""


def page_parameters(collection: RecordCollection) -> tuple[Parameter[object], ...]:
    """Return the parameter that selects the start of a page of records."""
    return (CURSOR,) if collection is ITEM_RECORDS else (OFFSET,)


def parameters_of(collection: RecordCollection) -> tuple[Parameter[object], ...]:
    """Return all parameters that select records, without general parameters of documents."""
    properties = [text(p.name, p.title, schema=p.schema) for p in collection.parameters]
    return (*SELECTION, *properties, *page_parameters(collection))


def records_query(query: Kvp, collection: RecordCollection) -> RecordsQuery:
    """Return the parsed query of a collection of records.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    paging = names_of(page_parameters(collection))
    query.refuse(("bbox-crs",), instead="bbox in CRS84")
    query.refuse({CURSOR.name, OFFSET.name, "startindex"} - set(paging), instead=f"{paging[0]}, as in links of next")
    parameters = parameters_of(collection)
    query.check_names(names_of((*parameters, *DOCUMENT_PARAMETERS)))
    selecting = [name for name in names_of(parameters) if name not in {*paging, LIMIT.name}]
    return RecordsQuery(
        box=box_in_degrees(query, BBOX),
        time=DATETIME.value(query),
        limit=LIMIT.value(query),
        terms=Q.value(query),
        types=TYPE.value(query),
        ids=IDS.value(query),
        external_ids=EXTERNAL_IDS.value(query),
        values={p.name: value for p in collection.parameters if (value := _value(query, p)) is not None},
        filter=_filter(query),
        order=tuple(_parse_order(text, collection) for text in SORTBY.value(query)) or collection.default_order,
        cursor=CURSOR.optional(query),
        offset=OFFSET.value(query),
        written=query.select(selecting),
    )


def _value(query: Kvp, property_: RecordProperty) -> str | float | None:
    value = query.optional(property_.name)
    if value is None or property_.schema.get("type") != "number":
        return value
    return number(value, locator=property_.name)


def _filter(query: Kvp) -> Mapping[str, Any] | None:
    crs = FILTER_CRS.optional(query)
    if crs is not None and crs not in CRS84_NAMES:
        message = f"filter-crs {crs[:MAX_SHOWN]!r} is not accepted; use {CRS84.uri}"
        raise InvalidParameter(message, locator=FILTER_CRS.name)
    return filter_of(query)


def _parse_order(value: str, collection: RecordCollection) -> tuple[str, bool]:
    name = value.removeprefix("-").removeprefix("+")  # a plus sign in a query is a blank once decoded
    names = [p.name for p in collection.sortables]
    if name not in names:
        message = f"sortby {name[:MAX_SHOWN]!r} is not accepted; use {', '.join(names)}"
        raise InvalidParameter(message, locator=SORTBY.name)
    return name, value.startswith("-")
