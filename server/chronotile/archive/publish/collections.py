"""Collections of an archive as publications."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from chronotile.archive.open import Archive
from chronotile.archive.publish.documents import ITEMS
from chronotile.archive.publish.publication import (
    Publication,
    PublishedAsset,
    PublishedExtent,
    PublishedItem,
    PublishedVariable,
)
from chronotile.archive.publish.renders import renders_of
from chronotile.archive.publish.sources import files_and_left_out, is_folder, shorten_names, source_at
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.errors import AddressRefused, InvalidItem, InvalidParameter
from chronotile.core.model.collection import Collection, Layer, LocalisedText
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import FoundItem, ItemSearch
from chronotile.core.model.number_text import json_nodata, json_number
from chronotile.core.model.source import VariableInfo, VariableSpec
from chronotile.core.model.time.instants import last_of
from chronotile.core.model.types import Json
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from chronotile.pipeline.search.public_item import public_item
from chronotile.pipeline.styling.write_style import EXTENSION as RENDER
from chronotile.readers.stac.fields import absolute_address
from chronotile.readers.stac.items import span_of


def text_of(text: LocalisedText) -> str:
    """Return a text without a language, else in English, else in the first language; empty if there is none."""
    return text.get("") or text.get("en") or next(iter(text.values()), "")


def layers_of(collection: Collection) -> dict[str, Layer]:
    """Return the layers of a collection by the names of their variables or composites."""
    prefix = f"{collection.id}."
    return {
        layer.id.removeprefix(prefix) if layer.is_composite else layer.main_variable.name: layer
        for layer in collection.layers
    }


def about(collection: Collection) -> Publication:
    """Return the description of a collection, without files and items."""
    return Publication(
        id=collection.id,
        title=text_of(collection.title) or collection.id,
        description=text_of(collection.abstract) or text_of(collection.title) or collection.id,
        license=collection.license,
        attribution=collection.attribution,
        keywords=collection.keywords,
        variables=tuple(
            PublishedVariable(
                id=name,
                title=text_of(layer.title) or name,
                units=layer.main_variable.encoding.units,
                standard_name=layer.main_variable.standard_name,
            )
            for name, layer in layers_of(collection).items()
            if not layer.is_composite
        ),
    )


def extent_of(collection: Collection) -> PublishedExtent:
    """Return the extent of a collection in space and time."""
    domains = [layer.times for layer in collection.layers if len(layer.times)]
    starts = [domain.starts[0] for domain in domains]
    lasts = [last_of(d.starts[-1], d.ends[-1]) for d in domains]
    return PublishedExtent(bbox=collection.bbox, start=min(starts, default=None), last=max(lasts, default=None))


def add_renders(
    publication: Publication, collection: Collection, keys: Mapping[str, str], specs: Mapping[str, VariableSpec]
) -> Publication:
    """Add the styles of the layers to a publication.

    Args:
        publication: The publication.
        collection: The collection with the layers.
        keys: Keys of assets by variable.
        specs: Configured variables.
    """
    renders = renders_of(layers_of(collection), keys, specs)
    if not renders:
        return publication
    fields, extensions = {**publication.fields, "renders": renders}, (*publication.extensions, RENDER)
    return replace(publication, fields=fields, extensions=extensions)


def band_of(name: str, variable: VariableInfo, encoding: Encoding) -> Json:
    """Return a variable as a band of STAC 1.1."""
    members: Json = {
        "name": name,
        "description": variable.title,
        "data_type": encoding.dtype,
        "nodata": json_nodata(encoding.nodata),
        "unit": None if encoding.units == "1" else encoding.units,
        "raster:scale": None if encoding.scale == 1.0 else encoding.scale,
        "raster:offset": None if encoding.offset == 0.0 else encoding.offset,
        "raster:spatial_resolution": round(variable.grid.resolution * variable.grid.crs.metres_per_unit, 6),
        "classification:classes": _classes(variable, encoding) or None,
    }
    return {key: value for key, value in members.items() if value is not None}


def _classes(variable: VariableInfo, encoding: Encoding) -> list[Json]:
    """Return digital numbers with a meaning: classes, or flags without a value."""
    flags = [{"value": json_number(number), "name": name, "description": name} for number, name in encoding.flags]
    classes = [
        {
            "value": json_number(round((x.value - encoding.offset) / encoding.scale)),
            "name": "".join(letter if letter.isalnum() else "_" for letter in x.label.lower()) or str(x.value),
            "description": x.label,
            "color_hint": x.colour.hex.removeprefix("#")[:6].upper(),
        }
        for x in (variable.classes if variable.is_categorical else ())
    ]
    return [*classes, *flags]


def publication_of_scenes(
    archive: Archive, collection: Collection, items: ItemIndex, *, search: ItemSearch, prefixes: AllowedPlaces
) -> tuple[Publication, str]:
    """Return a collection of scenes or tiles, and how it is served after publication.

    Args:
        archive: The archive with the collection.
        collection: The collection.
        items: The index.
        search: The items to publish.
        prefixes: Permitted locations of files, in addition to the host of the source.
    """
    spec = archive.specs[collection.id]
    places = ItemPlaces(spec.href, prefixes)
    collection_search = replace(search, collections=(collection.id,))
    stored = spec.stored.variables
    names = stored or collection.variables
    keys = {name: (stored[name].asset if name in stored else None) or name for name in names}
    publication = replace(
        about(collection),
        items=lambda: scenes_of(items, collection_search, places, source=spec.href),
        is_daily=True,
        extent=PublishedExtent(),
    )
    return add_renders(publication, collection, keys, spec.variables), ITEMS


PAGE = 100
"""Items per page."""

log = logging.getLogger(__name__)


def scenes_of(items: ItemIndex, search: ItemSearch, places: ItemPlaces, *, source: str) -> Iterator[PublishedItem]:
    """Yield the items of a search in one collection, ordered by time.

    Args:
        items: The index.
        search: Without a cursor; its order and limit are replaced.
        places: Permitted locations of files. Other assets are skipped, because anyone may have chosen their URLs.
        source: Location of the source, which is removed from texts of items.

    Raises:
        SourceUnavailable: The database is unreachable.
    """
    search = replace(search, sort=(("datetime", False),), limit=PAGE, cursor=None)
    while True:
        page = items.search(search)
        yield from (_item(item, places, source) for item in page.items)
        if page.next is None:
            return
        search = replace(search, cursor=page.next)


def _item(item: FoundItem, places: ItemPlaces, source: str) -> PublishedItem:
    document = public_item(item, source)
    written = orjson.loads(item.document).get("assets") or {}
    public_assets = document["assets"]
    assets = tuple(
        asset for name in public_assets for asset in _assets(name, written[name], public_assets[name], places)
    )
    return PublishedItem(document=document, start=_start(item, document), assets=assets)


def _start(item: FoundItem, document: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- an instant of numpy
    """Return the time of observation; if the document has none, the instant of its group: it is skipped later."""
    try:
        return span_of(document["properties"]).start
    except (InvalidItem, InvalidParameter):
        return item.ref.instant


def _assets(
    name: str, written: Mapping[str, Any], public: Mapping[str, Any], places: ItemPlaces
) -> Iterator[PublishedAsset]:
    try:
        href = places.require_allowed(absolute_address(str(written.get("href", "")), ""))
    except (AddressRefused, InvalidItem):
        return
    fields = {key: value for key, value in public.items() if not key.startswith("file:")}
    if is_folder(href):
        files, left_out = files_and_left_out(href, places.require_allowed)
        if left_out:
            log.warning(
                "%s: %d links that lead elsewhere or to folders are not published: %s",
                source_at(href).name,
                len(left_out),
                shorten_names(left_out),
            )
        yield PublishedAsset(key=name, folder=files, name=source_at(href).name, fields=fields)
    else:
        yield PublishedAsset(key=name, source=source_at(href), fields=fields)
