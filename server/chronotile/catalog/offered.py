"""Collections as OGC API has them: every one that is configured, and every layer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import UnknownCollection, UnknownLayer
from chronotile.core.model.collection import Collection, Layer, LocalisedText, Mask
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.time.instants import ONE_NS, TimeDomain, TimeSpan, domain_of_bounds


@dataclass(frozen=True, kw_only=True)
class Offered:
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
    def drawn(self) -> Layer:
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


def offered_collections(catalogue: Catalogue) -> tuple[Offered, ...]:
    """Return all, each configured collection before its layers; under `serve FOLDER` a layer may bear its name."""
    listed: dict[str, Offered] = {}
    for collection in catalogue.collections:
        if collection.layers:
            listed[collection.id] = offered_whole(collection)
        for layer in collection.layers:
            listed.setdefault(layer.id, _of_layer(layer, collection))
    return tuple(listed.values())


def offered_collection(catalogue: Catalogue, name: str) -> Offered:
    """Return the collection of that id, or the layer of that id or alias.

    Raises:
        UnknownCollection: There is none; the message names the nearest.
    """
    collection = catalogue.collections_by_id.get(name)
    if collection is not None and collection.layers:
        return offered_whole(collection)
    try:
        layer = catalogue.layer(name)
    except UnknownLayer as error:
        raise UnknownCollection(error.message.replace("layer", "collection", 1), locator="collectionId") from error
    return _of_layer(layer, catalogue.collection(layer.collection))


def is_offered_place_set(catalogue: Catalogue, name: str) -> bool:
    """Return whether a set of places of that name is a collection; not if a layer or collection has the name."""
    return name in catalogue.places and not catalogue.has_name(name)


def offered_places(catalogue: Catalogue) -> dict[str, PlaceSet]:
    """Return the sets of places that are collections, by id."""
    return {name: each for name, each in catalogue.places.items() if is_offered_place_set(catalogue, name)}


def offered_whole(collection: Collection) -> Offered:
    """Return a collection with all its layers; there may be none."""
    domains = [layer.times for layer in collection.layers]
    is_climatology = bool(domains) and all(times.is_climatology for times in domains)
    return Offered(
        id=collection.id,
        title=collection.title,
        abstract=collection.abstract,
        # With that of a climatology where all its layers are one.
        keywords=with_keyword(collection.keywords, domains[0]) if is_climatology else collection.keywords,
        attribution=collection.attribution,
        license=collection.license,
        collection=collection,
        layers=collection.layers,
        is_layer=False,
    )


def _of_layer(layer: Layer, collection: Collection) -> Offered:
    return Offered(
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

KEYWORD = "climatology"

_SENTENCES = {
    "": ("Climatology of the years {}.", "Climatology; the data do not say of which years."),
    "fr": ("Climatologie des années {}.", "Climatologie ; les données ne disent pas de quelles années."),
    "nl": ("Klimatologie van de jaren {}.", "Klimatologie; de gegevens vermelden niet van welke jaren."),
}


def with_climatology(abstract: LocalisedText, times: TimeDomain) -> LocalisedText:
    """Return the abstract of a layer, which says of a climatology that it is one, and of which years."""
    if not times.is_climatology:
        return abstract
    texts = abstract or dict.fromkeys(_SENTENCES, "")
    return {language: f"{text} {_sentence(language, times)}".strip() for language, text in texts.items()}


def with_keyword(keywords: tuple[str, ...], times: TimeDomain) -> tuple[str, ...]:
    """Return the keywords of a layer, among them that it is a climatology."""
    return (*keywords, KEYWORD) if times.is_climatology and KEYWORD not in keywords else keywords


def years_text(times: TimeDomain) -> str | None:
    """Return the first and last year of a climatology; `None` where they are not known."""
    span = times.climatology_span
    if span is None:
        return None
    first, last = (str(instant.astype("datetime64[Y]")) for instant in (span.start, span.end + -ONE_NS))
    return first if first == last else f"{first}-{last}"


def _sentence(language: str, times: TimeDomain) -> str:
    known, unknown = _SENTENCES.get(language, _SENTENCES[""])
    years = years_text(times)
    return unknown if years is None else known.format(years)


_CLEAR = re.compile(r"clear( (land|water|sky|pixels?))?|((not|non|un)[ -]?)?vegetat(ed|ion)|bare( soils?)?|water")
_CLOUD = re.compile(r"\bclouds?\b")


def clear_mask(layers: Iterable[Layer]) -> Mask | None:
    """Return the clear classes of the first layer of classes that has clouds among them, by their names.

    Land cover has vegetation but no clouds, and does not state what a date shows.
    """
    for layer in layers:
        variable, style = layer.main_variable, layer.styles[0]
        if (
            layer.is_composite
            or not style.is_categorical
            or (variable.encoding.scale, variable.encoding.offset) != (1, 0)
        ):
            continue
        classes = variable.classes or style.classes  # the file's own words before those of a style for its name
        words = {each.value: each.label.lower().replace("_", " ").strip() for each in classes}
        keep = tuple(int(value) for value, label in words.items() if _CLEAR.fullmatch(label) and value == int(value))
        if keep and any(map(_CLOUD.search, words.values())):
            return Mask(variable.name, keep)
    return None
