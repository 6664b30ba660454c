"""Layers as the capabilities of WMS and WMTS list them, collection by collection."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from urllib.parse import quote, urlencode

import numpy as np
from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, CurrentUpdateSequence, InvalidParameter, InvalidUpdateSequence
from chronotile.core.model.collection import Collection, Layer
from chronotile.core.model.crs import CRS84, Crs
from chronotile.core.model.grid import BBox, NativeGrid
from chronotile.core.model.time.instants import ABSENT, TimeSelection
from chronotile.core.model.time.parser import parse_time, selection_text
from chronotile.http.base_urls import base_url
from chronotile.http.negotiation import offered_language
from chronotile.http.request_services import services_of
from chronotile.pipeline.maps.legend import legend_pixels
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.time_extent import MAX_LISTED, TimeExtent, time_extent
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.kvp import Kvp

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
    for name in sorted(names - {name for name, _layer in catalogue.offered_layers}):
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
    return tuple(
        _collection_entry(collection, tuple(layers), context.language)
        for collection in context.services.catalogue.collections
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
    """Return the box of a grid in CRS84; `None` where it has no longitudes and latitudes."""
    try:
        return BBox(*(round(edge, DECIMALS) for edge in native.bbox_in(CRS84)))
    except InvalidParameter:
        return None


# CRS as OGC's XML services spell them.

_CODE = re.compile(r"(\w+):(\w+)")


def wms_name(crs: Crs) -> str | None:
    """Return `EPSG:3857` or `CRS:84` (WMS 1.3.0 §6.7.3, Annex B.2), or `None` for a CRS without a code."""
    if crs == CRS84:
        return "CRS:84"
    return crs.name if _CODE.fullmatch(crs.name) else None


def urn(crs: Crs) -> str | None:
    """Return the URN (OGC 07-092r1), or `None` for a CRS without a code; CRS84 is the one with a version."""
    if crs == CRS84:
        return "urn:ogc:def:crs:OGC:1.3:CRS84"
    code = _CODE.fullmatch(crs.name)
    return f"urn:ogc:def:crs:{code[1]}::{code[2]}" if code else None


# The `updateSequence` of capabilities, by which clients detect outdated copies (OWS Common 1.1 §7.3.4).

_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE]\+?\d{1,3})?", re.ASCII)


def update_sequence(services: Services) -> str | None:
    """Return when what the capabilities tell of last changed, in microseconds since 1970, if that is known."""
    if services.changed is None:
        return None
    return str(services.changed.astype("datetime64[us]").astype(np.int64))


def sequence_order(held: str, current: str) -> int:
    """Return -1, 0 or 1: the sequence that a client holds is earlier than the current one, the same, or later.

    They compare as numbers, however they are written: OGC's suite of WMS writes one more as a double, `1.6E15`. What
    is not a number is earlier, such as the instants that earlier versions of the server had as sequences.
    """
    if _NUMBER.fullmatch(held.strip()) is None:
        return -1
    own, now = Decimal(held.strip()), Decimal(current)
    return (own > now) - (own < now)


def check_update_sequence(query: Kvp, current: str | None) -> None:
    """Refuse a client that holds the current document, or a later one; an earlier one gets it.

    So WMS 1.3.0 §7.2.3.5 and WCS 1.0.0 §8.2.2 have it.

    Args:
        query: The request.
        current: The sequence of the document; without one UPDATESEQUENCE is ignored.

    Raises:
        CurrentUpdateSequence: As said.
        InvalidUpdateSequence: As said.
    """
    requested = query.optional("UPDATESEQUENCE")
    if requested is None or current is None:
        return
    order = sequence_order(requested, current)
    if order == 0:
        raise CurrentUpdateSequence(f"UPDATESEQUENCE {current} is current", locator="UPDATESEQUENCE")
    if order > 0:
        raise InvalidUpdateSequence(
            f"UPDATESEQUENCE {requested[:MAX_SHOWN]!r} is later than the current {current}", locator="UPDATESEQUENCE"
        )


# The language in which capabilities are given, and how INSPIRE calls it.

_PAIRS = """
    bg:bul cs:cze da:dan de:ger el:gre en:eng es:spa et:est fi:fin fr:fre ga:gle hr:hrv hu:hun is:ice it:ita lt:lit
    lv:lav mt:mlt nl:dut no:nor pl:pol pt:por ro:rum sk:slo sl:slv sv:swe
"""
BIBLIOGRAPHIC: Mapping[str, str] = {tag: code for tag, _, code in (pair.partition(":") for pair in _PAIRS.split())}
"""ISO 639-2/B codes, which INSPIRE wants, of ISO 639-1's."""
_TAGS = {code: tag for tag, code in BIBLIOGRAPHIC.items()}
MAX_ASKED = 50


def requested_language(query: Kvp, offered: Sequence[str]) -> str:
    """Return the first language offered that LANGUAGE (INSPIRE) or AcceptLanguages (OWS Common) names, else the first.

    One that is not offered is not an error (INSPIRE view services, technical guidance 3.11, §4.2.3.1.1.1.6).
    """
    text = query.optional("LANGUAGE") or query.optional("ACCEPTLANGUAGES") or ""
    for requested in text.split(",")[:MAX_ASKED]:
        language = requested.strip().lower()[:60]
        found = offered_language(_TAGS.get(language, language), offered)
        if found is not None:
            return found
    return offered[0]


def inspire_code(language: str) -> str:
    """Return ISO 639-2/B's code of a language tag; the tag itself where there is none."""
    return BIBLIOGRAPHIC.get(language.lower().partition("-")[0], language)
