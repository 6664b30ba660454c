"""Which items of the index a query of records selects: records have ids and a type of their own, items have others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from chronotile.errors import InvalidParameter, UnknownItem
from chronotile.model.items import ItemSearch
from chronotile.model.time.instants import TimeSelection, TimeSpan
from chronotile.pipeline.search.find import find_product
from chronotile.pipeline.search.served_index import listed_collections
from chronotile.pipeline.services import Services
from chronotile.protocols.ogcapi.block import Json
from chronotile.protocols.ogcapi.records.free_text import terms_filter
from chronotile.protocols.ogcapi.records.params import DATETIME, FILTER, MAX_IDS, RecordsQuery
from chronotile.protocols.ogcapi.records.record_collections import ITEM, ITEM_RECORDS

Condition = Json | bool
Named = tuple[str, str]
"""A collection, and the id of an item in it."""


def item_search(query: RecordsQuery, services: Services) -> ItemSearch | None:
    """Return what is looked for in the index; `None`: no item can match.

    Raises:
        InvalidParameter: The times or the filter are not accepted.
        SourceUnavailable: The index does not answer.
    """
    span = _span(query.time)
    parts, named = list(_parts(query, services)), _named(query.ids, services)
    if query.ids:
        parts.append(_is_one_of(named))
    if False in parts or (query.types and ITEM not in query.types):
        return None
    conditions = [each for each in parts if each is not True]
    values = dict(query.values)
    collection = values.pop("collection", None)
    conditions += [{"op": "=", "args": [{"property": name}, value]} for name, value in values.items()]
    return ItemSearch(
        collections=() if collection is None else (str(collection),),
        bbox=query.box,
        span=span,
        ids=tuple(dict.fromkeys(id_ for _collection, id_ in named)),
        filter=_all(conditions),
        sort=() if query.order == ITEM_RECORDS.default_order else query.order,
        limit=query.limit,
        cursor=query.cursor,
    )


def _parts(query: RecordsQuery, services: Services) -> Iterator[Condition]:
    if query.filter is not None:
        _check_ids(query.filter)
        yield _of_items(query.filter, services)
    if query.terms:
        yield terms_filter(query.terms)
    if query.external_ids:
        yield _has_external_id(query.external_ids, services)


def _span(time: TimeSelection) -> TimeSpan | None:
    if time.keyword == "absent":
        return None
    if len(time.parts) != 1 or time.parts[0].period is not None:
        raise InvalidParameter("datetime takes one instant or one interval of records", locator=DATETIME.name)
    return time.parts[0].span


def _all(conditions: Sequence[Condition]) -> Json | None:
    if not conditions:
        return None
    if len(conditions) == 1 and isinstance(conditions[0], dict):
        return conditions[0]
    return {"op": "and", "args": list(conditions)}


def _of_items(node: Any, services: Services) -> Condition:  # noqa: ANN401 -- JSON
    """A filter of records as one of items, in which `type` is no property and `id` is that of the item."""
    arguments = node.get("args") if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping) or not isinstance(arguments, list):
        rest: Condition = node  # whoever reads it next says what is wrong with it
        return rest
    if node.get("op") in ("and", "or", "not"):
        return {**node, "args": [_of_items(each, services) for each in arguments]}
    if "type" in _names(arguments):
        from chronotile.catalog.items.cql2.evaluate import DocumentFilter  # noqa: PLC0415 -- SQLAlchemy, with the first

        return DocumentFilter(node).holds({"type": ITEM})
    return _of_ids(node, services) if "id" in _names(arguments) else dict(node)


def _of_ids(node: Mapping[str, Any], services: Services) -> Condition:
    operator, arguments = node.get("op"), node["args"]
    texts = _texts_of(node)
    if operator not in ("=", "<>", "in") or texts is None or len(arguments) != 2:
        raise InvalidParameter("filter compares id with =, <> and in alone", locator=FILTER.name)
    found = _is_one_of(_named(texts, services))
    if operator != "<>":
        return found
    return not found if isinstance(found, bool) else {"op": "not", "args": [found]}


def _check_ids(tree: Mapping[str, Any]) -> None:
    """Each id is looked up: many are refused before the first."""
    count, waiting = 0, [tree]
    while waiting:
        node = waiting.pop()
        count += len(_texts_of(node) or ()) if "id" in _names(node.get("args")) else 0
        waiting += [each for each in _members(node.get("args")) if isinstance(each, Mapping)]
    if count > MAX_IDS:
        raise InvalidParameter(f"filter has {count} ids; at most {MAX_IDS} are accepted", locator=FILTER.name)


def _texts_of(node: Mapping[str, Any]) -> Sequence[str] | None:
    """The texts that a property is compared with; `None`: there is something else."""
    others = [each for each in _members(node.get("args")) if not isinstance(each, Mapping)]
    texts = [text for each in others for text in (each if isinstance(each, list) else [each])]
    return texts if len(others) == 1 and all(isinstance(text, str) for text in texts) else None


def _names(arguments: object) -> set[str]:
    """The properties that arguments name, also within `casei`."""
    nodes = [each for each in _members(arguments) if isinstance(each, Mapping)]
    inner = [each for node in nodes for each in _members(node.get("args")) if isinstance(each, Mapping)]
    return {name for each in (*nodes, *inner) if isinstance(name := each.get("property"), str)}


def _members(arguments: object) -> Sequence[Any]:
    return arguments if isinstance(arguments, list) else ()


def _named(ids: Iterable[str], services: Services) -> list[Named]:
    """The items whose records have these ids."""
    named = list[Named]()
    for text in ids:
        product = product_of(text)
        if product is None:
            continue
        try:
            found = find_product(product, services)
        except UnknownItem:
            continue
        named.append((found.collection, found.ref.id))
    return named


def product_of(text: str) -> UUID | None:
    """Return the product that the id of a record names, if it is the id of one."""
    try:
        product = UUID(text)
    except ValueError:
        return None
    return product if str(product) == text.lower() else None


def _is_one_of(named: Sequence[Named]) -> Condition:
    collections = dict.fromkeys(collection for collection, _id in named)
    among = [_in_collection(each, [id_ for collection, id_ in named if collection == each]) for each in collections]
    if not among:
        return False
    return among[0] if len(among) == 1 else {"op": "or", "args": among}


def _in_collection(collection: str, ids: Sequence[str]) -> Json:
    return {"op": "and", "args": [{"op": "=", "args": [{"property": "collection"}, collection]}, _has_id(ids)]}


def _has_id(ids: Sequence[str]) -> Json:
    return {"op": "in", "args": [{"property": "id"}, list(ids)]}


def _has_external_id(texts: Sequence[str], services: Services) -> Json:
    """The id of the item, or `collection:id`."""
    pairs = ((text.partition(":")[0], text.partition(":")[2]) for text in texts)
    schemes = [_in_collection(scheme, [id_]) for scheme, id_ in pairs if scheme in listed_collections(services)]
    return {"op": "or", "args": [_has_id(texts), *schemes]}
