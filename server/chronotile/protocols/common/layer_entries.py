"""Layers as the capabilities of WMS and WMTS list them, collection by collection."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode

from chronotile.catalog.resolve import offered_layers
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Collection, Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox, NativeGrid
from chronotile.pipeline.draw_legend import legend_pixels
from chronotile.pipeline.services import Services
from chronotile.protocols.common.texts import text_in
from chronotile.protocols.common.time_extent import TimeExtent, time_extent

DECIMALS = 9
"""Of edges, in CRS units: only what floating point adds is taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is told, and to whom."""

    services: Services
    base: str
    """Public URL without a slash at the end."""
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleEntry:
    """A style with the legend that really exists."""

    name: str
    title: str
    is_default: bool
    legend_url: str
    """A PNG."""
    legend_width: int
    legend_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """A layer under one of its names."""

    layer: Layer
    name: str
    title: str
    abstract: str
    keywords: tuple[str, ...]
    attribution: str | None
    box: BBox
    """In CRS84."""
    styles: tuple[StyleEntry, ...]
    """The default first."""
    time: TimeExtent | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionEntry:
    """A collection with its layers."""

    name: str
    title: str
    abstract: str
    keywords: tuple[str, ...]
    box: BBox
    """In CRS84."""
    layers: tuple[LayerEntry, ...]


def collection_entries(telling: Telling) -> tuple[CollectionEntry, ...]:
    """Return all collections that have layers with a place on earth; advertised aliases are layers too."""
    named = offered_layers(telling.services.catalogue)
    entries = []
    for collection in telling.services.catalogue.collections:
        offered = ((name, layer) for name, layer in named if layer.collection == collection.id)
        layers = tuple(entry for name, layer in offered for entry in _layer_entry(name, layer, telling))
        if layers:
            entries.append(_collection_entry(collection, layers, telling.language))
    return tuple(entries)


def _collection_entry(collection: Collection, layers: tuple[LayerEntry, ...], language: str) -> CollectionEntry:
    return CollectionEntry(
        name=collection.id,
        title=text_in(collection.title, language) or collection.id,
        abstract=text_in(collection.abstract, language),
        keywords=collection.keywords,
        box=BBox(*(round(edge, DECIMALS) for edge in collection.bbox)),
        layers=layers,
    )


def _layer_entry(name: str, layer: Layer, telling: Telling) -> Iterator[LayerEntry]:
    """One entry, or none for data whose grid has no longitudes and latitudes."""
    box = _geographic_box(layer.main_variable.grid)
    if box is not None:
        yield LayerEntry(
            layer=layer,
            name=name,
            title=text_in(layer.title, telling.language) or name,
            abstract=text_in(layer.abstract, telling.language),
            keywords=layer.keywords,
            attribution=layer.attribution,
            box=box,
            styles=tuple(_style_entries(name, layer, telling.base)),
            time=time_extent(layer, telling.services.clock()),
        )


def _style_entries(name: str, layer: Layer, base: str) -> Iterator[StyleEntry]:
    for index, style in enumerate(layer.styles):
        width, height = legend_pixels(layer, style)
        query = urlencode({"style": style.id})
        yield StyleEntry(
            name=style.id,
            title=style.title,
            is_default=index == 0,
            legend_url=f"{base}/tiles/{quote(name)}/legend.png?{query}",
            legend_width=width,
            legend_height=height,
        )


@lru_cache(maxsize=4096)
def _geographic_box(native: NativeGrid) -> BBox | None:
    try:
        return BBox(*(round(edge, DECIMALS) for edge in native.bbox_in(CRS84)))
    except InvalidParameter:
        return None
