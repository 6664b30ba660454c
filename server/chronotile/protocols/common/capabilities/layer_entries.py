"""Layers as the capabilities of WMS and WMTS list them, collection by collection."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlencode

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.time.selection_text import selection_text
from chronotile.http.base_urls import base_url
from chronotile.http.request_services import services_of
from chronotile.pipeline.maps.legend import legend_pixels
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.languages import capabilities_language
from chronotile.protocols.common.capabilities.time_extent import MAX_LISTED, TimeExtent, time_extent
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.kvp import Kvp

DECIMALS = 9
"""Decimals of edges in degrees: removes only floating-point noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitiesContext:
    """Content and client of a capabilities document."""

    services: Services
    base: str
    """Public URL without a slash at the end."""
    language: str
    layers: frozenset[str] | None = None
    """Names of the listed layers; `None` lists all."""
    time: TimeSelection = ABSENT
    """Requested default time; layers without it have their usual default."""

    @property
    def time_text(self) -> str | None:
        """Canonical text of the time."""
        return selection_text(self.time)


def capabilities_context(request: Request, query: Kvp) -> CapabilitiesContext:
    """Return the context of a GetCapabilities request.

    Raises:
        InvalidParameter: A name in `layers` is not listed, or TIME is not a single time.
    """
    services = services_of(request)
    return CapabilitiesContext(
        services=services,
        base=base_url(request),
        language=capabilities_language(query, services.catalogue.service.languages),
        layers=listed_names(query, services.catalogue),
        time=_default_time(query.optional("TIME")),
    )


def _default_time(text: str | None) -> TimeSelection:
    # A list or an interval has no single time that could be the default.
    selection = parse_time(text)
    if len(selection.parts) > 1 or any(part.is_interval for part in selection.parts):
        raise InvalidParameter("TIME of GetCapabilities must be one time, such as 2020-06-11", locator="TIME")
    return selection


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleEntry:
    """A style with the real size of its legend."""

    name: str
    title: str
    is_default: bool
    legend_url: str
    """URL of a PNG."""
    legend_width: int
    legend_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEntry:
    """A layer under its id or an advertised alias."""

    layer: Layer
    name: str
    title: str
    abstract: str
    keywords: tuple[str, ...]
    attribution: str | None
    box: BBox
    """In CRS84."""
    styles: tuple[StyleEntry, ...]
    """Styles, the default first."""
    time: TimeExtent | None
    times_url: str
    """URL of all times as JSON."""


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
    """Return the names in `layers`, our parameter that limits capabilities; `None` for all.

    Raises:
        UnknownLayer: A layer does not exist.
        InvalidParameter: A name is an alias that is not listed.
    """
    text = query.optional("layers")
    if text is None:
        return None
    names = frozenset(name.strip() for name in text.split(","))
    for name in sorted(names - {name for name, _layer in catalogue.offered_layers}):
        layer = catalogue.layer(name)
        raise InvalidParameter(f"{name} is an alias that is not listed; use {layer.id}", locator="layer")
    return names


def advertised_layers(context: CapabilitiesContext) -> tuple[tuple[str, Layer], ...]:
    """Return the listed names with their layers; advertised aliases are separate entries."""
    offered = context.services.catalogue.offered_layers
    return offered if context.layers is None else tuple(entry for entry in offered if entry[0] in context.layers)


def collection_entries(context: CapabilitiesContext, *, times: int = MAX_LISTED) -> tuple[CollectionEntry, ...]:
    """Return the collections with georeferenced layers; each layer lists about `times` times."""
    layers_by_collection: dict[str, list[LayerEntry]] = {}
    for name, layer in advertised_layers(context):
        layers_by_collection.setdefault(layer.collection, []).extend(_layer_entry(name, layer, context, times))
    return tuple(
        _collection_entry(collection, tuple(layers), context.language)
        for collection in context.services.catalogue.collections
        if (layers := layers_by_collection.get(collection.id))
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
    """Yield one entry, or none if the grid has no longitudes and latitudes."""
    box = geographic_box(layer.main_variable.grid)
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
def geographic_box(native: NativeGrid) -> BBox | None:
    """Return the box of a grid in CRS84; `None` if it has no longitudes and latitudes."""
    try:
        return BBox(*(round(edge, DECIMALS) for edge in native.bbox_in(CRS84)))
    except InvalidParameter:
        return None
