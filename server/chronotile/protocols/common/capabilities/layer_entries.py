"""Layers as the capabilities of WMS and WMTS list them, collection by collection."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Collection, Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox, NativeGrid
from chronotile.model.time.instants import ABSENT, TimeSelection
from chronotile.model.time.parser import parse_time
from chronotile.model.time.text import selection_text
from chronotile.pipeline.maps.legend import legend_pixels
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.languages import requested_language
from chronotile.protocols.common.capabilities.time_extent import MAX_LISTED, TimeExtent, time_extent
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.state import services_of

DECIMALS = 9
"""Of edges, in CRS units: only what floating point adds is taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitiesContext:
    """What documents list, and for whom."""

    services: Services
    base: str
    """Public URL without a slash at the end."""
    language: str
    layers: frozenset[str] | None = None
    """Names that the document lists, of those that documents may list; `None` lists all."""
    time: TimeSelection = ABSENT
    """What becomes the default of layers that have it."""

    @property
    def time_text(self) -> str | None:
        """The same time for all spellings of it."""
        return selection_text(self.time)


def capabilities_context(request: Request, query: Kvp) -> CapabilitiesContext:
    """Return what the capabilities shall list, and for whom.

    Raises:
        InvalidParameter: A layer that `layers` names is not listed, or TIME is not one time.
    """
    services = services_of(request)
    return CapabilitiesContext(
        services=services,
        base=base_url(request),
        language=requested_language(query, services.catalogue.service.languages),
        layers=listed_names(query, services.catalogue),
        time=_default_time(query.optional("TIME")),
    )


def _default_time(text: str | None) -> TimeSelection:
    """What TIME selects; a list or an interval has no one time that could be the default."""
    selection = parse_time(text)
    if len(selection.parts) > 1 or any(part.is_interval for part in selection.parts):
        raise InvalidParameter("TIME of GetCapabilities must be one time, such as 2020-06-11", locator="TIME")
    return selection


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
    times_url: str
    """All times, as JSON."""


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


def listed_names(query: Kvp, catalogue: Catalogue) -> frozenset[str] | None:
    """Return the names that `layers`, a parameter of our own, cuts capabilities down to; `None` for all.

    Raises:
        UnknownLayer: There is no such layer.
        InvalidParameter: There is, but it is not listed under that name.
    """
    text = query.optional("layers")
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(","))
    listed = {name for name, _layer in catalogue.offered_layers}
    for name in sorted(names - listed):
        layer = catalogue.layer(name)
        raise InvalidParameter(f"{name} is an alias that is not listed; use {layer.id}", locator="layer")
    return names


def advertised_layers(context: CapabilitiesContext) -> tuple[tuple[str, Layer], ...]:
    """Return the names that the document lists, with their layers; advertised aliases are layers too."""
    offered = context.services.catalogue.offered_layers
    return offered if context.layers is None else tuple(each for each in offered if each[0] in context.layers)


def collection_entries(context: CapabilitiesContext, *, times: int = MAX_LISTED) -> tuple[CollectionEntry, ...]:
    """Return the collections that have layers with a place on earth to tell of, each layer with about `times` times."""
    named: dict[str, list[LayerEntry]] = {}
    for name, layer in advertised_layers(context):
        named.setdefault(layer.collection, []).extend(_layer_entry(name, layer, context, times))
    collections = context.services.catalogue.collections
    return tuple(
        _collection_entry(collection, tuple(layers), context.language)
        for collection in collections
        if (layers := named.get(collection.id))
    )


def _collection_entry(collection: Collection, layers: tuple[LayerEntry, ...], language: str) -> CollectionEntry:
    return CollectionEntry(
        name=collection.id,
        title=text_in(collection.title, language) or collection.id,
        abstract=text_in(collection.abstract, language),
        keywords=collection.keywords,
        box=BBox(*(round(edge, DECIMALS) for edge in collection.bbox)),
        layers=layers,
    )


def _layer_entry(name: str, layer: Layer, context: CapabilitiesContext, times: int) -> Iterator[LayerEntry]:
    """One entry, or none for data whose grid has no longitudes and latitudes."""
    box = _geographic_box(layer.main_variable.grid)
    if box is not None:
        yield LayerEntry(
            layer=layer,
            name=name,
            title=text_in(layer.title, context.language) or name,
            abstract=text_in(layer.abstract, context.language),
            keywords=layer.keywords,
            attribution=layer.attribution,
            box=box,
            styles=tuple(_style_entries(name, layer, context.base)),
            time=time_extent(layer, context.services.clock(), limit=times, requested=context.time),
            times_url=f"{context.base}/layers/{quote(name)}/times",
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
