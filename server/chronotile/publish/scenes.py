"""The items of a collection of scenes or tiles, with the files that they name."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from chronotile.catalog.items.items import Items
from chronotile.errors import AddressRefused, InvalidItem, InvalidParameter
from chronotile.model.items import FoundItem, ItemSearch
from chronotile.pipeline.search.public_item import public_item
from chronotile.publish.publication import Asset, PublishedItem
from chronotile.publish.sources import files_and_left_out, is_folder, shortened, source_at
from chronotile.readers.stac.addresses import absolute_address
from chronotile.readers.stac.items import span_of
from chronotile.web.item_places import ItemPlaces

PAGE = 100
"""Items of a page."""

log = logging.getLogger(__name__)


def scenes_of(items: Items, search: ItemSearch, places: ItemPlaces, *, source: str) -> Iterator[PublishedItem]:
    """Yield the items that a search of one collection finds, in the order of their times.

    Args:
        items: The index.
        search: Without a cursor; its order and limit are replaced.
        places: Where files may lie. Assets elsewhere are left out: their addresses may be of anyone's choice.
        source: Where the source of the collection is, which no text of an item names.

    Raises:
        SourceUnavailable: The database does not answer.
    """
    search = replace(search, sort=(("datetime", False),), limit=PAGE, cursor=None)
    while True:
        page = items.search(search)
        yield from (_item(found, places, source) for found in page.items)
        if page.next is None:
            return
        search = replace(search, cursor=page.next)


def _item(found: FoundItem, places: ItemPlaces, source: str) -> PublishedItem:
    document = public_item(found, source)
    written = orjson.loads(found.document).get("assets") or {}
    shown = document["assets"]
    assets = tuple(asset for name in shown for asset in _assets(name, written[name], shown[name], places))
    return PublishedItem(document=document, start=_start(found, document), assets=assets)


def _start(found: FoundItem, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- an instant of numpy
    """When it was observed; of a document that does not say so the instant of its group, and it is left out later."""
    try:
        return span_of(document["properties"]).start
    except (InvalidItem, InvalidParameter):
        return found.ref.instant


def _assets(name: str, written: Mapping[str, Any], shown: Mapping[str, Any], places: ItemPlaces) -> Iterator[Asset]:
    try:
        href = places.allowed(absolute_address(str(written.get("href", "")), ""))
    except (AddressRefused, InvalidItem):
        return
    fields = {key: value for key, value in shown.items() if not key.startswith("file:")}
    if is_folder(href):
        files, left_out = files_and_left_out(href, places.allowed)
        if left_out:
            log.warning(
                "%s: %d links that lead elsewhere or to folders are not published: %s",
                source_at(href).name,
                len(left_out),
                shortened(left_out),
            )
        yield Asset(key=name, folder=files, name=source_at(href).name, fields=fields)
    else:
        yield Asset(key=name, source=source_at(href), fields=fields)
