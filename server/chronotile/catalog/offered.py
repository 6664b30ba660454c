"""Collections in OGC API: every configured collection, and every layer on its own."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.climatology_texts import add_climatology_keyword
from chronotile.core.errors import UnknownCollection, UnknownLayer
from chronotile.core.model.collection import Collection, Layer, LocalisedText
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.time.domain import TimeDomain, domain_of_bounds
from chronotile.core.model.time.instants import TimeSpan


@dataclass(frozen=True, kw_only=True)
class OfferedCollection:
    """A collection of OGC API."""

    id: str
    title: LocalisedText
    abstract: LocalisedText
    keywords: tuple[str, ...]
    attribution: str | None
    license: str | None
    collection: Collection
    """The configured collection, also if this is one of its layers."""
    layers: tuple[Layer, ...]
    """Maps show the first."""
    is_layer: bool

    @property
    def drawn_layer(self) -> Layer:
        """The layer that maps and tiles show."""
        return self.layers[0]

    @cached_property
    def fields(self) -> dict[str, Layer]:
        """Layers with values (no composites) on the grid of the first one, by variable."""
        variables = [(layer.main_variable, layer) for layer in self.layers if not layer.is_composite]
        return {variable.name: layer for variable, layer in variables if variable.grid == variables[0][0].grid}

    @property
    def main_field(self) -> Layer:
        """The first of `fields`; call it only if `has_values`."""
        return next(iter(self.fields.values()))

    @property
    def has_values(self) -> bool:
        """Whether it is a coverage; composites are not."""
        return bool(self.fields)

    @cached_property
    def times(self) -> TimeDomain:
        """The union of the times of its layers; of two with the same start, the shorter."""
        domains = list({id(layer.times): layer.times for layer in self.layers}.values())
        if len(domains) == 1:
            return domains[0]
        starts, ends = (
            np.concatenate(bounds) for bounds in zip(*((domain.starts, domain.ends) for domain in domains), strict=True)
        )
        shortest = np.argsort(ends)
        merged = domain_of_bounds(starts[shortest], ends[shortest])
        return replace(merged, is_climatology=self.is_climatology)

    @property
    def is_climatology(self) -> bool:
        """Whether all its layers are climatologies."""
        return all(layer.times.is_climatology for layer in self.layers)

    @property
    def climatology_span(self) -> TimeSpan | None:
        """The years of all its climatologies; `None` if unknown for one of them."""
        spans = [layer.times.climatology_span for layer in self.layers]
        known_spans = [span for span in spans if span is not None]
        if len(known_spans) < len(spans):
            return None
        return TimeSpan(min(span.start for span in known_spans), max(span.end for span in known_spans))


def offered_collections(catalogue: Catalogue) -> tuple[OfferedCollection, ...]:
    """Return each configured collection before its layers; a layer with the name of its collection is not repeated."""
    listed: dict[str, OfferedCollection] = {}
    for collection in catalogue.collections:
        if collection.layers:
            listed[collection.id] = offer_collection(collection)
        for layer in collection.layers:
            listed.setdefault(layer.id, _offer_layer(layer, collection))
    return tuple(listed.values())


def offered_collection(catalogue: Catalogue, name: str) -> OfferedCollection:
    """Return the collection with that id, or the layer with that id or alias.

    Raises:
        UnknownCollection: No collection or layer has the name; the message lists similar names.
    """
    collection = catalogue.collections_by_id.get(name)
    if collection is not None and collection.layers:
        return offer_collection(collection)
    try:
        layer = catalogue.layer(name)
    except UnknownLayer as error:
        raise UnknownCollection(error.message.replace("layer", "collection", 1), locator="collectionId") from error
    return _offer_layer(layer, catalogue.collection(layer.collection))


def is_offered_place_set(catalogue: Catalogue, name: str) -> bool:
    """Return whether OGC API lists the place set as a collection: no layer or collection has the same name."""
    return name in catalogue.places and not catalogue.has_name(name)


def offered_places(catalogue: Catalogue) -> dict[str, PlaceSet]:
    """Return the place sets that OGC API lists as collections, by id."""
    return {name: place_set for name, place_set in catalogue.places.items() if is_offered_place_set(catalogue, name)}


def offer_collection(collection: Collection) -> OfferedCollection:
    """Return a configured collection with all its layers, possibly none."""
    domains = [layer.times for layer in collection.layers]
    is_climatology = bool(domains) and all(times.is_climatology for times in domains)
    return OfferedCollection(
        id=collection.id,
        title=collection.title,
        abstract=collection.abstract,
        keywords=add_climatology_keyword(collection.keywords, domains[0]) if is_climatology else collection.keywords,
        attribution=collection.attribution,
        license=collection.license,
        collection=collection,
        layers=collection.layers,
        is_layer=False,
    )


def _offer_layer(layer: Layer, collection: Collection) -> OfferedCollection:
    return OfferedCollection(
        id=layer.id,
        title=layer.title,
        abstract=layer.abstract or collection.abstract,
        keywords=layer.keywords or collection.keywords,
        attribution=layer.attribution or collection.attribution,
        license=layer.license or collection.license,
        collection=collection,
        layers=(layer,),
        is_layer=True,
    )
