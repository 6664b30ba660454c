"""Locations of a collection in EDR: the places that its data cover."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

import shapely

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import MAX_SHOWN, UnknownPath, UnknownPlace, require_at_most
from chronotile.core.model.collection import Clock
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.types import Json
from chronotile.pipeline.encoders.series.json import UNBOUNDED, interval_text
from chronotile.pipeline.features.select import places_near
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.edr import formats, queries
from chronotile.protocols.ogcapi.edr.features import FeatureSelection, features_document, matching_instants

BETWEEN = ":"
"""Separates place set and place in the id of a location; a slash would end the path segment."""


@dataclass(frozen=True, kw_only=True)
class Locations:
    """The locations of a collection: places of all sets whose boxes meet it."""

    offered: OfferedCollection
    sets: tuple[PlaceSet, ...]
    root: str
    """Public URL of the server."""
    address: str
    """Public URL of the collection."""
    language: str

    def document(self, selection: FeatureSelection, clock: Clock) -> bytes:
        """Return one page of locations, set by set; empty if no data match the requested time.

        Each location is a point inside its place, with the box of the place. Outlines are at `/places`.

        Raises:
            MissingTime: The default time is requested, and a layer has none.
        """
        datetime = _datetime(selection, clock)
        layer, sets = self.offered.main_field, self.sets if datetime else ()
        matches = [(places, places_near(places, layer, selection.box).tolist()) for places in sets]
        matched = sum(len(numbers) for _places, numbers in matches)
        start, stop = selection.paging.offset, selection.paging.end
        features: list[Json] = []
        for places, numbers in matches:
            page = numbers[max(0, start) : max(0, stop)]
            features += self._features(places, page, selection, datetime)
            start, stop = start - len(numbers), stop - len(numbers)
        return features_document(
            features,
            selection=selection,
            matched=matched,
            address=f"{self.address}/locations",
            links=[self._outlines(places) for places in self.sets],
        )

    def _features(
        self, places: PlaceSet, numbers: list[int], selection: FeatureSelection, datetime: str
    ) -> Iterator[Json]:
        shapes = shapes_in(places, CRS84)
        inside = shapely.get_coordinates(shapely.point_on_surface(shapes.shapes[numbers])).tolist()
        names = [layer.main_variable.name for layer in selection.layers]
        for number, point in zip(numbers, inside, strict=True):
            name = f"{places.id}{BETWEEN}{places.ids[number]}"
            columns = {key: column[number] for key, column in places.fields.items()}
            properties = {"datetime": datetime, "parameter-name": names, "label": places.labels[number]}
            yield {
                "type": "Feature",
                "id": name,
                "bbox": shapes.bounds[number],
                "geometry": {"type": "Point", "coordinates": point},
                "properties": {**columns, **properties, "edrqueryendpoint": location_address(self.address, name)},
            }

    def _outlines(self, places: PlaceSet) -> Json:
        return link(
            "related",
            f"{self.root}/places/{quote(places.id)}?format=geojson",
            formats.MEDIA_TYPES[formats.GEOJSON],
            f"{text_in(places.spec.title, self.language) or places.id}: outlines",
        )


def location_address(address: str, name: str) -> str:
    """Return the URL of the data of a location of the collection at `address`."""
    return f"{address}/locations/{quote(name, safe=BETWEEN)}"


def require_sets(offered: OfferedCollection, catalogue: Catalogue) -> tuple[PlaceSet, ...]:
    """Return the place sets of the locations of a collection.

    Raises:
        UnknownPath: The collection has no locations.
    """
    sets = queries.place_sets_of(offered, catalogue)
    if not sets:
        raise UnknownPath(f"collection {offered.id} has no locations: no places are configured there", locator="place")
    return sets


def areas_of_locations(text: str, catalogue: Catalogue) -> tuple[Area, ...]:
    """Return the places of an id `set:place`, or of several ids separated by commas.

    Raises:
        UnknownPlace: A place does not exist.
        LimitExceeded: More than `max_features` places.
    """
    try:
        return (_area(text, catalogue),)
    except UnknownPlace:
        if "," not in text:
            raise
    names, most = text.split(","), catalogue.limits.max_features
    require_at_most("max_features", len(names), most, alternative="request fewer in one call", locator="location")
    return tuple(_area(name.strip(), catalogue) for name in dict.fromkeys(names))


def _area(name: str, catalogue: Catalogue) -> Area:
    set_id, between, place_id = name.partition(BETWEEN)
    if not between:
        listed = f"{next(iter(catalogue.places))}{BETWEEN}…"
        message = f"location {name[:MAX_SHOWN]!r} does not exist; ids are of a set and a place, such as {listed}"
        raise UnknownPlace(message, locator="location")
    return replace(catalogue.place(f"{set_id}/{place_id}"), id=name)


def _datetime(selection: FeatureSelection, clock: Clock) -> str:
    """Return the interval of the layers' data at the requested time; empty without data."""
    timed = [layer for layer in selection.layers if len(layer.times)]
    if not timed:
        return UNBOUNDED
    instants = matching_instants(timed, selection.time, clock)
    return interval_text(instants) if instants.size else ""
