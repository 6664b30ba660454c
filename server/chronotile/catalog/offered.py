"""Collections as OGC API has them: every one that is configured, and every layer."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.climatology_texts import add_climatology_keyword
from chronotile.core.errors import UnknownCollection, UnknownLayer
from chronotile.core.model.collection import Collection, Layer, LocalisedText
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.time.instants import TimeDomain, TimeSpan, domain_of_bounds


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
    """That it is, or that its layer is of."""
    layers: tuple[Layer, ...]
    """The first is the one that is drawn."""
    is_layer: bool

    @property
    def drawn_layer(self) -> Layer:
        """The layer that maps and tiles show."""
        return self.layers[0]

    @cached_property
    def fields(self) -> dict[str, Layer]:
        """Layers with values, by the name of their variable: those on the grid of the first of them."""
        variables = [(layer.main_variable, layer) for layer in self.layers if not layer.is_composite]
        return {variable.name: layer for variable, layer in variables if variable.grid == variables[0][0].grid}

    @property
    def main_field(self) -> Layer:
        """The first of the fields, on whose grid all are; there is none without values."""
        return next(iter(self.fields.values()))

    @property
    def has_values(self) -> bool:
        """Whether it is a coverage: composites have colours alone."""
        return bool(self.fields)

    @cached_property
    def times(self) -> TimeDomain:
        """All times that any of its layers has; of two that begin at once, the shorter."""
        domains = list({id(layer.times): layer.times for layer in self.layers}.values())
        if len(domains) == 1:
            return domains[0]
        starts, ends = (np.concatenate(each) for each in zip(*((it.starts, it.ends) for it in domains), strict=True))
        shortest = np.argsort(ends)
        merged = domain_of_bounds(starts[shortest], ends[shortest])
        return replace(merged, is_climatology=self.is_climatology)

    @property
    def is_climatology(self) -> bool:
        """Whether the times of all its layers are of climatologies."""
        return all(layer.times.is_climatology for layer in self.layers)

    @property
    def climatology_span(self) -> TimeSpan | None:
        """From when to when its climatologies reach; `None` where that is not known of all."""
        spans = [layer.times.climatology_span for layer in self.layers]
        known = [span for span in spans if span is not None]
        if len(known) < len(spans):
            return None
        return TimeSpan(min(span.start for span in known), max(span.end for span in known))


def offered_collections(catalogue: Catalogue) -> tuple[OfferedCollection, ...]:
    """Return all, each configured collection before its layers; under `serve FOLDER` a layer may bear its name."""
    listed: dict[str, OfferedCollection] = {}
    for collection in catalogue.collections:
        if collection.layers:
            listed[collection.id] = offer_collection(collection)
        for layer in collection.layers:
            listed.setdefault(layer.id, _offer_layer(layer, collection))
    return tuple(listed.values())


def offered_collection(catalogue: Catalogue, name: str) -> OfferedCollection:
    """Return the collection of that id, or the layer of that id or alias.

    Raises:
        UnknownCollection: There is none; the message names the nearest.
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
    """Return whether a set of places of that name is a collection; not if a layer or collection has the name."""
    return name in catalogue.places and not catalogue.has_name(name)


def offered_places(catalogue: Catalogue) -> dict[str, PlaceSet]:
    """Return the sets of places that are collections, by id."""
    return {name: each for name, each in catalogue.places.items() if is_offered_place_set(catalogue, name)}


def offer_collection(collection: Collection) -> OfferedCollection:
    """Return a collection with all its layers; there may be none."""
    domains = [layer.times for layer in collection.layers]
    is_climatology = bool(domains) and all(times.is_climatology for times in domains)
    return OfferedCollection(
        id=collection.id,
        title=collection.title,
        abstract=collection.abstract,
        # With that of a climatology where all its layers are one.
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


# What capabilities say of a layer whose times stand for times of the year, of many years.
